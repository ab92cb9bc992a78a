/**
 * Counts messages against the rate, and records the time of the last one. It sits between the parser and the
 * dispatcher, on connections with a `rate` or an `idleTimeout` only.
 */
import type { MessageKind } from '../../framing/opcode.js';
import type { MessageSink } from '../../framing/sink.js';
import type { BorrowedBytes } from '../../memory/borrowed-bytes.js';
import type { RateLimit } from '../hooks.js';
import { TokenBucket } from './token-bucket.js';

export interface RateLimiterOwner {
  /** The peer exceeds its rate: reading must wait for `delay` milliseconds. */
  onExceeded(delay: number): void;
  /** The peer has exceeded its rate for `patience` milliseconds without a break. Throws a `ProtocolError`. */
  onAbuse(): never;
}

export class RateLimiter implements MessageSink {
  /** The time of the last message, in either direction. */
  lastActivity: number;
  private readonly messages: TokenBucket | undefined;
  private readonly bytes: TokenBucket | undefined;
  private readonly patience: number;
  /** The time since which the peer has never kept to its rate for long enough to refill its buckets. */
  private exceededSince: number | undefined = undefined;
  private stopped = false;
  private readonly sink: MessageSink;
  private readonly owner: RateLimiterOwner;
  private readonly now: () => number;

  constructor(sink: MessageSink, owner: RateLimiterOwner, rate: RateLimit, now: () => number) {
    this.sink = sink;
    this.owner = owner;
    this.now = now;
    this.lastActivity = now();
    const { messages, bytes, burst = 1, patience = 10_000 } = rate;
    this.messages = messages === undefined ? undefined : new TokenBucket(messages, burst, this.lastActivity);
    this.bytes = bytes === undefined ? undefined : new TokenBucket(bytes, burst, this.lastActivity);
    this.patience = patience;
  }

  /** Whether the peer has recently exceeded its rate. */
  get isExceeded(): boolean {
    return this.exceededSince !== undefined;
  }

  get joinsFragments(): boolean {
    return this.sink.joinsFragments;
  }

  message(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number, text?: string): void {
    this.sink.message(kind, bytes, start, end, text);
    this.lastActivity = this.now();
    this.passed();
  }

  frame(kind: MessageKind, length: number): void {
    this.sink.frame(kind, length);
  }

  data(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): void {
    // The connection is not idle while a long message arrives.
    this.lastActivity = this.now();
    this.sink.data(kind, bytes, start, end);
  }

  end(kind: MessageKind): void {
    this.sink.end(kind);
    this.lastActivity = this.now();
    this.passed();
  }

  /** Counts a message, or a ping, which costs as much. A ping does not count as activity, though. */
  passed(): void {
    if (this.messages !== undefined) this.take(this.messages, 1, this.now());
  }

  /** Stops counting: a peer may keep sending until it receives our close frame, and that data is dropped. */
  stop(): void {
    this.stopped = true;
  }

  /** Records an outgoing message. */
  wrote(): void {
    this.lastActivity = this.now();
  }

  /** Counts received bytes. */
  arrived(count: number): void {
    if (this.bytes !== undefined) this.take(this.bytes, count, this.now());
  }

  private take(bucket: TokenBucket, count: number, now: number): void {
    if (this.stopped) return;
    if (this.exceededSince !== undefined && this.isQuiet(now)) this.exceededSince = undefined;
    const delay = bucket.take(count, now);
    if (delay === 0) return;
    if (this.exceededSince !== undefined && now - this.exceededSince >= this.patience) this.owner.onAbuse();
    this.owner.onExceeded(delay);
    this.exceededSince ??= now;
  }

  private isQuiet(now: number): boolean {
    return (this.messages?.isFull(now) ?? true) && (this.bytes?.isFull(now) ?? true);
  }
}
