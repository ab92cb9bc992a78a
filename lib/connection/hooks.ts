/** What a connection calls on the one who handles it, and what it has to be told about it. */
import type { DispatchSettings } from '../dispatch/reader-choice.js';
import type { OverflowError } from '../errors.js';
import type { Log } from '../log.js';
import type { Limits } from '../memory/memory-budget.js';
import type { RouteCounters } from '../telemetry/route-counters.js';
import type { AsyncContextChoice } from './async-context.js';
import type { HookName } from './hook-list.js';
import type { HeartbeatSettings } from './keepalive/heartbeat.js';

export type { HookName } from './hook-list.js';

export interface ConnectionHooks {
  onConnect(...args: unknown[]): unknown;
  onRead(...data: unknown[]): unknown;
  onWrite(): unknown;
  onPong(roundTrip: number | Buffer): unknown;
  onClose(code: number, reason: string, wasClean: boolean): unknown;
  onOverflowError(error: OverflowError): unknown;
  onError(error: unknown, hook: HookName): unknown;
}

/** How fast a peer may send; see the option `rate`. */
export interface RateLimit {
  /** Messages a second; a ping counts as one. Default: any number. */
  messages?: number | undefined;
  /** Bytes a second, as they come from the network. Default: any number. */
  bytes?: number | undefined;
  /** How many seconds' worth may come at once. Default 1. */
  burst?: number | undefined;
  /**
   * For how many milliseconds a peer may be slowed down without a break before the connection closes with 1008. Default 10,000:
   * a burst is over by then, and what goes on for longer is on purpose. `Infinity` never closes.
   */
  patience?: number | undefined;
}

/** What becomes of a peer that does not take what is written to it. */
export type SlowConsumerPolicy = 'close' | 'drop';

export interface ConnectionSettings extends DispatchSettings, HeartbeatSettings {
  /** How long to wait for the peer while closing, in milliseconds. */
  readonly closeTimeout: number;
  /** Buffered bytes from which on `write` returns false. */
  readonly highWaterMark: number;
  /** Buffered bytes above which nothing more is taken. */
  readonly maxBufferedAmount: number;
  readonly slowConsumer: SlowConsumerPolicy;
  /** The budget of the process. */
  readonly limits: Limits;
  readonly rate: RateLimit;
  readonly asyncContext: AsyncContextChoice;
  /** Whether messages have to be looked at as they come: for `rate`, or for `idleTimeout`. */
  readonly isMetered: boolean;
  /** What is counted, with all connections of the same route. */
  readonly counters: RouteCounters;
  /** What telemetry calls the route. */
  readonly route: string;
  /** Whether `onWrite` does anything: nobody waits for the kernel on behalf of a hook that is not there. */
  readonly watchesWrites: boolean;
  /** What the log calls the route. */
  readonly name: string;
  /** Where errors go that no hook takes. */
  readonly log: Log;
}
