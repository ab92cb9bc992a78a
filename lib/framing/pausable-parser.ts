/**
 * What the parsers have in common: they can be paused between two frames, because a handler is asynchronous and its next message
 * must wait. The rest of the chunk is kept meanwhile, and so is what is read ahead, up to 64 KiB, so that a peer that pings,
 * closes or leaves is heard. A protocol error that was found in the frame at hand takes effect only when what came before it has
 * been delivered.
 */

import { type Chunk, SharedChunk } from '../memory/shared-read-buffer.js';
import type { ControlSink, MessageSink, Parser } from './sink.js';

/** How much is read ahead while the parser is paused, in bytes: most of what a client says before it waits for an answer. */
export const MAX_READ_AHEAD = 64 * 1024;
/** A client that sends byte by byte pins no object for each. */
const LEAST_AHEAD = 1024;

const NOTHING = Buffer.alloc(0);
/** Where what waits is looked at. */
const SCRATCH = Buffer.allocUnsafeSlow(16 * 1024);

/** What waits for a parser that is paused: most never are. */
class PausedInput {
  /** Of the chunk at hand. */
  rest: Buffer | undefined = undefined;
  /** What has come since: ahead[0, aheadLength). */
  ahead = NOTHING;
  aheadLength = 0;
  deferredError: unknown = undefined;
  /** Has looked at all that waits, up to the first protocol error. */
  lookAhead: PausableParser | undefined = undefined;
  /** How many bytes it is ahead of the parser. */
  lead = 0;

  /** The next bytes to be parsed. */
  take(): Buffer | undefined {
    const { rest } = this;
    this.rest = undefined;
    if (rest !== undefined || this.aheadLength === 0) return rest;
    const ahead = this.ahead.subarray(0, this.aheadLength);
    this.ahead = NOTHING;
    this.aheadLength = 0;
    return ahead;
  }

  append(chunk: Buffer): void {
    const length = this.aheadLength + chunk.length;
    if (length > this.ahead.length) {
      // Not of Node's pool, where a few bytes would keep the 8 KiB that they are cut from.
      const grown = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.ahead.length, LEAST_AHEAD));
      this.ahead.copy(grown, 0, 0, this.aheadLength);
      this.ahead = grown;
    }
    chunk.copy(this.ahead, this.aheadLength);
    this.aheadLength = length;
  }
}

export abstract class PausableParser implements Parser {
  paused = false;
  discarding = false;
  private input: PausedInput | undefined = undefined;
  readonly messages: MessageSink;
  protected readonly controls: ControlSink;

  constructor(messages: MessageSink, controls: ControlSink) {
    this.messages = messages;
    this.controls = controls;
  }

  get room(): number {
    return this.paused ? Math.max(0, MAX_READ_AHEAD - (this.input?.aheadLength ?? 0)) : Number.POSITIVE_INFINITY;
  }

  get pinned(): number {
    const { input } = this;
    return input === undefined ? 0 : (input.rest?.buffer.byteLength ?? 0) + input.ahead.length;
  }

  /** Whether what was found before is not delivered yet. */
  protected get isBehind(): boolean {
    return this.paused;
  }

  /** Parses the chunk until its end, until discarding, or until it is paused in front of a frame: then it calls `keep`. */
  protected abstract run(chunk: Chunk): void;

  /**
   * Another parser, which stands where this one does, and tells only of control frames: `pingAhead` and `closeAhead`. Undefined
   * where the protocol has none.
   */
  protected abstract createLookAhead(): PausableParser | undefined;

  feed(chunk: Chunk): void {
    if (this.discarding) return;
    if (this.paused) this.readAhead(chunk instanceof SharedChunk ? chunk.bytes : chunk);
    else this.parse(chunk);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    const { input } = this;
    if (input === undefined) return;
    if (input.deferredError !== undefined) throw input.deferredError;
    while (!this.paused && input === this.input && input.deferredError === undefined) {
      const bytes = input.take();
      if (bytes === undefined) this.input = undefined;
      else this.parse(bytes);
    }
  }

  discard(): void {
    this.discarding = true;
    this.input = undefined;
  }

  protected keep(chunk: Chunk, at: number): void {
    this.waiting.rest = chunk instanceof SharedChunk ? chunk.copy(at) : chunk.subarray(at);
  }

  private parse(chunk: Chunk): void {
    try {
      this.run(chunk);
    } catch (error) {
      if (!this.isBehind) throw error;
      this.waiting.deferredError = error;
    }
    if (this.input !== undefined) this.lookAhead(this.input, chunk.length);
  }

  /** The parser has taken up to `length` bytes, and perhaps left some of them. */
  private lookAhead(input: PausedInput, length: number): void {
    const { rest } = input;
    input.lead -= length - (rest?.length ?? 0);
    if (input.lead <= 0) {
      input.lead = 0;
      input.lookAhead = undefined;
    }
    if (rest !== undefined && this.paused && input.lead < rest.length) this.scan(input, rest.subarray(input.lead));
  }

  private readAhead(chunk: Buffer): void {
    const input = this.waiting;
    input.append(chunk);
    this.scan(input, chunk);
  }

  /** The bytes are unmasked in place: by looking ahead only in a copy. */
  private scan(input: PausedInput, bytes: Buffer): void {
    // This parser stands behind a protocol error, and will go no further.
    if (input.deferredError !== undefined) return;
    input.lookAhead ??= this.createLookAhead();
    input.lead += bytes.length;
    const { lookAhead } = input;
    if (lookAhead === undefined || lookAhead.discarding) return;
    try {
      for (let at = 0; at < bytes.length; at += SCRATCH.length) {
        lookAhead.feed(SCRATCH.subarray(0, bytes.copy(SCRATCH, 0, at, at + SCRATCH.length)));
      }
    } catch {
      // This parser will say so in its turn. Nothing behind it is answered.
      lookAhead.discard();
    }
  }

  private get waiting(): PausedInput {
    this.input ??= new PausedInput();
    return this.input;
  }
}
