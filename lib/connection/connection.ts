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
import { canReceive, canSend, State, type StateEvent, transition } from '../framing/state.js';
import { destroyWithoutProgress } from './close-timer.js';
import { draft76Close, draft76Text } from './draft76-frames.js';
import { FileJob, type FileOptions, type FileSource } from './file-job.js';
import type { ConnectionHooks, ConnectionSettings, HookName } from './hooks.js';
import { Pings } from './pings.js';
import { report } from './report.js';
import { listen, type SocketListener } from './socket-events.js';
import { Writer, type WriterOwner } from './writer.js';

/** The protocol version of the handshake: RFC 6455 (13, and its draft 8), or draft-76 (0). */
export type Version = 13 | 8 | 0;

/** A peer that pings without reading is answered up to here, then only its latest ping once it reads again. */
const MAX_BUFFERED_PONGS = 16 * 1024;

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
  private peerClosed = false;
  private closeCode: number = CloseCode.ABNORMAL_CLOSURE;
  private closeReason = '';
  private wasClean = false;
  private pings: Pings | undefined = undefined;
  private latestPing: Buffer | undefined = undefined;
  private drainWaiters: { resolve: () => void; reject: (error: Error) => void }[] | undefined = undefined;
  /** The user wrote since `onWrite` was called last. */
  private wrote = false;
  private awaitingTaken = false;
  /** FIN is on its way: the socket takes no more writes. */
  private ended = false;
  private givingUp = false;

  constructor(socket: Duplex, hooks: ConnectionHooks, settings: ConnectionSettings) {
    this.socket = socket;
    this.hooks = hooks;
    this.settings = settings;
    this.dispatcher = new Dispatcher(settings, this);
    this.writer = new Writer(socket, this);
    this.parser = new FrameParser(this.dispatcher, this);
  }

  // The life of the connection.

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
    if (!this.busy) this.socket.resume();
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
    if (this.peerClosed || this.state === State.ENDING) return;
    // 7.1.5: closed without a close frame, so the code stays 1006. What we owe the peer it may still read.
    this.advance('end');
    this.silence();
    this.endSocket();
  }

  onGone(): void {
    this.advance('gone');
    this.silence();
    this.writer.close();
    this.rejectDrainWaiters();
    if (!this.busy) this.finish();
  }

  // What the parser calls for control frames.

  ping(payload: Buffer): void {
    // 5.5.2: "MUST send a Pong frame in response, unless it already received a Close frame"; after ours nothing may follow.
    if (!canSend(this.state)) return;
    if (this.writer.bufferedAmount > MAX_BUFFERED_PONGS) {
      // 5.5.3: a pong is only owed to "the most recently processed Ping frame".
      if (this.latestPing === undefined) this.writer.whenTaken(() => this.answerLatestPing());
      this.latestPing = Buffer.from(payload);
      return;
    }
    this.writer.binary(Opcode.Pong, payload);
    this.leave(false);
  }

  pong(payload: Buffer): void {
    const answer = this.pings?.answered(payload);
    if (answer === undefined || this.state !== State.OPEN) return;
    this.call('onPong', () => this.hooks.onPong(answer));
  }

  closed(code: number, reason: string): void {
    this.peerClosed = true;
    this.closeCode = code;
    this.closeReason = reason;
    this.wasClean = true;
    const answering = this.state === State.OPEN;
    this.advance('receiveClose');
    this.silence();
    // 5.5.1: "the endpoint typically echos the status code it received"; browsers show the reason that comes back, too.
    if (answering) this.writeClose(code, reason);
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

  // What the user calls, by way of the handler.

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
    this.writer.flush();
  }

  /** Fulfilled when the kernel has taken all that was written so far. */
  drained(): Promise<void> {
    if (!canSend(this.state)) return Promise.reject(this.invalidState('drained'));
    if (this.writer.bufferedAmount === 0 && !this.writer.waiting) return Promise.resolve();
    this.drainWaiters ??= [];
    const waiters = this.drainWaiters;
    const drained = new Promise<void>((resolve, reject) => waiters.push({ resolve, reject }));
    this.leave(false);
    this.watchDrain();
    return drained;
  }

  /** Starts the closing handshake. Of a connection that is closing already, nothing. */
  close(code: number, reason: string): void {
    checkCloseArguments(code, reason);
    if (!canSend(this.state)) {
      if (this.state === State.CONNECTING) throw this.invalidState('close');
      return;
    }
    this.dispatcher.mute();
    this.advance('sendClose');
    this.writeClose(code, reason);
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

  // How it works.

  private advance(event: StateEvent): void {
    this.state = transition(this.state, event);
  }

  /** Nothing that the peer sends, or has sent, is looked at any more. */
  private silence(): void {
    this.dispatcher.mute();
    this.parser.stop();
  }

  /** Reading waits while an `onConnect` or `onRead` is pending, so that they never overlap. */
  private hold(result: unknown, hook: HookName): void {
    if (result === undefined || !isThenable(result)) return;
    this.busy = true;
    if (canSend(this.state)) {
      this.parser.halt();
      this.dispatcher.pause();
      this.socket.pause();
    }
    result.then(
      () => this.release(),
      (error: unknown) => {
        this.hookFailed(error, hook);
        this.release();
      },
    );
  }

  private release(): void {
    this.busy = false;
    if (this.state === State.CLOSED) {
      this.finish();
      return;
    }
    if (!canSend(this.state)) return;
    this.receive(() => {
      this.dispatcher.resume();
      if (!this.busy) this.parser.resume();
    });
    if (!this.busy) this.socket.resume();
  }

  /** Runs what may deliver, as `onData` does. */
  private receive(deliver: () => void): void {
    this.receiving = true;
    try {
      deliver();
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
      if (this.state !== State.CONNECTING) this.close(CloseCode.INTERNAL_ERROR, '');
    };
    try {
      const result = this.hooks.onError(error, hook);
      if (isThenable(result)) result.then(undefined, failed);
    } catch (second) {
      failed(second);
    }
  }

  /** 7.1.7, _Fail the WebSocket Connection_: the one place where an error becomes a close code. */
  private fail(error: unknown): void {
    if (this.state === State.ENDING || this.state === State.CLOSED) return;
    const known = error instanceof ProtocolError;
    if (!known) report(`${this.settings.name} failed`, error);
    const sayable = canSend(this.state) && !this.writer.busy && this.version !== 0;
    this.closeCode = known ? error.closeCode : CloseCode.INTERNAL_ERROR;
    this.closeReason = known ? fitReason(error.message) : '';
    this.silence();
    if (sayable) this.writer.binary(Opcode.Close, closePayload(this.closeCode, this.closeReason));
    this.advance('end');
    this.endSocket();
  }

  private writeClose(code: number, reason: string): void {
    if (this.version === 0) this.writer.raw(draft76Close);
    else this.writer.binary(Opcode.Close, closePayload(code, reason));
    this.giveUpInTime();
    this.leave(false);
  }

  /** Both close frames have passed (or draft-76 has said its last word): 7.1.1, the server closes the TCP connection first. */
  private endIfDone(): void {
    const lastWord = this.version === 0 && this.state === State.LOCAL_CLOSING;
    if (this.ended || this.writer.waiting || !(this.peerClosed || lastWord)) return;
    if (lastWord) this.closeCode = CloseCode.NO_STATUS_RECEIVED;
    this.wasClean = true;
    this.advance('end');
    this.endSocket();
  }

  /** Sends the rest, then FIN; what the peer still sends is read and dropped, or its reset would destroy our last words. */
  private endSocket(): void {
    if (this.ended) return;
    this.ended = true;
    this.writer.flush();
    // A file's frame cannot be ended early: all that can be said is nothing.
    if (this.writer.busy) this.socket.destroy();
    else this.socket.end();
    this.socket.resume();
    this.giveUpInTime();
  }

  private giveUpInTime(): void {
    if (this.givingUp) return;
    this.givingUp = true;
    destroyWithoutProgress(this.socket, this.settings.closeTimeout);
  }

  private finish(): void {
    this.call('onClose', () => this.hooks.onClose(this.closeCode, this.closeReason, this.wasClean));
  }

  private wroteData(flush: boolean): boolean {
    this.wrote = true;
    this.leave(flush);
    return this.writer.bufferedAmount <= this.settings.highWaterMark;
  }

  private leave(flush: boolean): void {
    if (flush) this.writer.flush();
    else if (!this.receiving) this.writer.schedule();
  }

  onFlush(): void {
    if (this.state !== State.OPEN) this.endIfDone();
    if (this.drainWaiters !== undefined || (this.wrote && this.settings.watchesWrites)) this.watchDrain();
  }

  /** Tells those who wait when the kernel has taken everything. */
  private watchDrain(): void {
    if (this.awaitingTaken || this.writer.waiting || this.ended) return;
    this.awaitingTaken = true;
    const taken = (): void => {
      this.awaitingTaken = false;
      if (this.state === State.CLOSED || this.writer.bufferedAmount > 0 || this.writer.waiting) return;
      for (const { resolve } of this.drainWaiters ?? []) resolve();
      this.drainWaiters = undefined;
      if (!this.wrote) return;
      this.wrote = false;
      this.call('onWrite', () => this.hooks.onWrite());
    };
    if (this.socket.writableLength === 0) process.nextTick(taken);
    else this.writer.whenTaken(taken);
  }

  private rejectDrainWaiters(): void {
    for (const { reject } of this.drainWaiters ?? []) reject(this.invalidState('drained'));
    this.drainWaiters = undefined;
  }

  private answerLatestPing(): void {
    const payload = this.latestPing;
    this.latestPing = undefined;
    if (payload !== undefined) this.ping(payload);
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
        : `${method}() on a connection that is closing or closed`,
    );
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
