/** Addresses of what may be a TCP socket, a TLS one, or any other duplex stream. */
import type { Duplex } from 'node:stream';

export function addressOf(socket: Duplex, which: 'localAddress' | 'remoteAddress'): string | undefined {
  const address: unknown = Reflect.get(socket, which);
  return typeof address === 'string' ? address : undefined;
}
