import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { type Clock, clockOf, setClock, systemClock } from '../../lib/transport/clock.js';

/** The timers that keep the process alive. */
const referenced = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

describe('the clock of a socket', () => {
  it('is the system’s, unless it was given one of its own', () => {
    const own = new TestClock();
    const [one, other] = [{}, {}];
    setClock(one, own);
    expect(clockOf(one)).toBe(own);
    expect(clockOf(other)).toBe(systemClock);
  });

  it('is known to a second copy of the library', () => {
    const own = new TestClock();
    const socket = {};
    let copy: { clockOf(socket: object): Clock } | undefined;
    jest.isolateModules(() => {
      copy = require('../../lib/transport/clock.js') as typeof copy;
    });
    setClock(socket, own);
    expect(copy?.clockOf).not.toBe(clockOf);
    expect(copy?.clockOf(socket)).toBe(own);
  });
});

describe('the system’s clock', () => {
  it('calls back once, not before the time, and never goes back', async () => {
    const rung = new AsyncQueue<number>();
    const begin = systemClock.now();
    // Node's own timer would drop the fraction, and its milliseconds are cut: hence the one of grace.
    systemClock.after(20.9, () => rung.push(systemClock.now() - begin));
    expect(await rung.next()).toBeGreaterThan(20);
    expect(rung.left).toEqual([]);
  });

  it('forgets what was cancelled', async () => {
    const rung = new AsyncQueue<string>();
    const cancel = systemClock.after(1, () => rung.push('cancelled'));
    systemClock.after(2, () => rung.push('kept'));
    cancel();
    cancel();
    expect(await rung.next()).toBe('kept');
  });

  it('does not keep the process alive', () => {
    const before = referenced();
    const cancel = systemClock.after(60_000, () => {});
    expect(referenced()).toBe(before);
    cancel();
  });

  it('does not call back at once what is longer than a timer of Node', async () => {
    const rung = new AsyncQueue<string>();
    const warnings: unknown[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', onWarning);
    const cancel = systemClock.after(1e12, () => rung.push('at once'));
    systemClock.after(5, () => rung.push('in time'));
    expect(await rung.next()).toBe('in time');
    expect(warnings).not.toContain('TimeoutOverflowWarning');
    process.off('warning', onWarning);
    cancel();
  });
});
