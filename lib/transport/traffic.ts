/** What a socket has carried, as far as it tells; streams that are no sockets tell nothing. */
import type { Duplex } from 'node:stream';
import { unsentBytes } from './unsent-bytes.js';

export function bytesReceived(socket: Duplex): number {
  return numberOf(socket, 'bytesRead');
}

export function bytesSent(socket: Duplex): number {
  // Node counts what waits in the stream, too, and no more once it is lost: what has been sent would go back.
  return Math.max(0, numberOf(socket, 'bytesWritten') - unsentBytes(socket));
}

function numberOf(socket: Duplex, property: 'bytesRead' | 'bytesWritten'): number {
  const value: unknown = Reflect.get(socket, property);
  return typeof value === 'number' ? value : 0;
}
