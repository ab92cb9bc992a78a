/**
 * A socket of a connection. This is the only one that pauses, resumes, writes to, ends and destroys it, and the only one that asks
 * it for anything. It may be of TCP, of TLS, or any other duplex stream.
 *
 * The listeners are the same functions for all sockets, and find the transport through a property of the socket: ten thousand idle
 * connections cost no closure.
 */
import { type Duplex, Readable } from 'node:stream';
import { type Chunk, isOnLoan, lend, READ_BUFFER, takeBack } from '../memory/shared-read-buffer.js';
import { hasNativeHandle, hasNativeWrite, transmittedBytes, unsentBytes } from './node-internals.js';
import { memoryForNextRead, nextReadIs, shareReads } from './shared-reads.js';

export interface TransportListener {
  /** @returns how many bytes more may come now; 0: none until `resume` */
  onData(chunk: Chunk): number;
  /** The peer has sent its last byte. */
  onEnd(): void;
  /** The socket is closed, for whatever reason. */
  onClose(): void;
}

const { pause: pauseStream } = Readable.prototype;

const kTransport = Symbol('websocket-route');

interface Listened extends Duplex {
  [kTransport]?: Transport;
}

const NOTHING = Buffer.alloc(0);

export class Transport {
  readonly socket: Duplex;
  /** Whether the socket may be given memory that is used again once it has taken it. See also `mayLend`. */
  private readonly isNative: boolean;
  private listener: TransportListener | undefined = undefined;
  private readsShared = false;

  constructor(socket: Duplex) {
    this.socket = socket;
    this.isNative = hasNativeHandle(socket);
  }

  /** From now on the listener hears of the socket. It is paused until `resume`. */
  listen(listener: TransportListener): void {
    const socket: Listened = this.socket;
    this.listener = listener;
    socket[kTransport] = this;
    // Before anybody else may be called, who might reset it: at no time is there nobody to hear of that.
    socket.on('error', onError);
    socket.pause();
    // After FIN Node ends a TLS socket by itself, and what waits here for a peer that is behind would be lost.
    socket.allowHalfOpen = true;
    // Also where it is never called: it makes the stream flow.
    socket.on('data', onData);
    this.readsShared = shareReads(socket, onSharedRead);
    socket.on('end', onEnd);
    socket.on('close', onClose);
  }

  // Reading.

  /**
   * Nothing more is wanted until `resume`. A socket of TCP reads on until the listener has no more room, so that a reset is heard:
   * its own `pause` would stop that at once.
   */
  pause(): void {
    if (this.readsShared) pauseStream.call(this.socket);
    else this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /**
   * Gives bytes to the listener that are in memory of others. Whoever made them, or listens to them as well, may keep them, and the
   * engine unmasks in place. So the listener gets a copy, where all sockets read, because there it costs least to unmask.
   *
   * @returns how many bytes more may come
   */
  deliver(chunk: Uint8Array): number {
    const { listener } = this;
    if (listener === undefined) return 0;
    // A stream that calls back at once may bring more in the midst of what a hook does with what came before.
    if (isOnLoan()) return listener.onData(Buffer.from(chunk));
    let room = Number.POSITIVE_INFINITY;
    for (let at = 0; at < chunk.length; at += READ_BUFFER.length) {
      const part = chunk.subarray(at, at + READ_BUFFER.length);
      READ_BUFFER.set(part);
      room = this.lendTo(listener, part.length);
    }
    return room;
  }

  /** So many bytes stand in the shared memory. */
  deliverShared(length: number): number {
    return this.listener === undefined ? 0 : this.lendTo(this.listener, length);
  }

  private lendTo(listener: TransportListener, length: number): number {
    try {
      return listener.onData(lend(length));
    } finally {
      takeBack();
    }
  }

  onEnd(): void {
    this.listener?.onEnd();
  }

  onClose(): void {
    this.listener?.onClose();
  }

  /** Whether the end of what the peer sends has been read. */
  get readableEnded(): boolean {
    return this.socket.readableEnded;
  }

  /** Bytes that the stream has read ahead. */
  get readableLength(): number {
    return this.socket.readableLength;
  }

  // Writing.

  write(bytes: Buffer, callback?: (error?: Error | null) => void): void {
    if (callback === undefined) this.socket.write(bytes);
    else this.socket.write(bytes, callback);
  }

  cork(): void {
    this.socket.cork();
  }

  uncork(): void {
    this.socket.uncork();
  }

  /**
   * Whether the socket may be given memory that is written to again, once nothing waits in the stream. Whatever stands between it
   * and the operating system (a middleware's own `write`, a subclass, a stream that is not a socket) may keep what it is given and
   * pass it on later.
   */
  get mayLend(): boolean {
    return this.isNative && hasNativeWrite(this.socket);
  }

  /** Bytes that the stream has not passed on, or whose write is not done. */
  get writableLength(): number {
    return this.socket.writableLength;
  }

  get writableEnded(): boolean {
    return this.socket.writableEnded;
  }

  /** Bytes that the kernel has not taken. */
  get unsentBytes(): number {
    return unsentBytes(this.socket);
  }

  /** A number that changes while the peer takes what was written. */
  get transmittedBytes(): number {
    return transmittedBytes(this.socket);
  }

  /** Calls back when the kernel has taken what was written so far; never, if the connection is lost before. */
  whenFlushed(callback: () => void): void {
    if (this.socket.writableEnded) {
      this.socket.once('finish', callback);
      return;
    }
    this.socket.write(NOTHING, (error) => {
      if (!error) callback();
    });
  }

  // The end.

  /** Sends FIN behind what was written. */
  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  get destroyed(): boolean {
    return this.socket.destroyed;
  }

  // What it tells. Streams that are not sockets tell nothing.

  get bytesReceived(): number {
    return numberOf(this.socket, 'bytesRead');
  }

  get bytesSent(): number {
    // Node counts what waits in the stream, too, and no longer once it is lost: what has been sent would go back.
    return Math.max(0, numberOf(this.socket, 'bytesWritten') - this.unsentBytes);
  }
}

function numberOf(socket: Duplex, property: 'bytesRead' | 'bytesWritten'): number {
  const value: unknown = Reflect.get(socket, property);
  return typeof value === 'number' ? value : 0;
}

function onData(this: Listened, chunk: Buffer): void {
  if (this[kTransport]?.deliver(chunk) === 0) this.pause();
}

function onSharedRead(this: Listened, length: number, memory: Buffer): boolean {
  const { [kTransport]: transport } = this;
  if (this.listenerCount('data') > 1) tellOthers(this, Buffer.from(memory.subarray(0, length)));
  if (transport === undefined) return true;
  const room = transport.deliverShared(length);
  nextReadIs(memoryForNextRead(length, memory, room), memory);
  if (room === 0) this.pause();
  return room > 0;
}

/** Somebody has begun to listen after the connection opened. */
function tellOthers(socket: Listened, chunk: Buffer): void {
  for (const other of socket.rawListeners('data')) if (other !== onData) Reflect.apply(other, socket, [chunk]);
}

function onEnd(this: Listened): void {
  this[kTransport]?.onEnd();
}

function onClose(this: Listened): void {
  this[kTransport]?.onClose();
  delete this[kTransport];
}

/** A reset or a broken pipe: `close` follows, and tells all there is to tell. */
function onError(): void {}
