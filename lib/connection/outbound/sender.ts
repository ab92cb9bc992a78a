/**
 * The writing half of a connection. It takes messages, files, pings and pongs, and decides what a slow peer is not
 * sent. The writer decides when bytes leave.
 *
 *     write ──▶ sender ──(compression)──▶ writer ──▶ transport
 *                 └──▶ high-water mark, slow consumer, backpressure on reading
 *
 * This file has more than 300 lines because each kind of output, and each cause to wait, has a short method here.
 */
import { Deflation } from '../../deflate/deflation.js';
import { draft76Text } from '../../framing/draft76/draft76-frames.js';
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
  /** The peer reads too little: stop reading from it. */
  applyBackpressure(): void;
  releaseBackpressure(): void;
  readonly isBackedUp: boolean;
  /** Everything before the next job was passed to the socket. */
  onOutputDrained(): void;
  /** The amount of pinned memory has changed. */
  account(): void;
  /** The policy is to close the connection of a peer that is too slow. */
  onTooSlow(): void;
  terminate(): void;
}

/** From this many waiting files on, the peer is not read, because `bufferedAmount` does not include their objects. */
const MAX_FILES = 64;
/** From this many waiting jobs on (half a megabyte of objects), small messages are sent uncompressed. */
const MAX_SMALL_JOBS = 1024;

const NOTHING = Buffer.alloc(0);

/** Rarely used state, kept out of the sender to make idle connections small. */
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
  /** Input is being processed. Output written meanwhile leaves when that is done. */
  isCollecting = false;
  /** The handler has written since the last `onWrite`. */
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

  // Messages. The methods return false if the buffered output has reached the high-water mark.

  text(text: string, flush: boolean, compress: boolean): boolean {
    if (this.cold?.guard?.refuses()) return false;
    const deflation = compress ? this.cold?.deflation : undefined;
    if (this.owner.negotiated.version === 0) this.writer.raw(draft76Text(text));
    else if (deflation !== undefined) this.compressed(deflation, Opcode.Text, text);
    else this.writer.text(Opcode.Text, text);
    return this.wroteMessage(flush);
  }

  /** @param isOurs whether no other code has access to the memory of the payload */
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
    // Compression depends on the connection, so a prepared message is compressed for each.
    const isCompressed = compress && this.cold?.deflation !== undefined && isMessage(opcode);
    if (isCompressed || this.owner.negotiated.version === 0) return this.bytes(opcode, payload, flush, compress, true);
    if (this.cold?.guard?.refuses()) return false;
    this.writer.raw(frame);
    return this.wroteMessage(flush);
  }

  /** @returns a promise that fulfills when the file has been sent, and rejects with the error that prevented it */
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

  /** Sends a ping without tracking its pong: any byte from the peer counts as an answer. */
  heartbeat(): void {
    this.writer.binary(Opcode.Ping, NOTHING);
    this.send(false);
  }

  /**
   * 5.5.2: "MUST send a Pong frame in response, unless it already received a Close frame"; after our own close frame
   * nothing may follow.
   */
  pong(payload: Buffer): void {
    if (!this.owner.canSend) return;
    const { writer } = this;
    if (mustDefer(writer)) {
      const { onDemand } = this;
      onDemand.pongs ??= new PongReplies(writer, this.transport, (latest) => this.pong(latest));
      onDemand.pongs.defer(payload);
      return;
    }
    // An older answer that was held back comes first.
    const before = this.cold?.pongs?.take();
    if (before !== undefined) writer.binary(Opcode.Pong, before);
    writer.binary(Opcode.Pong, payload);
    this.send(false);
  }

  /** @returns the argument of `onPong`; undefined if the pong does not answer a ping of the handler */
  answerTo(pong: Buffer): number | Buffer | undefined {
    return this.cold?.pings?.answered(pong);
  }

  // Flushing.

  /** Sends the written output, immediately or at the end of the turn. */
  send(flush: boolean): void {
    if (flush) this.writer.flush();
    else if (!this.isCollecting) this.writer.schedule();
  }

  /** Fulfills when the kernel has accepted everything written so far. */
  drained(): Promise<void> {
    if (this.writer.bufferedAmount === 0 && !this.writer.waiting) return Promise.resolve();
    // Without unflushed output, watch the kernel now. Otherwise the flush does.
    return this.watchDrain().drained();
  }

  get dropped(): number {
    return this.cold?.guard?.dropped ?? 0;
  }

  /** The memory pinned by output, in bytes. */
  get pinned(): number {
    return this.writer.pinned + (this.cold?.deflation?.pinned ?? 0);
  }

  /**
   * Sends all output for the last time, even if the socket is behind. Waiting files are dropped, because they could not
   * be finished. Messages that are being compressed leave first, and the rest waits for them.
   */
  flushLast(): void {
    this.writer.cancelWaitingFiles();
    this.writer.flushAll();
    this.owner.account();
  }

  /** Frees the compression context. There must be no later messages. */
  stopDeflation(): void {
    this.cold?.deflation?.stop();
  }

  /** Drops all remaining output, because the connection is closed. */
  close(error: () => Error): void {
    this.writer.close();
    this.stopDeflation();
    const drain = this.cold?.drain;
    if (drain !== undefined) drain.stop(error());
  }

  // Called by the writer.

  onFlush(): void {
    const { owner } = this;
    owner.account();
    if (owner.canSend) this.cold?.pongs?.watch();
    else if (!this.writer.waiting) owner.onOutputDrained();
    // While messages are compressed continuously, the drain watch never finishes.
    if (owner.isBackedUp) setImmediate(() => this.readOnIfTaken());
    if (this.cold?.drain === undefined && !(this.wrote && owner.settings.watchesWrites)) return;
    this.watchDrain();
  }

  onHeld(): void {
    this.owner.account();
  }

  // Called by the drain watch.

  onTaken(): void {
    // Do not wait until nothing is left, because for a peer that is written to continuously that never happens.
    this.readOnIfTaken();
  }

  onDrained(): void {
    if (!this.wrote) return;
    this.wrote = false;
    const { runner } = this.owner;
    runner.call('onWrite', () => runner.hooks.onWrite());
  }

  // Called by the slow consumer guard.

  get settings(): ConnectionSettings {
    return this.owner.settings;
  }

  get runner(): HookRunner {
    return this.owner.runner;
  }

  onTooSlow(): void {
    this.owner.onTooSlow();
  }

  /** Compresses a message if it is large enough. If very many wait, compressing small ones costs more than it saves. */
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
    // The same contract as without compression: small payloads are copied, large ones must not be changed.
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

  /** Sends the output, and stops reading from a peer that does not read its answers. */
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
