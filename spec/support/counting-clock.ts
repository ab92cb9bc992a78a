/** A test's clock that knows how many alarms are set, and how many have rung. */

import { TestClock } from '../../lib/testing/test-clock.js';
import type { Clock } from '../../lib/transport/clock.js';

export class CountingClock implements Clock {
  armed = 0;
  fired = 0;
  private readonly clock = new TestClock();

  now(): number {
    return this.clock.now();
  }

  after(delay: number, callback: () => void): () => void {
    this.armed++;
    let isArmed = true;
    const disarm = (): void => {
      if (isArmed) this.armed--;
      isArmed = false;
    };
    const cancel = this.clock.after(delay, () => {
      disarm();
      this.fired++;
      callback();
    });
    return () => {
      disarm();
      cancel();
    };
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }
}
