/**
 * Gives up on a peer that does not finish the closing handshake: when for `timeout` milliseconds it has neither ended the
 * connection nor taken any of what is still owed to it, the socket is destroyed.
 */
import type { Duplex } from 'node:stream';

export function destroyWithoutProgress(socket: Duplex, timeout: number): void {
  if (socket.destroyed) return;
  let before = progress(socket);
  const timer = setInterval(() => {
    const now = progress(socket);
    if (now === before) socket.destroy();
    before = now;
  }, timeout);
  // If nothing else keeps the process, it may end, and the socket with it.
  timer.unref();
  socket.once('close', () => clearInterval(timer));
}

/**
 * A number that changes while the peer takes what was written. A large write counts as a whole in the documented figures,
 * when it is done; what libuv still has of it is only told by the handle, where there is one.
 */
function progress(socket: Duplex): number {
  const written = numberIn(socket, 'bytesWritten') - socket.writableLength;
  const handle: unknown = Reflect.get(socket, '_handle');
  return written - (typeof handle === 'object' && handle !== null ? numberIn(handle, 'writeQueueSize') : 0);
}

function numberIn(object: object, property: string): number {
  const value: unknown = Reflect.get(object, property);
  return typeof value === 'number' ? value : 0;
}
