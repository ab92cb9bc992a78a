/**
 * Inflates incoming compressed messages (RFC 7692 section 7.2.2), between the parser and the dispatcher:
 *
 *     parser ──payload──▶ input ──▶ zlib ──16 KiB at a time──▶ UTF-8 gate ──▶ sink
 *
 * zlib works in other threads, so the parser pauses until the compressed data in its chunk has been inflated and
 * delivered. This keeps the order, and at most one chunk waits here. While the sink does not take output, zlib waits
 * too, so that a message that inflates to a gigabyte costs no more memory than any other: the sink rejects it at the
 * message limit, or takes it in pieces.
 *
 * This file has more than 300 lines because the state of one zlib stream, its turn in the queue, and the errors found ahead
 * of the delivery depend on each other at every step.
 */
import { ProtocolError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { type MessageKind, Opcode } from '../framing/opcode.js';
import type { InflatingSink, MessageSink } from '../framing/sink.js';
import { Utf8Validator } from '../framing/utf8.js';
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';
import type { DeflateAgreement } from './agreement.js';
import { cancelTurn, enterQueue, isAnybodyWaiting, releaseTurn, type ZlibJob } from './zlib-jobs.js';
import { inflaters } from './zlib-pool.js';
import { createInflater, inflateAtOnce, type ZlibStream, type ZlibUser } from './zlib-stream.js';

export interface InflationOwner {
  /** Whether output can be delivered now. If not, the owner calls `resume` later. */
  readonly takesMore: boolean;
  /** Runs a function that delivers output. If it throws, the connection fails. */
  receive(run: () => void): void;
  /** Inflation has started: the parser must pause. */
  onInflating(): void;
  /** All output has been delivered. */
  onInflated(): void;
}

/** 7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message." */
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/**
 * How often a message may end its deflate stream and begin another (7.2.3.5). Each needs a new zlib stream, and more
 * than one or two suggest an attack.
 */
const MAX_FINAL_BLOCKS = 16;

/**
 * An ended zlib stream cannot be reused, and a new one costs as much as inflating a hundred small messages. So if a
 * peer ends its deflate streams, pieces of at most this many bytes are inflated synchronously, without a stream. They
 * may produce at most 16 KiB.
 */
const SMALL = 1024;

/**
 * The maximum output of one turn while other jobs wait: 256 KiB. A few bytes may inflate to a thousand times as much.
 */
const PIECES_A_TURN = 16;

const MAX_WINDOW_BITS = 15;

const NOTHING = Buffer.alloc(0);

export class Inflation implements InflatingSink, ZlibJob, ZlibUser {
  private kind: MessageKind = Opcode.Binary;
  private gate: Utf8Validator | undefined = undefined;
  /** The input that zlib has not received yet: input[0, length). */
  private input = NOTHING;
  private length = 0;
  /** The input that is being inflated. */
  private piece: Buffer | undefined = undefined;
  /** The piece is the last one of a message, and includes the tail. */
  private isLast = false;
  private finalBlocks = 0;
  /** Whether the peer has ever ended a deflate stream, and so is likely to do so again. */
  private endsStreams = false;
  private stream: ZlibStream | undefined = undefined;
  private hasTurn = false;
  /** The output of this turn, in pieces. */
  private pieces = 0;
  /** zlib has received the piece. */
  private isBegun = false;
  /** How many bytes of the piece zlib consumed, once it is done with it. */
  private consumed: number | undefined = undefined;
  /** The sink does not take output for now. */
  private isPaused = false;
  /** An error that takes effect once the output before it has been delivered. */
  private mistake: unknown = undefined;
  private isOver = false;
  private readonly keepsContext: boolean;
  private readonly windowBits: number;
  private readonly sink: MessageSink;
  private readonly owner: InflationOwner;

  constructor(agreement: DeflateAgreement, sink: MessageSink, owner: InflationOwner) {
    this.keepsContext = !agreement.clientNoContextTakeover;
    this.windowBits = agreement.clientMaxWindowBits;
    this.sink = sink;
    this.owner = owner;
  }

  /** Whether input is being inflated, or waits for its turn or for the sink. */
  get isBusy(): boolean {
    return this.piece !== undefined;
  }

  /** The pinned memory, in bytes. */
  get pinned(): number {
    return this.input.length + (this.piece?.length ?? 0) + (this.stream?.memory ?? 0);
  }

  // Called by the parser.

  get hasInput(): boolean {
    return this.length > 0;
  }

  begin(kind: MessageKind): void {
    this.kind = kind;
    this.gate = kind === Opcode.Text ? new Utf8Validator() : undefined;
    // The inflated length is unknown, so the sink checks the limit as the message grows.
    this.sink.frame(kind, 0);
  }

  data(bytes: BorrowedBytes, start: number, end: number): void {
    if (this.isOver) return;
    const length = this.length + end - start;
    // Leave room for the tail.
    if (length + TAIL.length > this.input.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length + TAIL.length, this.length * 2));
      this.input.copy(grown, 0, 0, this.length);
      this.input = grown;
    }
    bytes.copy(this.input, this.length, start, end);
    this.length = length;
  }

  end(): void {
    if (this.isOver) return;
    this.data(TAIL, 0, TAIL.length);
    this.isLast = true;
    this.start();
  }

  // Called by the receiver.

  /** Inflates the input that has arrived so far. */
  start(): void {
    if (this.isBusy || this.length === 0) return;
    const piece = this.input.subarray(0, this.length);
    this.input = NOTHING;
    this.length = 0;
    this.owner.onInflating();
    this.inflate(piece);
  }

  /** Continues if the sink takes output again. */
  resume(): void {
    if (!this.isPaused || !this.owner.takesMore) return;
    this.isPaused = false;
    if (this.mistake !== undefined) {
      this.fail(this.mistake);
      return;
    }
    if (!this.hasTurn && (this.consumed === undefined || this.stream?.hasOutput)) {
      enterQueue(this);
      return;
    }
    // Needed even without output left: the stream may serve another connection next, and must not stay paused.
    this.stream?.resume();
    this.settle();
  }

  /** Drops all waiting and all later input. */
  stop(): void {
    this.isOver = true;
    this.input = NOTHING;
    this.length = 0;
    this.piece = undefined;
    this.gate = undefined;
    this.mistake = undefined;
    this.release();
  }

  // Called by the job queue.

  onTurn(): void {
    const { piece } = this;
    this.hasTurn = true;
    this.pieces = 0;
    try {
      if (this.isBegun) this.stream?.resume();
      else if (piece !== undefined) {
        this.isBegun = true;
        // Deferred, so that output is delivered in its own turn, as it is from zlib's threads.
        if (this.endsStreams && this.stream === undefined && piece.length <= SMALL)
          setImmediate(() => this.tryAtOnce(piece));
        else this.write(piece);
      }
    } catch (error) {
      // zlib is out of memory.
      this.fail(error);
    }
  }

  // Called by zlib.

  onOutput(bytes: Buffer): void {
    this.owner.receive(() => {
      try {
        if (this.gate === undefined) this.sink.data(this.kind, bytes, 0, bytes.length);
        else this.gate.write(bytes, 0, bytes.length, this.sink);
      } catch (error) {
        if (this.isOver || this.owner.takesMore) throw error;
        this.postpone(error);
      }
    });
    if (this.isOver || this.mistake !== undefined) return;
    this.pieces++;
    const hasHadItsTurn = this.pieces >= PIECES_A_TURN && isAnybodyWaiting();
    if (this.owner.takesMore && !hasHadItsTurn) {
      this.settle();
      return;
    }
    this.isPaused = true;
    this.stream?.pause();
    this.rest();
  }

  onDone(consumed: number): void {
    this.consumed = consumed;
    this.settle();
  }

  onFailed(_error: Error): void {
    // 7.2.2 does not define a code for invalid data. Like text that is not UTF-8, it is inconsistent with its type.
    const error = new ProtocolError('a compressed message cannot be inflated', CloseCode.INVALID_FRAME_PAYLOAD_DATA);
    if (this.isPaused && !this.owner.takesMore) this.postpone(error);
    else this.fail(error);
  }

  private inflate(piece: Buffer): void {
    this.piece = piece;
    this.isBegun = false;
    this.consumed = undefined;
    enterQueue(this);
  }

  private write(piece: Buffer): void {
    this.stream ??= this.openStream();
    this.stream.write(piece);
  }

  private tryAtOnce(piece: Buffer): void {
    // The inflation may have been stopped meanwhile.
    if (this.piece !== piece) return;
    const windowBits = this.keepsContext ? this.windowBits : MAX_WINDOW_BITS;
    const { consumed, output } = inflateAtOnce(piece, windowBits) ?? { consumed: piece.length, output: undefined };
    const hasEnded = consumed < piece.length;
    // Later input may continue in the middle of a block, or refer to earlier output. Only a stream keeps that state.
    const isDone = hasEnded || (this.isLast && (!this.keepsContext || output?.length === 0));
    if (output === undefined || !isDone) {
      try {
        this.write(piece);
      } catch (error) {
        // zlib is out of memory.
        this.fail(error);
      }
      return;
    }
    this.consumed = consumed;
    if (output.length > 0) this.onOutput(output);
    else this.settle();
  }

  /** Gives up the turn, so that a long message does not delay other connections. */
  private rest(): void {
    if (!this.isPaused || !this.hasTurn) return;
    // zlib is still working on one more piece.
    if (this.consumed === undefined && !this.stream?.hasOutput) {
      setImmediate(() => this.rest());
      return;
    }
    this.leaveTurn();
    this.resume();
  }

  /** Finishes the piece if zlib is done and its output has been taken. Called whenever either may have become true. */
  private settle(): void {
    const { piece, consumed } = this;
    if (piece === undefined || consumed === undefined || this.isPaused || this.stream?.hasOutput) return;
    const left = piece.subarray(consumed);
    if (left.length > 0) this.closeStream();
    else if (this.isLast) this.giveStream();
    // Only now, because the next job borrows the stream.
    this.leaveTurn();
    if (left.length > (this.isLast ? TAIL.length : 0)) {
      this.goOnAfterFinalBlock(left);
      return;
    }
    this.piece = undefined;
    if (this.isLast) this.endMessage();
    if (!this.isOver) this.owner.onInflated();
  }

  /**
   * 7.2.1: a block with BFINAL set ends a deflate stream. "The next DEFLATE block follows the padded data if any" and
   * begins another stream. After the last stream only the tail is left.
   */
  private goOnAfterFinalBlock(left: Buffer): void {
    this.endsStreams = true;
    this.finalBlocks++;
    if (this.finalBlocks <= MAX_FINAL_BLOCKS) this.inflate(left);
    else this.fail(new ProtocolError('too many final blocks in one message', CloseCode.POLICY_VIOLATION));
  }

  private endMessage(): void {
    const { gate } = this;
    this.isLast = false;
    this.finalBlocks = 0;
    this.gate = undefined;
    this.owner.receive(() => {
      gate?.end();
      this.sink.end(this.kind);
    });
  }

  private postpone(error: unknown): void {
    this.isPaused = true;
    this.mistake = error;
    this.release();
  }

  private fail(error: unknown): void {
    this.stop();
    this.owner.receive(() => {
      throw error;
    });
  }

  private openStream(): ZlibStream {
    const stream = this.keepsContext ? createInflater(this.windowBits) : inflaters.take();
    stream.user = this;
    return stream;
  }

  /** Returns the stream to the pool, unless it must keep its context. */
  private giveStream(): void {
    const { stream } = this;
    if (this.keepsContext || stream === undefined) return;
    this.stream = undefined;
    inflaters.give(stream);
  }

  /** Gives up the turn and the stream. */
  private release(): void {
    if (!cancelTurn(this)) this.leaveTurn();
    this.closeStream();
  }

  private closeStream(): void {
    this.stream?.close();
    this.stream = undefined;
  }

  private leaveTurn(): void {
    if (!this.hasTurn) return;
    this.hasTurn = false;
    releaseTurn();
  }
}
