/**
 * Once anything listens to a server's `upgrade` event, Node gives it all handshakes, and the routes get none: they hang, and
 * nothing says why. The routes still see the ordinary requests of the app, and warn by one of those. At each, because a
 * listener may be added late: `createProxyMiddleware` adds its own when the first request has come.
 */
import type { IncomingMessage } from 'node:http';
import { isWebSocketHandshake } from '../handshake/negotiate.js';

/** What is asked of a server. */
interface Listened {
  listenerCount(event: 'upgrade'): number;
  listeners(event: 'upgrade' | 'request'): readonly object[];
  /** Node's own, which takes no argument, or that of a user. */
  readonly shouldUpgradeCallback?: unknown;
}

/** Every listener that `upgradeListener` has made, and the apps it was made for. */
const ours = new WeakSet<object>();
const apps = new WeakSet<object>();
/** Servers that have been warned of, or need not be. */
const settled = new WeakSet<object>();

export function rememberListener(listener: object, app: object): void {
  ours.add(listener);
  apps.add(app);
}

export function isOurs(listener: object): boolean {
  return ours.has(listener);
}

/** Warns, once for a server, where handshakes do not reach the app. */
export function warnOfForeignListeners(request: IncomingMessage, route: string): void {
  // HTTP/2 has no upgrades; of a server that speaks both versions the handshakes come with requests of HTTP/1.
  if (request.httpVersionMajor !== 1) return;
  const { server } = (request.socket ?? {}) as { server?: Listened };
  if (typeof server?.listenerCount !== 'function' || server.listenerCount('upgrade') === 0) return;
  if (settled.has(server)) return;
  settled.add(server);
  if (isReached(server) || isOfOurApp(request) || isWebSocketHandshake(request)) return;
  process.emitWarning(
    `No handshake reaches the route ${route}: something else listens to 'upgrade' on this server, and Node gives it all of ` +
      "them. Add server.on('upgrade', upgradeListener(app, { path: '/ws' })), with the path that your routes are below.",
    { type: 'WebSocketRouteWarning', code: 'WS_UPGRADE_LISTENER' },
  );
}

/** Whether one of ours was made for the Express app that the request is at, or for one that this app is mounted on. */
function isOfOurApp(request: IncomingMessage & { app?: unknown }): boolean {
  let { app } = request;
  while ((typeof app === 'function' || typeof app === 'object') && app !== null) {
    if (apps.has(app)) return true;
    app = Reflect.get(app, 'parent');
  }
  return false;
}

/** Whether handshakes reach the app. */
function isReached(server: Listened): boolean {
  if (server.listeners('upgrade').some(isOurs)) return true;
  // A listener of the user's own may call one of ours.
  if (server.listeners('request').some((app) => apps.has(app))) return true;
  const { shouldUpgradeCallback: callback } = server;
  if (typeof callback !== 'function' || callback === isWebSocketHandshake) return false;
  // Node's own has neither name nor arguments; with one of theirs users leave handshakes to the app.
  return callback.name !== '' || callback.length > 0;
}
