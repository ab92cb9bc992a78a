import { TokenBucket } from '../../../lib/connection/inbound/token-bucket.js';

describe('a token bucket', () => {
  it('gives at once what was saved up, and then so many a second', () => {
    const bucket = new TokenBucket(10, 2, 0);
    for (let i = 0; i < 20; i++) expect(bucket.take(1, 0)).toBe(0);
    expect(bucket.take(1, 0)).toBeCloseTo(100);
    expect(bucket.take(1, 100)).toBeCloseTo(100);
    expect(bucket.take(1, 300)).toBe(0);
  });

  it('says how long all that was taken beyond is owed', () => {
    const bucket = new TokenBucket(1000, 1, 0);
    expect(bucket.take(5000, 0)).toBe(4000);
    expect(bucket.take(500, 1000)).toBe(3500);
    expect(bucket.take(0, 4499)).toBe(1);
    expect(bucket.take(0, 4500)).toBe(0);
  });

  it('keeps no more than its burst, however long nothing is taken', () => {
    const bucket = new TokenBucket(10, 1, 0);
    expect(bucket.take(10, 1e9)).toBe(0);
    expect(bucket.take(1, 1e9)).toBeGreaterThan(0);
  });

  it('is full when nothing is missing any more', () => {
    const bucket = new TokenBucket(10, 1, 0);
    expect(bucket.isFull(0)).toBe(true);
    bucket.take(15, 0);
    expect(bucket.isFull(1499)).toBe(false);
    expect(bucket.isFull(1500)).toBe(true);
  });

  it('holds at least one: less than one a second is a rate, too, which can be kept to', () => {
    const bucket = new TokenBucket(0.5, 1, 0);
    for (let second = 0; second < 100; second += 2) {
      expect(bucket.isFull(second * 1000)).toBe(true);
      expect(bucket.take(1, second * 1000)).toBe(0);
    }
    expect(bucket.take(1, 98_500)).toBeCloseTo(1500);
  });
});
