/**
 * One WebSocket connection after the handshake. It joins these parts:
 *
 *     transport ──bytes──▶ receiver ──units──▶ hook runner (the user's handler)
 *         ▲                   └─ping, pong, close─┐        │
 *         └──────── sender ◀──────────────────────┴──── write, close
 *
 * The parts decide about frames, units, pauses in reading and the time of sending. A table (`lifecycle.ts`) decides the
 * states of the connection, and `lifecycle-actions.ts` performs what the table asks for.
 *
 * This file has more than 300 lines because all parts meet here: it has one short method for each call that a part makes,
 * and no logic that belongs to a part.
 */
import type { Duplex } from 'node:stream';
import type { Dispatcher } from '../dispatch/dispatcher.js';
import { InvalidStateError, ProtocolError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { Opcode } from '../framing/opcode.js';
import { logError } from '../log.js';
import { account, type MemoryHolder } from '../memory/memory-budget.js';
import { type Chunk, SharedChunk } from '../memory/shared-read-buffer.js';
import { MAX_COPIED } from '../memory/slab.js';
import { isSubscribed, publish } from '../telemetry/channels.js';
import type { OpenConnection } from '../telemetry/route-counters.js';
import { serverOf } from '../transport/server-of.js';
import { Transport, type TransportListener } from '../transport/transport.js';
import { HookRunner, type HookRunnerOwner } from './hook-runner.js';
import type { ConnectionHooks, ConnectionSettings } from './hooks.js';
import { Reason } from './inbound/flow-control.js';
import type { MessageIterator } from './inbound/message-iterator.js';
import { Receiver, type ReceiverOwner } from './inbound/receiver.js';
import { type HeartbeatTarget, watch } from './keepalive/heartbeat.js';
import { canReceive, State } from './lifecycle.js';
import { LifecycleActions } from './lifecycle-actions.js';
import type { Negotiated } from './negotiated.js';
import type { FileOptions, FileSource } from './outbound/file-job.js';
import type { Loans } from './outbound/loans.js';
import { framedOf, type PreparedMessage } from './outbound/prepared-message.js';
import { Sender, type SenderOwner } from './outbound/sender.js';

const NOTHING = Buffer.alloc(0);

export class Connection
  extends LifecycleActions
  implements
    HeartbeatTarget,
    HookRunnerOwner,
    MemoryHolder,
    OpenConnection,
    ReceiverOwner,
    SenderOwner,
    TransportListener
{
  readonly runner: HookRunner;
  readonly settings: ConnectionSettings;
  readonly transport: Transport;
  protected readonly receiver: Receiver;
  protected readonly sender: Sender;
  readonly negotiated: Negotiated;
  accountedBytes = 0;
  /** Whether data has arrived since the heartbeat last checked. */
  private heard = false;
  /** Data that arrived while earlier data was being delivered, until that is done. */
  private arrivedMeanwhile: Buffer[] | undefined = undefined;

  constructor(socket: Duplex, hooks: ConnectionHooks, settings: ConnectionSettings, negotiated: Negotiated) {
    super();
    this.settings = settings;
    this.negotiated = negotiated;
    this.transport = new Transport(socket);
    this.runner = new HookRunner(hooks, settings, this);
    this.sender = new Sender(this.transport, this);
    this.receiver = new Receiver(this);
  }

  /**
   * Takes over the socket after the handshake.
   *
   * @param args the arguments of `onConnect`
   * @param head bytes received with the handshake, which belong to the first frames
   */
  open(args: readonly unknown[], head: Buffer): void {
    const { runner, settings, transport } = this;
    this.advance('open');
    this.openedAt = Math.round(this.clock.now());
    settings.counters.opened(this);
    this.keepalive = watch(this, settings);
    transport.listen(this);
    if (isSubscribed('open')) {
      runner.inContext(() => publish('open', () => ({ route: settings.route, connection: runner.hooks })));
    }
    this.receive(() => runner.connect(args));
    const room = head.length === 0 ? this.receiver.room : transport.deliver(head);
    if (room > 0) transport.resume();
    // If the peer left during the handshake, the event is over and will not be repeated.
    if (transport.readableEnded) this.onEnd();
  }

  // Called by the transport.

  onData(chunk: Chunk): number {
    if (!canReceive(this.state)) return Number.POSITIVE_INFINITY;
    this.heard = true;
    if (this.sender.isCollecting) {
      // A hook made its own socket bring more, by a write: a synchronous stream does, and TLS if the write is empty.
      this.arrivedMeanwhile ??= [];
      this.arrivedMeanwhile.push(chunk instanceof SharedChunk ? chunk.copy() : Buffer.from(chunk));
      return Number.POSITIVE_INFINITY;
    }
    this.deliver(this.receiver.feed, chunk);
    return this.receiver.room;
  }

  // Called by the receiver.

  receive(run: () => void): void {
    this.deliver(run, NOTHING);
  }

  private deliver(run: (this: Receiver, chunk: Chunk) => void, chunk: Chunk): void {
    const { sender } = this;
    // Output of nested calls leaves with the outermost one.
    const isNested = sender.isCollecting;
    sender.isCollecting = true;
    try {
      this.runner.deliver(run, this.receiver, chunk);
    } catch (error) {
      this.fail(error);
    }
    if (isNested) return;
    sender.isCollecting = false;
    const { arrivedMeanwhile } = this;
    this.arrivedMeanwhile = undefined;
    if (arrivedMeanwhile !== undefined) for (const more of arrivedMeanwhile) this.deliver(this.receiver.feed, more);
    sender.writer.flush();
    this.settleInput();
  }

  onPing(payload: Buffer): void {
    this.sender.pong(payload);
  }

  onPong(payload: Buffer): void {
    const answer = this.sender.answerTo(payload);
    if (answer === undefined || !this.canSend) return;
    const { runner } = this;
    runner.call('onPong', () => runner.hooks.onPong(answer));
  }

  onThrottled(): void {
    const { runner, settings } = this;
    settings.counters.counts.throttled++;
    runner.inContext(() => publish('throttle', () => ({ route: settings.route, connection: runner.hooks })));
  }

  // Called by the hook runner.

  onHookPending(): void {
    this.receiver.onHookPending();
  }

  onHookSettled(): void {
    this.receiver.onHookSettled();
    if (this.state !== State.CLOSED) return;
    // The hook might have read the remaining units by `messages()`. Now they are queued for whoever does.
    this.deliverRest();
    this.settleInput();
  }

  onStale(): void {
    this.receiver.onStale();
  }

  // Called by the sender.

  onWrote(): void {
    this.receiver.limiter?.wrote();
  }

  applyBackpressure(): void {
    this.receiver.applyBackpressure();
  }

  releaseBackpressure(): void {
    this.receiver.releaseBackpressure();
  }

  get isBackedUp(): boolean {
    return this.receiver.isBlockedBy(Reason.OUTPUT);
  }

  onTooSlow(): void {
    this.fail(new ProtocolError('the peer reads too slowly', CloseCode.TRY_AGAIN_LATER));
  }

  /** Reports the pinned memory to the budget of the process. */
  account(): void {
    const bytes = this.pinnedBytes;
    if (bytes !== this.accountedBytes) account(this.settings.limits, this, bytes);
  }

  // Called by the heartbeat.

  get lastActivity(): number {
    const { isHandling, isInflating, limiter } = this.receiver;
    const isAtWork = isHandling || isInflating || this.sender.writer.preparing;
    return isAtWork || limiter === undefined ? this.clock.now() : limiter.lastActivity;
  }

  consumeActivity(): boolean {
    const { heard } = this;
    this.heard = false;
    // There is no event for data that the stream reads ahead, so account for it here.
    this.account();
    return heard;
  }

  get isReadPaused(): boolean {
    // A slow file delays our ping, so no answer can be expected.
    return this.receiver.isDeaf || this.sender.writer.starved;
  }

  sendHeartbeat(): void {
    this.sender.heartbeat();
  }

  onLost(): void {
    this.settings.counters.counts.lost++;
    this.beginning.reason = `no answer to a ping within ${this.settings.pongTimeout} ms`;
    this.terminate();
  }

  onIdle(): void {
    this.close(CloseCode.GOING_AWAY, `idle for ${this.settings.idleTimeout} ms`);
  }

  // Called by the memory budget.

  get pinnedBytes(): number {
    const { receiver, sender, transport } = this;
    // A paused stream reads one more chunk without an event. Counting at least 1 keeps the budget checking it.
    const ahead = receiver.isBlocked && !transport.destroyed ? Math.max(1, transport.readableLength) : 0;
    return receiver.pinned + ahead + sender.pinned;
  }

  get shared(): Loans | undefined {
    return this.sender.writer.loans;
  }

  evict(): void {
    const { sender } = this;
    const isAgain = this.state >= State.ENDING;
    // Needed even if the connection is already closing, or its handler has not finished.
    this.receiver.discard();
    this.fail(new ProtocolError('the server is short of memory', CloseCode.TRY_AGAIN_LATER));
    if (!sender.writer.waiting) sender.stopDeflation();
    // The peer does not read its pending data, or zlib is busy with it: closing properly would take too long.
    if (!isAgain && this.pinnedBytes + (this.shared?.bytes ?? 0) <= MAX_COPIED) return;
    this.transport.destroy();
    sender.writer.close();
    sender.stopDeflation();
  }

  // Called by telemetry and by a draining server.

  get server(): unknown {
    return serverOf(this.socket);
  }

  get bufferedAmount(): number {
    return this.sender.writer.bufferedAmount;
  }

  // Called by the handler.

  get dispatcher(): Dispatcher {
    return this.receiver.dispatcher;
  }

  get dropped(): number {
    return this.sender.dropped;
  }

  writeText(text: string, flush: boolean, compress: boolean): boolean {
    if (!this.canSend) return this.refuse('write');
    return this.sender.text(text, flush, compress);
  }

  writeBytes(opcode: Opcode, payload: Uint8Array, flush: boolean, compress: boolean): boolean {
    if (!this.canSend) return this.refuse('write');
    if (opcode !== Opcode.Text) this.demandFrames('write binary data');
    return this.sender.bytes(opcode, payload, flush, compress);
  }

  writePrepared(message: PreparedMessage, flush: boolean, compress: boolean): boolean {
    if (!this.canSend) return this.refuse('write');
    if (this.version === 0 && framedOf(message).opcode !== Opcode.Text) this.demandFrames('write binary data');
    return this.sender.prepared(message, flush, compress);
  }

  /**
   * Called by `broadcast`. Errors are logged here, so that they do not affect other connections.
   *
   * @returns whether the message was sent
   */
  offer(message: PreparedMessage, flush: boolean, compress: boolean): boolean {
    if (!this.canSend || (this.version === 0 && framedOf(message).opcode !== Opcode.Text)) return false;
    const before = this.messagesSent;
    try {
      this.sender.prepared(message, flush, compress);
    } catch (error) {
      // A user's own stream may throw, and then it is unknown how much of the frame was written.
      logError(`a broadcast to ${this.settings.name}`, error, this.settings.log);
      this.terminate();
      return false;
    }
    return this.messagesSent > before;
  }

  writeFile(source: FileSource, options: FileOptions, flush: boolean): Promise<void> {
    if (!this.canSend) throw this.invalidState('writeFile');
    this.demandFrames('writeFile');
    return this.sender.file(source, options, flush);
  }

  sendPing(data: Buffer | undefined): boolean {
    if (!this.canSend) return this.refuse('ping');
    this.demandFrames('ping');
    return this.sender.ping(data);
  }

  flush(): boolean {
    if (!this.canSend) return this.refuse('flush');
    this.sender.writer.flush();
    return true;
  }

  /** Fulfills when the kernel has accepted everything written so far. */
  drained(): Promise<void> {
    if (!this.canSend) return Promise.reject(this.invalidState('drained'));
    return this.sender.drained();
  }

  /** Yields the units that `onRead` would receive; none if the connection is closing or closed. */
  messages(): MessageIterator {
    if (this.state === State.CONNECTING) throw this.invalidState('messages');
    return this.receiver.messages();
  }

  private demandFrames(what: string): void {
    if (this.version === 0) throw new InvalidStateError(`${what}: a draft-76 connection only carries text`);
  }
}
