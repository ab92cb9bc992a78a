/** How far a peer has come with what it is being sent. */
import type { Duplex } from 'node:stream';

/**
 * A number that changes while the peer takes what was written. A large write counts as a whole in the documented figures,
 * when it is done; what libuv still has of it is only told by the handle, where there is one.
 */
export function progress(socket: Duplex): number {
  const written = numberIn(socket, 'bytesWritten') - socket.writableLength;
  const handle: unknown = Reflect.get(socket, '_handle');
  return written - (typeof handle === 'object' && handle !== null ? numberIn(handle, 'writeQueueSize') : 0);
}

function numberIn(object: object, property: string): number {
  const value: unknown = Reflect.get(object, property);
  return typeof value === 'number' ? value : 0;
}
