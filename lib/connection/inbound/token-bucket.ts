/**
 * A token bucket. It gains `rate` tokens per second and holds at most `rate * burst`, but at least one: otherwise every
 * message would exceed a rate below one per second. Because a message cannot be split, the balance may become negative.
 */
export class TokenBucket {
  private readonly perMillisecond: number;
  private readonly capacity: number;
  private tokens: number;
  private at: number;

  constructor(rate: number, burst: number, now: number) {
    this.perMillisecond = rate / 1000;
    this.capacity = Math.max(1, rate * burst);
    this.tokens = this.capacity;
    this.at = now;
  }

  /** Whether the bucket has refilled completely. */
  isFull(now: number): boolean {
    this.refill(now);
    return this.tokens >= this.capacity;
  }

  /** @returns how long the balance will stay negative, in milliseconds; 0 if it is not negative */
  take(count: number, now: number): number {
    this.refill(now);
    this.tokens -= count;
    return this.tokens >= 0 ? 0 : -this.tokens / this.perMillisecond;
  }

  private refill(now: number): void {
    this.tokens = Math.min(this.capacity, this.tokens + (now - this.at) * this.perMillisecond);
    this.at = now;
  }
}
