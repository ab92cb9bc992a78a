/**
 * The two addresses of a connection, whose socket may be of TCP, of TLS, or any other duplex stream. They are asked for while
 * somebody knows them: the kernel forgets the peer of a connection that was reset, and Node that of a socket that is closed.
 */
import type { Duplex } from 'node:stream';
import { addressFromHandle } from './node-internals.js';

type Which = 'localAddress' | 'remoteAddress';

/** The latest of each. Behind a proxy all connections have the same, and one string does for them. */
const latest: Record<Which, string | undefined> = { localAddress: undefined, remoteAddress: undefined };

export function addressOf(socket: Duplex, which: Which): string | undefined {
  const address = addressFromHandle(socket, which) ?? Reflect.get(socket, which);
  if (typeof address !== 'string') return undefined;
  if (address !== latest[which]) latest[which] = address;
  return latest[which];
}
