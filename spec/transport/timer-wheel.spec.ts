import { once } from 'node:events';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { setClock, systemClock } from '../../lib/transport/clock.js';
import { type Timed, TimerWheel, wheelOf } from '../../lib/transport/timer-wheel.js';
import { CountingClock } from '../support/counting-clock.js';

/** Notes when it is called, and asks to be called again after each of the delays. */
function timed(times: number[], ...delays: number[]): Timed {
  return {
    onTick(now) {
      times.push(now);
      return delays.shift() ?? 0;
    },
  };
}

describe('the wheel', () => {
  it.each([1, 15, 16, 17, 100, 999, 1562.5, 25_000, 0x7fff_ffff])(
    'calls what is due in %d ms by then, and at most a sixteenth earlier',
    async (delay) => {
      for (const begin of [0, 3, 12_345]) {
        const clock = new TestClock();
        await clock.advance(begin);
        const times: number[] = [];
        new TimerWheel(clock).add(timed(times), delay);
        await clock.advance(delay + 1);
        const [after = Number.NaN] = times.map((time) => time - begin);
        expect(times).toHaveLength(1);
        expect(after).toBeGreaterThanOrEqual(delay - delay / 16);
        expect(after).toBeLessThanOrEqual(Math.ceil(delay));
      }
    },
  );

  it('comes again for as long as it is asked to', async () => {
    const clock = new TestClock();
    const times: number[] = [];
    new TimerWheel(clock).add(timed(times, 10, 5), 10);
    await clock.advance(1000);
    expect(times).toEqual([10, 20, 25]);
  });

  it('has one timer armed, for the earliest, whatever the order in which they come', async () => {
    const clock = new CountingClock();
    const wheel = new TimerWheel(clock);
    const times: number[] = [];
    for (const delay of [10_000, 5, 3000, 15, 1, 700]) {
      wheel.add(timed(times), delay);
      expect(clock.armed).toBe(1);
    }
    await clock.advance(4);
    expect([times, clock.armed]).toEqual([[1], 1]);
    await clock.advance(10_000);
    expect([times.length, clock.armed]).toEqual([6, 0]);
  });

  it('lets times that are close to each other share one awakening', async () => {
    const clock = new CountingClock();
    const wheel = new TimerWheel(clock);
    const times: number[] = [];
    for (let i = 0; i < 10_000; i++) {
      wheel.add(timed(times), 1562.5);
      if (i % 100 === 0) await clock.advance(1);
    }
    const before = clock.fired;
    await clock.advance(2000);
    expect(times).toHaveLength(10_000);
    // They came within a hundred milliseconds, and a slot is 64 wide.
    expect(clock.fired - before).toBeLessThanOrEqual(3);
  });

  it('takes what is added while it ticks', async () => {
    const clock = new CountingClock();
    const wheel = new TimerWheel(clock);
    const times: number[] = [];
    wheel.add(
      {
        onTick() {
          wheel.add(timed(times), 5);
          wheel.add(timed(times), 1);
          return 0;
        },
      },
      10,
    );
    await clock.advance(10);
    expect(clock.armed).toBe(1);
    await clock.advance(5);
    expect([times, clock.armed]).toEqual([[11, 15], 0]);
  });

  it('goes on for all others when one of them throws, and says so', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation();
    const clock = new TestClock();
    const wheel = new TimerWheel(clock);
    const times: number[] = [];
    const error = new Error('a stream that throws in destroy');
    wheel.add(timed(times, 10), 10);
    wheel.add(
      {
        onTick() {
          throw error;
        },
      },
      10,
    );
    wheel.add(timed(times, 10), 10);
    await clock.advance(20);
    expect(times).toEqual([10, 10, 20, 20]);
    expect(log.mock.calls).toEqual([['websocket-route: a timer failed:', error]]);
    log.mockRestore();
  });

  it('reads first what has come, when the process was held up', async () => {
    const happened = new AsyncQueue<string>();
    const server = createServer((socket) => socket.on('data', () => happened.push('read')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await Promise.all([once(client, 'connect'), once(server, 'connection')]);
    // In this phase of the event loop nothing is read any more, and the next one is that of timers.
    setImmediate(() => {
      new TimerWheel(systemClock).add(
        {
          onTick() {
            happened.push('tick');
            return 0;
          },
        },
        10,
      );
      client.write('x');
      const begin = performance.now();
      while (performance.now() - begin < 50);
    });
    expect(await happened.take(2)).toEqual(['read', 'tick']);
    client.destroy();
    server.close();
  });
});

describe('wheelOf', () => {
  it('is one wheel for all sockets of a clock, and so for the process', () => {
    const [one, other, own, alsoOwn] = [new Socket(), new Socket(), new Socket(), new Socket()];
    const clock = new TestClock();
    setClock(own, clock);
    setClock(alsoOwn, clock);
    expect(wheelOf(one)).toBe(wheelOf(other));
    expect(wheelOf(own)).toBe(wheelOf(alsoOwn));
    expect(wheelOf(own)).not.toBe(wheelOf(one));
  });
});
