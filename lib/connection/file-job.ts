/**
 * A file as one binary frame (the seed's `write_file`), streamed: two small buffers are all the memory it takes, however
 * long the file is and however slowly the peer reads.
 */
import { type FileHandle, open } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { FileError, InvalidStateError, invalidArgument } from '../errors.js';
import { Opcode } from '../framing/opcode.js';
import { headerLength, writeHeader } from '../framing/serializer.js';
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
  /** Pipes and devices have no positions: they are read on from where they are. */
  private positioned = true;
  private readonly source: FileSource;
  private readonly length: number;
  private readonly offset: number;
  /** Ends the connection: the frame has begun and cannot be completed, so nothing else can be said on it. */
  private readonly abandon: () => void;

  constructor(source: FileSource, options: FileOptions, abandon: () => void) {
    this.source = source;
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

  async run(socket: Duplex): Promise<undefined> {
    try {
      const file = isFileHandle(this.source) ? this.source : await open(this.source, 'r');
      try {
        await this.send(file, socket);
      } finally {
        // The user's own handle stays the user's to close.
        if (file !== this.source) await file.close();
      }
      this.resolve();
    } catch (error) {
      this.reject(error);
    }
  }

  private async send(file: FileHandle, socket: Duplex): Promise<void> {
    const length = await this.announce(file);
    const header = Buffer.alloc(headerLength(length));
    writeHeader(header, 0, Opcode.Binary, length);
    await this.write(socket, header);
    let buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_SIZE, length));
    let spare = Buffer.allocUnsafeSlow(buffer.length);
    this.memory = spare.length;
    let written = Promise.resolve();
    for (let sent = 0; sent < length; ) {
      const { bytesRead } = await file
        .read(buffer, 0, Math.min(buffer.length, length - sent), this.position(sent))
        .catch((error: unknown) => this.fail(error));
      if (bytesRead === 0) {
        this.fail(new FileError(`the file ended after ${sent} of the ${length} bytes that its frame had announced`));
      }
      sent += bytesRead;
      // One buffer is read into while the other is being sent.
      await written;
      written = this.write(socket, buffer.subarray(0, bytesRead));
      // It is awaited, but perhaps only after the next read has failed.
      written.catch(() => {});
      [buffer, spare] = [spare, buffer];
    }
    await written;
  }

  /** How many bytes the frame will have. */
  private async announce(file: FileHandle): Promise<number> {
    const stat = await file.stat();
    if (!stat.isFile()) {
      this.positioned = false;
      if (this.length > 0) return this.length;
      throw new FileError('this is no regular file, so its length is not known: pass the option length');
    }
    const rest = stat.size - this.offset;
    if (rest < 0 || this.length > rest) {
      throw new FileError(
        `the file has ${stat.size} bytes: offset ${this.offset} and length ${this.length} reach beyond its end`,
      );
    }
    return this.length > 0 ? this.length : rest;
  }

  private position(sent: number): number | null {
    return this.positioned ? this.offset + sent : null;
  }

  private write(socket: Duplex, bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.cancelled) {
        reject(new InvalidStateError('the connection closed before the file was sent'));
        return;
      }
      socket.write(bytes, (error) => {
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

function isFileHandle(source: FileSource): source is FileHandle {
  return typeof source === 'object' && 'fd' in source;
}

function checkPosition(name: string, value: number | undefined): number {
  if (value === undefined) return 0;
  if (!Number.isSafeInteger(value) || value < 0) {
    throw invalidArgument(`writeFile ${name}`, value, 'it must be a non-negative integer, in bytes');
  }
  return value;
}
