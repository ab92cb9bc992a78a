/**
 * The reading half of a connection: bytes go in, units reach `onRead`, and whatever makes that wait is known here.
 *
 *     chunk ──▶ parser ──(inflation)──(meter)──▶ dispatcher ──▶ onRead, or the inbox of `messages()`
 *                  ▲           ▲                    ▲
 *                  └───────────┴── halted while ────┴── a hook is pending, nobody asks for more, the peer exceeds its rate, or
 *                                                       it does not take what it is sent
 *
 * Halting stops the parser in front of the next frame, what is being inflated, the dispatcher after the unit at hand, and the
 * socket: TCP holds the peer back, and nothing is queued beyond the chunk that was being read. While something is being inflated
 * the parser waits for it, and the socket with it; the dispatcher does not.
 */
import type { Duplex } from 'node:stream';
import type { DeflateAgreement } from '../../deflate/agreement.js';
import { Inflation, type InflationOwner } from '../../deflate/inflation.js';
import { Dispatcher, type UnitConsumer } from '../../dispatch/dispatcher.js';
import type { Unit } from '../../dispatch/reader.js';
import { InvalidStateError, type OverflowError, ProtocolError } from '../../errors.js';
import { CloseCode } from '../../framing/close-code.js';
import { Draft76Parser } from '../../framing/draft76-parser.js';
import { FrameParser } from '../../framing/frame-parser.js';
import type { ControlSink, Parser } from '../../framing/sink.js';
import { isThenable, whenSettled } from '../../thenables.js';
import { clockOf } from '../../transport/clock.js';
import { pauseReading } from '../../transport/socket-events.js';
import type { ConnectionHooks, ConnectionSettings, HookName } from '../hooks.js';
import { MessageIterator, type MessageIteratorOwner } from './message-iterator.js';
import { RateLimiter, type RateLimiterOwner } from './rate-limiter.js';

export interface ReceiverOwner extends ControlSink {
  readonly socket: Duplex;
  readonly hooks: ConnectionHooks;
  readonly settings: ConnectionSettings;
  /** Whether what has arrived may still be delivered: false once a close frame has passed, in either direction. */
  readonly mayDeliver: boolean;
  /** Runs what may deliver, or write. What it throws fails the connection; what it wrote is flushed. */
  receive(run: () => void): void;
  hookFailed(error: unknown, hook: HookName): void;
  onOverflow(error: OverflowError): void;
  /** The handler has finished what it was doing, and has not been given anything else to do yet. */
  onPause(): void;
  /** All that had arrived has been delivered, and nothing makes reading wait. */
  onCaughtUp(): void;
  /** Reading pauses because the peer exceeds its rate. */
  onThrottled(): void;
}

export class Receiver implements UnitConsumer, MessageIteratorOwner, InflationOwner, RateLimiterOwner {
  readonly dispatcher: Dispatcher;
  /** Of a connection that is open and has a `rate` or an `idleTimeout`. */
  meter: RateLimiter | undefined = undefined;
  /** An asynchronous `onConnect` or `onRead` has not settled. */
  busy = false;
  /** Made when the connection opens: before that nothing comes. */
  private parser!: Parser;
  /** Of a connection on which compressed messages may come. */
  private inflation: Inflation | undefined = undefined;
  private inbox: MessageIterator | undefined = undefined;
  /** While the peer exceeds its rate: takes back the alarm that ends that. */
  private unthrottle: (() => void) | undefined = undefined;
  /** What the peer was sent waits for it to be taken. */
  private backedUp = false;
  /** A reader of `messages()` has just left. */
  private isBetween = false;
  private readonly owner: ReceiverOwner;
  private readonly hooks: ConnectionHooks;

  constructor(owner: ReceiverOwner) {
    const { settings } = owner;
    this.owner = owner;
    this.hooks = owner.hooks;
    this.dispatcher = new Dispatcher(settings, this);
  }

  /**
   * The connection is open: reading begins, and so does the time that it takes.
   *
   * @param version 0 is draft-76
   * @param agreement where messages may be compressed
   */
  open(version: number, agreement: DeflateAgreement | undefined): void {
    const { owner } = this;
    if (owner.settings.isMetered) this.meter = this.createMeter();
    const sink = this.meter ?? this.dispatcher;
    if (version === 0) {
      this.parser = new Draft76Parser(sink, owner);
      return;
    }
    const parser = new FrameParser(sink, owner);
    if (agreement !== undefined) {
      this.inflation = new Inflation(agreement, sink, this);
      parser.inflation = this.inflation;
    }
    this.parser = parser;
  }

  /** Whether reading waits. While `messages()` is being read, the hook that reads it does not make it wait. */
  get isHeld(): boolean {
    return this.isInflating || !this.takesMore;
  }

  /** Whether reading waits for the peer to take what it was sent. */
  get isBackedUp(): boolean {
    return this.backedUp;
  }

  /** Whether a compressed message waits to be inflated, or to be wanted. */
  get isInflating(): boolean {
    return this.inflation?.isBusy === true;
  }

  /** Whether nothing makes what was read wait for its delivery. */
  get takesMore(): boolean {
    return !(this.backedUp || this.isBetween || this.isHeldByHandler);
  }

  /** Whether reading waits for any other reason than that the peer does not take what it is sent. */
  get isHeldByUs(): boolean {
    return this.isInflating || this.isHeldByHandler;
  }

  /** The memory that is pinned by what has come and was not delivered, in bytes. */
  get pinned(): number {
    const { dispatcher, inbox, inflation, parser } = this;
    return dispatcher.pinned + parser.pinned + (inflation?.pinned ?? 0) + (inbox?.pinned ?? 0);
  }

  /** Whether the handler is at work: a hook is pending, or a unit of `messages()` was taken and no other asked for. */
  get isHandling(): boolean {
    return this.inbox?.wasAsked ? this.inbox.isFull : this.busy;
  }

  feed(chunk: Buffer): void {
    this.parser.feed(chunk);
    this.inflation?.start();
    this.meter?.arrived(chunk.length);
  }

  /** Whether as much has come ahead as may. */
  get isFull(): boolean {
    return this.parser.isFull;
  }

  /** Calls `onConnect` or `onRead`: reading waits while it is pending. */
  run(hook: 'onConnect' | 'onRead', args: readonly unknown[]): void {
    try {
      this.hold(this.hooks[hook](...args), hook);
    } catch (error) {
      this.owner.hookFailed(error, hook);
    }
  }

  /** From now on units go to whoever reads this, until that one leaves. */
  messages(): MessageIterator {
    if (this.inbox !== undefined) {
      throw new InvalidStateError(
        'messages() is being read already, and there is one reader at a time: ' +
          'leave the first by break or return in its for await, or by its return()',
      );
    }
    const inbox = new MessageIterator(this);
    if (!this.owner.mayDeliver) {
      inbox.end();
      return inbox;
    }
    this.inbox = inbox;
    this.dispatcher.deliverTo(inbox);
    // The hook that is pending does not make it wait any more.
    queueMicrotask(() => this.proceed());
    return inbox;
  }

  /** Too much of what the peer was sent waits for it: nothing more is read until `ebb`. */
  backUp(): void {
    if (this.backedUp || !this.owner.mayDeliver) return;
    this.backedUp = true;
    this.halt();
  }

  /** The peer has taken enough of it. */
  ebb(): void {
    if (!this.backedUp) return;
    this.backedUp = false;
    this.proceed();
  }

  /**
   * The connection has gone, and no hook is pending that might ask for the rest. Whoever has a reader of `messages()` may take it
   * later, or has forgotten it: nobody waits for that.
   */
  handOver(): void {
    const { inbox } = this;
    if (inbox === undefined || this.busy) return;
    inbox.collectAll();
    this.goOn();
  }

  /** Nothing more is delivered. Control frames are still looked at, so nothing holds them up any more. */
  mute(): void {
    this.dispatcher.discard();
    this.inflation?.stop();
    this.letGo();
    if (this.parser.paused) this.owner.receive(() => this.parser.resume());
    // Also where it is not: what was held is being delivered at this moment, and the socket still waits.
    this.owner.socket.resume();
  }

  /** Nothing that the peer sends, or has sent, is looked at any more. */
  stop(): void {
    this.dispatcher.discard();
    this.inflation?.stop();
    this.parser.discard();
    this.letGo();
  }

  // What the dispatcher calls.

  onUnit(value: Unit): void {
    try {
      const result = this.hooks.onRead(value);
      if (result !== undefined) this.hold(result, 'onRead');
    } catch (error) {
      this.owner.hookFailed(error, 'onRead');
    }
  }

  onUnits(values: readonly unknown[]): void {
    this.run('onRead', values);
  }

  onFew(count: number, a: unknown, b: unknown, c: unknown, d: unknown): void {
    const { hooks } = this;
    try {
      let result: unknown;
      // Nobody gets more arguments than there are values.
      if (count === 1) result = hooks.onRead(a);
      else if (count === 2) result = hooks.onRead(a, b);
      else if (count === 3) result = hooks.onRead(a, b, c);
      else result = hooks.onRead(a, b, c, d);
      if (result !== undefined) this.hold(result, 'onRead');
    } catch (error) {
      this.owner.hookFailed(error, 'onRead');
    }
  }

  onOverflow(error: OverflowError): void {
    this.owner.onOverflow(error);
  }

  onStale(): void {
    queueMicrotask(() => this.owner.receive(() => this.dispatcher.dispatchHeld()));
  }

  // What the inflation calls.

  receive(run: () => void): void {
    this.owner.receive(run);
  }

  onInflating(): void {
    this.parser.pause();
    pauseReading(this.owner.socket);
  }

  onInflated(): void {
    this.proceed();
  }

  // What the inbox calls.

  onFull(): void {
    if (this.owner.mayDeliver) this.halt();
  }

  onWanted(): void {
    // Not at once: whoever asks may do so in a hook, in the midst of what is being delivered.
    queueMicrotask(() => this.proceed());
  }

  onLeft(): void {
    this.inbox = undefined;
    this.dispatcher.deliverTo(this);
    // Whoever leaves one loop may begin another: nothing in between is given to `onRead`, and nothing of it is lost. And whoever
    // leaves while waiting for more has let the peer send: a hook that is pending makes reading wait again.
    this.isBetween = true;
    if (this.owner.mayDeliver) this.halt();
    setImmediate(() => {
      this.isBetween = false;
      this.proceed();
    });
  }

  // What the meter calls.

  onExceeded(delay: number): void {
    if (this.meter?.isExceeded === false) this.owner.onThrottled();
    if (this.unthrottle !== undefined || !this.owner.mayDeliver) return;
    this.halt();
    this.unthrottle = clockOf(this.owner.socket).after(Math.ceil(delay), () => {
      this.unthrottle = undefined;
      this.proceed();
    });
  }

  onAbuse(): never {
    throw new ProtocolError('more than the rate allows, again and again', CloseCode.POLICY_VIOLATION);
  }

  // How it works.

  private hold(result: unknown, hook: HookName): void {
    if (!isThenable(result)) return;
    this.busy = true;
    if (!this.takesMore && this.owner.mayDeliver) this.halt();
    whenSettled(
      result,
      () => this.release(),
      (error) => {
        this.owner.hookFailed(error, hook);
        this.release();
      },
    );
  }

  private release(): void {
    this.busy = false;
    this.proceed();
  }

  private halt(): void {
    this.parser.pause();
    this.dispatcher.pause();
    pauseReading(this.owner.socket);
  }

  private proceed(): void {
    if (!this.owner.mayDeliver) return;
    if (!this.isHandling) this.owner.onPause();
    if (!this.takesMore || !this.owner.mayDeliver) return;
    this.goOn();
    if (!this.isHeld) this.owner.onCaughtUp();
  }

  /** Delivers what waits, in the order in which it came, until something makes it wait again. */
  private goOn(): void {
    this.owner.receive(() => {
      this.dispatcher.resume();
      this.inflation?.resume();
      if (this.isHeld) return;
      this.parser.resume();
      this.inflation?.start();
    });
  }

  private get isHeldByHandler(): boolean {
    return this.unthrottle !== undefined || (this.inbox === undefined ? this.busy : this.inbox.isFull);
  }

  private letGo(): void {
    this.meter?.stop();
    // A pause may be long, and the connection is not to be kept for it.
    this.unthrottle?.();
    this.unthrottle = undefined;
    this.backedUp = false;
    this.isBetween = false;
    const { inbox } = this;
    this.inbox = undefined;
    inbox?.end();
  }

  private createMeter(): RateLimiter {
    const clock = clockOf(this.owner.socket);
    return new RateLimiter(this.dispatcher, this, this.owner.settings.rate, () => clock.now());
  }
}
