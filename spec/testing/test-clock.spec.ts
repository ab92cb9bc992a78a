import { TestClock } from '../../lib/testing/test-clock.js';

describe('TestClock', () => {
  it('stands still until it is advanced', async () => {
    const clock = new TestClock();
    const rung: number[] = [];
    clock.after(10, () => rung.push(clock.now()));
    await clock.advance(9);
    expect([clock.now(), rung]).toEqual([9, []]);
    await clock.advance(1);
    expect([clock.now(), rung]).toEqual([10, [10]]);
  });

  it('lets everything happen in the order of time, each at its own', async () => {
    const clock = new TestClock();
    const rung: string[] = [];
    const ring = (name: string) => () => rung.push(`${name} at ${clock.now()}`);
    clock.after(30, ring('late'));
    clock.after(10, () => {
      ring('early')();
      clock.after(5, ring('its own'));
    });
    clock.after(10, ring('as early'));
    await clock.advance(100);
    expect(rung).toEqual(['early at 10', 'as early at 10', 'its own at 15', 'late at 30']);
    expect(clock.now()).toBe(100);
  });

  it('lets promises settle before the next', async () => {
    const clock = new TestClock();
    const happened: string[] = [];
    clock.after(1, () => void Promise.resolve().then(() => setImmediate(() => happened.push('answer'))));
    clock.after(2, () => happened.push('next'));
    await clock.advance(2);
    expect(happened).toEqual(['answer', 'next']);
  });

  it('forgets what was cancelled', async () => {
    const clock = new TestClock();
    const rung: number[] = [];
    const cancel = clock.after(10, () => rung.push(1));
    clock.after(10, () => rung.push(2));
    cancel();
    cancel();
    await clock.advance(10);
    expect(rung).toEqual([2]);
  });

  it.each([-1, Number.NaN, Infinity])('cannot be advanced by %p', async (ms) => {
    await expect(new TestClock().advance(ms)).rejects.toThrow(`a clock cannot be advanced by ${ms}`);
  });

  it('cannot be advanced by what is no number', async () => {
    for (const ms of ['5', null, undefined, 5n]) {
      await expect(new TestClock().advance(ms as never)).rejects.toThrow(RangeError);
    }
    await expect(new TestClock().advance('5' as never)).rejects.toThrow("a clock cannot be advanced by '5': give");
  });
});
