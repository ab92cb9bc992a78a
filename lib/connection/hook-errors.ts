/** Handles errors that hooks throw or reject with. */
import { InvalidStateError, isA, propertyOf } from '../errors.js';
import { logError } from '../log.js';
import { publish } from '../telemetry/channels.js';
import type { ConnectionHooks, ConnectionSettings, HookName } from './hooks.js';

/**
 * Counts and publishes the error, and calls `onError`.
 *
 * @returns the result of `onError`; throws what `onError` throws
 */
export function tellError(
  hooks: Pick<ConnectionHooks, 'onError'>,
  { route, counters }: Pick<ConnectionSettings, 'route' | 'counters'>,
  error: unknown,
  hook: HookName,
): unknown {
  counters.count('errors', hook);
  publish('error', () => ({ route, connection: hooks, error, hook }));
  return hooks.onError(error, hook);
}

/** Logs an error of `onError` itself. */
export function reportSecond({ name, log }: Pick<ConnectionSettings, 'name' | 'log'>, error: unknown): void {
  logError(`onError of ${name} failed`, error, log);
}

/**
 * Whether the error only says that the connection is not open, which is not the handler's fault if the connection
 * closed meanwhile. Node's `AbortError` carries the reason of the `signal` as its cause.
 */
export function isDueToState(error: unknown): boolean {
  return isA(error, InvalidStateError) || isA(propertyOf(error, 'cause'), InvalidStateError);
}
