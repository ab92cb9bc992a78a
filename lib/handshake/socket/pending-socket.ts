/**
 * A socket that Node's HTTP server no longer reads and that no connection reads yet: after an `upgrade` event, or
 * while the 101 is being sent. Until a connection takes it over, this class does the server's work:
 *
 *     bytes ──▶ buffered for the connection, since the client may receive the 101 before we learn that it was sent
 *     FIN   ──▶ ends the socket: the client has disconnected, and `close` tells everything that waits for it
 *
 * The socket is read all the time. Otherwise neither FIN nor a reset would be noticed, and a disconnected client
 * would keep its place.
 */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * A client that sends more than this before the 101 violates the protocol (RFC 6455 section 4.1), and is
 * disconnected.
 */
const MAX_EARLY_BYTES = 64 * 1024;
/**
 * Smaller chunks are copied into one buffer, so that a client that sends single bytes does not pin an object for
 * each.
 */
const MIN_CAPACITY = 1024;

const NOTHING = Buffer.alloc(0);

const pendingSockets = new WeakMap<Duplex, PendingSocket>();

/** Undefined for a socket that the server still reads. */
export function pendingSocketOf(socket: Duplex): PendingSocket | undefined {
  return pendingSockets.get(socket);
}

export class PendingSocket {
  /** The response that ends the waiting. */
  response: ServerResponse | undefined = undefined;
  private readonly socket: Duplex;
  private bytes: Buffer;
  private length: number;
  private isDiscarding = false;

  /** @param head data already read */
  constructor(socket: Duplex, head: Buffer) {
    this.socket = socket;
    this.bytes = head;
    this.length = head.length;
    // A stream that may not be half open would end by itself while it still owes the peer a close frame.
    socket.allowHalfOpen = true;
    socket.on('data', this.onData);
    socket.on('end', this.onEnd);
    socket.resume();
    pendingSockets.set(socket, this);
  }

  /**
   * Hands the socket over, paused.
   *
   * @returns the data received
   */
  release(): Buffer {
    const { socket } = this;
    socket.pause();
    socket.removeListener('data', this.onData);
    socket.removeListener('end', this.onEnd);
    pendingSockets.delete(socket);
    return this.bytes.subarray(0, this.length);
  }

  /** Drops all data, received and to come: there will be no connection. */
  discard(): void {
    this.isDiscarding = true;
    this.bytes = NOTHING;
    this.length = 0;
    this.socket.resume();
  }

  /** The end of the response has been written: later data from the client may be an answer to it. */
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
