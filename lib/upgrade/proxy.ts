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

/** What they ask a request for, and its app. */
const ASKED: ReadonlySet<unknown> = new Set(['secure', 'protocol', 'connection', 'socket', 'app']);
const SETTING = 'trust proxy fn';

/** What the getters of a prototype make of a request by such a socket; undefined where they ask for anything else. */
function secureOf(prototype: object, encrypted: boolean): unknown {
  if (!('secure' in prototype)) return encrypted;
  let isKnown = true;
  const get = (setting: unknown): (() => boolean) => {
    isKnown &&= setting === SETTING;
    return () => false;
  };
  const members: Record<string, unknown> = { socket: { encrypted }, connection: { encrypted }, app: { get } };
  const request = new Proxy(prototype, {
    get(_target, name, receiver) {
      isKnown &&= ASKED.has(name);
      return typeof name === 'string' && name in members ? members[name] : Reflect.get(prototype, name, receiver);
    },
  });
  try {
    const secure: unknown = Reflect.get(request, 'secure');
    return isKnown ? secure : undefined;
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
