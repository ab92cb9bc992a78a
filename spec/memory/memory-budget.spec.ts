import { totalmem } from 'node:os';
import { account, Limits, type MemoryHolder } from '../../lib/memory/memory-budget.js';
import { turns } from '../connection/open.js';

/** Pins as many bytes as the test says, and none when it is evicted. */
class Pinning implements MemoryHolder {
  pinnedBytes = 0;
  accountedBytes = 0;
  evictions = 0;
  /** What it still pins after it was evicted. */
  rest = 0;
  private readonly limits: Limits;
  private readonly order: Pinning[];

  constructor(limits: Limits, order: Pinning[] = []) {
    this.limits = limits;
    this.order = order;
  }

  /** Tells it, as a connection does. */
  pin(bytes: number): this {
    this.pinnedBytes = bytes;
    account(this.limits, this, bytes);
    return this;
  }

  evict(): void {
    this.evictions++;
    this.order.push(this);
    this.pinnedBytes = this.rest;
  }
}

const pinning = (limits: Limits, ...bytes: number[]): Pinning[] => bytes.map((count) => new Pinning(limits).pin(count));

describe('the sum of what is pinned', () => {
  it('follows what each holder tells', () => {
    const limits = new Limits({ maxBufferedBytes: 1000 });
    const [one, two] = [new Pinning(limits), new Pinning(limits)];
    expect(limits.bufferedBytes).toBe(0);
    one.pin(100);
    two.pin(50);
    expect(limits.bufferedBytes).toBe(150);
    one.pin(30);
    expect(limits.bufferedBytes).toBe(80);
    one.pin(0);
    two.pin(0);
    expect(limits.bufferedBytes).toBe(0);
    expect([one.accountedBytes, two.accountedBytes]).toEqual([0, 0]);
  });

  it('is what is pinned at the moment when it is asked for, told or not', () => {
    const limits = new Limits({ maxBufferedBytes: 1000 });
    const [one, two] = [new Pinning(limits).pin(100), new Pinning(limits).pin(50)];
    one.pinnedBytes = 10;
    two.pinnedBytes = 0;
    expect(limits.bufferedBytes).toBe(10);
    // It is out of the book now, until it tells again.
    two.pinnedBytes = 70;
    expect(limits.bufferedBytes).toBe(10);
    two.pin(70);
    expect(limits.bufferedBytes).toBe(80);
  });

  it('is of one budget, and not of another', () => {
    const [mine, yours] = [new Limits({ maxBufferedBytes: 1000 }), new Limits({ maxBufferedBytes: 1000 })];
    new Pinning(mine).pin(7);
    expect([mine.bufferedBytes, yours.bufferedBytes]).toEqual([7, 0]);
  });
});

describe('above the budget', () => {
  it('those that pin most are ended, most first, until it fits, and nobody else', async () => {
    const limits = new Limits({ maxBufferedBytes: 1000 });
    const order: Pinning[] = [];
    const all = [300, 100, 500, 400, 200].map((bytes) => new Pinning(limits, order).pin(bytes));
    await turns(2);
    expect(order).toEqual([all[2]]);
    expect([limits.evicted, limits.bufferedBytes]).toEqual([1, 1000]);
    new Pinning(limits, order).pin(250);
    await turns(2);
    expect(order).toEqual([all[2], all[3]]);
    new Pinning(limits, order).pin(150).pin(700);
    await turns(2);
    expect(order.slice(2).map(({ accountedBytes: heldBytes }) => heldBytes)).toEqual([0]);
    expect(limits.bufferedBytes).toBe(850);
    expect(limits.evicted).toBe(3);
  });

  it('nobody is ended for exactly the budget, and somebody for a byte more', async () => {
    const limits = new Limits({ maxBufferedBytes: 1000 });
    const [one] = pinning(limits, 600, 400) as [Pinning, Pinning];
    await turns(2);
    expect(limits.evicted).toBe(0);
    one.pin(601);
    await turns(2);
    expect([limits.evicted, one.evictions]).toEqual([1, 1]);
  });

  it('nobody is ended in the midst of the turn', async () => {
    const limits = new Limits({ maxBufferedBytes: 1000 });
    const one = new Pinning(limits).pin(2000);
    expect(one.evictions).toBe(0);
    await Promise.resolve();
    expect(one.evictions).toBe(0);
    await turns(2);
    expect(one.evictions).toBe(1);
  });

  it('nobody is ended for what has been freed by the end of the turn, told or not', async () => {
    const limits = new Limits({ maxBufferedBytes: 1000 });
    const [one, two] = pinning(limits, 5000, 5000) as [Pinning, Pinning];
    one.pin(500);
    two.pinnedBytes = 500;
    await turns(2);
    expect([limits.evicted, limits.bufferedBytes]).toEqual([0, 1000]);
  });

  it('the bytes that a holder pins when it is looked at count, and not those that it told', async () => {
    const limits = new Limits({ maxBufferedBytes: 1000 });
    const [told, grown] = pinning(limits, 600, 500) as [Pinning, Pinning];
    grown.pinnedBytes = 5000;
    await turns(2);
    expect([told.evictions, grown.evictions]).toEqual([0, 1]);
  });

  it('one that still pins something while it ends counts with that, and is counted as ended once', async () => {
    const limits = new Limits({ maxBufferedBytes: 1000 });
    const [stays] = pinning(limits, 900, 150) as [Pinning, Pinning];
    stays.rest = 800;
    await turns(2);
    expect([limits.bufferedBytes, limits.evicted]).toEqual([950, 1]);
    // It is the one that pins most, still: it is asked once more, and has nothing left then.
    stays.rest = 0;
    new Pinning(limits).pin(100);
    await turns(2);
    expect([limits.bufferedBytes, limits.evicted, stays.evictions]).toEqual([250, 1, 2]);
  });

  it('all are ended where less would not do', async () => {
    const limits = new Limits({ maxBufferedBytes: 1 });
    const all = pinning(limits, 3, 2, 2);
    await turns(2);
    expect(all.map(({ evictions }) => evictions)).toEqual([1, 1, 1]);
    expect([limits.bufferedBytes, limits.evicted]).toEqual([0, 3]);
  });

  it('a holder that throws does not keep the others', async () => {
    const said = jest.spyOn(console, 'error').mockImplementation(() => {});
    const limits = new Limits({ maxBufferedBytes: 1000 });
    const [broken, other] = pinning(limits, 900, 800) as [Pinning, Pinning];
    broken.evict = () => {
      throw new Error('broken');
    };
    await turns(2);
    expect(other.evictions).toBe(1);
    expect(said).toHaveBeenCalledWith(expect.stringContaining('websocket-route'), expect.any(Error));
    said.mockRestore();
  });

  it('the budget is looked at again when more is pinned while a holder is ended', async () => {
    const limits = new Limits({ maxBufferedBytes: 1000 });
    const late = new Pinning(limits);
    const [heavy] = pinning(limits, 1200) as [Pinning];
    heavy.evict = () => {
      heavy.pinnedBytes = 0;
      late.pin(1500);
    };
    await turns(4);
    expect([late.evictions, limits.bufferedBytes]).toEqual([1, 0]);
  });

  it('a thousand that are told of again and again are ended in order', async () => {
    const limits = new Limits({ maxBufferedBytes: 100_000 });
    const order: Pinning[] = [];
    const all = Array.from({ length: 1000 }, (_, i) => new Pinning(limits, order).pin(i + 1));
    for (const one of all) one.pin(one.pinnedBytes + 1);
    const weights = new Map(all.map((one) => [one, one.pinnedBytes]));
    await turns(2);
    expect(limits.bufferedBytes).toBeLessThanOrEqual(100_000);
    expect(limits.bufferedBytes).toBeGreaterThan(99_000);
    const evicted = order.map((one) => weights.get(one)!);
    expect(evicted).toEqual([...evicted].sort((a, b) => b - a));
    expect(evicted[0]).toBe(1001);
    expect(limits.evicted).toBe(order.length);
  });
});

describe('without a bound', () => {
  it('nobody is ended, and what is pinned is told', async () => {
    const limits = new Limits({ maxBufferedBytes: Infinity });
    const [one] = pinning(limits, Number.MAX_SAFE_INTEGER) as [Pinning];
    await turns(2);
    expect([one.evictions, limits.evicted, limits.bufferedBytes]).toEqual([0, 0, Number.MAX_SAFE_INTEGER]);
  });
});

describe('the options', () => {
  it('default to a quarter of the memory', () => {
    for (const limits of [new Limits(), new Limits({}), new Limits({ maxBufferedBytes: undefined })]) {
      expect(Number.isSafeInteger(limits.maxBufferedBytes)).toBe(true);
      expect(limits.maxBufferedBytes).toBeGreaterThan(1024 * 1024);
      expect(limits.maxBufferedBytes).toBeLessThanOrEqual(totalmem() / 4);
    }
  });

  it.each([
    ['no constraint, as Node 20 says it', 0, totalmem()],
    ['no constraint, as Node 22 says it', 2 ** 64 - 1, totalmem()],
    ['a container', 512 * 1024 * 1024, 512 * 1024 * 1024],
  ])('go by the memory of the machine or of its container: %s', (_name, constrained, expected) => {
    const asked = jest.spyOn(process, 'constrainedMemory').mockReturnValue(constrained);
    expect(new Limits().maxBufferedBytes).toBe(Math.floor(Math.min(expected, totalmem()) / 4));
    asked.mockRestore();
  });

  it.each([[0], [-1], [1.5], [Number.NaN], [Number.MAX_SAFE_INTEGER + 1], [-Infinity], ['64 MiB'], [null], [10n]])(
    'refuse a budget of %p, and name it',
    (maxBufferedBytes) => {
      const refused = (): Limits => new Limits({ maxBufferedBytes: maxBufferedBytes as number });
      expect(refused).toThrow(expect.objectContaining({ name: 'TypeError', code: 'ERR_WS_INVALID_OPTION' }));
      expect(refused).toThrow(/maxBufferedBytes/);
    },
  );

  it('refuse what they do not know', () => {
    const misspelt: object = { maxBufferBytes: 1 };
    expect(() => new Limits(misspelt)).toThrow(/maxBufferBytes.*maxBufferedBytes/);
  });
});
