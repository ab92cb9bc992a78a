/**
 * One timer for all connections of a clock, that is: for the process. Each connection is looked at now and then, and says
 * itself when next:
 *
 *     slots: 10:00:03.072 [a, d, e]   10:00:03.200 [b, c]   …        one armed timer, for the earliest
 *
 * Ten thousand connections share some hundred slots; one of them costs a place in an array, and no closure.
 */

import { logError } from '../log.js';
import { type Clock, clockOf } from './clock.js';

export interface Timed {
  /** @returns in how many milliseconds to be called again; 0: never */
  onTick(now: number): number;
}

/** How many milliseconds a tick may be late without a reason to think that the process was held up. */
const LATE = 2;

export class TimerWheel {
  private readonly clock: Clock;
  private readonly slots = new Map<number, Timed[]>();
  /** When the armed timer fires. */
  private next = Infinity;
  private disarm: (() => void) | undefined = undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  now(): number {
    return this.clock.now();
  }

  /** Looks at `timed` in about `delay` milliseconds: up to a sixteenth of that earlier, hardly later. */
  add(timed: Timed, delay: number): void {
    this.arm(this.put(timed, delay, this.now()));
  }

  /** @returns when it is due */
  private put(timed: Timed, delay: number, now: number): number {
    // Times that are close to each other share a slot: the longer the delay, the wider.
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
   * A process that was held up (a long computation, a debugger) finds its timers due before it has read what arrived
   * meanwhile: the answers of all its peers, perhaps. Those are read first; an immediate comes after that.
   */
  private ring(at: number): void {
    if (this.now() - at > LATE) setImmediate(() => this.tick());
    else this.tick();
  }

  private tick(): void {
    this.next = Infinity;
    this.disarm = undefined;
    const now = this.now();
    // What is put anew belongs to a later tick.
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

  /** What one of them throws (a stream of the user's own may, in `destroy`) must not stop the time of all the others. */
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

/** The wheel of the socket's clock: the same one for all sockets but those that a test gave a clock of their own. */
export function wheelOf(socket: object): TimerWheel {
  const clock = clockOf(socket);
  let wheel = wheels.get(clock);
  if (wheel === undefined) {
    wheel = new TimerWheel(clock);
    wheels.set(clock, wheel);
  }
  return wheel;
}
