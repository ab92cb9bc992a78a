/**
 * What the parsers have in common: they can be halted between two frames, because a handler is asynchronous and its next
 * message must wait. The rest of the chunk is kept meanwhile, with what is read ahead, which is as little as with any stream
 * that is paused; and a mistake of the peer that was found in the frame at hand takes effect only when what came before it has
 * been delivered.
 */
import { isLent } from './burst.js';
import type { ControlSink, MessageSink, Parser } from './sink.js';

/** As much as a stream reads ahead, and in as few pieces as not to cost much more than that. */
const MAX_LATE = 16 * 1024;
const MAX_LATE_CHUNKS = 16;

export abstract class HaltingParser implements Parser {
  halted = false;
  protected stopped = false;
  private rest: Buffer | undefined = undefined;
  /** What has come since. */
  private late: Buffer[] | undefined = undefined;
  private lateBytes = 0;
  private mistake: unknown = undefined;
  protected readonly messages: MessageSink;
  protected readonly controls: ControlSink;

  constructor(messages: MessageSink, controls: ControlSink) {
    this.messages = messages;
    this.controls = controls;
  }

  get isFull(): boolean {
    return this.late !== undefined && (this.lateBytes >= MAX_LATE || this.late.length >= MAX_LATE_CHUNKS);
  }

  get pinned(): number {
    const { rest, late } = this;
    let sum = rest === undefined ? 0 : rest.buffer.byteLength;
    if (late !== undefined) for (const chunk of late) sum += chunk.buffer.byteLength;
    return sum;
  }

  /** Whether what was found before is not delivered yet. */
  protected get isBehind(): boolean {
    return this.halted;
  }

  /** Parses the chunk until its end, until stopped, or until it is halted in front of a frame: then it calls `keep`. */
  protected abstract run(chunk: Buffer): void;

  feed(chunk: Buffer): void {
    if (this.stopped) return;
    if (this.halted) {
      this.late ??= [];
      this.late.push(isLent(chunk) ? copyOf(chunk, 0) : chunk);
      this.lateBytes += chunk.length;
      return;
    }
    try {
      this.run(chunk);
    } catch (error) {
      if (!this.isBehind) throw error;
      this.mistake = error;
    }
  }

  halt(): void {
    this.halted = true;
  }

  resume(): void {
    this.halted = false;
    if (this.mistake !== undefined) throw this.mistake;
    const { rest, late } = this;
    this.rest = undefined;
    this.late = undefined;
    this.lateBytes = 0;
    if (rest !== undefined) this.feed(rest);
    // Halted again on the way, they are late once more.
    if (late !== undefined) for (const chunk of late) this.feed(chunk);
  }

  stop(): void {
    this.stopped = true;
    this.rest = undefined;
    this.late = undefined;
    this.mistake = undefined;
  }

  protected keep(chunk: Buffer, at: number): void {
    this.rest = isLent(chunk) ? copyOf(chunk, at) : chunk.subarray(at);
  }
}

/** Not of Node's pool, where a few bytes would keep the 8 KiB that they are cut from. */
function copyOf(chunk: Buffer, start: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(chunk.length - start);
  chunk.copy(copy, 0, start);
  return copy;
}
