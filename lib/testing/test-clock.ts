/** A clock that a test advances. */

import { inspectValue } from '../errors.js';
import type { Clock } from '../transport/clock.js';

interface Alarm {
  readonly at: number;
  readonly callback: () => void;
}

/** The maximum number of event loop turns for an in-memory round trip, with room to spare. */
const TURNS = 16;

/**
 * The clock of one or more connections: it controls heartbeats, timeouts and rates, and stands still until you
 * advance it.
 *
 * @example
 * const clock = new TestClock();
 * const client = await connect(app, '/ws/ada', { clock, answerPings: false });
 * await clock.advance(25_000); // pingInterval: a ping goes out
 * await clock.advance(20_000); // pongTimeout: no pong has arrived
 * expect((await client.closed).code).toBe(1006);
 */
export class TestClock implements Clock {
  private time = 0;
  private alarms: Alarm[] = [];

  /** Milliseconds since the clock was created. */
  now(): number {
    return this.time;
  }

  after(delay: number, callback: () => void): () => void {
    const alarm = { at: this.time + Math.max(0, delay), callback };
    this.alarms.push(alarm);
    return () => {
      this.alarms = this.alarms.filter((other) => other !== alarm);
    };
  }

  /**
   * Advances the clock by `ms` milliseconds. Timers fire in order, each at its own time, and their effects in memory
   * (such as the answer to a ping) complete before the next one fires.
   *
   * @throws RangeError unless `ms` is a finite, non-negative number
   */
  async advance(ms: number): Promise<void> {
    if (typeof ms !== 'number' || !(ms >= 0 && ms < Infinity)) {
      throw new RangeError(
        `a clock cannot be advanced by ${inspectValue(ms)}: give a number of milliseconds, from 0 on`,
      );
    }
    const end = this.time + ms;
    for (let alarm = this.nextUntil(end); alarm !== undefined; alarm = this.nextUntil(end)) {
      this.time = alarm.at;
      const due = alarm;
      this.alarms = this.alarms.filter((other) => other !== due);
      alarm.callback();
      await settled();
    }
    this.time = end;
    await settled();
  }

  private nextUntil(end: number): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.alarms) {
      if (alarm.at <= end && (next === undefined || alarm.at < next.at)) next = alarm;
    }
    return next;
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
