/**
 * The socket of a connection: a TCP or TLS socket, or any other duplex stream. Only the transport pauses, resumes,
 * writes to, ends, destroys and queries it.
 *
 * All sockets share the same listener functions, which find the transport through a property of the socket, so that ten
 * thousand idle connections need no closures.
 */
import { type Duplex, Readable } from 'node:stream';
import { type Chunk, isOnLoan, lend, READ_BUFFER, takeBack } from '../memory/shared-read-buffer.js';
import { hasNativeHandle, hasNativeWrite, isEncrypting, transmittedBytes, unsentBytes } from './node-internals.js';
import { memoryForNextRead, nextReadIs, shareDecrypted, shareReads } from './shared-reads.js';
import { WatchedWrites } from './watched-writes.js';

export interface TransportListener {
  /** @returns how many more bytes may arrive now; 0 for none until `resume` */
  onData(chunk: Chunk): number;
  /** The peer has sent its last byte. */
  onEnd(): void;
  /** The socket is closed, for whatever reason. */
  onClose(): void;
}

const { pause: pauseStream } = Readable.prototype;

const kTransport = Symbol('websocket-route');

interface Listened extends Duplex {
  [kTransport]?: Transport | undefined;
}

const NOTHING = Buffer.alloc(0);

export class Transport {
  readonly socket: Duplex;
  /** Whether the socket may be given memory that is reused once the write is done. See also `mayLend`. */
  private readonly isNative: boolean;
  private listener: TransportListener | undefined = undefined;
  private readsShared = false;
  /** Of a socket of TLS, which never says at once that it has taken a write. */
  private readonly writes: WatchedWrites | undefined;

  constructor(socket: Duplex) {
    this.socket = socket;
    this.isNative = hasNativeHandle(socket);
    this.writes = isEncrypting(socket) ? new WatchedWrites() : undefined;
  }

  /** Attaches the listener. The socket stays paused until `resume`. */
  listen(listener: TransportListener): void {
    const socket: Listened = this.socket;
    this.listener = listener;
    socket[kTransport] = this;
    // First, so that no reset goes unhandled while other code runs.
    socket.on('error', onError);
    socket.pause();
    // Otherwise Node ends a TLS socket after FIN, and the output that waits here for a slow peer would be lost.
    socket.allowHalfOpen = true;
    // Needed even if it is never called, because it makes the stream flow.
    socket.on('data', onData);
    this.readsShared =
      this.writes === undefined ? shareReads(socket, onSharedRead) : shareDecrypted(socket, onDecrypted);
    socket.on('end', onEnd);
    socket.on('close', onClose);
  }

  // Reading.

  /**
   * Pauses reading until `resume`. A socket of Node's continues to read while the listener has room, so that a reset is
   * noticed; the socket's own `pause` would prevent that.
   */
  pause(): void {
    if (this.readsShared) pauseStream.call(this.socket);
    else this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /**
   * Delivers bytes in memory that other code may keep. The parser unmasks in place, so the listener gets a copy, in the
   * memory that all sockets read into, where unmasking is cheapest.
   *
   * @returns how many more bytes may arrive
   */
  deliver(chunk: Uint8Array): number {
    const { listener } = this;
    if (listener === undefined) return 0;
    // A synchronous stream, or TLS, may bring more data while a hook is still processing the previous data.
    if (isOnLoan()) return listener.onData(Buffer.from(chunk));
    let room = Number.POSITIVE_INFINITY;
    for (let at = 0; at < chunk.length; at += READ_BUFFER.length) {
      const part = chunk.subarray(at, at + READ_BUFFER.length);
      READ_BUFFER.set(part);
      room = this.lendTo(listener, part.length);
    }
    return room;
  }

  /** Delivers `length` bytes of the shared memory. */
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

  /** Whether the peer's FIN has been read. */
  get readableEnded(): boolean {
    return this.socket.readableEnded;
  }

  /** The bytes that the stream has read ahead. */
  get readableLength(): number {
    return this.socket.readableLength;
  }

  // Writing.

  write(bytes: Buffer, callback?: (error?: Error | null) => void): void {
    const { socket, writes } = this;
    if (callback !== undefined) {
      if (writes !== undefined) writes.isLast = false;
      socket.write(bytes, callback);
    } else if (writes !== undefined) socket.write(bytes, writes.begin());
    else socket.write(bytes);
  }

  cork(): void {
    this.socket.cork();
  }

  uncork(): void {
    this.socket.uncork();
  }

  /**
   * Whether the socket may be given memory that is overwritten once nothing waits in the stream. Code between the
   * socket and the operating system (a middleware's own `write`, a subclass, a stream that is not a socket) may keep
   * the memory and pass it on later.
   */
  get mayLend(): boolean {
    return this.isNative && hasNativeWrite(this.socket);
  }

  /** The bytes in the stream, including writes that are not done. */
  get writableLength(): number {
    return this.socket.writableLength;
  }

  get writableEnded(): boolean {
    return this.socket.writableEnded;
  }

  /** The bytes that the kernel has not accepted. */
  get unsentBytes(): number {
    return unsentBytes(this.socket);
  }

  /** A number that changes while the peer accepts output. */
  get transmittedBytes(): number {
    return transmittedBytes(this.socket);
  }

  /** Calls back when the kernel has accepted everything written so far, or never if the connection is lost first. */
  whenFlushed(callback: () => void): void {
    if (this.socket.writableEnded) {
      this.socket.once('finish', callback);
      return;
    }
    if (this.writes?.whenTaken(callback)) return;
    this.socket.write(NOTHING, (error) => {
      if (!error) callback();
    });
  }

  // The end.

  /** Sends FIN after the output written so far. */
  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  get destroyed(): boolean {
    return this.socket.destroyed;
  }

  // Counters. Streams that are not sockets have none.

  get bytesReceived(): number {
    return numberOf(this.socket, 'bytesRead');
  }

  get bytesSent(): number {
    // Node's counter includes bytes that wait in the stream and drops them when they are lost, so it could decrease.
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

function onDecrypted(this: Listened, length: number, memory: Buffer): boolean {
  const { [kTransport]: transport } = this;
  const chunk = memory.subarray(0, length);
  if (this.listenerCount('data') > 1) tellOthers(this, Buffer.from(chunk));
  const room = transport?.deliver(chunk);
  if (room === 0) this.pause();
  return room !== 0;
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
  // Not by `delete`, which would make a dictionary of the socket.
  this[kTransport] = undefined;
}

/** Ignores a reset or a broken pipe, because `close` follows and is handled. */
function onError(): void {}
