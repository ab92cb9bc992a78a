/**
 * The reading half of a connection: bytes go in, and units reach `onRead`. `flow-control.ts` decides when that waits.
 *
 *     chunk ──▶ parser ──(inflation)──(rate limiter)──▶ dispatcher ──▶ hook runner, or the reader of `messages()`
 *                 └──▶ pings, pongs, close frames ──▶ owner
 *
 * While reading waits, up to 64 KiB are read ahead and searched for control frames: pings are answered, and a close
 * frame is reported. Each control frame is processed again in its turn, after the messages before it have been
 * delivered.
 *
 * This file has more than 300 lines because it has a short method for each call of parser, hook runner, iterator, inflation
 * and rate limiter, so that they need not know each other.
 */
import { Inflation, type InflationOwner } from '../../deflate/inflation.js';
import { Dispatcher } from '../../dispatch/dispatcher.js';
import { InvalidStateError, ProtocolError } from '../../errors.js';
import { CloseCode } from '../../framing/close-code.js';
import { Draft76Parser } from '../../framing/draft76/draft76-parser.js';
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
  /** Runs a function that may deliver or write. If it throws, the connection fails; its output is flushed. */
  receive(run: () => void): void;
  onPing(payload: Buffer): void;
  onPong(payload: Buffer): void;
  onCloseFrame(code: number, reason: string): void;
  /** The peer has sent a close frame, and messages before it wait. */
  onCloseAhead(): void;
  /** The handler has finished its work and has not received anything new. */
  onHandlerIdle(): void;
  /** All input has been delivered or dropped, and reading need not wait. */
  onInputDelivered(): void;
  /** Reading waits because the peer exceeds its rate. */
  onThrottled(): void;
}

/** The approximate memory of a ping that waits, in bytes. */
const PING_COST = 200;

export class Receiver
  extends FlowControl
  implements ControlSink, InflationOwner, MessageIteratorOwner, RateLimiterOwner
{
  readonly dispatcher: Dispatcher;
  /** Undefined without a `rate` and an `idleTimeout`. */
  readonly limiter: RateLimiter | undefined;
  protected readonly parser: Parser;
  /** Undefined without compression. */
  private readonly inflation: Inflation | undefined;
  private iterator: MessageIterator | undefined = undefined;
  /** Cancels the timer that ends throttling. */
  private unthrottle: (() => void) | undefined = undefined;
  /**
   * Pings that were found by looking ahead, and that the parser has not reached: first those that were answered, then those that
   * wait for a hook to be pending, then those that are only answered in their turn.
   */
  private answeredAhead = 0;
  private heldAhead: Buffer[] | undefined = undefined;
  private skippedAhead = 0;
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

  /** The memory pinned by undelivered input, in bytes. */
  get pinned(): number {
    const { dispatcher, inflation, iterator, parser } = this;
    const held = (this.heldAhead?.length ?? 0) * PING_COST;
    return dispatcher.pinned + parser.pinned + (inflation?.pinned ?? 0) + (iterator?.pinned ?? 0) + held;
  }

  /** Whether the handler is busy: a hook is pending, or the reader of `messages()` has not asked for another unit. */
  get isHandling(): boolean {
    return this.iterator?.wasAsked ? this.iterator.isFull : this.owner.runner.isBusy;
  }

  get isInflating(): boolean {
    return this.isBlockedBy(Reason.INFLATION);
  }

  /** Delivers units to the returned iterator, until its consumer leaves. */
  messages(): MessageIterator {
    if (this.iterator !== undefined) {
      throw new InvalidStateError(
        'messages() already has a reader, and only one is allowed at a time: ' +
          'end the first by break or return in its for await, or by calling its return()',
      );
    }
    const iterator = new MessageIterator(this);
    if (this.discarding) {
      iterator.end();
      return iterator;
    }
    this.iterator = iterator;
    this.dispatcher.deliverTo(iterator);
    // With an iterator, reading no longer waits for pending hooks.
    this.unblock(Reason.HOOK);
    queueMicrotask(() => this.proceed());
    return iterator;
  }

  /**
   * After the close, queues the remaining units for the reader of `messages()`, unless a pending hook may still read
   * them.
   */
  drainToReader(): void {
    const { iterator } = this;
    if (iterator === undefined || this.owner.runner.isBusy) return;
    iterator.collectAll();
    this.unblock(Reason.READER);
    this.deliverWaiting();
  }

  /** Pauses reading until `releaseBackpressure`, because too much output waits for the peer. */
  applyBackpressure(): void {
    if (!this.isBlockedBy(Reason.OUTPUT)) this.block(Reason.OUTPUT);
  }

  releaseBackpressure(): void {
    if (this.unblock(Reason.OUTPUT)) this.proceed();
  }

  /** Drops all further messages. Control frames are still processed, without waiting. */
  discardMessages(): void {
    this.stopDelivery();
    if (this.parser.paused) this.owner.receive(() => this.parser.resume());
  }

  /** Drops all input, including input that has already arrived. */
  discard(): void {
    this.parser.discard();
    this.stopDelivery();
  }

  private stopDelivery(): void {
    this.discarding = true;
    this.dispatcher.discard();
    this.inflation?.stop();
    this.limiter?.stop();
    // A long timer must not keep the connection in memory.
    this.unthrottle?.();
    this.unthrottle = undefined;
    this.unblockAll();
    this.heldAhead = undefined;
    const { iterator } = this;
    this.iterator = undefined;
    iterator?.end();
  }

  // Called by the hook runner.

  onHookPending(): void {
    if (this.iterator === undefined) this.block(Reason.HOOK);
    this.answerHeld();
  }

  onHookSettled(): void {
    this.unblock(Reason.HOOK);
    this.proceed();
  }

  onStale(): void {
    queueMicrotask(() => this.owner.receive(() => this.dispatcher.dispatchHeld()));
  }

  // Called by the parser for control frames.

  ping(payload: Buffer): void {
    if (this.answeredAhead > 0) this.answeredAhead--;
    else {
      if (this.heldAhead?.length) this.heldAhead.shift();
      else if (this.skippedAhead > 0) this.skippedAhead--;
      this.owner.onPing(payload);
    }
    // Counted here and not with the answer: a deferred answer may leave at any time, and must not fail the connection then.
    this.limiter?.passed();
  }

  pong(payload: Buffer): void {
    this.limiter?.passed();
    this.owner.onPong(payload);
    // If `onPong` changed the delimiter, dispatch the data before the pong before any data after it.
    this.dispatcher.dispatchHeld();
  }

  closed(code: number, reason: string): void {
    this.owner.onCloseFrame(code, reason);
  }

  pingAhead(payload: Buffer): void {
    if (this.skippedAhead > 0 || this.isBlockedBy(Reason.RATE)) {
      // A peer that exceeds its rate gets its answers at that rate.
      this.skippedAhead++;
    } else if (this.takesMore) {
      // Only a message that is being inflated blocks the parser. It is delivered first, unless a hook makes it wait.
      this.heldAhead ??= [];
      this.heldAhead.push(payload);
    } else {
      this.answerHeld();
      this.answeredAhead++;
      this.owner.onPing(payload);
    }
  }

  private answerHeld(): void {
    const held = this.heldAhead;
    if (held === undefined || this.isBlockedBy(Reason.RATE)) return;
    this.heldAhead = undefined;
    this.answeredAhead += held.length;
    for (const payload of held) this.owner.onPing(payload);
  }

  closeAhead(): void {
    this.owner.onCloseAhead();
  }

  // Called by the inflation.

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

  // Called by the iterator of `messages()`.

  onOverflow(...args: Parameters<HookRunner['onOverflow']>): void {
    this.owner.runner.onOverflow(...args);
  }

  onFull(): void {
    this.block(Reason.READER);
  }

  onWanted(): void {
    this.unblock(Reason.READER);
    // Deferred, because the consumer may ask within a hook, in the middle of a delivery.
    queueMicrotask(() => this.proceed());
  }

  onLeft(): void {
    const { runner } = this.owner;
    this.iterator = undefined;
    this.dispatcher.deliverTo(runner);
    // The handler may start another loop right away, so units that arrive in between must not go to `onRead`. If a hook
    // is still pending, reading must wait for it again.
    this.unblock(Reason.READER);
    this.block(Reason.READER_CHANGE);
    if (runner.isBusy) this.block(Reason.HOOK);
    setImmediate(() => {
      this.unblock(Reason.READER_CHANGE);
      this.proceed();
    });
  }

  // Called by the rate limiter.

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

  private proceed(): void {
    const { owner } = this;
    // This may close the connection.
    if (!this.discarding && !this.isHandling) owner.onHandlerIdle();
    if (!this.discarding) {
      if (!this.takesMore) return;
      this.deliverWaiting();
    }
    if (!this.isBlocked) owner.onInputDelivered();
  }

  /** Delivers waiting input in order, until reading must wait again. */
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
