/**
 * What a request says of itself when there may be a proxy in front. Express knows, by its setting `trust proxy`: where it
 * trusts, the forwarded headers count, and nowhere else.
 */
import type { IncomingMessage } from 'node:http';

/** Whether the client came over TLS. */
export function isSecure(request: IncomingMessage): boolean {
  // Express's getter; a bare request has none.
  const secure: unknown = Reflect.get(request, 'secure');
  if (typeof secure === 'boolean') return secure;
  return Reflect.get(request.socket, 'encrypted') === true;
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
