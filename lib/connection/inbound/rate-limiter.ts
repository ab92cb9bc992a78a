/**
 * Stands between the parser and the dispatcher of a connection that has a `rate` or an `idleTimeout`; all others have none.
 * It counts messages against the rate, and knows when the last one passed.
 */
import type { MessageKind } from '../../framing/opcode.js';
import type { MessageSink } from '../../framing/sink.js';
import type { BorrowedBytes } from '../../memory/borrowed-bytes.js';
import type { RateLimit } from '../hooks.js';
import { TokenBucket } from './token-bucket.js';

export interface RateLimiterOwner {
  /** The peer exceeds its rate: nothing is to be read for `delay` milliseconds. */
  onExceeded(delay: number): void;
  /** It has done nothing else for `patience` milliseconds. Throws: the mistake is the peer's. */
  onAbuse(): never;
}

export class RateLimiter implements MessageSink {
  /** When the last message passed, in either direction. */
  lastActivity: number;
  private readonly messages: TokenBucket | undefined;
  private readonly bytes: TokenBucket | undefined;
  private readonly patience: number;
  /** Since when the peer has not once kept to its rate for long enough to refill its buckets. */
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

  /** Whether the peer has been over its rate lately. */
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
    // A message that takes long is not over: the connection is not idle meanwhile.
    this.lastActivity = this.now();
    this.sink.data(kind, bytes, start, end);
  }

  end(kind: MessageKind): void {
    this.sink.end(kind);
    this.lastActivity = this.now();
    this.passed();
  }

  /** A message has passed, or a ping, which costs as much; but a ping is no message, and ends no idleness. */
  passed(): void {
    if (this.messages !== undefined) this.take(this.messages, 1, this.now());
  }

  /** What comes from now on is not delivered, and not held against anybody: a peer sends until it has our close frame. */
  stop(): void {
    this.stopped = true;
  }

  /** We have written one. */
  wrote(): void {
    this.lastActivity = this.now();
  }

  /** So many bytes have arrived. */
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
