/** What a connection calls on the one who handles it, and what it has to be told about it. */
import type { DispatchSettings } from '../dispatch/dispatcher.js';
import type { OverflowError } from '../errors.js';

/** The hooks in which user code runs, as `onError` is told them. */
export type HookName = 'onHandshake' | 'onConnect' | 'onRead' | 'onWrite' | 'onPong' | 'onClose' | 'onOverflowError';

export interface ConnectionHooks {
  onConnect(...args: unknown[]): unknown;
  onRead(...data: unknown[]): unknown;
  onWrite(): unknown;
  onPong(roundTrip: number | Buffer): unknown;
  onClose(code: number, reason: string, wasClean: boolean): unknown;
  onOverflowError(error: OverflowError): unknown;
  onError(error: unknown, hook: HookName): unknown;
}

export interface ConnectionSettings extends DispatchSettings {
  /** How long to wait for the peer while closing, in milliseconds. */
  readonly closeTimeout: number;
  /** Buffered bytes from which on `write` returns false. */
  readonly highWaterMark: number;
  /** Whether `onWrite` does anything: nobody waits for the kernel on behalf of a hook that is not there. */
  readonly watchesWrites: boolean;
  /** What the log calls the route. */
  readonly name: string;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
