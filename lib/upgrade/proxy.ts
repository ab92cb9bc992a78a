/**
 * What a request says of itself when there may be a proxy in front. Express knows, by its setting `trust proxy`: where it
 * trusts, the forwarded headers count, and nowhere else.
 */
import type { IncomingMessage } from 'node:http';

/** Whether the client came over TLS. */
export function isSecure(request: IncomingMessage): boolean {
  // Express's getter asks the kernel for the peer's address, which the socket then keeps: not where the answer is known.
  if (request.headers['x-forwarded-proto'] === undefined && goesByProtocol(request)) return isEncrypted(request.socket);
  // Express's getter; a bare request has none.
  const secure: unknown = Reflect.get(request, 'secure');
  return typeof secure === 'boolean' ? secure : isEncrypted(request.socket);
}

function isEncrypted(socket: object): boolean {
  return 'encrypted' in socket && socket.encrypted === true;
}

/** By the prototype of an app's requests: whether `secure` and `protocol` are Express's own, or as good. */
const knownPrototypes = new WeakMap<object, boolean>();

/** Whether `secure` tells of the socket, and of `X-Forwarded-Proto` where the proxy is trusted, and of nothing else. */
function goesByProtocol(request: IncomingMessage): boolean {
  if (Object.hasOwn(request, 'secure') || Object.hasOwn(request, 'protocol')) return false;
  const prototype: object = Object.getPrototypeOf(request);
  let known = knownPrototypes.get(prototype);
  if (known === undefined) {
    known = [true, false].every((encrypted) => secureOf(prototype, encrypted) === encrypted);
    knownPrototypes.set(prototype, known);
  }
  return known;
}

/** What the getters of a prototype make of a request by such a socket that has nothing else; undefined where they want more. */
function secureOf(prototype: object, encrypted: boolean): unknown {
  if (!('secure' in prototype)) return encrypted;
  const socket = { encrypted, remoteAddress: undefined };
  const app = { get: () => () => false };
  const members = { socket, connection: socket, app, get: undefined, headers: undefined };
  try {
    return Reflect.get(Object.create(prototype, Object.getOwnPropertyDescriptors(members)), 'secure');
  } catch {
    return undefined;
  }
}

/** The host and port the client asked for. */
export function hostOf(request: IncomingMessage): string | undefined {
  const forwarded = request.headers['x-forwarded-host'];
  if (typeof forwarded !== 'string' || !trustsProxy(request)) return request.headers.host;
  const comma = forwarded.indexOf(',');
  return (comma === -1 ? forwarded : forwarded.slice(0, comma)).trim();
}

function trustsProxy(request: IncomingMessage): boolean {
  const app: unknown = Reflect.get(request, 'app');
  if (typeof app !== 'function' || !('get' in app) || typeof app.get !== 'function') return false;
  const trust: unknown = app.get('trust proxy fn');
  return typeof trust === 'function' && Boolean(trust(request.socket.remoteAddress, 0));
}
