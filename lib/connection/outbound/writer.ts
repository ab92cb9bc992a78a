/**
 * Collects what is written to a connection until `flush`: small frames copied behind each other
 * into the shared slab, large payloads by reference.
 *
 *     queue: Buffer, Buffer, job, Buffer …      then the open run: slab.bytes[from, to)
 *
 * A job (a file, a message that is compressed first) takes many turns. What is written after it waits behind it, control frames
 * too: a frame cannot be interrupted, and order holds.
 *
 * A socket that is behind is given nothing more until it has taken what it has: what is written meanwhile is put together here,
 * in few large pieces, so that a peer that reads slowly costs what it is owed, and not an object for every little frame.
 */
import { headerLength, writeHeader } from '../../framing/serializer.js';
import { MAX_COPIED, mayLend, type Slab, slabFor } from '../../memory/slab.js';
import { viewOf } from '../../memory/view.js';
import { type Flushable, flushAtEndOfTurn } from '../../transport/flush-queue.js';
import type { Transport } from '../../transport/transport.js';
import { Loan, Loans } from './loans.js';

export interface Job {
  /** The bytes that wait in it. */
  readonly size: number;
  /** The memory that it pins beside them and what it has given to the socket. */
  readonly memory: number;
  /** Those bytes, where they are sent from where they are. */
  readonly loan?: Loan | undefined;
  /** Whether it writes to the socket by itself, a frame that cannot be ended early. */
  readonly ownsSocket: boolean;
  /**
   * What is behind it goes on once the promise is fulfilled; it is never rejected.
   *
   * @returns what is to be sent in its place
   */
  run(transport: Transport): Promise<Buffer | undefined>;
  /** The connection has gone before the job was done. */
  cancel(): void;
}

export interface WriterOwner {
  /** All that stood before the next job was given to the socket. */
  onFlush(): void;
  /** Something waits, for a job or for the peer. */
  onHeld(): void;
}

/** In characters: three octets for each still have a header of two. */
const SHORT_TEXT = 41;
/** What waits is put together in pieces of at most so many bytes. */
const PIECE = 64 * 1024;
/** And of at least so many: fewer would not be worth the object. */
const LEAST_PIECE = 1024;
/** About what the objects of one job cost, in bytes, and those of a file beyond that. */
const JOB_COST = 512;
const FILE_COST = 1024;

export class Writer implements Flushable {
  /** Bytes that were written and not flushed. */
  private pending = 0;
  private queue: (Buffer | Loan | Job)[] | undefined = undefined;
  /** What is sent from where it is, and was not taken yet. */
  loans: Loans | undefined = undefined;
  /** Jobs in the queue. */
  jobs = 0;
  /** Those of them that are files. */
  files = 0;
  /** The last of the queue, if there is room in it: piece[0, pieceEnd) is in use. */
  private piece: Buffer | undefined = undefined;
  private pieceEnd = 0;
  private slab: Slab | undefined = undefined;
  private from = 0;
  private to = 0;
  /** Something of the slab was given away as it is, and not as a copy. */
  private isLent = false;
  /** Slabs that were left in the midst of a turn, and those that the socket still reads from. */
  private others: Slab[] | undefined = undefined;
  private job: Job | undefined = undefined;
  private scheduled = false;
  /** The kernel has not taken all that the socket was given. */
  private isBehind = false;
  private closed = false;
  private readonly transport: Transport;
  private readonly owner: WriterOwner;

  constructor(transport: Transport, owner: WriterOwner) {
    this.transport = transport;
    this.owner = owner;
  }

  /** Bytes that were written and that the kernel has not taken yet. A file's do not count: it reads them when it sends them. */
  get bufferedAmount(): number {
    return this.pending + this.transport.unsentBytes;
  }

  /** The memory that is pinned by it, in bytes, without those of its loans that the budget counts itself. */
  get pinned(): number {
    if (this.closed || (this.pending === 0 && this.transport.writableLength === 0 && this.job === undefined)) return 0;
    const room = this.piece === undefined ? 0 : this.piece.length - this.pieceEnd;
    const objects = this.jobs * JOB_COST + this.files * FILE_COST;
    // The socket keeps all of a write until the last of it has gone.
    const all = this.pending + this.transport.writableLength + room + objects + (this.job?.memory ?? 0);
    return this.loans === undefined ? all : Math.max(0, all - this.loans.told) + this.loans.memory;
  }

  /** Whether a file is being sent: then nothing else can be, and the frame at hand cannot be ended early. */
  get busy(): boolean {
    return this.job?.ownsSocket === true;
  }

  /** Whether a job has nothing to send yet: what it waits for (a disk, a pipe, zlib) is slow, and not the peer. */
  get starved(): boolean {
    return this.job !== undefined && this.transport.writableLength === 0;
  }

  /** Whether a message is being compressed: that will be done, whatever the peer does. */
  get preparing(): boolean {
    return this.job?.ownsSocket === false;
  }

  /** Whether something waits for `flush`, for the peer, or for a job to be done. */
  get waiting(): boolean {
    return this.pending > 0 || this.queue !== undefined || this.job !== undefined;
  }

  text(opcode: number, text: string): void {
    if (text.length <= SHORT_TEXT) {
      this.shortText(opcode, text);
      return;
    }
    const length = Buffer.byteLength(text);
    // With an octet for each character it is ASCII, and copied as it is.
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

  /** Room is taken for as many octets as there may be, and what is over is given back: counting them costs as much as writing. */
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

  /** A payload over `MAX_COPIED` must stay as it is until it is flushed, as with Node's streams. */
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
    this.jobs++;
    if (job.ownsSocket) this.files++;
    this.pending += job.size;
    if (job.loan !== undefined) this.borrowed.add(job.loan);
  }

  /** Sees to it that what was written leaves at the end of this turn of the event loop. */
  schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    flushAtEndOfTurn(this);
  }

  /** Gives to the socket, unless that is behind, all that stands before the next job, and starts that. */
  flush(): void {
    this.scheduled = false;
    if (this.closed) return;
    if (this.isBehind || this.job !== undefined) this.hold();
    else this.send();
  }

  /** The same, also if the socket is behind: it is the last time. */
  flushAll(): void {
    if (!this.closed && this.job === undefined) this.giveToTransport();
  }

  /** Drops the files that have not begun, so that a close frame need not wait for them. */
  cancelWaitingFiles(): void {
    this.drop((job) => job.ownsSocket);
  }

  /** Drops what was not flushed, and the jobs. */
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
    // It takes nothing any more, and says at once that it has nothing.
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
        // Its memory was transferred or made smaller: what comes next would be taken for it.
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
      // What was written since the last flush: its slab may be left now.
      this.seal();
      this.job = undefined;
      this.pending -= job.size;
      this.giveBack(job);
      if (frame !== undefined) this.transport.write(frame);
      this.watch();
      this.flush();
    });
  }

  /** What was written waits, and needs no slab for that. */
  private hold(): void {
    this.seal();
    this.leaveSlab();
    this.owner.onHeld();
  }

  /** After something was given to the socket: it may still read from the slabs. */
  private watch(): void {
    if (this.transport.writableLength === 0) {
      this.leaveSlab();
      this.whenAllTaken();
      return;
    }
    if (this.isBehind || this.transport.writableEnded) {
      // What it was given while it was behind are copies.
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

  /** Room for `size` bytes in the slab, behind what this connection wrote last if nobody wrote since. */
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

  /** Whether what is written now is not sent at the next flush. */
  private get mustWait(): boolean {
    return this.isBehind || this.job !== undefined || this.jobs > 0;
  }

  private refer(payload: Uint8Array): void {
    this.seal();
    // What leaves with this turn pins its chunk no longer than that, and a copy would cost as much as reading it did.
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

  /** The open run goes into the queue. */
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

  /** Puts bytes that wait behind those that waited before. */
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

  /** The open run as a buffer: as it is in the slab, where a socket may be given that, or else a copy. */
  private leaveRun(): Buffer {
    const run = this.slab!.bytes.subarray(this.from, this.to);
    this.pending -= run.length;
    this.from = this.to;
    if (this.isBehind || !mayLend() || !this.transport.mayLend) {
      // Not of Node's pool, where a few bytes would keep the 8 KiB that they are cut from.
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

  /** It is left only when the socket has taken what it was given of it. */
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

/** For what waits: a copy where most of its memory is something else, which would be pinned with it, and counted by nobody. */
export function withoutMore(payload: Uint8Array): Buffer {
  const { buffer, byteOffset, byteLength } = payload;
  // Of a message that many share one copy for each would be worse: they are given all of their memory.
  if (byteLength * 2 > buffer.byteLength) return viewOf(buffer, byteOffset, byteLength);
  const copy = Buffer.allocUnsafeSlow(byteLength);
  copy.set(payload);
  return copy;
}
