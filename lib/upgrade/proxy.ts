/**
 * What a request says of itself when there may be a proxy in front. Express knows, by its setting `trust proxy`: where it
 * trusts, the forwarded headers count, and nowhere else.
 */
import type { IncomingMessage } from 'node:http';
import { elementsOf } from './tokens.js';

/** Whether each scheme that a proxy may name means TLS: Traefik names that of the WebSocket. */
const SCHEMES: ReadonlyMap<string, boolean> = new Map([
  ['https', true],
  ['wss', true],
  ['http', false],
  ['ws', false],
]);

/**
 * Whether the client came over TLS.
 *
 * @returns undefined where a proxy that is trusted names a scheme that tells neither: do not rely on either
 */
export function isSecure(request: IncomingMessage): boolean | undefined {
  // Express's getters, or the app's own in their place; a bare request has none.
  const secure: unknown = Reflect.get(request, 'secure');
  if (typeof secure !== 'boolean') return isEncrypted(request.socket);
  const protocol: unknown = Reflect.get(request, 'protocol');
  // Express's `secure` knows `https` alone, in lower case. With any other word its "no" says nothing.
  if (secure || protocol === 'https' || typeof protocol !== 'string') return secure;
  return SCHEMES.get((forwarded(request, 'x-forwarded-proto') ?? protocol).toLowerCase());
}

function isEncrypted(socket: object): boolean {
  return 'encrypted' in socket && socket.encrypted === true;
}

/** The host and port the client asked for. */
export function hostOf(request: IncomingMessage): string | undefined {
  return forwarded(request, 'x-forwarded-host') ?? request.headers.host;
}

/** What the proxies say, if they are trusted: each adds to the list, so the first one has spoken with the client. */
function forwarded(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && trustsProxy(request) ? elementsOf(value)[0] : undefined;
}

function trustsProxy(request: IncomingMessage): boolean {
  const app: unknown = Reflect.get(request, 'app');
  if (typeof app !== 'function' || !('get' in app) || typeof app.get !== 'function') return false;
  const trust: unknown = app.get('trust proxy fn');
  return typeof trust === 'function' && Boolean(trust(request.socket.remoteAddress, 0));
}
