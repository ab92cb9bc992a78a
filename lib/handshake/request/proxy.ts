/**
 * Properties of a request that may have passed a proxy. Forwarded headers count only if Express's `trust proxy`
 * trusts the proxy.
 */
import type { IncomingMessage } from 'node:http';
import { addressOf } from '../../transport/addresses.js';
import { elementsOf } from './tokens.js';

/** Whether each scheme reported by a proxy means TLS. Traefik reports those of WebSockets. */
const SCHEMES: ReadonlyMap<string, boolean> = new Map([
  ['https', true],
  ['wss', true],
  ['http', false],
  ['ws', false],
]);

/**
 * Whether the client uses TLS.
 *
 * @returns undefined if a trusted proxy reports another scheme: then assume whichever is more restrictive
 */
export function isSecure(request: IncomingMessage): boolean | undefined {
  // Express's getters, or the app's replacements; a bare request has none.
  const secure: unknown = Reflect.get(request, 'secure');
  if (typeof secure !== 'boolean') return isEncrypted(request.socket);
  const protocol: unknown = Reflect.get(request, 'protocol');
  // Express's `secure` recognizes only a lower-case `https`: false proves nothing for other schemes.
  if (secure || protocol === 'https' || typeof protocol !== 'string') return secure;
  return SCHEMES.get((forwarded(request, 'x-forwarded-proto') ?? protocol).toLowerCase());
}

export function isEncrypted(socket: object): boolean {
  return 'encrypted' in socket && socket.encrypted === true;
}

/**
 * The address of the peer, which may be a proxy. Express has already read it for `trust proxy`, and the socket caches
 * it: reading it again would cost a system call per handshake.
 */
export function peerOf(request: IncomingMessage): string | undefined {
  const { socket } = request;
  const known = 'app' in request ? socket.remoteAddress : undefined;
  return known ?? addressOf(socket, 'remoteAddress');
}

/** The host and port that the client requested. */
export function hostOf(request: IncomingMessage): string | undefined {
  return forwarded(request, 'x-forwarded-host') ?? request.headers.host;
}

/** A header of a trusted proxy. Each proxy appends to the list, so the first element describes the client. */
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
