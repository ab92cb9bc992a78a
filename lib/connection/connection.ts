/**
 * One WebSocket connection after the handshake. It joins these parts:
 *
 *     transport ──bytes──▶ receiver ──units──▶ hook runner (the user's handler)
 *         ▲                   └─ping, pong, close─┐        │
 *         └──────── sender ◀──────────────────────┴──── write, close
 *
 * The parts decide about frames, units, pauses in reading and the time of sending. A table (`lifecycle.ts`) decides the
 * states of the connection: this class passes events to it and performs the actions it returns.
 */
import type { Duplex } from 'node:stream';
import type { Dispatcher } from '../dispatch/dispatcher.js';
import { beforeOpen, InvalidStateError, isA, ProtocolError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { checkCloseArguments, closePayload, fitReason } from '../framing/close-payload.js';
import { draft76Close } from '../framing/draft76/draft76-frames.js';
import { Opcode } from '../framing/opcode.js';
import { logError } from '../log.js';
import { account, type MemoryHolder } from '../memory/memory-budget.js';
import type { Chunk } from '../memory/shared-read-buffer.js';
import { MAX_COPIED } from '../memory/slab.js';
import { type DiagnosticMessages, isSubscribed, publish } from '../telemetry/channels.js';
import type { OpenConnection } from '../telemetry/route-counters.js';
import { type Clock, clockOf } from '../transport/clock.js';
import { type CloseTimer, destroyWithoutProgress } from '../transport/close-timer.js';
import { Transport, type TransportListener } from '../transport/transport.js';
import { Completion } from './completion.js';
import { HookRunner, type HookRunnerOwner } from './hook-runner.js';
import type { ConnectionHooks, ConnectionSettings } from './hooks.js';
import { Reason } from './inbound/flow-control.js';
import type { MessageIterator } from './inbound/message-iterator.js';
import { Receiver, type ReceiverOwner } from './inbound/receiver.js';
import { type Heartbeat, type HeartbeatTarget, watch } from './keepalive/heartbeat.js';
import {
  Action,
  canReceive,
  canSend,
  hasPeerLeft,
  type LifecycleEvent,
  type ReadyState,
  readyStateOf,
  State,
  step,
} from './lifecycle.js';
import type { Negotiated, Version } from './negotiated.js';
import type { FileOptions, FileSource } from './outbound/file-job.js';
import type { Loans } from './outbound/loans.js';
import { framedOf, type PreparedMessage } from './outbound/prepared-message.js';
import { Sender, type SenderOwner } from './outbound/sender.js';

/** The data about the end of a connection, created when it begins to close. */
class Ending {
  /** The code for `onClose`. */
  code: number = CloseCode.ABNORMAL_CLOSURE;
  reason = '';
  wasClean = false;
  /** The peer has sent its close frame. */
  isCloseReceived = false;
  /** The time the socket closed, on the clock of `openedAt`, and the number of messages received until then. */
  closedAt = 0;
  messagesByThen = 0;
  timer: CloseTimer | undefined = undefined;
}

const NOTHING = Buffer.alloc(0);

export class Connection
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
  readonly negotiated: Negotiated;
  accountedBytes = 0;
  private state: State = State.CONNECTING;
  private readonly receiver: Receiver;
  private readonly sender: Sender;
  /** Whether data has arrived since the heartbeat last checked. */
  private heard = false;
  private openedAt = 0;
  private keepalive: Heartbeat | undefined = undefined;
  private ending: Ending | undefined = undefined;
  private completion: Completion | undefined = undefined;

  constructor(socket: Duplex, hooks: ConnectionHooks, settings: ConnectionSettings, negotiated: Negotiated) {
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
    this.deliver(this.receiver.feed, chunk);
    return this.receiver.room;
  }

  onEnd(): void {
    this.advance(this.receiver.isBlocked ? 'peerEndedEarly' : 'peerEnded');
  }

  onClose(): void {
    this.advance('transportClosed');
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
    sender.writer.flush();
    // A hook has ended it in the midst of that.
    if (this.state === State.DELIVERED) this.onInputDelivered();
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

  onCloseFrame(code: number, reason: string): void {
    const { beginning } = this;
    beginning.isCloseReceived = true;
    beginning.code = code;
    beginning.reason = reason;
    this.advance('remoteClose', code, reason);
  }

  onCloseAhead(): void {
    this.advance('closeHeard');
  }

  onHandlerIdle(): void {
    const { pendingClose } = this.completion ?? {};
    if (pendingClose !== undefined) this.close(pendingClose.code, pendingClose.reason);
  }

  onInputDelivered(): void {
    this.advance('inputDelivered');
    // `onClose` must wait for pending hooks.
    if (!this.runner.isBusy) this.advance('inputSettled');
  }

  onThrottled(): void {
    const { runner, settings } = this;
    settings.counters.counts.throttled++;
    runner.inContext(() => publish('throttle', () => ({ route: settings.route, connection: runner.hooks })));
  }

  // Called by the hook runner.

  get isPeerGone(): boolean {
    return !this.canSend || hasPeerLeft(this.state);
  }

  onHookPending(): void {
    this.receiver.onHookPending();
  }

  onHookSettled(): void {
    const { receiver } = this;
    receiver.onHookSettled();
    if (this.state !== State.CLOSED) return;
    // It might have asked for what is left for the reader of `messages()`: nobody is waited for any more.
    this.deliverRest();
    if (!receiver.isBlocked) this.onInputDelivered();
  }

  onStale(): void {
    this.receiver.onStale();
  }

  // Called by the sender.

  get canSend(): boolean {
    return canSend(this.state);
  }

  get clock(): Clock {
    return clockOf(this.socket);
  }

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

  onOutputDrained(): void {
    this.advance('outputDrained');
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

  get socket(): Duplex {
    return this.transport.socket;
  }

  get server(): unknown {
    return Reflect.get(this.socket, 'server');
  }

  get messagesReceived(): number {
    return this.dispatcher.messages;
  }

  get messagesSent(): number {
    return this.sender.messages;
  }

  get bytesReceived(): number {
    return this.transport.bytesReceived;
  }

  get bytesSent(): number {
    return this.transport.bytesSent;
  }

  get bufferedAmount(): number {
    return this.sender.writer.bufferedAmount;
  }

  closeWhenIdle(code: number, reason: string): void {
    if (!this.canSend) return;
    if (this.receiver.isHandling) this.completed.pendingClose = { code, reason };
    else this.close(code, reason);
  }

  whenFinished(): Promise<void> {
    if (this.state === State.FINISHED) return Promise.resolve();
    return this.completed.finished;
  }

  // Called by the handler.

  get readyState(): ReadyState {
    return readyStateOf(this.state);
  }

  get version(): Version {
    return this.negotiated.version;
  }

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

  /** Starts the closing handshake, unless the connection is already closing. */
  close(code: number, reason: string): void {
    checkCloseArguments(code, reason);
    if (this.state === State.CONNECTING) throw this.invalidState('close');
    this.advance('localClose', code, reason);
    // Draft-76 has no close codes, and the server need not wait for the peer's answer.
    if (this.version === 0) this.advance('remoteClose');
  }

  /** Ends the connection immediately. Unsent data is lost, and the peer receives no close frame. */
  terminate(): void {
    if (this.state === State.CONNECTING) throw this.invalidState('terminate');
    this.advance('terminate');
  }

  get signal(): AbortSignal {
    const { completed } = this;
    if (hasPeerLeft(this.state)) completed.abort();
    return completed.signal;
  }

  // The life of the connection.

  /** Implements 7.1.7, _Fail the WebSocket Connection_, and is the only place where an error becomes a close code. */
  private fail(error: unknown): void {
    const known = isA(error, ProtocolError);
    const code = known ? error.closeCode : CloseCode.INTERNAL_ERROR;
    const reason = known ? fitReason(error.message) : '';
    if (this.state > State.CONNECTING && this.state < State.ENDING) {
      if (!known) logError(`${this.settings.name} failed`, error, this.settings.log);
      this.beginning.code = code;
      this.beginning.reason = reason;
    }
    // A close frame cannot be sent inside a file's frame, and draft-76 has no close codes.
    const isSilent = this.sender.writer.busy || this.version === 0;
    this.advance(isSilent ? 'failSilently' : 'fail', code, reason);
  }

  /** @param code the code of the close frame, and `reason` its reason, if the event causes one to be sent */
  private advance(event: LifecycleEvent, code: number = CloseCode.NO_STATUS_RECEIVED, reason = ''): void {
    const next = step(this.state, event);
    if (next === undefined) return;
    this.state = next.state;
    // What is closing has a timer of its own. What waits behind a slow peer, or a reader that asks no more, has not.
    if (next.state > State.CLOSE_HEARD) this.keepalive?.stop();
    if (next.actions !== 0) this.perform(next.actions, code, reason);
  }

  private perform(actions: number, code: number, reason: string): void {
    const { receiver, transport } = this;
    // Before anybody is told, who might end what is left at once.
    if (actions & Action.RELEASE) this.release();
    if (actions & Action.ABORT_SIGNAL) this.abortSignal();
    if (actions & (Action.SEND_CLOSE | Action.AWAIT_OUTPUT | Action.END_OUTPUT)) this.startCloseTimer();
    if (actions & Action.SEND_CLOSE) this.sendClose(code, reason);
    if (actions & Action.DISCARD_MESSAGES) {
      receiver.discardMessages();
      transport.resume();
    }
    if (actions & Action.DISCARD_INPUT) receiver.discard();
    if (actions & Action.AWAIT_OUTPUT) this.awaitOutput();
    if (actions & Action.END_OUTPUT) this.endOutput();
    if (actions & Action.DESTROY) transport.destroy();
    if (actions & Action.DELIVER_REST) this.deliverRest();
    if (actions & Action.READ_ON) transport.resume();
    if (actions & Action.CALL_ON_CLOSE) this.callOnClose();
    if (actions & Action.FINISH) this.finish();
    // Not in the midst of a hook, which may be asynchronous.
    if (this.state >= State.CLOSED && !receiver.isBlocked && !this.sender.isCollecting) this.onInputDelivered();
  }

  private abortSignal(): void {
    const { completion } = this;
    if (completion !== undefined) this.runner.inContext(() => completion.abort());
  }

  private startCloseTimer(): void {
    const { beginning, sender, settings, transport } = this;
    beginning.timer ??= destroyWithoutProgress(transport, settings.closeTimeout, sender.writer);
  }

  private sendClose(code: number, reason: string): void {
    const { beginning, sender } = this;
    if (this.version === 0) {
      sender.writer.raw(draft76Close);
      beginning.isCloseReceived = true;
      beginning.code = CloseCode.NO_STATUS_RECEIVED;
    } else sender.writer.binary(Opcode.Close, closePayload(code, reason));
    sender.send(false);
  }

  private awaitOutput(): void {
    this.sender.send(false);
    if (!this.sender.writer.waiting) this.advance('outputDrained');
  }

  /**
   * Sends the rest, then FIN. Further input is read and dropped, because unread input would cause a reset and lose
   * output.
   */
  private endOutput(): void {
    const { beginning, sender, transport } = this;
    sender.flushLast();
    // A file's frame cannot be ended early, nor interrupted by another frame.
    if (sender.writer.busy) this.advance('terminate');
    else if (!sender.writer.waiting) {
      beginning.wasClean = beginning.isCloseReceived;
      transport.end();
      this.advance('finSent');
    }
    transport.resume();
  }

  private release(): void {
    const { beginning, sender, settings } = this;
    sender.close(() => this.invalidState('drained'));
    beginning.timer?.stop();
    beginning.closedAt = Math.round(this.clock.now());
    beginning.messagesByThen = this.messagesReceived;
    settings.counters.closed(this);
    this.account();
  }

  private deliverRest(): void {
    this.receiver.releaseBackpressure();
    this.receiver.drainToReader();
    this.account();
  }

  private callOnClose(): void {
    const { beginning, runner, settings } = this;
    const { code, reason, wasClean } = beginning;
    this.account();
    settings.counters.receivedLate(this.messagesReceived - beginning.messagesByThen);
    settings.counters.count('closed', code);
    if (isSubscribed('close')) runner.inContext(() => publish('close', () => this.summary(beginning)));
    runner.call(
      'onClose',
      () => runner.hooks.onClose(code, reason, wasClean),
      () => this.advance('onCloseSettled'),
    );
    this.advance('told');
  }

  private finish(): void {
    this.settings.counters.finished(this);
    this.completion?.finish();
  }

  private summary({ code, reason, wasClean, closedAt }: Ending): DiagnosticMessages['websocket-route:close'] {
    const { messagesReceived, messagesSent, bytesReceived, bytesSent } = this;
    // Ends when the socket closed, not when the handler finished.
    const duration = closedAt - this.openedAt;
    const traffic = { messagesReceived, messagesSent, bytesReceived, bytesSent };
    return { route: this.settings.route, connection: this.runner.hooks, code, reason, wasClean, duration, ...traffic };
  }

  private get beginning(): Ending {
    this.ending ??= new Ending();
    return this.ending;
  }

  private get completed(): Completion {
    this.completion ??= new Completion();
    return this.completion;
  }

  /**
   * Rejects a write. While the connection closes, data is silently dropped, as by the WHATWG's `send`, because the peer
   * decides when closing begins. It is an error only before the connection opens, and after `onClose` has told the
   * handler.
   */
  private refuse(method: string): false {
    if (this.state === State.CONNECTING || this.state >= State.TOLD) throw this.invalidState(method);
    return false;
  }

  private demandFrames(what: string): void {
    if (this.version === 0) throw new InvalidStateError(`${what}: a draft-76 connection only carries text`);
  }

  private invalidState(method: string): InvalidStateError {
    if (this.state === State.CONNECTING) return beforeOpen(method);
    if (this.state >= State.TOLD) {
      return new InvalidStateError(
        `${method}() on a connection that is closed, after onClose: stop timers and leave rooms in onClose`,
      );
    }
    return new InvalidStateError(`${method}() on a connection that is closing or closed`);
  }
}
