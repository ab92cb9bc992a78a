/** The hooks that a connection calls on its handler, and the settings it needs. */
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
  /** Messages per second. A ping counts as a message. Default: unlimited. */
  messages?: number | undefined;
  /** Bytes per second, as received from the network. Default: unlimited. */
  bytes?: number | undefined;
  /** How many seconds' worth may arrive at once. Default 1. */
  burst?: number | undefined;
  /**
   * How long a peer may be throttled without a break before the connection closes with 1008, in milliseconds. Default
   * 10,000: a burst is over by then, and longer excess is deliberate. `Infinity` never closes the connection.
   */
  patience?: number | undefined;
}

/** What to do with a peer that does not read what is written to it. */
export type SlowConsumerPolicy = 'close' | 'drop';

export interface ConnectionSettings extends DispatchSettings, HeartbeatSettings {
  /** How long to wait for the peer while closing, in milliseconds. */
  readonly closeTimeout: number;
  /** `write` returns false from this many buffered bytes on. */
  readonly highWaterMark: number;
  /** `slowConsumer` applies above this many buffered bytes. */
  readonly maxBufferedAmount: number;
  readonly slowConsumer: SlowConsumerPolicy;
  /** The memory budget of the process. */
  readonly limits: Limits;
  readonly rate: RateLimit;
  readonly asyncContext: AsyncContextChoice;
  /** Whether incoming messages must be counted or timed, for `rate` or `idleTimeout`. */
  readonly isMetered: boolean;
  /** Shared by all connections of the route. */
  readonly counters: RouteCounters;
  /** The name of the route in telemetry. */
  readonly route: string;
  /** Whether the handler defines `onWrite`. If not, there is no need to wait for the kernel. */
  readonly watchesWrites: boolean;
  /** The name of the route in the log. */
  readonly name: string;
  /** Receives errors that no hook handles. */
  readonly log: Log;
}
