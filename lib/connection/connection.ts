/**
 * One WebSocket connection: the only owner of its socket after the handshake.
 *
 *     socket ──bytes──▶ intake (parser ─▶ dispatcher) ──units──▶ hooks (the user's handler)
 *       ▲                  └─ping, pong, close─┐                     │
 *       └──────────────── writer ◀─────────────┴───── write, close ──┘
 *
 * Here these are joined, and nothing of theirs is done twice: what a frame is, what a unit is, what makes reading wait and
 * when bytes leave is decided there. What is decided here is the life of the connection (`connection/state.ts`), and what becomes
 * of errors: the peer's fail the connection, the user's reach `onError`.
 */
import type { AsyncResource } from 'node:async_hooks';
import type { Duplex } from 'node:stream';
import type { CompressSettings, DeflateAgreement } from '../deflate/agreement.js';
import { Deflation } from '../deflate/deflation.js';
import type { Dispatcher } from '../dispatch/dispatcher.js';
import { InvalidStateError, isA, type OverflowError, ProtocolError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { checkCloseArguments, closePayload, fitReason } from '../framing/close-payload.js';
import { draft76Text } from '../framing/draft76-frames.js';
import { type MessageKind, Opcode } from '../framing/opcode.js';
import { logError } from '../log.js';
import { account, type MemoryHolder } from '../memory/memory-budget.js';
import { MAX_COPIED } from '../memory/slab.js';
import { type DiagnosticMessages, publish } from '../telemetry/channels.js';
import type { OpenConnection } from '../telemetry/route-counters.js';
import { isThenable, whenSettled } from '../thenables.js';
import { addressOf } from '../transport/addresses.js';
import { clockOf } from '../transport/clock.js';
import { listen, passOn, type SocketListener } from '../transport/socket-events.js';
import { bytesReceived, bytesSent } from '../transport/traffic.js';
import { contextFor, scopeOf } from './async-context.js';
import { Closing } from './closing.js';
import { isDueToState, reportSecond, tellError } from './hook-errors.js';
import type { ConnectionHooks, ConnectionSettings, HookName } from './hooks.js';
import type { MessageIterator } from './inbound/message-iterator.js';
import { Receiver, type ReceiverOwner } from './inbound/receiver.js';
import { type Heartbeat, type HeartbeatTarget, watch } from './keepalive/heartbeat.js';
import { Pings } from './keepalive/pings.js';
import { DeflateJob } from './outbound/deflate-job.js';
import { DrainWatch, type DrainWatchOwner } from './outbound/drain-watch.js';
import { FileJob, type FileOptions, type FileSource } from './outbound/file-job.js';
import { Loan, type Loans } from './outbound/loans.js';
import { mustDefer, PongReplies } from './outbound/pong-replies.js';
import { framedOf, type PreparedMessage } from './outbound/prepared-message.js';
import { SlowConsumerGuard, type SlowConsumerGuardOwner } from './outbound/slow-consumer.js';
import { Writer, type WriterOwner, withoutMore } from './outbound/writer.js';
import { Over } from './over.js';
import { canReceive, canSend, type ReadyState, readyStateOf, State, type StateEvent, transition } from './state.js';

/** The protocol version of the handshake: RFC 6455 (13, and its draft 8), or draft-76 (0). */
export type Version = 13 | 8 | 0;

/** What the handshake has settled. Nearly all connections of a server have the same. */
export interface Negotiated {
  readonly version: Version;
  readonly isSecure: boolean;
  /** '' for none. */
  readonly subprotocol: string;
  /** The value of `Sec-WebSocket-Extensions`; '' for none. */
  readonly extensions: string;
}

/** What most connections never need, or only in the end: one that is idle has no room for it. */
class Rare {
  /** The peer has sent FIN: what came before it is delivered first. */
  peerEnded = false;
  finished = false;
  /** `onClose` was called, so that the handler can know. */
  isTold = false;
  /** `onClose` has settled. */
  isOver = false;
  /** When it had gone, on the clock of `openedAt`, and how many messages had been received by then. */
  gone: { readonly at: number; readonly messages: number } | undefined = undefined;
  closing: Closing | undefined = undefined;
  drain: DrainWatch | undefined = undefined;
  pings: Pings | undefined = undefined;
  backlog: SlowConsumerGuard | undefined = undefined;
  over: Over | undefined = undefined;
  agreement: DeflateAgreement | undefined = undefined;
  deflation: Deflation | undefined = undefined;
}

export class Connection
  implements
    SlowConsumerGuardOwner,
    DrainWatchOwner,
    MemoryHolder,
    ReceiverOwner,
    OpenConnection,
    SocketListener,
    HeartbeatTarget,
    WriterOwner
{
  readonly socket: Duplex;
  readonly hooks: ConnectionHooks;
  readonly settings: ConnectionSettings;
  terms: Negotiated;
  /** As of when the handshake began. */
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
  accountedBytes = 0;
  /** Messages that the handler wrote. */
  messagesSent = 0;
  private state: State = State.CONNECTING;
  private readonly intake: Receiver;
  private readonly writer: Writer;
  /** Hooks run in it, and whatever else of the user's is called for the connection. */
  private readonly context: AsyncResource;
  /** The peer's bytes are being handled: what is written meanwhile leaves when that is done. */
  private receiving = false;
  /** The user wrote since `onWrite` was called last. */
  private wrote = false;
  /** Something came since liveness asked last. */
  private heard = false;
  private openedAt = 0;
  private liveness: Heartbeat | undefined = undefined;
  private pingAnswers: PongReplies | undefined = undefined;
  private rare: Rare | undefined = undefined;

  constructor(socket: Duplex, hooks: ConnectionHooks, settings: ConnectionSettings, terms: Negotiated) {
    this.socket = socket;
    this.hooks = hooks;
    this.settings = settings;
    this.terms = terms;
    this.writer = new Writer(socket, this);
    this.intake = new Receiver(this);
    this.context = contextFor(settings.asyncContext);
    this.localAddress = addressOf(socket, 'localAddress');
    this.remoteAddress = addressOf(socket, 'remoteAddress');
  }

  /** Messages may be compressed, in either direction. To be called before `open`. */
  speakDeflate(agreement: DeflateAgreement, settings: CompressSettings): void {
    this.onDemand.agreement = agreement;
    this.onDemand.deflation = new Deflation(agreement, settings);
  }

  // What the socket calls.

  /**
   * The handshake is done: the socket is ours.
   *
   * @param args what `onConnect` gets
   * @param head bytes that came with the handshake and belong to the first frames
   */
  open(args: readonly unknown[], head: Buffer): void {
    const { socket, settings } = this;
    this.advance('open');
    this.openedAt = Math.round(clockOf(socket).now());
    settings.counters.opened(this);
    this.intake.open(this.version, this.rare?.agreement);
    this.liveness = watch(this, settings);
    // Until `onConnect` has settled TCP holds what the peer sends.
    listen(socket, this);
    this.inContext(() => publish('open', () => ({ route: settings.route, connection: this.hooks })));
    this.receive(() => this.intake.run('onConnect', args));
    passOn(this, head);
    // A handler that closed at once is waited for by nobody: the peer's close frame is.
    if (!this.intake.isHeld || !canSend(this.state)) socket.resume();
    // The peer went away during the handshake: the event has passed, and will not come again.
    if (socket.readableEnded) this.onEnd();
  }

  onData(chunk: Buffer): boolean {
    if (!canReceive(this.state)) return true;
    this.heard = true;
    this.deliver(this.intake.feed, chunk);
    return !this.intake.isFull;
  }

  onEnd(): void {
    this.onDemand.peerEnded = true;
    // What is held is delivered when the handler is done; `onCaughtUp` comes back to this.
    if (this.intake.isHeld && canSend(this.state)) return;
    // A peer that said goodbye may stop writing before we do: what we owe it leaves, then FIN.
    if (this.state === State.ENDING || this.state === State.REMOTE_CLOSING) return;
    // 7.1.5: closed without a close frame, so the code stays 1006. What we owe the peer it may still read.
    this.intake.stop();
    this.beginClosing();
    this.end();
  }

  onGone(): void {
    this.advance('gone');
    this.writer.close();
    this.rare?.deflation?.stop();
    this.rare?.closing?.gone();
    this.rare?.drain?.stop(this.invalidState('drained'));
    this.inContext(() => this.rare?.over?.gone());
    this.settings.counters.closed(this);
    this.onDemand.gone = { at: Math.round(clockOf(this.socket).now()), messages: this.messagesReceived };
    // After a FIN, what is held had been sent in good faith; after a reset it is lost.
    if (this.rare?.peerEnded) this.intake.ebb();
    else this.intake.stop();
    this.intake.handOver();
    if (!this.intake.isHeld) this.finish();
    this.account();
  }

  // What the parser calls for control frames.

  ping(payload: Buffer): void {
    // 5.5.2: "MUST send a Pong frame in response, unless it already received a Close frame"; after ours nothing may follow.
    if (!canSend(this.state)) return;
    this.answer(payload);
    // When it comes, and only then: an answer that is held back leaves at any time, and nobody would catch this there.
    this.intake.meter?.passed();
  }

  pong(payload: Buffer): void {
    this.intake.meter?.passed();
    const answer = this.rare?.pings?.answered(payload);
    if (answer === undefined || this.state !== State.OPEN) return;
    this.call('onPong', () => this.hooks.onPong(answer));
    // If it has changed the delimiter: what came before the pong is dispatched before what comes after it.
    this.dispatcher.dispatchHeld();
  }

  closed(code: number, reason: string): void {
    const mustAnswer = canSend(this.state);
    this.advance('receiveClose');
    this.intake.stop();
    const closing = this.beginClosing();
    // 5.5.1: "the endpoint typically echos the status code it received"; browsers show the reason that comes back, too.
    if (mustAnswer) closing.say(code, reason);
    closing.hear(code, reason);
    this.send(false);
    this.endIfDone();
  }

  // What the intake calls.

  get mayDeliver(): boolean {
    return canSend(this.state) || this.state === State.CLOSED;
  }

  receive(run: () => void): void {
    this.deliver(run, NOTHING);
  }

  /** Not by a closure: this is what happens to each chunk. */
  private deliver(run: (this: Receiver, chunk: Buffer) => void, chunk: Buffer): void {
    this.receiving = true;
    try {
      scopeOf(this.context).runInAsyncScope(run, this.intake, chunk);
    } catch (error) {
      this.fail(error);
    }
    this.receiving = false;
    this.writer.flush();
  }

  onOverflow(error: OverflowError): void {
    const { route, counters } = this.settings;
    counters.counts.overflows++;
    this.inContext(() => publish('overflow', () => ({ route, connection: this.hooks, error })));
    this.call('onOverflowError', () => this.hooks.onOverflowError(error));
  }

  onPause(): void {
    const { leaving } = this.rare?.over ?? {};
    if (leaving !== undefined) this.close(leaving.code, leaving.reason);
  }

  onCaughtUp(): void {
    if (this.state === State.CLOSED) this.finish();
    else if (this.rare?.peerEnded) this.onEnd();
    else this.socket.resume();
  }

  onThrottled(): void {
    const { route, counters } = this.settings;
    counters.counts.throttled++;
    this.inContext(() => publish('throttle', () => ({ route, connection: this.hooks })));
  }

  hookFailed(error: unknown, hook: HookName): void {
    // The handler went on although its connection had gone meanwhile: that is no mistake of its own.
    if (isDueToState(error) && !canSend(this.state)) return;
    const failed = (second: unknown): void => {
      reportSecond(this.settings, second);
      this.close(CloseCode.INTERNAL_ERROR, '');
    };
    this.inContext(() => {
      try {
        const result = tellError(this.hooks, this.settings, error, hook);
        if (isThenable(result)) whenSettled(result, ignore, failed);
      } catch (second) {
        failed(second);
      }
    });
  }

  // What liveness calls.

  get lastActivity(): number {
    const { isHandling, isInflating, meter } = this.intake;
    const isAtWork = isHandling || isInflating || this.writer.preparing;
    return isAtWork || meter === undefined ? clockOf(this.socket).now() : meter.lastActivity;
  }

  consumeActivity(): boolean {
    const { heard } = this;
    this.heard = false;
    // Of what the stream has read ahead meanwhile nobody tells.
    this.account();
    return heard;
  }

  get isReadPaused(): boolean {
    // While a file comes slowly, our ping stands behind it: no answer can be expected either.
    return this.intake.isHeldByUs || this.writer.starved;
  }

  sendHeartbeat(): void {
    this.writer.binary(Opcode.Ping, NOTHING);
    this.send(false);
  }

  onLost(): void {
    this.settings.counters.counts.lost++;
    this.beginClosing().reason = `no answer to a ping within ${this.settings.pongTimeout} ms`;
    this.terminate();
  }

  onIdle(): void {
    this.close(CloseCode.GOING_AWAY, `idle for ${this.settings.idleTimeout} ms`);
  }

  // What the backlog calls.

  onTooSlow(): void {
    this.fail(new ProtocolError('the peer reads too slowly', CloseCode.TRY_AGAIN_LATER));
  }

  // What the writer calls.

  onFlush(): void {
    this.account();
    if (canSend(this.state)) this.pingAnswers?.watch();
    if (this.rare?.closing !== undefined) this.endIfDone();
    // Where there is always something to compress, the drain watch never comes to its end.
    if (this.intake.isBackedUp) setImmediate(() => this.readOnIfTaken());
    if (this.rare?.drain === undefined && !(this.wrote && this.settings.watchesWrites)) return;
    this.watchDrain();
  }

  onHeld(): void {
    this.account();
  }

  // What the drain watch calls.

  onTaken(): void {
    // Not only when nothing is left: to a peer that is written to all the time, something always is.
    this.readOnIfTaken();
  }

  onDrained(): void {
    if (!this.wrote) return;
    this.wrote = false;
    this.call('onWrite', () => this.hooks.onWrite());
  }

  // What the budget of the process calls.

  get pinnedBytes(): number {
    const { intake, rare, socket, writer } = this;
    // A stream that is paused takes one more chunk, and tells nobody: as long as it may, it is looked after.
    const ahead = intake.isHeld && !socket.destroyed ? Math.max(1, socket.readableLength) : 0;
    return intake.pinned + ahead + writer.pinned + (rare?.deflation?.pinned ?? 0);
  }

  get shared(): Loans | undefined {
    return this.writer.loans;
  }

  evict(): void {
    const isAgain = this.state === State.ENDING;
    // Also where it ends already, or its handler has not finished after it has.
    this.intake.stop();
    this.fail(new ProtocolError('the server is short of memory', CloseCode.TRY_AGAIN_LATER));
    // What zlib knows of earlier messages: there are no later ones.
    if (!this.writer.waiting) this.rare?.deflation?.stop();
    // What it is owed it does not read, or zlib is at work for it: it would stay for as long as closing may take.
    if (!isAgain && this.pinnedBytes + (this.shared?.bytes ?? 0) <= MAX_COPIED) return;
    this.socket.destroy();
    this.writer.close();
    this.rare?.deflation?.stop();
  }

  // What the user calls, by way of the handler.

  get readyState(): ReadyState {
    return readyStateOf(this.state);
  }

  get bufferedAmount(): number {
    return this.writer.bufferedAmount;
  }

  get dispatcher(): Dispatcher {
    return this.intake.dispatcher;
  }

  get dropped(): number {
    return this.rare?.backlog?.dropped ?? 0;
  }

  get messagesReceived(): number {
    return this.intake.dispatcher.messages;
  }

  get bytesReceived(): number {
    return bytesReceived(this.socket);
  }

  get bytesSent(): number {
    return bytesSent(this.socket);
  }

  get version(): Version {
    return this.terms.version;
  }

  get server(): unknown {
    return Reflect.get(this.socket, 'server');
  }

  writeText(text: string, flush: boolean, compress: boolean): boolean {
    if (!canSend(this.state)) return this.discard('write');
    if (this.rare?.backlog?.refuses()) return false;
    if (this.version === 0) this.writer.raw(draft76Text(text));
    else if (compress && this.rare?.deflation !== undefined)
      this.writeCompressed(this.rare.deflation, Opcode.Text, text);
    else this.writer.text(Opcode.Text, text);
    return this.wroteData(flush);
  }

  /** @param isOurs whether nobody else can get at the memory of the payload */
  writeBytes(opcode: Opcode, payload: Uint8Array, flush: boolean, compress: boolean, isOurs = false): boolean {
    if (!canSend(this.state)) return this.discard('write');
    if (this.rare?.backlog?.refuses()) return false;
    if (this.version === 0 && opcode === Opcode.Text) this.writer.raw(draft76Text(payload));
    else {
      this.demandFrames('write binary data');
      if (compress && this.rare?.deflation !== undefined && isMessage(opcode)) {
        this.writeCompressed(this.rare.deflation, opcode, payload, isOurs);
      } else this.writer.binary(opcode, payload);
    }
    return this.wroteData(flush);
  }

  writePrepared(message: PreparedMessage, flush: boolean, compress: boolean): boolean {
    const { opcode, payload, frame } = framedOf(message);
    // What depends on the connection is done for each of them.
    const isCompressed = compress && this.rare?.deflation !== undefined && isMessage(opcode);
    if (isCompressed || this.version === 0) return this.writeBytes(opcode, payload, flush, compress, true);
    if (!canSend(this.state)) return this.discard('write');
    if (this.rare?.backlog?.refuses()) return false;
    this.writer.raw(frame);
    return this.wroteData(flush);
  }

  /** What `broadcast` calls. What goes wrong here concerns no other connection. @returns whether it was taken */
  offer(message: PreparedMessage, flush: boolean, compress: boolean): boolean {
    if (!canSend(this.state) || (this.version === 0 && framedOf(message).opcode !== Opcode.Text)) return false;
    const before = this.messagesSent;
    try {
      this.writePrepared(message, flush, compress);
    } catch (error) {
      // A stream of the user's own may throw: what was written of the frame is not known.
      logError(`a broadcast to ${this.settings.name}`, error);
      this.terminate();
      return false;
    }
    return this.messagesSent > before;
  }

  writeFile(source: FileSource, options: FileOptions, flush: boolean): Promise<void> {
    if (!canSend(this.state)) throw this.invalidState('writeFile');
    this.demandFrames('writeFile');
    const job = new FileJob(source, options, () => this.terminate());
    this.writer.enqueue(job);
    this.wroteData(flush);
    if (this.writer.files >= MAX_FILES) this.backUpReading();
    return job.done;
  }

  sendPing(data: Buffer | undefined): boolean {
    if (!canSend(this.state)) return this.discard('ping');
    this.demandFrames('ping');
    if (this.rare?.backlog?.refuses()) return false;
    const { onDemand } = this;
    onDemand.pings ??= new Pings(clockOf(this.socket));
    this.writer.binary(Opcode.Ping, onDemand.pings.sent(data));
    return this.sendOrBackUp(false);
  }

  flush(): boolean {
    if (!canSend(this.state)) return this.discard('flush');
    this.writer.flush();
    return true;
  }

  /** Fulfilled when the kernel has taken all that was written so far. */
  drained(): Promise<void> {
    if (!canSend(this.state)) return Promise.reject(this.invalidState('drained'));
    if (this.writer.bufferedAmount === 0 && !this.writer.waiting) return Promise.resolve();
    // Without anything to flush this only waits for the kernel; else the flush begins to wait.
    return this.watchDrain().drained();
  }

  /** What `onRead` would get, one by one. Of a connection that is closing or closed, nothing. */
  messages(): MessageIterator {
    if (this.state === State.CONNECTING) throw this.invalidState('messages');
    return this.intake.messages();
  }

  /** Starts the closing handshake. Of a connection that is closing already, nothing. */
  close(code: number, reason: string): void {
    checkCloseArguments(code, reason);
    if (this.state === State.CONNECTING) throw this.invalidState('close');
    if (!canSend(this.state)) return;
    this.advance('sendClose');
    this.beginClosing().say(code, reason);
    this.send(false);
    this.intake.mute();
    // It has said its last word, and was not heard while the handler was at work.
    if (this.rare?.peerEnded) this.onEnd();
  }

  get signal(): AbortSignal {
    const { over } = this;
    if (this.state === State.CLOSED) over.gone();
    return over.signal;
  }

  closeWhenIdle(code: number, reason: string): void {
    if (!canSend(this.state)) return;
    if (this.intake.isHandling) {
      this.over.leaving = { code, reason };
    } else this.close(code, reason);
  }

  whenFinished(): Promise<void> {
    if (this.rare?.isOver) return Promise.resolve();
    return this.over.promise;
  }

  /** Ends the connection at once: what was not sent is lost, and the peer gets no close frame. */
  terminate(): void {
    if (this.state === State.CONNECTING) throw this.invalidState('terminate');
    this.advance('end');
    this.intake.stop();
    this.socket.destroy();
  }

  // How hooks are run.

  /** Runs a hook that reading does not wait for, and then `done`: at once, or when what it returned has settled. */
  private call(hook: HookName, run: () => unknown, done: () => void = ignore): void {
    try {
      const isPending = this.inContext(() => {
        const result = run();
        if (!isThenable(result)) return false;
        // A query builder begins its work only when it is asked for its result.
        whenSettled(result, done, (error) => {
          this.hookFailed(error, hook);
          done();
        });
        return true;
      });
      if (isPending) return;
    } catch (error) {
      this.hookFailed(error, hook);
    }
    done();
  }

  /** Runs what may call the user's code. */
  inContext<T>(run: () => T): T {
    return scopeOf(this.context).runInAsyncScope(run);
  }

  // How pings are answered.

  private answer(payload: Buffer): void {
    if (!canSend(this.state)) return;
    if (mustDefer(this.writer)) {
      this.pingAnswers ??= new PongReplies(this.writer, (latest) => this.answer(latest));
      this.pingAnswers.defer(payload);
      return;
    }
    // What was held back may still wait to be let go: it comes first.
    const before = this.pingAnswers?.take();
    if (before !== undefined) this.writer.binary(Opcode.Pong, before);
    this.writer.binary(Opcode.Pong, payload);
    this.send(false);
  }

  // How a connection ends.

  /** 7.1.7, _Fail the WebSocket Connection_: the one place where an error becomes a close code. */
  private fail(error: unknown): void {
    // What had been sent before it has been delivered, and nothing behind it is.
    if (this.state === State.CLOSED) this.finish();
    if (this.state === State.ENDING || this.state === State.CLOSED) return;
    const known = isA(error, ProtocolError);
    if (!known) logError(`${this.settings.name} failed`, error);
    const code = known ? error.closeCode : CloseCode.INTERNAL_ERROR;
    const reason = known ? fitReason(error.message) : '';
    this.intake.stop();
    const canSay = canSend(this.state) && !this.writer.busy && this.version !== 0;
    const closing = this.beginClosing();
    closing.code = code;
    closing.reason = reason;
    if (canSay) this.writer.binary(Opcode.Close, closePayload(code, reason));
    this.end();
  }

  private beginClosing(): Closing {
    const { onDemand, settings, socket, writer } = this;
    onDemand.closing ??= new Closing(socket, writer, this.version === 0, settings.closeTimeout);
    return onDemand.closing;
  }

  private endIfDone(): void {
    if (this.rare?.closing?.isDone) this.end();
  }

  private end(): void {
    this.advance('end');
    this.rare?.closing?.end();
  }

  private advance(event: StateEvent): void {
    this.state = transition(this.state, event);
    // What is closing has a timer of its own.
    if (this.state > State.OPEN) this.liveness?.stop();
  }

  private finish(): void {
    this.intake.stop();
    // The hook that is pending has to settle first; `onCaughtUp` comes back to this.
    if (this.intake.busy || this.rare?.finished) return;
    this.onDemand.finished = true;
    this.account();
    const { code = CloseCode.ABNORMAL_CLOSURE, reason = '', wasClean = false } = this.rare?.closing ?? {};
    const { counters } = this.settings;
    if (this.rare?.gone !== undefined) counters.receivedLate(this.messagesReceived - this.rare.gone.messages);
    counters.count('closed', code);
    this.inContext(() => publish('close', () => this.summary(code, reason, wasClean)));
    this.call(
      'onClose',
      () => this.hooks.onClose(code, reason, wasClean),
      () => this.settle(),
    );
    this.onDemand.isTold = true;
  }

  private settle(): void {
    this.onDemand.isOver = true;
    this.settings.counters.finished(this);
    this.rare?.over?.resolve();
  }

  private summary(code: number, reason: string, wasClean: boolean): DiagnosticMessages['websocket-route:close'] {
    const { messagesReceived, messagesSent, bytesReceived, bytesSent } = this;
    // Until the connection had gone, and not until its handler had finished.
    const duration = (this.rare?.gone?.at ?? this.openedAt) - this.openedAt;
    const traffic = { messagesReceived, messagesSent, bytesReceived, bytesSent };
    return { route: this.settings.route, connection: this.hooks, code, reason, wasClean, duration, ...traffic };
  }

  // How writes leave.

  /** Compressed if it is large enough. Where very many wait already, small ones would cost more than they save. */
  private writeCompressed(deflation: Deflation, kind: MessageKind, data: string | Uint8Array, isOurs = false): void {
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

  /** Tells the budget of the process what is pinned now. */
  private account(): void {
    const bytes = this.pinnedBytes;
    if (bytes !== this.accountedBytes) account(this.settings.limits, this, bytes);
  }

  private wroteData(flush: boolean): boolean {
    this.wrote = true;
    this.messagesSent++;
    this.intake.meter?.wrote();
    return this.sendOrBackUp(flush);
  }

  /**
   * One that does not take its answers is asked nothing more.
   *
   * @returns false when more is on its way than the peer should be sent at a time
   */
  private sendOrBackUp(flush: boolean): boolean {
    this.send(flush);
    const { bufferedAmount } = this.writer;
    const { highWaterMark, maxBufferedAmount } = this.settings;
    if (bufferedAmount <= highWaterMark) return true;
    if (bufferedAmount > maxBufferedAmount) {
      const { onDemand } = this;
      onDemand.backlog ??= new SlowConsumerGuard(this.writer, this);
      onDemand.backlog.exceeded();
    }
    if (bufferedAmount > maxBufferedAmount / 2) this.backUpReading();
    return false;
  }

  private backUpReading(): void {
    this.intake.backUp();
    this.watchDrain();
  }

  private readOnIfTaken(): void {
    const { files, bufferedAmount } = this.writer;
    if (bufferedAmount <= this.settings.maxBufferedAmount / 2 && files < MAX_FILES / 2) this.intake.ebb();
  }

  private send(flush: boolean): void {
    if (flush) this.writer.flush();
    else if (!this.receiving) this.writer.schedule();
  }

  private watchDrain(): DrainWatch {
    const { onDemand } = this;
    onDemand.drain ??= new DrainWatch(this.socket, this.writer, this);
    onDemand.drain.watch();
    return onDemand.drain;
  }

  private get onDemand(): Rare {
    this.rare ??= new Rare();
    return this.rare;
  }

  private get over(): Over {
    const { onDemand } = this;
    onDemand.over ??= new Over();
    return onDemand.over;
  }

  /**
   * Of a connection that is not open: nothing is sent, as by the WHATWG's `send`. The peer decides when that begins, and the
   * handler is told by `onClose`: only after that it is a mistake.
   */
  private discard(method: string): false {
    if (this.state === State.CONNECTING || this.rare?.isTold) throw this.invalidState(method);
    return false;
  }

  private demandFrames(what: string): void {
    if (this.version === 0) throw new InvalidStateError(`${what}: a draft-76 connection carries nothing but text`);
  }

  private invalidState(method: string): InvalidStateError {
    if (this.state === State.CONNECTING) {
      return new InvalidStateError(`${method}() before the handshake is done: call it from onConnect on`);
    }
    if (this.rare?.isTold) {
      return new InvalidStateError(
        `${method}() on a connection that is closed, after onClose: stop there what writes to it (timers, the members of a room)`,
      );
    }
    return new InvalidStateError(`${method}() on a connection that is closing or closed`);
  }
}

const NOTHING = Buffer.alloc(0);
/** From so many waiting files on nothing more is read from whoever asks for them: their objects count in no `bufferedAmount`. */
const MAX_FILES = 64;
/** From so many waiting jobs on, small messages go as they are: half a megabyte of objects. */
const MAX_SMALL_JOBS = 1024;

function ignore(): void {}

function isMessage(opcode: Opcode): opcode is MessageKind {
  return opcode === Opcode.Text || opcode === Opcode.Binary;
}
