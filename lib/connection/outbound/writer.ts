/**
 * Collects the output of a connection until `flush`. Small frames are copied one after the other into the shared slab,
 * and large payloads are kept by reference.
 *
 *     queue: Buffer, Buffer, job, Buffer …      then the open run: slab.bytes[from, to)
 *
 * A job (a file, or a message to compress) takes many turns. Later output, including control frames, waits behind it: a
 * frame cannot be interrupted, and order is kept.
 *
 * A socket that is behind gets nothing more until it has sent what it has. Output written meanwhile is joined here in a
 * few large pieces, so that a slow peer costs the bytes that wait for it, and not an object for each small frame.
 *
 * This file has more than 300 lines because the run in the slab, the pieces that wait and the queue are one sequence of
 * bytes: each write may pass all three, and this is the hot path.
 */
import { headerLength, writeHeader } from '../../framing/serializer.js';
import { MAX_COPIED, mayLend, type Slab, slabFor } from '../../memory/slab.js';
import { viewOf } from '../../memory/view.js';
import { type Flushable, flushAtEndOfTurn } from '../../transport/flush-queue.js';
import type { Transport } from '../../transport/transport.js';
import { Loan, Loans } from './loans.js';

export interface Job {
  /** The bytes that wait in the job. */
  readonly size: number;
  /** The memory that the job pins, apart from `size` and from its output in the socket. */
  readonly memory: number;
  /** The payload, if it is sent without copying. */
  readonly loan?: Loan | undefined;
  /** Whether the job writes to the socket itself, in a frame that cannot be ended early. */
  readonly ownsSocket: boolean;
  /**
   * Runs the job. Later output continues when the promise fulfills. It never rejects.
   *
   * @returns the frame to send in place of the job
   */
  run(transport: Transport): Promise<Buffer | undefined>;
  /** The connection closed before the job was done. */
  cancel(): void;
}

export interface WriterOwner {
  /** Everything before the next job was passed to the socket. */
  onFlush(): void;
  /** Output waits for a job or for the peer. */
  onHeld(): void;
}

/** In characters. At three octets each, such a text still has a header of two octets. */
const SHORT_TEXT = 41;
/** The maximum size of a piece of waiting output, in bytes. */
const PIECE = 64 * 1024;
/** The minimum size of a piece: a smaller one is not worth the object. */
const LEAST_PIECE = 1024;
/** The approximate size of the objects of one job, in bytes, and the extra size for a file. */
const JOB_COST = 512;
const FILE_COST = 1024;

export class Writer implements Flushable {
  /** Unflushed bytes. */
  private pending = 0;
  private queue: (Buffer | Loan | Job)[] | undefined = undefined;
  /** Payloads that are sent without copying and are still waiting. */
  loans: Loans | undefined = undefined;
  /** Jobs in the queue. */
  jobs = 0;
  /** File jobs in the queue. */
  files = 0;
  /** The last entry of the queue, if it has room: piece[0, pieceEnd) is in use. */
  private piece: Buffer | undefined = undefined;
  private pieceEnd = 0;
  private slab: Slab | undefined = undefined;
  private from = 0;
  private to = 0;
  /** The socket was given memory of the slab, not a copy. */
  private isLent = false;
  /** Slabs that filled up during this turn, and slabs that the socket still reads from. */
  private others: Slab[] | undefined = undefined;
  private job: Job | undefined = undefined;
  private scheduled = false;
  /** The kernel has not accepted everything passed to the socket. */
  private isBehind = false;
  private closed = false;
  private readonly transport: Transport;
  private readonly owner: WriterOwner;

  constructor(transport: Transport, owner: WriterOwner) {
    this.transport = transport;
    this.owner = owner;
  }

  /**
   * Bytes written and not yet accepted by the kernel. Files do not count, because they are read only when they are
   * sent.
   */
  get bufferedAmount(): number {
    return this.pending + this.transport.unsentBytes;
  }

  /** The memory pinned by output, in bytes, without the loans that the budget counts itself. */
  get pinned(): number {
    if (this.closed || (this.pending === 0 && this.transport.writableLength === 0 && this.job === undefined)) return 0;
    const room = this.piece === undefined ? 0 : this.piece.length - this.pieceEnd;
    const objects = this.jobs * JOB_COST + this.files * FILE_COST;
    // The socket keeps all of a write until the last byte has been sent.
    const all = this.pending + this.transport.writableLength + room + objects + (this.job?.memory ?? 0);
    return this.loans === undefined ? all : Math.max(0, all - this.loans.told) + this.loans.memory;
  }

  /** Whether a file is being sent. Its frame cannot be ended early, nor interrupted by another frame. */
  get busy(): boolean {
    return this.job?.ownsSocket === true;
  }

  /** Whether a job has nothing to send yet. Its source (a disk, a pipe, zlib) is slow then, not the peer. */
  get starved(): boolean {
    return this.job !== undefined && this.transport.writableLength === 0;
  }

  /** Whether a message is being compressed, which ends without the peer. */
  get preparing(): boolean {
    return this.job?.ownsSocket === false;
  }

  /** Whether output waits for `flush`, for the peer, or for a job. */
  get waiting(): boolean {
    return this.pending > 0 || this.queue !== undefined || this.job !== undefined;
  }

  text(opcode: number, text: string): void {
    if (text.length <= SHORT_TEXT) {
      this.shortText(opcode, text);
      return;
    }
    const length = Buffer.byteLength(text);
    // With one octet per character the text is ASCII, which `latin1` copies faster.
    const encoding = length === text.length ? 'latin1' : 'utf8';
    if (length > MAX_COPIED) {
      const payload = Buffer.allocUnsafeSlow(length);
      payload.write(text, encoding);
      this.binary(opcode, payload);
      return;
    }
    const at = this.open(headerLength(length) + length);
    const { bytes } = this.slab!;
    bytes.write(text, writeHeader(bytes, at, opcode, length), encoding);
  }

  /**
   * Reserves room for the longest encoding and gives back the rest, because counting octets costs as much as writing
   * them.
   */
  private shortText(opcode: number, text: string): void {
    const most = text.length * 3;
    const at = this.open(2 + most);
    const slab = this.slab!;
    const length = slab.bytes.write(text, at + 2);
    writeHeader(slab.bytes, at, opcode, length);
    slab.at -= most - length;
    this.to -= most - length;
    this.pending -= most - length;
  }

  /** As with Node's streams, a payload over `MAX_COPIED` must not be changed until it has been sent. */
  binary(opcode: number, payload: Uint8Array): void {
    const { length } = payload;
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

  /** Writes bytes that are already framed, or framed by rules other than RFC 6455. */
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
    this.jobs++;
    if (job.ownsSocket) this.files++;
    this.pending += job.size;
    if (job.loan !== undefined) this.borrowed.add(job.loan);
  }

  /** Schedules a flush at the end of this turn of the event loop. */
  schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    flushAtEndOfTurn(this);
  }

  /** Passes everything before the next job to the socket, unless it is behind, and starts the job. */
  flush(): void {
    this.scheduled = false;
    if (this.closed) return;
    if (this.isBehind || this.job !== undefined) this.hold();
    else this.send();
  }

  /** Flushes for the last time, even if the socket is behind. */
  flushAll(): void {
    if (!this.closed && this.job === undefined) this.giveToTransport();
  }

  /** Drops the files that have not begun, so that a close frame need not wait for them. */
  cancelWaitingFiles(): void {
    this.drop((job) => job.ownsSocket);
  }

  /** Drops unflushed output and the jobs. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.job?.cancel();
    this.drop(() => true);
    this.queue = undefined;
    this.piece = undefined;
    this.leaveSlab();
    this.releaseOthers();
    this.loans?.removeAll();
    this.loans = undefined;
    this.pending = 0;
  }

  private drop(isDropped: (job: Job) => boolean): void {
    const kept = this.queue?.filter((entry) => {
      if (!isJob(entry) || !isDropped(entry)) return true;
      this.jobs--;
      if (entry.ownsSocket) this.files--;
      this.pending -= entry.size;
      this.giveBack(entry);
      entry.cancel();
      return false;
    });
    this.queue = kept?.length === 0 ? undefined : kept;
  }

  private send(): void {
    if (this.giveToTransport()) this.owner.onFlush();
  }

  private giveToTransport(): boolean {
    // A destroyed socket accepts nothing, and reports that it has nothing left.
    if (this.transport.destroyed) return false;
    if (this.queue !== undefined) this.flushQueue(this.queue);
    else if (this.from < this.to) this.transport.write(this.leaveRun());
    this.watch();
    return true;
  }

  private flushQueue(queue: (Buffer | Loan | Job)[]): void {
    this.seal();
    this.closePiece();
    this.transport.cork();
    let entry = queue.shift();
    while (entry !== undefined && !isJob(entry)) {
      this.pending -= entry.length;
      const bytes = entry instanceof Loan ? entry.bytes : entry;
      if (bytes.length !== entry.length) {
        // Its memory was transferred or shrunk, so the peer would read later frames as its payload.
        this.transport.destroy();
        break;
      }
      this.transport.write(bytes);
      if (entry instanceof Loan) this.loans?.give(entry);
      entry = queue.shift();
    }
    this.transport.uncork();
    if (queue.length === 0) this.queue = undefined;
    if (entry !== undefined && isJob(entry)) this.start(entry);
  }

  private start(job: Job): void {
    this.jobs--;
    if (job.ownsSocket) this.files--;
    this.job = job;
    void job.run(this.transport).then((frame) => {
      if (this.closed) return;
      // Queue output written since the last flush, because `watch` may release its slab.
      this.seal();
      this.job = undefined;
      this.pending -= job.size;
      this.giveBack(job);
      if (frame !== undefined) this.transport.write(frame);
      this.watch();
      this.flush();
    });
  }

  /** Keeps the output waiting, outside the slab. */
  private hold(): void {
    this.seal();
    this.leaveSlab();
    this.owner.onHeld();
  }

  /** Called after a write to the socket, which may still read from the slabs. */
  private watch(): void {
    if (this.transport.writableLength === 0) {
      this.leaveSlab();
      this.whenAllTaken();
      return;
    }
    if (this.isBehind || this.transport.writableEnded) {
      // While the socket was behind it only received copies.
      this.leaveSlab();
      return;
    }
    this.isBehind = true;
    this.lendSlab();
    this.transport.whenFlushed(() => {
      this.isBehind = false;
      this.whenAllTaken();
      this.flush();
    });
  }

  /** Reserves `size` bytes in the slab, extending this connection's run if no other connection wrote since. */
  private open(size: number): number {
    const slab = slabFor(size);
    if (slab !== this.slab || slab.at !== this.to) {
      this.seal();
      if (slab !== this.slab) {
        this.lendSlab();
        slab.acquire();
      }
      this.slab = slab;
      this.from = slab.at;
    }
    const at = slab.at;
    slab.at += size;
    this.to = slab.at;
    this.pending += size;
    return at;
  }

  /** Whether output written now will not be sent by the next flush. */
  private get mustWait(): boolean {
    return this.isBehind || this.job !== undefined || this.jobs > 0;
  }

  private refer(payload: Uint8Array): void {
    this.seal();
    // A payload that leaves in this turn pins its memory only until then, and a copy would cost as much as reading it
    // did.
    const entry = this.mustWait ? withoutMore(payload) : viewOf(payload.buffer, payload.byteOffset, payload.byteLength);
    const loan = new Loan(entry);
    this.push(loan);
    this.borrowed.add(loan);
    this.pending += loan.length;
  }

  private get borrowed(): Loans {
    this.loans ??= new Loans();
    return this.loans;
  }

  private giveBack({ loan }: Job): void {
    if (loan !== undefined) this.loans?.remove(loan);
  }

  private push(entry: Buffer | Loan | Job): void {
    this.closePiece();
    this.queue ??= [];
    this.queue.push(entry);
  }

  /** Moves the open run to the queue. */
  private seal(): void {
    if (this.from === this.to) return;
    if (this.mustWait) this.keep(this.slab!.bytes, this.from, this.to);
    else {
      const length = this.to - this.from;
      this.push(this.leaveRun());
      this.pending += length;
    }
    this.from = this.to;
  }

  /** Appends bytes to the waiting output. */
  private keep(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (this.piece === undefined || this.pieceEnd + length > this.piece.length) this.makeRoom(length);
    bytes.copy(this.piece!, this.pieceEnd, start, end);
    this.pieceEnd += length;
  }

  private makeRoom(length: number): void {
    const { piece, pieceEnd } = this;
    if (piece === undefined || pieceEnd + length > PIECE) {
      const fresh = Buffer.allocUnsafeSlow(Math.max(length, LEAST_PIECE));
      this.push(fresh);
      this.piece = fresh;
      return;
    }
    const grown = Buffer.allocUnsafeSlow(Math.min(PIECE, Math.max(pieceEnd + length, piece.length * 2)));
    piece.copy(grown, 0, 0, pieceEnd);
    this.queue?.splice(-1, 1, grown);
    this.piece = grown;
  }

  private closePiece(): void {
    const { piece, pieceEnd } = this;
    if (piece === undefined) return;
    this.queue?.splice(-1, 1, piece.subarray(0, pieceEnd));
    this.piece = undefined;
    this.pieceEnd = 0;
  }

  /** Takes the open run as a buffer: the memory of the slab, if the socket may be given that, otherwise a copy. */
  private leaveRun(): Buffer {
    const run = this.slab!.bytes.subarray(this.from, this.to);
    this.pending -= run.length;
    this.from = this.to;
    if (this.isBehind || !mayLend() || !this.transport.mayLend) {
      // Outside Node's pool, where a few bytes would keep an 8 KiB block alive.
      const copy = Buffer.allocUnsafeSlow(run.length);
      copy.set(run);
      return copy;
    }
    this.isLent = true;
    return run;
  }

  private leaveSlab(): void {
    this.slab?.release();
    this.forgetSlab();
  }

  /** The slab is released only when the socket has sent its share of it. */
  private lendSlab(): void {
    if (this.slab === undefined || !this.isLent) {
      this.leaveSlab();
      return;
    }
    this.others ??= [];
    this.others.push(this.slab);
    this.forgetSlab();
  }

  private forgetSlab(): void {
    this.slab = undefined;
    this.from = 0;
    this.to = 0;
    this.isLent = false;
  }

  private whenAllTaken(): void {
    this.releaseOthers();
    this.loans?.taken();
    if (this.loans?.isEmpty) this.loans = undefined;
  }

  private releaseOthers(): void {
    if (this.others === undefined) return;
    for (const slab of this.others) slab.release();
    this.others = undefined;
  }
}

function isJob(entry: Buffer | Loan | Job): entry is Job {
  return !Buffer.isBuffer(entry) && !(entry instanceof Loan);
}

/** Copies a waiting payload if it is a small part of its memory, all of which would be pinned without being counted. */
export function withoutMore(payload: Uint8Array): Buffer {
  const { buffer, byteOffset, byteLength } = payload;
  // A message for many connections owns all its memory, and so is not copied for each.
  if (byteLength * 2 > buffer.byteLength) return viewOf(buffer, byteOffset, byteLength);
  const copy = Buffer.allocUnsafeSlow(byteLength);
  copy.set(payload);
  return copy;
}
