/** How far a peer has come with what it is being sent. */
import type { Duplex } from 'node:stream';

/**
 * A number that changes while the peer takes what was written. A large write counts as a whole in the documented figures,
 * when it is done; what libuv still has of it is only told by the handle, where there is one.
 */
export function transmittedBytes(socket: Duplex): number {
  const written = numberIn(socket, 'bytesWritten') - socket.writableLength;
  const handle: unknown = Reflect.get(socket, '_handle');
  return written - (typeof handle === 'object' && handle !== null ? numberIn(handle, 'writeQueueSize') : 0);
}

/**
 * Bytes that the kernel has not taken. A write that libuv is at counts in `writableLength` as a whole until the last of it has
 * gone; what is left of it is only told by the handle. Where that is not to be had (TLS, streams that are no sockets): as a whole.
 */
export function unsentBytes(socket: Duplex): number {
  const { writableLength } = socket;
  if (writableLength === 0 || Reflect.has(socket, 'encrypted')) return writableLength;
  const handle: unknown = Reflect.get(socket, '_handle');
  const state: unknown = Reflect.get(socket, '_writableState');
  if (typeof handle !== 'object' || handle === null || typeof state !== 'object' || state === null)
    return writableLength;
  const gone = numberIn(state, 'writelen') - numberIn(handle, 'writeQueueSize');
  return gone > 0 && gone <= writableLength ? writableLength - gone : writableLength;
}

function numberIn(object: object, property: string): number {
  const value: unknown = Reflect.get(object, property);
  return typeof value === 'number' ? value : 0;
}
