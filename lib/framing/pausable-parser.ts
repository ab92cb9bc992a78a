/**
 * The base of the parsers: it can pause between two frames, because the next message must wait for an asynchronous
 * handler. Meanwhile it keeps the rest of the chunk, and up to 64 KiB of further input, so that pings, close frames and
 * the end of the connection are noticed. A protocol error takes effect only after the data before it has been
 * delivered.
 */

import { type Chunk, SharedChunk } from '../memory/shared-read-buffer.js';
import type { ControlSink, MessageSink, Parser } from './sink.js';

/**
 * How much is read ahead while the parser is paused, in bytes. Few clients send more before they wait for an answer.
 */
export const MAX_READ_AHEAD = 64 * 1024;
/** The minimum allocation, so that a client that sends single bytes does not cause one for each. */
const LEAST_AHEAD = 1024;

const NOTHING = Buffer.alloc(0);
const SCRATCH_SIZE = 16 * 1024;
/**
 * Holds copies of waiting input for the look-ahead parser. Undefined while one uses it: over a synchronous stream, the answer to a
 * ping may bring data of another connection.
 */
let freeScratch: Buffer | undefined = Buffer.allocUnsafeSlow(SCRATCH_SIZE);

/** The input that waits while a parser is paused. Most parsers never need it. */
class PausedInput {
  /** The rest of the current chunk. */
  rest: Buffer | undefined = undefined;
  /** The input that has arrived since: ahead[0, aheadLength). */
  ahead = NOTHING;
  aheadLength = 0;
  deferredError: unknown = undefined;
  /** Has parsed all the waiting input, up to the first protocol error. */
  lookAhead: PausableParser | undefined = undefined;
  /** How many bytes `lookAhead` is ahead of the parser. */
  lead = 0;

  /** Removes and returns the next bytes to parse. */
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
      // Outside Node's pool, where a few bytes would keep an 8 KiB block alive.
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

  /** Whether earlier data has not been delivered yet. */
  protected get isBehind(): boolean {
    return this.paused;
  }

  /** Parses the chunk to its end, until discarding, or until it is paused before a frame, when it calls `keep`. */
  protected abstract run(chunk: Chunk): void;

  /**
   * Creates a parser in the same state that reports only control frames, by `pingAhead` and `closeAhead`. Undefined if
   * the protocol has none.
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

  /** Adjusts the look-ahead after the parser has taken up to `length` bytes. */
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

  /** Parsers unmask in place, so the look-ahead parser gets a copy. */
  private scan(input: PausedInput, bytes: Buffer): void {
    // This parser stands behind a protocol error, and will go no further.
    if (input.deferredError !== undefined) return;
    input.lookAhead ??= this.createLookAhead();
    input.lead += bytes.length;
    const { lookAhead } = input;
    if (lookAhead === undefined || lookAhead.discarding) return;
    const scratch = freeScratch ?? Buffer.allocUnsafeSlow(SCRATCH_SIZE);
    freeScratch = undefined;
    try {
      for (let at = 0; at < bytes.length; at += SCRATCH_SIZE) {
        lookAhead.feed(scratch.subarray(0, bytes.copy(scratch, 0, at, at + SCRATCH_SIZE)));
      }
    } catch {
      // The main parser will find the same error in its turn. Control frames after it are not answered.
      lookAhead.discard();
    } finally {
      freeScratch = scratch;
    }
  }

  private get waiting(): PausedInput {
    this.input ??= new PausedInput();
    return this.input;
  }
}
