/**
 * The two addresses of a connection, whose socket may use TCP, TLS, or any other duplex stream. They are read early,
 * because the kernel forgets the peer of a connection that was reset, and Node that of a closed socket.
 */
import type { Duplex } from 'node:stream';
import { acceptorOf, addressFromHandle } from './node-internals.js';

type Which = 'localAddress' | 'remoteAddress';

/** The most recent addresses. Behind a proxy all connections have the same address, and can share one string. */
const latest: Record<Which, string | undefined> = { localAddress: undefined, remoteAddress: undefined };

export function addressOf(socket: Duplex, which: Which): string | undefined {
  const address =
    (which === 'localAddress' ? addressOfListener(socket) : undefined) ??
    addressFromHandle(socket, which) ??
    Reflect.get(socket, which);
  if (typeof address !== 'string') return undefined;
  if (address !== latest[which]) latest[which] = address;
  return latest[which];
}

/** By server, for as long as it listens there; '' where it listens on several. */
const listeners = new WeakMap<object, string>();
const WILDCARDS: readonly unknown[] = ['0.0.0.0', '::'];

/** A server that listens on one address has accepted all its connections there: that costs no system call for each of them. */
function addressOfListener(socket: Duplex): string | undefined {
  const acceptor = acceptorOf(socket);
  if (acceptor === undefined) return undefined;
  const { handle, server } = acceptor;
  let address = listeners.get(handle);
  if (address === undefined) {
    const bound = addressFromHandle(server, 'localAddress');
    address = typeof bound === 'string' && !WILDCARDS.includes(bound) ? bound : '';
    listeners.set(handle, address);
  }
  return address === '' ? undefined : address;
}
