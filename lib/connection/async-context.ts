/**
 * The async context (`AsyncLocalStorage`, tracer spans) in which the hooks of a connection run. Node propagates a
 * context from cause to effect, and events on a connection have many causes: its peer, a timer that all connections
 * share, or another connection's handler that filled a queue first. Hooks would therefore see the context of one user
 * after that of another. Here each connection chooses its context once, and all its hooks run in it.
 */
import { AsyncLocalStorage, type AsyncResource } from 'node:async_hooks';
import { AsyncScope } from '../deflate/async-scope.js';

/** The context that hooks see: none, or that of the request that opened the connection. */
export type AsyncContextChoice = 'none' | 'handshake';

/** Created while this module loads, outside any request. All connections share it. */
const none = new AsyncScope('WebSocketConnection');

/** @returns the context for a connection; to be called during its handshake */
export function contextFor(choice: AsyncContextChoice): AsyncResource {
  return choice === 'none' ? none : new AsyncScope('WebSocketConnection');
}

/** @returns the scope for one call of the user's code: `scopeOf(context).runInAsyncScope(…)` */
export function scopeOf(context: AsyncResource): AsyncResource {
  return keepsWhatIsEntered ? Object.create(context) : context;
}

/**
 * Whether `enterWith` stores the context in the current resource, where the next hook, perhaps of another connection,
 * would find it. Up to Node 22 it does. A scope that is used only once prevents that.
 */
const keepsWhatIsEntered = ((): boolean => {
  const resource = new AsyncScope('WebSocketConnection');
  const storage = new AsyncLocalStorage<boolean>();
  resource.runInAsyncScope(() => storage.enterWith(true));
  const isKept = resource.runInAsyncScope(() => storage.getStore() === true);
  storage.disable();
  return isKept;
})();
