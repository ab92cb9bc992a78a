/**
 * A token bucket: `rate` tokens a second drip in, and at most `rate * burst` are kept, though never less than one: with less,
 * every message would exceed a rate of less than one a second. What is taken beyond is owed: a message cannot be taken by
 * halves.
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

  /** Whether nothing is missing: whoever takes from it has kept to the rate for long enough. */
  isFull(now: number): boolean {
    this.refill(now);
    return this.tokens >= this.capacity;
  }

  /** @returns for how many milliseconds tokens will be owed; 0: none are */
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
