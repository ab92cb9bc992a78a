/**
 * A zlib stream of Node with one user at a time, by its documented interface. Each write is one job of zlib and
 * produces all its output, because it is flushed by `Z_SYNC_FLUSH` ("all pending output is flushed to the output buffer
 * and the output is aligned on a byte boundary", as RFC 7692 section 7.2.1 requires).
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
  /** The job is done. `consumed` is less than the input if the deflate stream ended early. */
  onDone(consumed: number): void;
  /** The data is invalid, or zlib is out of memory. The stream cannot be used again. */
  onFailed(error: Error): void;
}

export interface DeflateSettings {
  /** 9 to 15. */
  readonly windowBits: number;
  readonly level: number;
  readonly memLevel: number;
}

/** The maximum size of a piece of output, in bytes. */
const CHUNK_SIZE = 16 * 1024;
/** At most one piece of output waits; until it is taken, zlib waits too. */
const STREAM = { flush: constants.Z_SYNC_FLUSH, chunkSize: CHUNK_SIZE, readableHighWaterMark: 1 };

/** A stream keeps the async context of its creation. A shared stream must not keep that of a connection. */
const nobody = new AsyncScope('WebSocketZlibStream');

export class ZlibStream {
  user: ZlibUser | undefined = undefined;
  /** The pinned memory, in bytes. */
  readonly memory: number;
  private readonly stream: InflateRaw | DeflateRaw;
  private before = 0;
  /** The async scope of the current job, in which its user is called. */
  private origin = nobody;
  private readonly written: (error?: Error | null) => void;

  constructor(create: () => InflateRaw | DeflateRaw, memory: number) {
    const stream = nobody.runInAsyncScope(create);
    this.stream = stream;
    this.memory = memory + CHUNK_SIZE;
    this.written = (error) => {
      if (error) return;
      const consumed = stream.bytesWritten - this.before;
      // Node 26 calls back within `read()`, when the last piece has left the buffer but has not been delivered.
      process.nextTick(() => this.call((user) => user.onDone(consumed)));
    };
    stream.on('data', (bytes: Buffer) => this.call((user) => user.onOutput(bytes)));
    stream.on('error', (error) => this.call((user) => user.onFailed(error)));
  }

  /** Starts a job. The previous one must be done, and the input must not change until this one is. */
  write(input: Buffer): void {
    this.before = this.stream.bytesWritten;
    this.origin = new AsyncScope('WebSocketZlibJob');
    this.stream.write(input, this.written);
  }

  /** Pauses the output. One more piece may already be in progress. */
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

  /** Drops all context, so that the stream is like new. */
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

/** According to `zlib.h` of version 1.2, an inflater allocates a window and about 7 KiB of tables. */
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
 * Inflates a few bytes in this thread, without a stream.
 *
 * @returns the output, and the number of bytes consumed up to the end of the deflate stream; undefined if the input is
 * invalid, or its output exceeds one piece
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
