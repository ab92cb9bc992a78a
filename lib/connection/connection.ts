/**
 * One WebSocket connection: the only owner of its socket after the handshake.
 *
 *     socket ──bytes──▶ parser ──messages──▶ dispatcher ──units──▶ hooks (the user's handler)
 *       ▲                  └─ping, pong, close─┐                     │
 *       └──────────────── writer ◀─────────────┴───── write, close ──┘
 *
 * Here these are joined, and nothing of theirs is done twice: what a frame is, what a unit is and when bytes leave is
 * decided there. What is decided here is the life of the connection (`framing/state.ts`), that hooks never overlap, and what
 * becomes of errors: the peer's fail the connection, the user's reach `onError`.
 */
import type { Duplex } from 'node:stream';
import { Dispatcher, type UnitConsumer } from '../dispatch/dispatcher.js';
import type { Unit } from '../dispatch/reader.js';
import { InvalidStateError, type OverflowError, ProtocolError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { checkCloseArguments, closePayload, fitReason } from '../framing/close-payload.js';
import { Draft76Parser } from '../framing/draft76-parser.js';
import { FrameParser } from '../framing/frame-parser.js';
import { Opcode } from '../framing/opcode.js';
import type { ControlSink, Parser } from '../framing/sink.js';
import {
  canReceive,
  canSend,
  type ReadyState,
  readyStateOf,
  State,
  type StateEvent,
  transition,
} from '../framing/state.js';
import { Closing } from './closing.js';
import { draft76Text } from './draft76-frames.js';
import { DrainWatch } from './drain-watch.js';
import { FileJob, type FileOptions, type FileSource } from './file-job.js';
import { type ConnectionHooks, type ConnectionSettings, type HookName, isThenable } from './hooks.js';
import { mustHoldBack, PingAnswers } from './ping-answers.js';
import { Pings } from './pings.js';
import { report } from './report.js';
import { listen, type SocketListener } from './socket-events.js';
import { Writer, type WriterOwner } from './writer.js';

/** The protocol version of the handshake: RFC 6455 (13, and its draft 8), or draft-76 (0). */
export type Version = 13 | 8 | 0;

export class Connection implements ControlSink, UnitConsumer, SocketListener, WriterOwner {
  readonly dispatcher: Dispatcher;
  readonly socket: Duplex;
  readonly settings: ConnectionSettings;
  version: Version = 13;
  isSecure = false;
  subprotocol = '';
  private state: State = State.CONNECTING;
  private readonly hooks: ConnectionHooks;
  private readonly writer: Writer;
  private parser: Parser;
  /** The peer's bytes are being handled: what is written meanwhile leaves when that is done. */
  private receiving = false;
  /** An asynchronous `onConnect` or `onRead` has not settled. */
  private busy = false;
  /** The peer has sent FIN: what came before it is delivered first. */
  private peerEnded = false;
  /** The user wrote since `onWrite` was called last. */
  private wrote = false;
  // What most connections never need, or only in the end.
  private closing: Closing | undefined = undefined;
  private drain: DrainWatch | undefined = undefined;
  private pings: Pings | undefined = undefined;
  private pingAnswers: PingAnswers | undefined = undefined;

  constructor(socket: Duplex, hooks: ConnectionHooks, settings: ConnectionSettings) {
    this.socket = socket;
    this.hooks = hooks;
    this.settings = settings;
    this.dispatcher = new Dispatcher(settings, this);
    this.writer = new Writer(socket, this);
    this.parser = new FrameParser(this.dispatcher, this);
  }

  // What the socket calls.

  /**
   * The handshake is done: the socket is ours.
   *
   * @param args what `onConnect` gets
   * @param head bytes that came with the handshake and belong to the first frames
   */
  open(args: readonly unknown[], head: Buffer): void {
    this.advance('open');
    if (this.version === 0) this.parser = new Draft76Parser(this.dispatcher, this);
    // Until `onConnect` has settled TCP holds what the peer sends.
    this.socket.pause();
    listen(this.socket, this);
    this.receive(() => {
      try {
        this.hold(this.hooks.onConnect(...args), 'onConnect');
      } catch (error) {
        this.hookFailed(error, 'onConnect');
      }
    });
    if (head.length > 0) this.onData(head);
    // A handler that closed at once is waited for by nobody: the peer's close frame is.
    if (!this.busy || !canSend(this.state)) this.socket.resume();
    // The peer went away during the handshake: the event has passed, and will not come again.
    if (this.socket.readableEnded) this.onEnd();
  }

  onData(chunk: Buffer): void {
    if (!canReceive(this.state)) return;
    this.receiving = true;
    try {
      this.parser.feed(chunk);
    } catch (error) {
      this.fail(error);
    }
    this.receiving = false;
    this.writer.flush();
  }

  onEnd(): void {
    this.peerEnded = true;
    // What is held is delivered when the handler is done; `release` comes back to this.
    if (this.busy && canSend(this.state)) return;
    // A peer that said goodbye may stop writing before we do: what we owe it leaves, then FIN.
    if (this.state === State.ENDING || this.state === State.REMOTE_CLOSING) return;
    // 7.1.5: closed without a close frame, so the code stays 1006. What we owe the peer it may still read.
    this.silence();
    this.beginClosing();
    this.end();
  }

  onGone(): void {
    this.advance('gone');
    this.writer.close();
    this.drain?.stop(this.invalidState('drained'));
    if (!this.busy) this.finish();
    // After a FIN, what is held had been sent in good faith; after a reset it is lost.
    else if (!this.peerEnded) this.silence();
  }

  // What the parser calls for control frames.

  ping(payload: Buffer): void {
    // 5.5.2: "MUST send a Pong frame in response, unless it already received a Close frame"; after ours nothing may follow.
    if (!canSend(this.state)) return;
    if (mustHoldBack(this.writer)) {
      this.pingAnswers ??= new PingAnswers(this.writer, (latest) => this.ping(latest));
      this.pingAnswers.holdBack(payload);
      return;
    }
    this.writer.binary(Opcode.Pong, payload);
    this.leave(false);
  }

  pong(payload: Buffer): void {
    const answer = this.pings?.answered(payload);
    if (answer === undefined || this.state !== State.OPEN) return;
    this.call('onPong', () => this.hooks.onPong(answer));
    // If it has changed the delimiter: what came before the pong is dispatched before what comes after it.
    this.dispatcher.dispatchHeld();
  }

  closed(code: number, reason: string): void {
    const mustAnswer = canSend(this.state);
    this.advance('receiveClose');
    this.silence();
    const closing = this.beginClosing();
    // 5.5.1: "the endpoint typically echos the status code it received"; browsers show the reason that comes back, too.
    if (mustAnswer) closing.say(code, reason);
    closing.hear(code, reason);
    this.leave(false);
    this.endIfDone();
  }

  // What the dispatcher calls for units.

  onUnit(value: Unit): void {
    try {
      this.hold(this.hooks.onRead(value), 'onRead');
    } catch (error) {
      this.hookFailed(error, 'onRead');
    }
  }

  onUnits(values: readonly unknown[]): void {
    try {
      this.hold(this.hooks.onRead(...values), 'onRead');
    } catch (error) {
      this.hookFailed(error, 'onRead');
    }
  }

  onOverflow(error: OverflowError): void {
    this.call('onOverflowError', () => this.hooks.onOverflowError(error));
  }

  onStale(): void {
    queueMicrotask(() => this.receive(() => this.dispatcher.dispatchHeld()));
  }

  // What the writer calls.

  onFlush(): void {
    if (canSend(this.state)) this.pingAnswers?.watch();
    if (this.closing !== undefined) this.endIfDone();
    if (this.drain === undefined && !(this.wrote && this.settings.watchesWrites)) return;
    this.drain ??= this.createDrainWatch();
    this.drain.watch();
  }

  // What the user calls, by way of the handler.

  get readyState(): ReadyState {
    return readyStateOf(this.state);
  }

  get bufferedAmount(): number {
    return this.writer.bufferedAmount;
  }

  writeText(text: string, flush: boolean): boolean {
    this.demandOpen('write');
    if (this.version === 0) this.writer.raw(draft76Text(text));
    else this.writer.text(Opcode.Text, text);
    return this.wroteData(flush);
  }

  writeBytes(opcode: number, payload: Uint8Array, flush: boolean): boolean {
    this.demandOpen('write');
    if (this.version === 0 && opcode === Opcode.Text) this.writer.raw(draft76Text(payload));
    else {
      this.demandFrames('write binary data');
      this.writer.binary(opcode, payload);
    }
    return this.wroteData(flush);
  }

  writeFile(source: FileSource, options: FileOptions, flush: boolean): Promise<void> {
    this.demandOpen('writeFile');
    this.demandFrames('writeFile');
    const job = new FileJob(source, options, () => this.terminate());
    this.writer.enqueue(job);
    this.wroteData(flush);
    return job.done;
  }

  sendPing(data: Buffer | undefined): void {
    this.demandOpen('ping');
    this.demandFrames('ping');
    this.pings ??= new Pings();
    this.writer.binary(Opcode.Ping, this.pings.sent(data));
    this.leave(false);
  }

  flush(): void {
    if (this.state === State.CONNECTING) throw this.invalidState('flush');
    this.writer.flush();
  }

  /** Fulfilled when the kernel has taken all that was written so far. */
  drained(): Promise<void> {
    if (!canSend(this.state)) return Promise.reject(this.invalidState('drained'));
    if (this.writer.bufferedAmount === 0 && !this.writer.waiting) return Promise.resolve();
    this.drain ??= this.createDrainWatch();
    const drained = this.drain.drained();
    // Without anything to flush this only waits for the kernel; else the flush begins to wait.
    this.drain.watch();
    return drained;
  }

  /** Starts the closing handshake. Of a connection that is closing already, nothing. */
  close(code: number, reason: string): void {
    checkCloseArguments(code, reason);
    if (this.state === State.CONNECTING) throw this.invalidState('close');
    if (!canSend(this.state)) return;
    this.dispatcher.mute();
    this.advance('sendClose');
    this.beginClosing().say(code, reason);
    this.leave(false);
    // Nothing is delivered any more, so a handler that is still at work need not hold up the peer's close frame.
    if (!this.busy) return;
    this.receive(() => this.parser.resume());
    this.socket.resume();
  }

  /** Ends the connection at once: what was not sent is lost, and the peer gets no close frame. */
  terminate(): void {
    if (this.state === State.CONNECTING) throw this.invalidState('terminate');
    this.advance('end');
    this.silence();
    this.socket.destroy();
  }

  // How hooks are run.

  /** Reading waits while an `onConnect` or `onRead` is pending, so that they never overlap. */
  private hold(result: unknown, hook: HookName): void {
    if (result === undefined || !isThenable(result)) return;
    this.busy = true;
    if (canSend(this.state) || this.state === State.CLOSED) {
      this.parser.halt();
      this.dispatcher.pause();
      this.socket.pause();
    }
    // `Promise.resolve`: whatever it is that has a `then`, it is called once, later, and may throw.
    Promise.resolve(result).then(
      () => this.release(),
      (error: unknown) => {
        this.hookFailed(error, hook);
        this.release();
      },
    );
  }

  private release(): void {
    this.busy = false;
    if (!canSend(this.state) && this.state !== State.CLOSED) return;
    this.receive(() => {
      this.dispatcher.resume();
      if (!this.busy) this.parser.resume();
    });
    if (this.busy) return;
    if (this.state === State.CLOSED) this.finish();
    else if (this.peerEnded) this.onEnd();
    else this.socket.resume();
  }

  /** Runs what may deliver, or write, as `onData` does. */
  private receive(run: () => void): void {
    this.receiving = true;
    try {
      run();
    } catch (error) {
      this.fail(error);
    }
    this.receiving = false;
    this.writer.flush();
  }

  /** Runs a hook that nothing waits for. */
  private call(hook: HookName, run: () => unknown): void {
    try {
      const result = run();
      if (isThenable(result)) result.then(undefined, (error: unknown) => this.hookFailed(error, hook));
    } catch (error) {
      this.hookFailed(error, hook);
    }
  }

  private hookFailed(error: unknown, hook: HookName): void {
    // The handler went on although its connection had gone meanwhile: that is no mistake of its own.
    if (error instanceof InvalidStateError && !canSend(this.state)) return;
    const failed = (second: unknown): void => {
      report(`onError of ${this.settings.name} failed`, second);
      this.close(CloseCode.INTERNAL_ERROR, '');
    };
    try {
      const result = this.hooks.onError(error, hook);
      if (isThenable(result)) result.then(undefined, failed);
    } catch (second) {
      failed(second);
    }
  }

  // How a connection ends.

  /** 7.1.7, _Fail the WebSocket Connection_: the one place where an error becomes a close code. */
  private fail(error: unknown): void {
    if (this.state === State.ENDING || this.state === State.CLOSED) return;
    const known = error instanceof ProtocolError;
    if (!known) report(`${this.settings.name} failed`, error);
    const code = known ? error.closeCode : CloseCode.INTERNAL_ERROR;
    const reason = known ? fitReason(error.message) : '';
    this.silence();
    this.writer.cancelWaitingJobs();
    const canSay = canSend(this.state) && !this.writer.busy && this.version !== 0;
    const closing = this.beginClosing();
    closing.code = code;
    closing.reason = reason;
    if (canSay) this.writer.binary(Opcode.Close, closePayload(code, reason));
    this.end();
  }

  private beginClosing(): Closing {
    this.closing ??= new Closing(this.socket, this.writer, this.version === 0, this.settings.closeTimeout);
    return this.closing;
  }

  private endIfDone(): void {
    if (this.closing?.isDone) this.end();
  }

  private end(): void {
    this.advance('end');
    this.closing?.end();
  }

  private advance(event: StateEvent): void {
    this.state = transition(this.state, event);
  }

  /** Nothing that the peer sends, or has sent, is looked at any more. */
  private silence(): void {
    this.dispatcher.mute();
    this.parser.stop();
  }

  private finish(): void {
    this.silence();
    const { code = CloseCode.ABNORMAL_CLOSURE, reason = '', wasClean = false } = this.closing ?? {};
    this.call('onClose', () => this.hooks.onClose(code, reason, wasClean));
  }

  // How writes leave.

  private wroteData(flush: boolean): boolean {
    this.wrote = true;
    this.leave(flush);
    return this.writer.bufferedAmount <= this.settings.highWaterMark;
  }

  private leave(flush: boolean): void {
    if (flush) this.writer.flush();
    else if (!this.receiving) this.writer.schedule();
  }

  private createDrainWatch(): DrainWatch {
    return new DrainWatch(this.socket, this.writer, () => {
      if (!this.wrote) return;
      this.wrote = false;
      this.call('onWrite', () => this.hooks.onWrite());
    });
  }

  private demandOpen(method: string): void {
    if (!canSend(this.state)) throw this.invalidState(method);
  }

  private demandFrames(what: string): void {
    if (this.version === 0) throw new InvalidStateError(`${what}: a draft-76 connection carries nothing but text`);
  }

  private invalidState(method: string): InvalidStateError {
    return new InvalidStateError(
      this.state === State.CONNECTING
        ? `${method}() before the handshake is done: call it from onConnect on`
        : `${method}() on a connection that is closing or closed: outside of its hooks ask for readyState === ReadyState.OPEN first`,
    );
  }
}
