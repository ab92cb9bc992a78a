/**
 * The writing half of a connection: messages, files, pings and pongs go in, and what a peer that is slow is not to be sent is
 * decided here. When bytes leave is the writer's.
 *
 *     write ──▶ sender ──(compression)──▶ writer ──▶ transport
 *                 └──▶ high-water mark, slow consumer, backpressure on reading
 */
import { Deflation } from '../../deflate/deflation.js';
import { draft76Text } from '../../framing/draft76-frames.js';
import { type MessageKind, Opcode } from '../../framing/opcode.js';
import { MAX_COPIED } from '../../memory/slab.js';
import type { Clock } from '../../transport/clock.js';
import type { Transport } from '../../transport/transport.js';
import type { HookRunner } from '../hook-runner.js';
import type { ConnectionSettings } from '../hooks.js';
import { Pings } from '../keepalive/pings.js';
import type { Negotiated } from '../negotiated.js';
import { DeflateJob } from './deflate-job.js';
import { DrainWatch, type DrainWatchOwner } from './drain-watch.js';
import { FileJob, type FileOptions, type FileSource } from './file-job.js';
import { Loan } from './loans.js';
import { mustDefer, PongReplies } from './pong-replies.js';
import { framedOf, type PreparedMessage } from './prepared-message.js';
import { SlowConsumerGuard, type SlowConsumerGuardOwner } from './slow-consumer.js';
import { Writer, type WriterOwner, withoutMore } from './writer.js';

export interface SenderOwner {
  readonly settings: ConnectionSettings;
  readonly runner: HookRunner;
  readonly clock: Clock;
  readonly negotiated: Negotiated;
  /** Whether anything may be sent. */
  readonly canSend: boolean;
  /** The handler has written a message. */
  onWrote(): void;
  /** The peer takes too little: it is not to be read. */
  applyBackpressure(): void;
  releaseBackpressure(): void;
  readonly isBackedUp: boolean;
  /** All that stood before the next job was given to the socket. */
  onOutputDrained(): void;
  /** Something is pinned, or no longer. */
  account(): void;
  /** The policy is to close the connection of a peer that is too slow. */
  onTooSlow(): void;
  terminate(): void;
}

/** From so many waiting files on, whoever asks for them is not read: their objects count in no `bufferedAmount`. */
const MAX_FILES = 64;
/** From so many waiting jobs on, small messages go as they are: half a megabyte of objects. */
const MAX_SMALL_JOBS = 1024;

const NOTHING = Buffer.alloc(0);

/** What most connections never need: one that is idle has no room for it. */
class ColdState {
  drain: DrainWatch | undefined = undefined;
  guard: SlowConsumerGuard | undefined = undefined;
  pings: Pings | undefined = undefined;
  pongs: PongReplies | undefined = undefined;
  deflation: Deflation | undefined = undefined;
}

export class Sender implements DrainWatchOwner, SlowConsumerGuardOwner, WriterOwner {
  readonly writer: Writer;
  /** Messages that the handler wrote. */
  messages = 0;
  /** The peer's bytes are being handled: what is written meanwhile leaves when that is done. */
  isCollecting = false;
  /** The handler wrote since `onWrite` was called last. */
  private wrote = false;
  private cold: ColdState | undefined = undefined;
  private readonly transport: Transport;
  private readonly owner: SenderOwner;

  constructor(transport: Transport, owner: SenderOwner) {
    this.transport = transport;
    this.owner = owner;
    this.writer = new Writer(transport, this);
    const { deflate } = owner.negotiated;
    if (deflate !== undefined) this.onDemand.deflation = new Deflation(deflate.agreement, deflate.settings);
  }

  // Messages. False when more is on its way than the peer should be sent at a time.

  text(text: string, flush: boolean, compress: boolean): boolean {
    if (this.cold?.guard?.refuses()) return false;
    const deflation = compress ? this.cold?.deflation : undefined;
    if (this.owner.negotiated.version === 0) this.writer.raw(draft76Text(text));
    else if (deflation !== undefined) this.compressed(deflation, Opcode.Text, text);
    else this.writer.text(Opcode.Text, text);
    return this.wroteMessage(flush);
  }

  /** @param isOurs whether nobody else can get at the memory of the payload */
  bytes(opcode: Opcode, payload: Uint8Array, flush: boolean, compress: boolean, isOurs = false): boolean {
    if (this.cold?.guard?.refuses()) return false;
    const deflation = compress ? this.cold?.deflation : undefined;
    if (this.owner.negotiated.version === 0) this.writer.raw(draft76Text(payload));
    else if (deflation !== undefined && isMessage(opcode)) this.compressed(deflation, opcode, payload, isOurs);
    else this.writer.binary(opcode, payload);
    return this.wroteMessage(flush);
  }

  prepared(message: PreparedMessage, flush: boolean, compress: boolean): boolean {
    const { opcode, payload, frame } = framedOf(message);
    // What depends on the connection is done for each of them.
    const isCompressed = compress && this.cold?.deflation !== undefined && isMessage(opcode);
    if (isCompressed || this.owner.negotiated.version === 0) return this.bytes(opcode, payload, flush, compress, true);
    if (this.cold?.guard?.refuses()) return false;
    this.writer.raw(frame);
    return this.wroteMessage(flush);
  }

  /** @returns fulfilled when the file was sent, rejected with the reason why not */
  file(source: FileSource, options: FileOptions, flush: boolean): Promise<void> {
    const job = new FileJob(source, options, () => this.owner.terminate());
    this.writer.enqueue(job);
    this.wroteMessage(flush);
    if (this.writer.files >= MAX_FILES) this.backUp();
    return job.done;
  }

  // Control frames.

  ping(data: Buffer | undefined): boolean {
    const { onDemand } = this;
    if (onDemand.guard?.refuses()) return false;
    onDemand.pings ??= new Pings(this.owner.clock);
    this.writer.binary(Opcode.Ping, onDemand.pings.sent(data));
    return this.leave(false);
  }

  /** A ping that nobody waits for: any byte is an answer. */
  heartbeat(): void {
    this.writer.binary(Opcode.Ping, NOTHING);
    this.send(false);
  }

  /** 5.5.2: "MUST send a Pong frame in response, unless it already received a Close frame"; after ours nothing may follow. */
  pong(payload: Buffer): void {
    if (!this.owner.canSend) return;
    const { writer } = this;
    if (mustDefer(writer)) {
      const { onDemand } = this;
      onDemand.pongs ??= new PongReplies(writer, this.transport, (latest) => this.pong(latest));
      onDemand.pongs.defer(payload);
      return;
    }
    // What was deferred may still wait to be let go: it comes first.
    const before = this.cold?.pongs?.take();
    if (before !== undefined) writer.binary(Opcode.Pong, before);
    writer.binary(Opcode.Pong, payload);
    this.send(false);
  }

  /** @returns what `onPong` is told; undefined where the peer answers no ping of the handler's */
  answerTo(pong: Buffer): number | Buffer | undefined {
    return this.cold?.pings?.answered(pong);
  }

  // When it leaves.

  /** Sees to it that what was written leaves, at once or at the end of the turn. */
  send(flush: boolean): void {
    if (flush) this.writer.flush();
    else if (!this.isCollecting) this.writer.schedule();
  }

  /** Fulfilled when the kernel has taken all that was written so far. */
  drained(): Promise<void> {
    if (this.writer.bufferedAmount === 0 && !this.writer.waiting) return Promise.resolve();
    // Without anything to flush this only waits for the kernel; else the flush begins to wait.
    return this.watchDrain().drained();
  }

  get dropped(): number {
    return this.cold?.guard?.dropped ?? 0;
  }

  /** The memory that is pinned here, in bytes. */
  get pinned(): number {
    return this.writer.pinned + (this.cold?.deflation?.pinned ?? 0);
  }

  /**
   * Sends what was written, whether the socket is behind or not: it is the last time. A file that began now could not be
   * finished. Messages that are being compressed leave first: then something still waits.
   */
  flushLast(): void {
    this.writer.cancelWaitingFiles();
    this.writer.flushAll();
    this.owner.account();
  }

  /** What zlib knows of earlier messages: there are no later ones. */
  stopDeflation(): void {
    this.cold?.deflation?.stop();
  }

  /** The connection is closed: what was not taken never will be. */
  close(error: () => Error): void {
    this.writer.close();
    this.stopDeflation();
    const drain = this.cold?.drain;
    if (drain !== undefined) drain.stop(error());
  }

  // What the writer calls.

  onFlush(): void {
    const { owner } = this;
    owner.account();
    if (owner.canSend) this.cold?.pongs?.watch();
    else if (!this.writer.waiting) owner.onOutputDrained();
    // Where there is always something to compress, the drain watch never comes to its end.
    if (owner.isBackedUp) setImmediate(() => this.readOnIfTaken());
    if (this.cold?.drain === undefined && !(this.wrote && owner.settings.watchesWrites)) return;
    this.watchDrain();
  }

  onHeld(): void {
    this.owner.account();
  }

  // What the drain watch calls.

  onTaken(): void {
    // Not only when nothing is left: to a peer that is written to all the time, something always is.
    this.readOnIfTaken();
  }

  onDrained(): void {
    if (!this.wrote) return;
    this.wrote = false;
    const { runner } = this.owner;
    runner.call('onWrite', () => runner.hooks.onWrite());
  }

  // What the guard against slow consumers asks.

  get settings(): ConnectionSettings {
    return this.owner.settings;
  }

  get runner(): HookRunner {
    return this.owner.runner;
  }

  onTooSlow(): void {
    this.owner.onTooSlow();
  }

  // How it works.

  /** Compressed if it is large enough. Where very many wait already, small ones would cost more than they save. */
  private compressed(deflation: Deflation, kind: MessageKind, data: string | Uint8Array, isOurs = false): void {
    const { writer } = this;
    const isText = typeof data === 'string';
    const length = isText ? Buffer.byteLength(data) : data.byteLength;
    const isSmall = length <= MAX_COPIED;
    if (length === 0 || length < deflation.threshold || (isSmall && writer.jobs >= MAX_SMALL_JOBS)) {
      if (isText) writer.text(kind, data);
      else writer.binary(kind, data);
      return;
    }
    // As without compression: small ones are taken as they are, large ones must stay as they are.
    if (isText) writer.enqueue(new DeflateJob(deflation, kind, Buffer.from(data)));
    else if (isSmall) writer.enqueue(new DeflateJob(deflation, kind, Buffer.from(data)));
    else {
      const bytes = withoutMore(data);
      writer.enqueue(new DeflateJob(deflation, kind, bytes, isOurs, new Loan(bytes)));
    }
  }

  private wroteMessage(flush: boolean): boolean {
    this.wrote = true;
    this.messages++;
    this.owner.onWrote();
    return this.leave(flush);
  }

  /** A peer that does not take its answers is not read. */
  private leave(flush: boolean): boolean {
    this.send(flush);
    const { bufferedAmount } = this.writer;
    const { highWaterMark, maxBufferedAmount } = this.owner.settings;
    if (bufferedAmount <= highWaterMark) return true;
    if (bufferedAmount > maxBufferedAmount) {
      const { onDemand } = this;
      onDemand.guard ??= new SlowConsumerGuard(this.writer, this);
      onDemand.guard.exceeded();
    }
    if (bufferedAmount > maxBufferedAmount / 2) this.backUp();
    return false;
  }

  private backUp(): void {
    this.owner.applyBackpressure();
    this.watchDrain();
  }

  private readOnIfTaken(): void {
    const { files, bufferedAmount } = this.writer;
    const isTaken = bufferedAmount <= this.owner.settings.maxBufferedAmount / 2 && files < MAX_FILES / 2;
    if (isTaken) this.owner.releaseBackpressure();
  }

  private watchDrain(): DrainWatch {
    const { onDemand } = this;
    onDemand.drain ??= new DrainWatch(this.transport, this.writer, this);
    onDemand.drain.watch();
    return onDemand.drain;
  }

  private get onDemand(): ColdState {
    this.cold ??= new ColdState();
    return this.cold;
  }
}

function isMessage(opcode: Opcode): opcode is MessageKind {
  return opcode === Opcode.Text || opcode === Opcode.Binary;
}
