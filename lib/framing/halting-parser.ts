/**
 * What the parsers have in common: they can be halted between two frames, because a handler is asynchronous and its next
 * message must wait. The rest of the chunk is kept meanwhile, with what is read ahead, which is as little as with any stream
 * that is paused; and a mistake of the peer that was found in the frame at hand takes effect only when what came before it has
 * been delivered.
 */
import { isLent } from './simd-scan.js';
import type { ControlSink, MessageSink, Parser } from './sink.js';

/** As much as a stream reads ahead, and in as few pieces as not to cost much more than that. */
const MAX_LATE = 16 * 1024;
const MAX_LATE_CHUNKS = 16;

/** What is kept of a parser that is halted: most never are. */
class PausedInput {
  /** Of the chunk at hand. */
  rest: Buffer | undefined = undefined;
  /** What has come since. */
  readonly pending: Buffer[] = [];
  pendingBytes = 0;
  deferredError: unknown = undefined;
}

export abstract class PausableParser implements Parser {
  paused = false;
  protected discarding = false;
  private kept: PausedInput | undefined = undefined;
  protected readonly messages: MessageSink;
  protected readonly controls: ControlSink;

  constructor(messages: MessageSink, controls: ControlSink) {
    this.messages = messages;
    this.controls = controls;
  }

  get isFull(): boolean {
    const { kept } = this;
    return kept !== undefined && (kept.pendingBytes >= MAX_LATE || kept.pending.length >= MAX_LATE_CHUNKS);
  }

  get pinned(): number {
    const { kept } = this;
    if (kept === undefined) return 0;
    return kept.pending.reduce((sum, chunk) => sum + chunk.buffer.byteLength, kept.rest?.buffer.byteLength ?? 0);
  }

  /** Whether what was found before is not delivered yet. */
  protected get isBehind(): boolean {
    return this.paused;
  }

  /** Parses the chunk until its end, until stopped, or until it is halted in front of a frame: then it calls `keep`. */
  protected abstract run(chunk: Buffer): void;

  feed(chunk: Buffer): void {
    if (this.discarding) return;
    if (this.paused) {
      const kept = this.keeping();
      kept.pending.push(isLent(chunk) ? copyOf(chunk, 0) : chunk);
      kept.pendingBytes += chunk.length;
      return;
    }
    try {
      this.run(chunk);
    } catch (error) {
      if (!this.isBehind) throw error;
      this.keeping().deferredError = error;
    }
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    const { kept } = this;
    if (kept === undefined) return;
    if (kept.deferredError !== undefined) throw kept.deferredError;
    this.kept = undefined;
    if (kept.rest !== undefined) this.feed(kept.rest);
    // Halted again on the way, they are late once more.
    for (const chunk of kept.pending) this.feed(chunk);
  }

  discard(): void {
    this.discarding = true;
    this.kept = undefined;
  }

  protected keep(chunk: Buffer, at: number): void {
    this.keeping().rest = isLent(chunk) ? copyOf(chunk, at) : chunk.subarray(at);
  }

  private keeping(): PausedInput {
    this.kept ??= new PausedInput();
    return this.kept;
  }
}

/** Not of Node's pool, where a few bytes would keep the 8 KiB that they are cut from. */
function copyOf(chunk: Buffer, start: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(chunk.length - start);
  chunk.copy(copy, 0, start);
  return copy;
}
