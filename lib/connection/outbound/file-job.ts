/**
 * Streams a file as one binary frame (`write_file` in the specification). It takes two small buffers of memory, however
 * long the file is and however slowly the peer reads.
 *
 *     open, without waiting ─▶ regular? ─▶ read the first piece ─▶ header ─▶ piece after piece
 *     └─────── rejected: nothing was sent, the connection stays open ───┘
 *
 * Only regular files are sent. Other files have no length to announce, and reading them may block forever. Each such
 * read would block a thread of libuv, and by default a process has only four of them for all file operations.
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
  /** How many bytes to send. Default 0: all bytes from `offset` on. */
  length?: number | undefined;
  /** How many bytes to skip at the beginning. Default 0. */
  offset?: number | undefined;
}

export type FileSource = string | URL | Buffer | FileHandle;

export class FileJob implements Job {
  readonly size = 0;
  /** The size of one of the two buffers. The other one counts as output of the socket. */
  memory = 0;
  readonly ownsSocket = true;
  /** Fulfills when the file has been sent; rejects with the error that prevented it. */
  readonly done: Promise<void>;
  private resolve!: () => void;
  private reject!: (reason: unknown) => void;
  private cancelled = false;
  private readonly source: FileSource;
  private readonly length: number;
  private readonly offset: number;
  /** Ends the connection, because a frame that has begun and cannot be completed blocks all later frames. */
  private readonly abandon: () => void;

  constructor(source: FileSource, options: FileOptions, abandon: () => void) {
    checkSource(source);
    // The user may modify a path in bytes before its turn.
    this.source = Buffer.isBuffer(source) ? Buffer.from(source) : source;
    this.length = checkPosition('length', options.length);
    this.offset = checkPosition('offset', options.offset);
    this.abandon = abandon;
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // If the user ignores the promise, a peer that disconnects must not crash the process by an unhandled rejection.
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
        // The user's own handle stays open; closing it is up to the user.
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
      // Fill one buffer while the other is being sent.
      await written;
      written = this.write(transport, buffer.subarray(0, bytesRead));
      // Awaited above, but perhaps only after the next read has failed.
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

  /** @returns the payload length of the frame, in bytes */
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
   * Reads the first piece before the header announces a length, because generated files, as under /proc and /sys,
   * report a wrong length.
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
      `the file should have ${length} bytes from offset ${this.offset} on, and has ${found}: ` +
        'read it yourself and write() the data',
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
 * Opens without blocking, so that a FIFO without a writer opens too. The type is then checked on the open file, because
 * the path may point to another file by then. A terminal does not become the controlling one. Regular files are not
 * affected.
 */
async function openAtOnce(path: string | URL | Buffer): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0));
  } catch (error) {
    // The errors of opening a socket, or the file of a missing device.
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
