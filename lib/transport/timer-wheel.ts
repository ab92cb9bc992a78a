/**
 * One timer for all connections of a clock, and so for the process. Each tick of a connection returns the delay until
 * its next one:
 *
 *     slots: 10:00:03.072 [a, d, e]   10:00:03.200 [b, c]   …        one armed timer, for the earliest
 *
 * Ten thousand connections share about a hundred slots. Each costs one array element and no closure.
 */

import { logError } from '../log.js';
import { type Clock, clockOf } from './clock.js';

export interface Timed {
  /** @returns the delay until the next call, in milliseconds; 0 for no further call */
  onTick(now: number): number;
}

/** A tick that is later than this, in milliseconds, suggests that the process was blocked. */
const LATE = 2;

export class TimerWheel {
  private readonly clock: Clock;
  private readonly slots = new Map<number, Timed[]>();
  /** The time at which the armed timer fires. */
  private next = Infinity;
  private disarm: (() => void) | undefined = undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  now(): number {
    return this.clock.now();
  }

  /** Calls `timed` in about `delay` milliseconds: up to a sixteenth earlier, hardly later. */
  add(timed: Timed, delay: number): void {
    this.arm(this.put(timed, delay, this.now()));
  }

  /** @returns the time at which `timed` is due */
  private put(timed: Timed, delay: number, now: number): number {
    // Nearby times share a slot, which is wider for longer delays.
    const width = 2 ** Math.floor(Math.log2(Math.max(delay, 16) / 16));
    const exact = Math.ceil(now + delay);
    const rounded = exact - (exact % width);
    const at = rounded > now ? rounded : exact;
    const slot = this.slots.get(at);
    if (slot === undefined) this.slots.set(at, [timed]);
    else slot.push(timed);
    return at;
  }

  private arm(at: number): void {
    if (at >= this.next) return;
    this.disarm?.();
    this.next = at;
    this.disarm = this.clock.after(Math.max(1, at - this.now()), () => this.ring(at));
  }

  /**
   * In a process that was blocked (by a long computation, or a debugger), timers are due before the input that arrived
   * meanwhile has been read, perhaps the answers of all peers. `setImmediate` lets that input be read first.
   */
  private ring(at: number): void {
    if (this.now() - at > LATE) setImmediate(() => this.tick());
    else this.tick();
  }

  private tick(): void {
    this.next = Infinity;
    this.disarm = undefined;
    const now = this.now();
    // A copy, because entries added now belong to a later tick.
    const due = [...this.slots].filter(([at]) => at <= now);
    for (const [at] of due) this.slots.delete(at);
    for (const [, slot] of due) {
      for (const timed of slot) {
        const delay = this.call(timed, now);
        if (delay > 0) this.put(timed, delay, now);
      }
    }
    if (this.slots.size > 0) this.arm(Math.min(...this.slots.keys()));
  }

  /** An error in one tick (a user's own stream may throw in `destroy`) must not stop the timers of all others. */
  private call(timed: Timed, now: number): number {
    try {
      return timed.onTick(now);
    } catch (error) {
      logError('a timer failed', error);
      return 0;
    }
  }
}

const wheels = new WeakMap<Clock, TimerWheel>();

/** @returns the wheel of the socket's clock, which all sockets share unless a test has set another clock */
export function wheelOf(socket: object): TimerWheel {
  const clock = clockOf(socket);
  let wheel = wheels.get(clock);
  if (wheel === undefined) {
    wheel = new TimerWheel(clock);
    wheels.set(clock, wheel);
  }
  return wheel;
}
