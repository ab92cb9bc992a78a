/**
 * The two addresses of a connection, whose socket may be of TCP, of TLS, or any other duplex stream. They are asked for while
 * somebody knows them: the kernel forgets the peer of a connection that was reset, and Node that of a socket that is closed.
 */
import type { Duplex } from 'node:stream';

type Which = 'localAddress' | 'remoteAddress';

/** What the handle of a socket calls them. */
const ASKED: Readonly<Record<Which, string>> = { localAddress: 'getsockname', remoteAddress: 'getpeername' };

/** The latest of each. Behind a proxy all connections have the same, and one string does for them. */
const latest: Record<Which, string | undefined> = { localAddress: undefined, remoteAddress: undefined };

export function addressOf(socket: Duplex, which: Which): string | undefined {
  const address = fromHandle(socket, which) ?? Reflect.get(socket, which);
  if (typeof address !== 'string') return undefined;
  if (address !== latest[which]) latest[which] = address;
  return latest[which];
}

/** A socket that is asked keeps an object for each answer, a hundred bytes of which only these are wanted. Its handle does not. */
function fromHandle(socket: Duplex, which: Which): unknown {
  const handle: unknown = Reflect.get(socket, '_handle');
  const ask: unknown = typeof handle === 'object' && handle !== null && Reflect.get(handle, ASKED[which]);
  if (typeof ask !== 'function') return undefined;
  const answer = {};
  Reflect.apply(ask, handle, [answer]);
  return Reflect.get(answer, 'address');
}
