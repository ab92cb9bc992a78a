/**
 * Compressed messages on their way in (RFC 7692 section 7.2.2), between the parser and the dispatcher:
 *
 *     parser ──payload──▶ input ──▶ zlib ──16 KiB at a time──▶ UTF-8 gate ──▶ sink
 *
 * zlib works in other threads, so the parser is halted until what it found in its chunk has been inflated and delivered: order
 * holds, and no more waits here than that chunk. While what comes out is not wanted zlib waits, too, so that a message that
 * inflates to a gigabyte costs no more memory than any other: the sink refuses it at the message limit, or takes it in pieces.
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
  /** Whether what comes out is wanted now. Where not, `resume` is called later. */
  readonly takesMore: boolean;
  /** Runs what delivers. What it throws fails the connection. */
  receive(run: () => void): void;
  /** Something is to be inflated: nothing more may be parsed. */
  onInflating(): void;
  /** That is done, and delivered. */
  onInflated(): void;
}

/** 7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message." */
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/**
 * How often a message may end its deflate stream and begin another (7.2.3.5). Each takes a new stream of zlib, and a peer that
 * does it more than once or twice does it for that.
 */
const MAX_FINAL_BLOCKS = 16;

/**
 * A stream of zlib that has ended cannot be used again, and another one costs as much as the inflation of a hundred small messages. So
 * where a peer ends its deflate streams, pieces of so few bytes are inflated at once, without one: they bring 16 KiB at the most.
 */
const SMALL = 1024;

/** How much one turn may bring while others wait for theirs: 256 KiB. A few bytes may inflate to a thousand times as much. */
const PIECES_A_TURN = 16;

const MAX_WINDOW_BITS = 15;

const NOTHING = Buffer.alloc(0);

export class Inflation implements InflatingSink, ZlibJob, ZlibUser {
  private kind: MessageKind = Opcode.Binary;
  private gate: Utf8Validator | undefined = undefined;
  /** What has come and was not given to zlib: input[0, length). */
  private input = NOTHING;
  private length = 0;
  /** What is being inflated. */
  private piece: Buffer | undefined = undefined;
  /** With the tail, the last piece of a message. */
  private isLast = false;
  private finalBlocks = 0;
  /** Whether the peer has ever ended a deflate stream: then it will again. */
  private endsStreams = false;
  private stream: ZlibStream | undefined = undefined;
  private hasTurn = false;
  /** What this turn has brought. */
  private pieces = 0;
  /** zlib has been given the piece. */
  private isBegun = false;
  /** And has looked at all of it: so many bytes it took. */
  private consumed: number | undefined = undefined;
  /** What comes out is not wanted for now. */
  private isPaused = false;
  /** What was found behind that: it takes effect when what came before it has been delivered. */
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

  /** Whether something is being inflated, waits for its turn, or waits to be wanted. */
  get isBusy(): boolean {
    return this.piece !== undefined;
  }

  /** The memory that is pinned here, in bytes. */
  get pinned(): number {
    return this.input.length + (this.piece?.length ?? 0) + (this.stream?.memory ?? 0);
  }

  // What the parser calls.

  get hasInput(): boolean {
    return this.length > 0;
  }

  begin(kind: MessageKind): void {
    this.kind = kind;
    this.gate = kind === Opcode.Text ? new Utf8Validator() : undefined;
    // How long the message will be nobody knows: it is refused as it grows.
    this.sink.frame(kind, 0);
  }

  data(bytes: BorrowedBytes, start: number, end: number): void {
    if (this.isOver) return;
    const length = this.length + end - start;
    // With room for the tail.
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

  // What the intake calls.

  /** Inflates what has come so far. */
  start(): void {
    if (this.isBusy || this.length === 0) return;
    const piece = this.input.subarray(0, this.length);
    this.input = NOTHING;
    this.length = 0;
    this.owner.onInflating();
    this.inflate(piece);
  }

  /** What comes out may be wanted again. */
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
    // Also where it has nothing left to bring: it brings what it is given next, to whomever it belongs by then.
    this.stream?.resume();
    this.settle();
  }

  /** Nothing that has come, or will come, is inflated any more. */
  stop(): void {
    this.isOver = true;
    this.input = NOTHING;
    this.length = 0;
    this.piece = undefined;
    this.gate = undefined;
    this.mistake = undefined;
    this.release();
  }

  // What the queue of jobs calls.

  onTurn(): void {
    const { piece } = this;
    this.hasTurn = true;
    this.pieces = 0;
    try {
      if (this.isBegun) this.stream?.resume();
      else if (piece !== undefined) {
        this.isBegun = true;
        // Not in the midst of what brought it: what comes out is delivered in a turn of its own, as from zlib's threads.
        if (this.endsStreams && this.stream === undefined && piece.length <= SMALL)
          setImmediate(() => this.tryAtOnce(piece));
        else this.write(piece);
      }
    } catch (error) {
      // zlib has got no memory.
      this.fail(error);
    }
  }

  // What zlib calls.

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
    // 7.2.2 says nothing of data that cannot be inflated: it is not what its type says, as text that is no UTF-8.
    const error = new ProtocolError('a compressed message cannot be inflated', CloseCode.INVALID_FRAME_PAYLOAD_DATA);
    if (this.isPaused && !this.owner.takesMore) this.postpone(error);
    else this.fail(error);
  }

  // How it works.

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
    // It may have been stopped meanwhile.
    if (this.piece !== piece) return;
    const windowBits = this.keepsContext ? this.windowBits : MAX_WINDOW_BITS;
    const { consumed, output } = inflateAtOnce(piece, windowBits) ?? { consumed: piece.length, output: undefined };
    const hasEnded = consumed < piece.length;
    // What comes after it may go on in the midst of a block, or refer to what it brought: a stream remembers that.
    const isDone = hasEnded || (this.isLast && (!this.keepsContext || output?.length === 0));
    if (output === undefined || !isDone) {
      try {
        this.write(piece);
      } catch (error) {
        // zlib has got no memory.
        this.fail(error);
      }
      return;
    }
    this.consumed = consumed;
    if (output.length > 0) this.onOutput(output);
    else this.settle();
  }

  /** Whoever takes their time must not keep others from theirs. */
  private rest(): void {
    if (!this.isPaused || !this.hasTurn) return;
    // zlib is at work on one piece more.
    if (this.consumed === undefined && !this.stream?.hasOutput) {
      setImmediate(() => this.rest());
      return;
    }
    this.leaveTurn();
    this.resume();
  }

  /** Whether zlib is done and all that came out was taken is asked whenever either may have become true. */
  private settle(): void {
    const { piece, consumed } = this;
    if (piece === undefined || consumed === undefined || this.isPaused || this.stream?.hasOutput) return;
    const left = piece.subarray(consumed);
    if (left.length > 0) this.closeStream();
    else if (this.isLast) this.giveStream();
    // Not before: whoever is next borrows it.
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
   * 7.2.1: a block with BFINAL set ends a deflate stream, "The next DEFLATE block follows the padded data if any", and that
   * begins another. Behind the last of them only the tail is left.
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

  /** It is not needed in between, unless it has to remember. */
  private giveStream(): void {
    const { stream } = this;
    if (this.keepsContext || stream === undefined) return;
    this.stream = undefined;
    inflaters.give(stream);
  }

  /** Neither its turn nor zlib is needed any more. */
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
