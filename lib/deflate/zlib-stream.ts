/**
 * A zlib stream of Node, by its documented interface, with one user at a time. Each write is one job of zlib's: what goes in
 * comes out whole, since it is flushed by `Z_SYNC_FLUSH` ("all pending output is flushed to the output buffer and the output
 * is aligned on a byte boundary", as RFC 7692 section 7.2.1 wants it).
 */
import {
  constants,
  createDeflateRaw,
  createInflateRaw,
  type DeflateRaw,
  type InflateRaw,
  inflateRawSync,
} from 'node:zlib';
import { AsyncScope } from './async-scope.js';

export interface ZlibUser {
  onOutput(bytes: Buffer): void;
  /** All that was written has been looked at. `consumed` bytes of it were: fewer where the deflate stream ended before. */
  onDone(consumed: number): void;
  /** The data is not what it should be. The stream is of no use any more. */
  onFailed(error: Error): void;
}

export interface DeflateSettings {
  /** 9 to 15. */
  readonly windowBits: number;
  readonly level: number;
  readonly memLevel: number;
}

/** Bytes of output at a time. */
const CHUNK_SIZE = 16 * 1024;
/** One such piece may wait to be taken: then zlib waits, too. */
const STREAM = { flush: constants.Z_SYNC_FLUSH, chunkSize: CHUNK_SIZE, readableHighWaterMark: 1 };

/** A stream remembers in whose `AsyncLocalStorage` it was made. It is to be everybody's. */
const nobody = new AsyncScope('WebSocketZlibStream');

export class ZlibStream {
  user: ZlibUser | undefined = undefined;
  /** The memory that it pins, in bytes. */
  readonly memory: number;
  private readonly stream: InflateRaw | DeflateRaw;
  private before = 0;
  /** Where what is at work came from: the user is called as from there. */
  private origin = nobody;
  private readonly written: (error?: Error | null) => void;

  constructor(create: () => InflateRaw | DeflateRaw, memory: number) {
    const stream = nobody.runInAsyncScope(create);
    this.stream = stream;
    this.memory = memory + CHUNK_SIZE;
    this.written = (error) => {
      if (error) return;
      const consumed = stream.bytesWritten - this.before;
      // Node 26 calls back in the midst of a `read()`: the last piece is out of the buffer then, and on its way.
      process.nextTick(() => this.call((user) => user.onDone(consumed)));
    };
    stream.on('data', (bytes: Buffer) => this.call((user) => user.onOutput(bytes)));
    stream.on('error', (error) => this.call((user) => user.onFailed(error)));
  }

  /** Not while it is at work. The input must stay as it is until it is done. */
  write(input: Buffer): void {
    this.before = this.stream.bytesWritten;
    this.origin = new AsyncScope('WebSocketZlibJob');
    this.stream.write(input, this.written);
  }

  /** No more output, for now; a piece of it may be in the making already. */
  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  /** Whether output waits to be taken. */
  get hasOutput(): boolean {
    return this.stream.readableLength > 0;
  }

  /** Forgets all that it was given: as if it were new. */
  reset(): void {
    this.origin = nobody;
    this.stream.reset();
  }

  close(): void {
    this.user = undefined;
    this.stream.destroy();
  }

  private call(run: (user: ZlibUser) => void): void {
    const { user } = this;
    if (user !== undefined) this.origin.runInAsyncScope(run, undefined, user);
  }
}

/** What zlib allocates for it, as `zlib.h` of version 1.2 says: a window, and some 7 KiB of tables. */
const INFLATE_TABLES = 7 * 1024;

export function createInflater(windowBits: number): ZlibStream {
  return new ZlibStream(() => createInflateRaw({ ...STREAM, windowBits }), (1 << windowBits) + INFLATE_TABLES);
}

/** `zlib.h`: "(1 << (windowBits+2)) + (1 << (memLevel+9))". */
export function createDeflater({ windowBits, level, memLevel }: DeflateSettings): ZlibStream {
  const memory = (1 << (windowBits + 2)) + (1 << (memLevel + 9));
  return new ZlibStream(() => createDeflateRaw({ ...STREAM, windowBits, level, memLevel }), memory);
}

/**
 * All that a few bytes bring, without a stream and in this thread.
 *
 * @returns also how many of them there are up to the end of the deflate stream, or all of them; undefined where they are no deflate stream,
 * or bring more than a stream does at a time
 */
export function inflateAtOnce(input: Buffer, windowBits: number): { consumed: number; output: Buffer } | undefined {
  const settings = {
    finishFlush: constants.Z_SYNC_FLUSH,
    windowBits,
    chunkSize: 1024,
    maxOutputLength: CHUNK_SIZE,
    info: true,
  };
  try {
    const result: unknown = inflateRawSync(input, settings);
    const { buffer, engine } = result as { buffer: Buffer; engine: InflateRaw };
    return { consumed: engine.bytesWritten, output: buffer };
  } catch {
    return undefined;
  }
}
