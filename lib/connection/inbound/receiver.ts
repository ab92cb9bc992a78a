/**
 * The reading half of a connection: bytes go in, units reach `onRead`. What makes that wait is the flow control's (`flow-control.ts`).
 *
 *     chunk ──▶ parser ──(inflation)──(rate limiter)──▶ dispatcher ──▶ hook runner, or the reader of `messages()`
 *                 └──▶ pings, pongs, close frames ──▶ owner
 *
 * While reading waits, up to 64 KiB are read ahead and looked through for control frames: pings are answered, and a close frame is
 * told of. In its turn, when the messages before it have been delivered, each of them comes once more.
 */
import { Inflation, type InflationOwner } from '../../deflate/inflation.js';
import { Dispatcher } from '../../dispatch/dispatcher.js';
import { InvalidStateError, ProtocolError } from '../../errors.js';
import { CloseCode } from '../../framing/close-code.js';
import { Draft76Parser } from '../../framing/draft76-parser.js';
import { FrameParser } from '../../framing/frame-parser.js';
import type { ControlSink, MessageSink, Parser } from '../../framing/sink.js';
import type { Chunk } from '../../memory/shared-read-buffer.js';
import type { Clock } from '../../transport/clock.js';
import type { Transport } from '../../transport/transport.js';
import type { HookRunner } from '../hook-runner.js';
import type { ConnectionSettings } from '../hooks.js';
import type { Negotiated } from '../negotiated.js';
import { FlowControl, Reason } from './flow-control.js';
import { MessageIterator, type MessageIteratorOwner } from './message-iterator.js';
import { RateLimiter, type RateLimiterOwner } from './rate-limiter.js';

export interface ReceiverOwner {
  readonly settings: ConnectionSettings;
  readonly negotiated: Negotiated;
  readonly runner: HookRunner;
  readonly transport: Transport;
  readonly clock: Clock;
  /** Runs what may deliver, or write. What it throws fails the connection; what it wrote is flushed. */
  receive(run: () => void): void;
  onPing(payload: Buffer): void;
  onPong(payload: Buffer): void;
  onCloseFrame(code: number, reason: string): void;
  /** The peer has sent a close frame, and messages before it wait. */
  onCloseAhead(): void;
  /** The handler has finished what it was doing, and has not been given anything else to do yet. */
  onHandlerIdle(): void;
  /** All that had arrived has been delivered, or dropped, and nothing makes reading wait. */
  onInputDelivered(): void;
  /** Reading waits because the peer exceeds its rate. */
  onThrottled(): void;
}

export class Receiver
  extends FlowControl
  implements ControlSink, InflationOwner, MessageIteratorOwner, RateLimiterOwner
{
  readonly dispatcher: Dispatcher;
  /** Of a connection that has a `rate` or an `idleTimeout`. */
  readonly limiter: RateLimiter | undefined;
  protected readonly parser: Parser;
  /** Of a connection on which compressed messages may come. */
  private readonly inflation: Inflation | undefined;
  private iterator: MessageIterator | undefined = undefined;
  /** Takes back the alarm that lets a peer go on which exceeded its rate. */
  private unthrottle: (() => void) | undefined = undefined;
  /** Pings that the parser has not come to: first those that were answered, then those that were not, and the latest of these. */
  private answeredAhead = 0;
  private skippedAhead = 0;
  private latestSkipped: Buffer | undefined = undefined;
  protected readonly transport: Transport;
  private readonly owner: ReceiverOwner;

  constructor(owner: ReceiverOwner) {
    super();
    this.owner = owner;
    const { clock, negotiated, runner, settings } = owner;
    this.transport = owner.transport;
    const { version, deflate } = negotiated;
    this.dispatcher = new Dispatcher(settings, runner);
    this.limiter = settings.isMetered
      ? new RateLimiter(this.dispatcher, this, settings.rate, () => clock.now())
      : undefined;
    const sink = this.limiter ?? this.dispatcher;
    this.inflation = deflate && new Inflation(deflate.agreement, sink, this);
    this.parser = version === 0 ? new Draft76Parser(sink, this) : frameParser(sink, this, this.inflation);
  }

  feed(chunk: Chunk): void {
    this.parser.feed(chunk);
    this.inflation?.start();
    this.limiter?.arrived(chunk.length);
  }

  /** The memory that is pinned by what has come and was not delivered, in bytes. */
  get pinned(): number {
    const { dispatcher, inflation, iterator, parser } = this;
    return dispatcher.pinned + parser.pinned + (inflation?.pinned ?? 0) + (iterator?.pinned ?? 0);
  }

  /** Whether the handler is at work: a hook is pending, or a unit of `messages()` was taken and no other asked for. */
  get isHandling(): boolean {
    return this.iterator?.wasAsked ? this.iterator.isFull : this.owner.runner.isBusy;
  }

  get isInflating(): boolean {
    return this.isBlockedBy(Reason.INFLATION);
  }

  /** From now on units go to whoever reads this, until that one leaves. */
  messages(): MessageIterator {
    if (this.iterator !== undefined) {
      throw new InvalidStateError(
        'messages() is being read already, and there is one reader at a time: ' +
          'leave the first by break or return in its for await, or by its return()',
      );
    }
    const iterator = new MessageIterator(this);
    if (this.discarding) {
      iterator.end();
      return iterator;
    }
    this.iterator = iterator;
    this.dispatcher.deliverTo(iterator);
    // The hook that is pending does not make it wait any more.
    this.unblock(Reason.HOOK);
    queueMicrotask(() => this.proceed());
    return iterator;
  }

  /** The connection is closed. What is left for the reader of `messages()` is kept for it: no hook is pending that might ask. */
  drainToReader(): void {
    const { iterator } = this;
    if (iterator === undefined || this.owner.runner.isBusy) return;
    iterator.collectAll();
    this.unblock(Reason.READER);
    this.deliverWaiting();
  }

  /** Too much of what the peer was sent waits for it: reading waits until `releaseBackpressure`. */
  applyBackpressure(): void {
    if (!this.isBlockedBy(Reason.OUTPUT)) this.block(Reason.OUTPUT);
  }

  releaseBackpressure(): void {
    if (this.unblock(Reason.OUTPUT)) this.proceed();
  }

  /** Nothing more is delivered. Control frames are still looked at, so nothing holds them up any more. */
  discardMessages(): void {
    this.stopDelivery();
    if (this.parser.paused) this.owner.receive(() => this.parser.resume());
  }

  /** Nothing that the peer sends, or has sent, is looked at any more. */
  discard(): void {
    this.parser.discard();
    this.stopDelivery();
  }

  private stopDelivery(): void {
    this.discarding = true;
    this.dispatcher.discard();
    this.inflation?.stop();
    this.limiter?.stop();
    // It may be long, and the connection is not to be kept for it.
    this.unthrottle?.();
    this.unthrottle = undefined;
    this.unblockAll();
    const { iterator } = this;
    this.iterator = undefined;
    iterator?.end();
  }

  // What the hook runner tells.

  onHookPending(): void {
    if (this.iterator === undefined) this.block(Reason.HOOK);
    this.answerAhead();
  }

  onHookSettled(): void {
    this.unblock(Reason.HOOK);
    this.proceed();
  }

  onStale(): void {
    queueMicrotask(() => this.owner.receive(() => this.dispatcher.dispatchHeld()));
  }

  // What the parser calls for control frames.

  ping(payload: Buffer): void {
    if (this.answeredAhead > 0) this.answeredAhead--;
    else {
      if (this.skippedAhead > 0) this.skippedAhead--;
      if (this.skippedAhead === 0) this.latestSkipped = undefined;
      this.owner.onPing(payload);
    }
    // A flood of them is the peer's. An answer that is deferred leaves at any time, and must not fail the connection then.
    this.limiter?.passed();
  }

  pong(payload: Buffer): void {
    this.limiter?.passed();
    this.owner.onPong(payload);
    // If `onPong` has changed the delimiter: what came before the pong is dispatched before what comes after it.
    this.dispatcher.dispatchHeld();
  }

  closed(code: number, reason: string): void {
    this.owner.onCloseFrame(code, reason);
  }

  pingAhead(payload: Buffer): void {
    this.skippedAhead++;
    this.latestSkipped = payload;
    this.answerAhead();
  }

  /**
   * Answers pings early, while the handler is at work. A peer that exceeds its rate is answered as slowly; and a message that is
   * being inflated is delivered first. Of pings that were skipped for that, the latest is answered (5.5.3 allows it).
   */
  private answerAhead(): void {
    const { latestSkipped, skippedAhead } = this;
    if (latestSkipped === undefined || this.isBlockedBy(Reason.RATE) || this.takesMore) return;
    this.answeredAhead += skippedAhead;
    this.skippedAhead = 0;
    this.latestSkipped = undefined;
    this.owner.onPing(latestSkipped);
  }

  closeAhead(): void {
    this.owner.onCloseAhead();
  }

  // What the inflation calls.

  receive(run: () => void): void {
    this.owner.receive(run);
  }

  onInflating(): void {
    this.block(Reason.INFLATION);
  }

  onInflated(): void {
    this.unblock(Reason.INFLATION);
    this.proceed();
  }

  // What the reader of `messages()` causes.

  onOverflow(...args: Parameters<HookRunner['onOverflow']>): void {
    this.owner.runner.onOverflow(...args);
  }

  onFull(): void {
    this.block(Reason.READER);
  }

  onWanted(): void {
    this.unblock(Reason.READER);
    // Not at once: whoever asks may do so in a hook, in the midst of what is being delivered.
    queueMicrotask(() => this.proceed());
  }

  onLeft(): void {
    const { runner } = this.owner;
    this.iterator = undefined;
    this.dispatcher.deliverTo(runner);
    // Whoever leaves one loop may begin another: nothing in between is given to `onRead`, and nothing of it is lost. And whoever
    // leaves while waiting for more has let the peer send: a hook that is pending makes reading wait again.
    this.unblock(Reason.READER);
    this.block(Reason.READER_CHANGE);
    if (runner.isBusy) this.block(Reason.HOOK);
    setImmediate(() => {
      this.unblock(Reason.READER_CHANGE);
      this.proceed();
    });
  }

  // What the rate limiter calls.

  onExceeded(delay: number): void {
    if (this.limiter?.isExceeded === false) this.owner.onThrottled();
    if (this.unthrottle !== undefined || this.discarding) return;
    this.block(Reason.RATE);
    this.unthrottle = this.owner.clock.after(Math.ceil(delay), () => {
      this.unthrottle = undefined;
      this.unblock(Reason.RATE);
      this.proceed();
    });
  }

  onAbuse(): never {
    throw new ProtocolError('more than the rate allows, again and again', CloseCode.POLICY_VIOLATION);
  }

  // How it goes on.

  private proceed(): void {
    const { owner } = this;
    // It may close the connection then.
    if (!this.discarding && !this.isHandling) owner.onHandlerIdle();
    if (!this.discarding) {
      if (!this.takesMore) return;
      this.deliverWaiting();
    }
    if (!this.isBlocked) owner.onInputDelivered();
  }

  /** Delivers what waits, in the order in which it came, until something makes it wait again. */
  private deliverWaiting(): void {
    this.owner.receive(() => {
      this.dispatcher.resume();
      this.inflation?.resume();
      if (this.isBlocked) return;
      this.parser.resume();
      this.inflation?.start();
    });
  }
}

function frameParser(sink: MessageSink, controls: ControlSink, inflation: Inflation | undefined): FrameParser {
  const parser = new FrameParser(sink, controls);
  parser.inflation = inflation;
  return parser;
}
