/** What becomes of an error that a hook threw, or rejected with. */
import { InvalidStateError, isA, propertyOf } from '../errors.js';
import { logError } from '../log.js';
import { publish } from '../telemetry/channels.js';
import type { ConnectionHooks, ConnectionSettings, HookName } from './hooks.js';

/**
 * Counts and publishes it, and calls `onError`.
 *
 * @returns what that returns; throws what that throws
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

/** `onError` itself has failed. */
export function reportSecond({ name, log }: Pick<ConnectionSettings, 'name' | 'log'>, error: unknown): void {
  logError(`onError of ${name} failed`, error, log);
}

/**
 * Whether it says that the connection is not open; of one that has gone meanwhile that is no mistake of the handler. `AbortError`s
 * of Node have the reason of the `signal` for their cause.
 */
export function isDueToState(error: unknown): boolean {
  return isA(error, InvalidStateError) || isA(propertyOf(error, 'cause'), InvalidStateError);
}
