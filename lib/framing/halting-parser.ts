/**
 * What the parsers have in common: they can be halted between two frames, because a handler is asynchronous and its next
 * message must wait. The rest of the chunk is kept meanwhile (one chunk: the socket is paused), and a mistake of the peer
 * that was found in the frame at hand takes effect only when what came before it has been delivered.
 */
import type { ControlSink, MessageSink, Parser } from './sink.js';

export abstract class HaltingParser implements Parser {
  halted = false;
  protected stopped = false;
  private rest: Buffer | undefined = undefined;
  /** What a stream has still emitted since it was paused, of which a socket does none. */
  private late: Buffer[] | undefined = undefined;
  private mistake: unknown = undefined;
  protected readonly messages: MessageSink;
  protected readonly controls: ControlSink;

  constructor(messages: MessageSink, controls: ControlSink) {
    this.messages = messages;
    this.controls = controls;
  }

  get pinned(): number {
    const { rest, late = [] } = this;
    return late.reduce((sum, chunk) => sum + chunk.buffer.byteLength, rest?.buffer.byteLength ?? 0);
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
      this.late.push(chunk);
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

  protected keep(rest: Buffer): void {
    this.rest = rest;
  }
}
