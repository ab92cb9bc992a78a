/**
 * Performs what the lifecycle table (`lifecycle.ts`) asks for: sends and awaits close frames, ends the socket, aborts the
 * signal, delivers what is left, and calls `onClose`. Nothing else changes the state of a connection.
 *
 * This file has more than 300 lines because all actions of the table are here, a short method for each, so that the end
 * of a connection can be read in one place.
 */
import type { Duplex } from 'node:stream';
import { beforeOpen, InvalidStateError, isA, ProtocolError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { checkCloseArguments, closePayload, fitReason } from '../framing/close-payload.js';
import { draft76Close } from '../framing/draft76/draft76-frames.js';
import { Opcode } from '../framing/opcode.js';
import { logError } from '../log.js';
import { type DiagnosticMessages, isSubscribed, publish } from '../telemetry/channels.js';
import type { OpenConnection } from '../telemetry/route-counters.js';
import { type Clock, clockOf } from '../transport/clock.js';
import { type CloseTimer, destroyWithoutProgress } from '../transport/close-timer.js';
import type { Transport } from '../transport/transport.js';
import { Completion } from './completion.js';
import type { HookRunner } from './hook-runner.js';
import type { ConnectionSettings } from './hooks.js';
import type { Receiver } from './inbound/receiver.js';
import type { Heartbeat } from './keepalive/heartbeat.js';
import {
  Action,
  canSend,
  hasPeerLeft,
  type LifecycleEvent,
  type ReadyState,
  readyStateOf,
  State,
  step,
} from './lifecycle.js';
import type { Negotiated, Version } from './negotiated.js';
import type { Sender } from './outbound/sender.js';

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

export abstract class LifecycleActions implements OpenConnection {
  abstract readonly runner: HookRunner;
  abstract readonly settings: ConnectionSettings;
  abstract readonly transport: Transport;
  abstract readonly negotiated: Negotiated;
  protected abstract readonly receiver: Receiver;
  protected abstract readonly sender: Sender;
  protected state: State = State.CONNECTING;
  protected keepalive: Heartbeat | undefined = undefined;
  protected openedAt = 0;
  private ending: Ending | undefined = undefined;
  private completion: Completion | undefined = undefined;

  abstract readonly server: unknown;
  abstract readonly bufferedAmount: number;
  /** Tells the memory budget of the process how much is pinned now. */
  abstract account(): void;

  // Called by the transport.

  onEnd(): void {
    this.advance(this.receiver.isBlocked ? 'peerEndedEarly' : 'peerEnded');
  }

  onClose(): void {
    this.advance(this.negotiated.deflate === undefined ? 'transportClosed' : 'compressedTransportClosed');
  }

  // Called by the receiver and the sender.

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

  onOutputDrained(): void {
    this.advance('outputDrained');
  }

  // Called by the handler, telemetry and a draining server.

  get version(): Version {
    return this.negotiated.version;
  }

  get socket(): Duplex {
    return this.transport.socket;
  }

  get clock(): Clock {
    return clockOf(this.socket);
  }

  get readyState(): ReadyState {
    return readyStateOf(this.state);
  }

  get canSend(): boolean {
    return canSend(this.state);
  }

  get isPeerGone(): boolean {
    return !this.canSend || hasPeerLeft(this.state);
  }

  get messagesReceived(): number {
    return this.receiver.dispatcher.messages;
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

  /** Starts the closing handshake, unless the connection is already closing. */
  close(code: number, reason: string): void {
    checkCloseArguments(code, reason);
    if (this.state === State.CONNECTING) throw this.invalidState('close');
    this.advance('localClose', code, reason);
    // Draft-76 has no close codes, and the server need not wait for the peer's answer.
    if (this.version === 0) this.advance('remoteClose');
  }

  closeWhenIdle(code: number, reason: string): void {
    if (!this.canSend) return;
    if (this.receiver.isHandling) this.completed.pendingClose = { code, reason };
    else this.close(code, reason);
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

  whenFinished(): Promise<void> {
    if (this.state === State.FINISHED) return Promise.resolve();
    return this.completed.finished;
  }

  // The life of the connection.

  /** Implements 7.1.7, _Fail the WebSocket Connection_, and is the only place where an error becomes a close code. */
  protected fail(error: unknown): void {
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
  protected advance(event: LifecycleEvent, code: number = CloseCode.NO_STATUS_RECEIVED, reason = ''): void {
    const next = step(this.state, event);
    if (next === undefined) return;
    this.state = next.state;
    // Closing has a timer of its own. A close frame that waits behind undelivered messages has not.
    if (next.state > State.CLOSE_HEARD) this.keepalive?.stop();
    if (next.actions !== 0) this.perform(next.actions, code, reason);
  }

  private perform(actions: number, code: number, reason: string): void {
    const { receiver, transport } = this;
    // First, because a listener of the signal may terminate the connection.
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
    this.settleInput();
  }

  /** Goes on towards `onClose` once nothing waits, but not in the middle of a hook, which may turn out to be asynchronous. */
  protected settleInput(): void {
    if (this.state >= State.CLOSED && !this.receiver.isBlocked && !this.sender.isCollecting) this.onInputDelivered();
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

  protected deliverRest(): void {
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

  protected get beginning(): Ending {
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
  protected refuse(method: string): false {
    if (this.state === State.CONNECTING || this.state >= State.TOLD) throw this.invalidState(method);
    return false;
  }

  protected invalidState(method: string): InvalidStateError {
    if (this.state === State.CONNECTING) return beforeOpen(method);
    if (this.state >= State.TOLD) {
      return new InvalidStateError(
        `${method}() on a connection that is closed, after onClose: stop timers and leave rooms in onClose`,
      );
    }
    return new InvalidStateError(`${method}() on a connection that is closing or closed`);
  }
}
