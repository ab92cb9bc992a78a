/**
 * A socket that Node's HTTP server no longer reads and no connection reads yet: at the upgrade door from the `upgrade` event on,
 * at the request door while the 101 is on its way. Until a connection takes the socket over, this does what the server does:
 *
 *     bytes ──▶ kept for the connection, since the client may have the 101 before we hear that it has been sent
 *     FIN   ──▶ ends the socket: the client has left, and everything that waits for it hears `close`
 *
 * The socket is always read. Otherwise neither FIN nor a reset would be noticed, and a client that leaves would keep its place.
 */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** A client that sends more than this before the 101 has left the protocol (RFC 6455 section 4.1), and is disconnected. */
const MAX_EARLY_BYTES = 64 * 1024;
/** Up to this size bytes are copied behind each other, so that a client that sends them one by one pins no object for each. */
const MIN_CAPACITY = 1024;

const NOTHING = Buffer.alloc(0);

const pendingSockets = new WeakMap<Duplex, PendingSocket>();

/** Undefined for a socket that the server still reads. */
export function pendingSocketOf(socket: Duplex): PendingSocket | undefined {
  return pendingSockets.get(socket);
}

export class PendingSocket {
  /** The response that ends the wait. */
  response: ServerResponse | undefined = undefined;
  private readonly socket: Duplex;
  private bytes: Buffer;
  private length: number;
  private isDiscarding = false;

  /** @param head what has been read already */
  constructor(socket: Duplex, head: Buffer) {
    this.socket = socket;
    this.bytes = head;
    this.length = head.length;
    // The end is up to this: a stream that may not be half open would end by itself while it owes the connection a goodbye.
    socket.allowHalfOpen = true;
    socket.on('data', this.onData);
    socket.on('end', this.onEnd);
    socket.resume();
    pendingSockets.set(socket, this);
  }

  /**
   * Leaves the socket, paused, to the connection.
   *
   * @returns what has arrived
   */
  release(): Buffer {
    const { socket } = this;
    socket.pause();
    socket.removeListener('data', this.onData);
    socket.removeListener('end', this.onEnd);
    pendingSockets.delete(socket);
    return this.bytes.subarray(0, this.length);
  }

  /** Drops what has arrived and what is to come: no connection will want it. */
  discard(): void {
    this.isDiscarding = true;
    this.bytes = NOTHING;
    this.length = 0;
    this.socket.resume();
  }

  /** The end of the response has been written: what the client sends now may be an answer to it. */
  private get isAnswered(): boolean {
    return this.response?.writableEnded === true;
  }

  private readonly onData = (chunk: Buffer): void => {
    if (this.isDiscarding) return;
    this.append(chunk);
    if (this.length <= MAX_EARLY_BYTES) return;
    if (this.isAnswered) this.socket.pause();
    else this.socket.destroy();
  };

  private readonly onEnd = (): void => {
    if (!this.isAnswered) this.socket.end();
  };

  private append(chunk: Buffer): void {
    const { bytes, length } = this;
    const needed = length + chunk.length;
    if (length === 0) this.bytes = chunk;
    else if (needed > bytes.length) {
      this.bytes = Buffer.allocUnsafeSlow(Math.max(needed, 2 * length, MIN_CAPACITY));
      bytes.copy(this.bytes, 0, 0, length);
      chunk.copy(this.bytes, length);
    } else chunk.copy(bytes, length);
    this.length = needed;
  }
}
