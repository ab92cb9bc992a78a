/**
 * What a request says of itself when there may be a proxy in front. Express knows, by its setting `trust proxy`: where it
 * trusts, the forwarded headers count, and nowhere else.
 */
import type { IncomingMessage } from 'node:http';
import { addressOf } from '../../transport/addresses.js';
import { elementsOf } from './tokens.js';

/** Whether each scheme that a proxy may name means TLS. Traefik names the WebSocket's. */
const SCHEMES: ReadonlyMap<string, boolean> = new Map([
  ['https', true],
  ['wss', true],
  ['http', false],
  ['ws', false],
]);

/**
 * Whether the client came over TLS.
 *
 * @returns undefined where a trusted proxy names another scheme: then treat the client as secure or not, whichever lets less in
 */
export function isSecure(request: IncomingMessage): boolean | undefined {
  // Express's getters, or the app's own in their place; a bare request has none.
  const secure: unknown = Reflect.get(request, 'secure');
  if (typeof secure !== 'boolean') return isEncrypted(request.socket);
  const protocol: unknown = Reflect.get(request, 'protocol');
  // Express's `secure` knows `https` only, in lower case: with any other word, false says nothing.
  if (secure || protocol === 'https' || typeof protocol !== 'string') return secure;
  return SCHEMES.get((forwarded(request, 'x-forwarded-proto') ?? protocol).toLowerCase());
}

export function isEncrypted(socket: object): boolean {
  return 'encrypted' in socket && socket.encrypted === true;
}

/**
 * The address of the peer, which may be a proxy. Express has asked the socket already, to know whether it trusts that one, and the
 * socket keeps the answer: to ask the operating system again would be a system call for each handshake.
 */
export function peerOf(request: IncomingMessage): string | undefined {
  const { socket } = request;
  const known = 'app' in request ? socket.remoteAddress : undefined;
  return known ?? addressOf(socket, 'remoteAddress');
}

/** The host and port the client asked for. */
export function hostOf(request: IncomingMessage): string | undefined {
  return forwarded(request, 'x-forwarded-host') ?? request.headers.host;
}

/** What a trusted proxy says. Each proxy appends to the list, so the first element is about the client. */
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
