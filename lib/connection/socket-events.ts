/**
 * Ties a socket's events to its connection. The listeners are the same functions for all connections, found through one
 * property of the socket: ten thousand idle connections cost no closure.
 */
import type { Duplex } from 'node:stream';

export interface SocketListener {
  onData(chunk: Buffer): void;
  /** The peer has sent its last byte. */
  onEnd(): void;
  /** The socket is gone, whatever the reason. */
  onGone(): void;
}

const kListener = Symbol('websocket-route');

interface Listened extends Duplex {
  [kListener]?: SocketListener;
}

export function listen(socket: Listened, listener: SocketListener): void {
  socket[kListener] = listener;
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', onClose);
  socket.on('error', onError);
}

function onData(this: Listened, chunk: Buffer): void {
  this[kListener]?.onData(chunk);
}

function onEnd(this: Listened): void {
  this[kListener]?.onEnd();
}

function onClose(this: Listened): void {
  this[kListener]?.onGone();
  delete this[kListener];
}

/** A reset or a broken pipe: `close` follows, and tells all there is to tell. */
function onError(): void {}
