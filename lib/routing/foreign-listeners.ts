/**
 * Warns about other `upgrade` listeners. Once a server has one, Node passes all handshakes to it and the routes get
 * none: clients hang, without any explanation. The routes still see the app's ordinary requests and warn on one of
 * those. Each request is checked because a listener may be added late: `createProxyMiddleware` adds its own on the
 * first request.
 */
import type { IncomingMessage } from 'node:http';
import { isWebSocketHandshake } from '../handshake/negotiate.js';

/** The part of a server that is used here. */
interface Listened {
  listenerCount(event: 'upgrade'): number;
  listeners(event: 'upgrade' | 'request'): readonly object[];
  /** Node's default, which takes no arguments, or a user's. */
  readonly shouldUpgradeCallback?: unknown;
}

/** Listeners made by `upgradeListener`, and the apps they were made for. */
const ours = new WeakSet<object>();
const apps = new WeakSet<object>();
/** Servers that were checked or warned about already. */
const settled = new WeakSet<object>();

export function rememberListener(listener: object, app: object): void {
  ours.add(listener);
  apps.add(app);
}

export function isOurs(listener: object): boolean {
  return ours.has(listener);
}

/** Warns, once per server, if handshakes do not reach the app. */
export function warnOfForeignListeners(request: IncomingMessage, route: string): void {
  // HTTP/2 has no upgrades. A server for both versions gets its handshakes over HTTP/1.
  if (request.httpVersionMajor !== 1) return;
  const { server } = (request.socket ?? {}) as { server?: Listened };
  if (typeof server?.listenerCount !== 'function' || server.listenerCount('upgrade') === 0) return;
  if (settled.has(server)) return;
  settled.add(server);
  if (isReached(server) || isOfOurApp(request) || isWebSocketHandshake(request)) return;
  process.emitWarning(
    `Handshakes do not reach the route ${route}: another listener for 'upgrade' on this server receives all of ` +
      "them. Add server.on('upgrade', upgradeListener(app, { path: '/ws' })), with the path prefix of your routes.",
    { type: 'WebSocketRouteWarning', code: 'WS_UPGRADE_LISTENER' },
  );
}

/** Whether `upgradeListener` was called for the Express app of the request, or for an app it is mounted on. */
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
  // A user's listener may call one of ours.
  if (server.listeners('request').some((app) => apps.has(app))) return true;
  const { shouldUpgradeCallback: callback } = server;
  if (typeof callback !== 'function' || callback === isWebSocketHandshake) return false;
  // Node's default has neither a name nor parameters; a user's own callback leaves handshakes to the app.
  return callback.name !== '' || callback.length > 0;
}
