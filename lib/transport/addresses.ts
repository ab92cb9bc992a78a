/**
 * The two addresses of a connection, whose socket may use TCP, TLS, or any other duplex stream. They are read early,
 * because the kernel forgets the peer of a connection that was reset, and Node that of a closed socket.
 */
import type { Duplex } from 'node:stream';
import { addressFromHandle } from './node-internals.js';

type Which = 'localAddress' | 'remoteAddress';

/** The most recent addresses. Behind a proxy all connections have the same address, and can share one string. */
const latest: Record<Which, string | undefined> = { localAddress: undefined, remoteAddress: undefined };

export function addressOf(socket: Duplex, which: Which): string | undefined {
  const address = addressFromHandle(socket, which) ?? Reflect.get(socket, which);
  if (typeof address !== 'string') return undefined;
  if (address !== latest[which]) latest[which] = address;
  return latest[which];
}
