/**
 * What time it is for a connection. Nothing here asks the system directly: a test may give a socket a clock of its own, and
 * then a heartbeat of 25 seconds passes when the test says so.
 */
import { performance } from 'node:perf_hooks';

export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /**
   * Calls back once, `delay` milliseconds from now. It does not keep the process alive.
   *
   * @returns cancels it
   */
  after(delay: number, callback: () => void): () => void;
}

/** The longest time a timer of Node takes: more would fire at once. */
export const MAX_DELAY = 0x7fff_ffff;

export const systemClock: Clock = {
  now: () => performance.now(),
  after(delay, callback) {
    // Node drops fractions: the callback would find that it is not yet time.
    const timer = setTimeout(callback, Math.min(Math.ceil(delay), MAX_DELAY)).unref();
    return () => clearTimeout(timer);
  },
};

// Registered, so that a second copy of this module (another module system, another bundle) knows the same clocks.
const kClock = Symbol.for('websocket-route.clock');

/** Gives a socket a clock of its own, before the handshake. */
export function setClock(socket: object, clock: Clock): void {
  Reflect.set(socket, kClock, clock);
}

export function clockOf(socket: object): Clock {
  const own = (socket as { [kClock]?: Clock })[kClock];
  return own ?? systemClock;
}
