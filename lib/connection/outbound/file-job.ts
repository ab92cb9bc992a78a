/**
 * A file as one binary frame (the seed's `write_file`), streamed: two small buffers are all the memory it takes, however
 * long the file is and however slowly the peer reads.
 *
 *     open, without waiting ─▶ regular? ─▶ read the first piece ─▶ header ─▶ piece after piece
 *     └───────────── refused: nothing was sent, the connection goes on ─┘
 *
 * Only regular files are sent. What else a path may lead to has no length that could be announced, and may have nothing to read
 * for ever: a thread of libuv would wait for it, and four of them are all that the file operations of a process have.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { FileError, InvalidStateError, invalidArgument, invalidOption } from '../../errors.js';
import { Opcode } from '../../framing/opcode.js';
import { headerLength, writeHeader } from '../../framing/serializer.js';
import type { Transport } from '../../transport/transport.js';
import type { Job } from './writer.js';

/** Large enough that reading costs little per byte, small enough that a thousand downloads fit into 256 MiB. */
const CHUNK_SIZE = 128 * 1024;

export interface FileOptions {
  /** How many bytes to send. Default, and 0: all from `offset` on. */
  length?: number | undefined;
  /** How many bytes to leave out at the beginning. Default 0. */
  offset?: number | undefined;
}

export type FileSource = string | URL | Buffer | FileHandle;

export class FileJob implements Job {
  readonly size = 0;
  /** One of its two buffers; the other one is the socket's. */
  memory = 0;
  readonly ownsSocket = true;
  /** Fulfilled when the file has been sent, rejected with the reason why not. */
  readonly done: Promise<void>;
  private resolve!: () => void;
  private reject!: (reason: unknown) => void;
  private cancelled = false;
  private readonly source: FileSource;
  private readonly length: number;
  private readonly offset: number;
  /** Ends the connection: the frame has begun and cannot be completed, so nothing else can be said on it. */
  private readonly abandon: () => void;

  constructor(source: FileSource, options: FileOptions, abandon: () => void) {
    checkSource(source);
    // A path in bytes is theirs, and may be changed before its turn.
    this.source = Buffer.isBuffer(source) ? Buffer.from(source) : source;
    this.length = checkPosition('length', options.length);
    this.offset = checkPosition('offset', options.offset);
    this.abandon = abandon;
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // A peer that goes away in the middle of a file must not end the process of a user who does not wait for the file.
    this.done.catch(() => {});
  }

  cancel(): void {
    this.cancelled = true;
    this.reject(new InvalidStateError('the connection closed before the file was sent'));
  }

  async run(transport: Transport): Promise<undefined> {
    try {
      const file = isFileHandle(this.source) ? this.source : await openAtOnce(this.source);
      try {
        await this.send(file, transport);
      } finally {
        // The user's own handle stays the user's to close.
        if (file !== this.source) await file.close();
      }
      this.resolve();
    } catch (error) {
      this.reject(error);
    }
  }

  private async send(file: FileHandle, transport: Transport): Promise<void> {
    const length = await this.announce(file);
    let buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_SIZE, Math.max(1, length)));
    let bytesRead = await this.readFirst(file, buffer, length);
    const header = Buffer.alloc(headerLength(length));
    writeHeader(header, 0, Opcode.Binary, length);
    await this.write(transport, header);
    let spare = Buffer.allocUnsafeSlow(buffer.length);
    this.memory = spare.length;
    let written = Promise.resolve();
    for (let sent = 0; sent < length; ) {
      if (bytesRead === 0) {
        this.fail(new FileError(`the file ended after ${sent} of the ${length} bytes that its frame had announced`));
      }
      sent += bytesRead;
      // One buffer is read into while the other is being sent.
      await written;
      written = this.write(transport, buffer.subarray(0, bytesRead));
      // It is awaited, but perhaps only after the next read has failed.
      written.catch(() => {});
      if (sent === length) break;
      [buffer, spare] = [transport.mayLend ? spare : Buffer.allocUnsafeSlow(spare.length), buffer];
      const wanted = Math.min(buffer.length, length - sent);
      ({ bytesRead } = await file
        .read(buffer, 0, wanted, this.offset + sent)
        .catch((error: unknown) => this.fail(error)));
    }
    await written;
  }

  /** How many bytes the frame will have. */
  private async announce(file: FileHandle): Promise<number> {
    const stat = await file.stat();
    if (!stat.isFile()) throw notRegular(kindOf(stat));
    const rest = stat.size - this.offset;
    if (rest < 0 || this.length > rest) {
      throw new FileError(
        `the file has ${stat.size} bytes: offset ${this.offset} and length ${this.length} reach beyond its end`,
      );
    }
    return this.length > 0 ? this.length : rest;
  }

  /**
   * Before anything is announced: what the system makes up while it is read, as under /proc and /sys, has another length than it
   * says.
   */
  private async readFirst(file: FileHandle, buffer: Buffer, length: number): Promise<number> {
    let filled = 0;
    let bytesRead: number;
    do {
      ({ bytesRead } = await file.read(buffer, filled, buffer.length - filled, this.offset + filled));
      filled += bytesRead;
    } while (bytesRead > 0 && filled < buffer.length);
    if (filled === Math.min(length, buffer.length)) return filled;
    const found = filled > length ? 'more' : `only ${filled}`;
    throw new FileError(
      `the file should have ${length} bytes from offset ${this.offset} on, and has ${found}: read it yourself and write() that`,
    );
  }

  private write(transport: Transport, bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.cancelled) {
        reject(new InvalidStateError('the connection closed before the file was sent'));
        return;
      }
      transport.write(bytes, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  private fail(error: unknown): never {
    this.reject(error);
    this.abandon();
    throw error;
  }
}

/**
 * A FIFO that nobody writes to is opened at once then, too, and by what is open it is seen what it is: a look at the path before
 * it would tell of what was there before. A terminal does not become that of the process. For a regular file it changes nothing.
 */
async function openAtOnce(path: string | URL | Buffer): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0));
  } catch (error) {
    // What a socket, or a device that is not there, says to whoever opens it.
    const isNoFile = ['ENXIO', 'ENODEV', 'EOPNOTSUPP'].includes(String(Reflect.get(Object(error), 'code')));
    throw isNoFile ? notRegular('a socket or a device', error) : error;
  }
}

function notRegular(kind: string, cause?: unknown): FileError {
  const remedy = 'read it yourself and write() what comes, or pipe it into this.toDuplex()';
  return new FileError(`this is ${kind}, and writeFile sends regular files only: ${remedy}`, { cause });
}

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a FIFO (a named pipe)';
  return stat.isSocket() ? 'a socket' : 'a device';
}

function isFileHandle(source: unknown): source is FileHandle {
  if (typeof source !== 'object' || source === null || !('fd' in source)) return false;
  return ['stat', 'read', 'close'].every((name) => typeof Reflect.get(source, name) === 'function');
}

function checkSource(source: unknown): void {
  if (typeof source === 'string' && !source.includes('\0')) return;
  if (source instanceof Uint8Array && !source.includes(0)) return;
  if (source instanceof URL && source.protocol === 'file:') return;
  if (isFileHandle(source)) return;
  const rule = 'it must be a path, a file: URL, or a FileHandle, as open() of node:fs/promises gives it';
  throw invalidArgument('writeFile source', source, rule);
}

function checkPosition(name: string, value: number | undefined): number {
  if (value === undefined) return 0;
  if (!Number.isSafeInteger(value) || value < 0) {
    throw invalidOption(`writeFile ${name}`, value, 'it must be a non-negative integer, in bytes');
  }
  return value;
}
