/**
 * The async context (`AsyncLocalStorage`, the spans of tracers) in which the hooks of a connection run. Node hands a context on
 * from cause to effect, and what happens to a connection has many causes: its peer, a timer that all connections share, another
 * connection's handler that filled the queue first. So hooks would see the context of one user after that of another. Here a
 * context is chosen once for each connection, and its hooks enter that one.
 */
import { AsyncLocalStorage, type AsyncResource } from 'node:async_hooks';
import { AsyncScope } from '../deflate/async-scope.js';

/** What hooks see: no context, or that of the request that opened the connection. */
export type AsyncContextChoice = 'none' | 'handshake';

/** Made while this module loads, outside of every request. All connections share it. */
const none = new AsyncScope('WebSocketConnection');

/** The context for a connection whose handshake is at work. */
export function contextFor(choice: AsyncContextChoice): AsyncResource {
  return choice === 'none' ? none : new AsyncScope('WebSocketConnection');
}

/** What to run something of the user's in, once: `scopeOf(context).runInAsyncScope(…)`. */
export function scopeOf(context: AsyncResource): AsyncResource {
  return keepsWhatIsEntered ? Object.create(context) : context;
}

/**
 * Whether `enterWith` writes into the resource at hand, where the next hook would find it, of this connection or of another: up
 * to Node 22 it does. A scope that nobody enters again is the remedy.
 */
const keepsWhatIsEntered = ((): boolean => {
  const resource = new AsyncScope('WebSocketConnection');
  const storage = new AsyncLocalStorage<boolean>();
  resource.runInAsyncScope(() => storage.enterWith(true));
  const isKept = resource.runInAsyncScope(() => storage.getStore() === true);
  storage.disable();
  return isKept;
})();
