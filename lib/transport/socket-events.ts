/**
 * Ties a socket's events to its connection. The listeners are the same functions for all connections, found through one
 * property of the socket: ten thousand idle connections cost no closure.
 */
import { type Duplex, Readable } from 'node:stream';
import { isOnLoan, lend, MEMORY, takeBack } from '../framing/simd-scan.js';
import { readMore, readsTogether, readTogether } from './shared-reads.js';

export interface SocketListener {
  /** @returns whether more may come now; a stream of the usual kind is paused besides */
  onData(chunk: Buffer): boolean;
  /** The peer has sent its last byte. */
  onEnd(): void;
  /** The socket is gone, whatever the reason. */
  onGone(): void;
}

/** A socket's own `pause` would stop reading at once. */
const { pause: pauseStream } = Readable.prototype;

const kListener = Symbol('websocket-route');

interface Listened extends Duplex {
  [kListener]?: SocketListener;
}

/** The socket is paused then. */
export function listen(socket: Listened, listener: SocketListener): void {
  socket[kListener] = listener;
  // Before anybody else may be called, who might reset it: at no time is there nobody to hear of that.
  socket.on('error', onError);
  socket.pause();
  // After FIN Node ends a TLS socket by itself, and what waits here for a peer that is behind would be lost.
  socket.allowHalfOpen = true;
  // Also where it is never called: it makes the stream flow.
  socket.on('data', onData);
  readTogether(socket, onShared);
  socket.on('end', onEnd);
  socket.on('close', onClose);
}

/**
 * Nothing more is wanted until `socket.resume()`. A little is read ahead nevertheless, so that it is heard when the peer has gone:
 * by the stream, or else by who is given it and says when it is enough.
 */
export function pauseReading(socket: Duplex): void {
  if (readsTogether(socket)) pauseStream.call(socket);
  else socket.pause();
}

/**
 * Bytes in memory of others: whoever made them, or listens to them as well, may keep them, and the engine unmasks in place. So it gets
 * a copy, where all sockets read, because there it costs least to unmask.
 */
export function passOn(listener: SocketListener, chunk: Uint8Array): void {
  // A stream that calls back at once may bring more in the midst of what a hook does with what came before.
  if (isOnLoan()) {
    listener.onData(Buffer.from(chunk));
    return;
  }
  for (let at = 0; at < chunk.length; at += MEMORY.length) {
    const part = chunk.subarray(at, at + MEMORY.length);
    MEMORY.set(part);
    lendTo(listener, part.length);
  }
}

function lendTo(listener: SocketListener, length: number): boolean {
  try {
    return listener.onData(lend(length));
  } finally {
    takeBack();
  }
}

function onData(this: Listened, chunk: Buffer): void {
  const { [kListener]: listener } = this;
  if (listener !== undefined) passOn(listener, chunk);
}

function onShared(this: Listened, length: number, buffer: Buffer): boolean {
  const { [kListener]: listener } = this;
  if (this.listenerCount('data') > 1) tellOthers(this, Buffer.from(buffer.subarray(0, length)));
  const isMoreWanted = listener === undefined || lendTo(listener, length);
  readMore(this, length, buffer);
  return isMoreWanted;
}

/** Somebody has begun to listen after the connection opened. */
function tellOthers(socket: Listened, chunk: Buffer): void {
  for (const other of socket.rawListeners('data')) if (other !== onData) Reflect.apply(other, socket, [chunk]);
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
