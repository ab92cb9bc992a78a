/**
 * The clock of a connection. No other module reads the system time directly, so a test can set a socket's clock and
 * control when a heartbeat of 25 seconds is due.
 */
import { performance } from 'node:perf_hooks';

export interface Clock {
  /** @returns the monotonic time, in milliseconds */
  now(): number;
  /**
   * Calls back once, `delay` milliseconds from now. The timer does not keep the process alive.
   *
   * @returns a function that cancels the timer
   */
  after(delay: number, callback: () => void): () => void;
}

/** The maximum delay of Node's timers. With a longer one they fire immediately. */
export const MAX_DELAY = 0x7fff_ffff;

export const systemClock: Clock = {
  now: () => performance.now(),
  after(delay, callback) {
    // Node drops fractions, so without rounding up the callback could run too early.
    const timer = setTimeout(callback, Math.min(Math.ceil(delay), MAX_DELAY)).unref();
    return () => clearTimeout(timer);
  },
};

// Registered globally, so that a second copy of this module (ESM and CommonJS, or another bundle) finds the same
// clocks.
const kClock = Symbol.for('websocket-route.clock');

/** Sets the clock of a socket. To be called before the handshake. */
export function setClock(socket: object, clock: Clock): void {
  Reflect.set(socket, kClock, clock);
}

export function clockOf(socket: object): Clock {
  const own = (socket as { [kClock]?: Clock })[kClock];
  return own ?? systemClock;
}
