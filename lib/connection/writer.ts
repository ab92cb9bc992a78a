/**
 * The only one who writes to the socket. What is written is collected until `flush`: small frames copied behind each other
 * into the shared slab, large payloads by reference.
 *
 *     queue: Buffer, Buffer, job, Buffer …      then the open run: slab.bytes[from, to)
 *
 * A job (a file) writes to the socket by itself, over many turns. What is written after it waits behind it, control frames
 * too: a frame cannot be interrupted.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { headerLength, writeHeader } from '../framing/serializer.js';
import { type Flushable, flushAtEndOfTurn } from './flush-queue.js';
import { untaken } from './progress.js';
import { MAX_COPIED, type Slab, slabFor } from './slab.js';

export interface Job {
  /** Writes to the socket. What is behind it goes on once the promise is fulfilled; it is never rejected. */
  run(socket: Duplex): Promise<void>;
  /** The connection has gone before the job was done. */
  cancel(): void;
}

export interface WriterOwner {
  /** All that stood before the next job was given to the socket. */
  onFlush(): void;
}

const NOTHING = Buffer.alloc(0);

export class Writer implements Flushable {
  /** Bytes that were written and not flushed. A job's do not count: it reads them when it sends them. */
  private pending = 0;
  private queue: (Buffer | Job)[] | undefined = undefined;
  private slab: Slab | undefined = undefined;
  private from = 0;
  private to = 0;
  private job: Job | undefined = undefined;
  private scheduled = false;
  private closed = false;
  private readonly socket: Duplex;
  private readonly owner: WriterOwner;
  private readonly copies: boolean;

  constructor(socket: Duplex, owner: WriterOwner) {
    this.socket = socket;
    this.copies = !(socket instanceof Socket);
    this.owner = owner;
  }

  /** Bytes that were written and that the kernel has not taken yet. */
  get bufferedAmount(): number {
    return this.pending + untaken(this.socket);
  }

  /** Whether a job is sending: then nothing else can be sent, and the frame at hand cannot be ended early. */
  get busy(): boolean {
    return this.job !== undefined;
  }

  /** Whether a job has nothing to send yet: what it reads from (a disk, a pipe) is slow, and not the peer. */
  get starved(): boolean {
    return this.job !== undefined && this.socket.writableLength === 0;
  }

  /** Whether something waits for `flush`, or for a job to be done. */
  get waiting(): boolean {
    return this.pending > 0 || this.queue !== undefined || this.job !== undefined;
  }

  text(opcode: number, text: string): void {
    const length = Buffer.byteLength(text);
    if (length > MAX_COPIED) {
      this.binary(opcode, Buffer.from(text));
      return;
    }
    const at = this.open(headerLength(length) + length);
    const { bytes } = this.slab!;
    bytes.write(text, writeHeader(bytes, at, opcode, length));
  }

  /** A payload over `MAX_COPIED` must stay as it is until it is flushed, as with Node's streams. */
  binary(opcode: number, payload: Uint8Array): void {
    const length = payload.byteLength;
    if (length <= MAX_COPIED) {
      const at = this.open(headerLength(length) + length);
      const { bytes } = this.slab!;
      bytes.set(payload, writeHeader(bytes, at, opcode, length));
      return;
    }
    const at = this.open(headerLength(length));
    writeHeader(this.slab!.bytes, at, opcode, length);
    this.refer(payload);
  }

  /** Bytes that are framed already, or by other rules than RFC 6455's. */
  raw(bytes: Buffer): void {
    if (bytes.length > MAX_COPIED) {
      this.refer(bytes);
      return;
    }
    const at = this.open(bytes.length);
    this.slab!.bytes.set(bytes, at);
  }

  enqueue(job: Job): void {
    this.seal();
    this.push(job);
  }

  /** Sees to it that what was written leaves at the end of this turn of the event loop. */
  schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    flushAtEndOfTurn(this);
  }

  /** Gives to the socket all that stands before the next job, and starts that. */
  flush(): void {
    this.scheduled = false;
    if (this.closed || this.job !== undefined) return;
    if (this.queue !== undefined) this.flushQueue(this.queue);
    else if (this.from < this.to) this.socket.write(this.leaveRun());
    this.leaveSlab();
    this.owner.onFlush();
  }

  /** Calls back when the kernel has taken what was flushed; never, if the connection goes away before. */
  whenTaken(callback: () => void): void {
    this.socket.write(NOTHING, (error) => {
      if (!error) callback();
    });
  }

  /** Drops the jobs that have not begun, so that a close frame need not wait for them. */
  cancelWaitingJobs(): void {
    const queue = this.queue;
    if (queue === undefined) return;
    for (const entry of queue) if (!Buffer.isBuffer(entry)) entry.cancel();
    const buffers = queue.filter((entry) => Buffer.isBuffer(entry));
    this.queue = buffers.length === 0 ? undefined : buffers;
  }

  /** Drops what was not flushed, and the jobs. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.job?.cancel();
    this.cancelWaitingJobs();
    this.queue = undefined;
    this.slab?.release();
    this.slab = undefined;
    this.pending = 0;
  }

  private flushQueue(queue: (Buffer | Job)[]): void {
    this.seal();
    this.socket.cork();
    let entry = queue.shift();
    while (entry !== undefined && Buffer.isBuffer(entry)) {
      this.pending -= entry.length;
      this.socket.write(entry);
      entry = queue.shift();
    }
    this.socket.uncork();
    if (queue.length === 0) this.queue = undefined;
    if (entry !== undefined) this.start(entry);
  }

  private start(job: Job): void {
    this.job = job;
    void job.run(this.socket).then(() => {
      this.job = undefined;
      this.flush();
    });
  }

  /** Room for `size` bytes in the slab, behind what this connection wrote last if nobody wrote since. */
  private open(size: number): number {
    const slab = slabFor(size);
    if (slab !== this.slab || slab.at !== this.to) {
      this.seal();
      // A slab that was left because it was full is not released: it is never filled again.
      if (slab !== this.slab) slab.acquire();
      this.slab = slab;
      this.from = slab.at;
    }
    const at = slab.at;
    slab.at += size;
    this.to = slab.at;
    this.pending += size;
    return at;
  }

  private refer(payload: Uint8Array): void {
    this.seal();
    this.push(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength));
    this.pending += payload.byteLength;
  }

  private push(entry: Buffer | Job): void {
    this.queue ??= [];
    this.queue.push(entry);
  }

  private seal(): void {
    if (this.from === this.to) return;
    const length = this.to - this.from;
    this.push(this.leaveRun());
    this.pending += length;
  }

  /**
   * The open run as a buffer. To a socket that is behind goes a copy, so that a peer that reads slowly pins what it is owed
   * and not a slab for every little frame; and so to any stream that is not a socket, which may keep what it was given.
   */
  private leaveRun(): Buffer {
    const run = this.slab!.bytes.subarray(this.from, this.to);
    this.pending -= run.length;
    this.from = this.to;
    return this.copies || this.socket.writableLength > 0 ? Buffer.from(run) : run;
  }

  /** After a flush the slab is given back, unless the socket may still read from it. What waits behind a job is in it, too. */
  private leaveSlab(): void {
    if (this.slab === undefined || this.queue !== undefined) return;
    if (this.socket.writableLength === 0) this.slab.release();
    this.slab = undefined;
    this.from = 0;
    this.to = 0;
  }
}
