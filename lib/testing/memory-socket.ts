/**
 * The two ends of an in-memory connection. Each looks like a socket to an `http.Server` and to clients: data written
 * at one end arrives at the other in a later turn of the event loop, in order, and with backpressure.
 *
 *     client end ──write──▶ (a turn later) ──▶ server end
 *                ◀── callback: it has room ───
 */
import { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers';

type Callback = (error?: Error | null) => void;

/** How many unread bytes one end may have before the other must wait: as for Node's sockets. */
const HIGH_WATER_MARK = 64 * 1024;

export interface MemorySocketOptions {
  /** The client's address as seen by the server. Default `127.0.0.1`. */
  remoteAddress?: string | undefined;
  /** Whether the server treats the connection as TLS. Default false. */
  secure?: boolean | undefined;
}

export class MemorySocket extends Duplex {
  readonly connecting = false;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: 'IPv4' | 'IPv6';
  readonly localAddress = '127.0.0.1';
  readonly localPort: number;
  readonly encrypted: boolean;
  bytesRead = 0;
  private taken = 0;
  private peer!: MemorySocket;
  /** The peer's write, waiting for room here. */
  private waiting: Callback | undefined = undefined;
  private hasReadAll = false;

  private constructor(remoteAddress: string, ports: readonly [local: number, remote: number], encrypted: boolean) {
    super({ allowHalfOpen: true, highWaterMark: HIGH_WATER_MARK });
    this.remoteAddress = remoteAddress;
    this.remoteFamily = remoteAddress.includes(':') ? 'IPv6' : 'IPv4';
    [this.localPort, this.remotePort] = ports;
    this.encrypted = encrypted;
  }

  static pair(options: MemorySocketOptions = {}): { client: MemorySocket; server: MemorySocket } {
    const { remoteAddress = '127.0.0.1', secure = false } = options;
    const serverPort = secure ? 443 : 80;
    const client = new MemorySocket('127.0.0.1', [CLIENT_PORT, serverPort], secure);
    const server = new MemorySocket(remoteAddress, [serverPort, CLIENT_PORT], secure);
    client.peer = server;
    server.peer = client;
    return { client, server };
  }

  // Methods that Node's HTTP server and clients call on a socket.

  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Resets the connection: the peer gets `ECONNRESET`. */
  resetAndDestroy(): this {
    const { peer } = this;
    setImmediate(() => peer.destroy(systemError('ECONNRESET', 'read')));
    return this.destroy();
  }

  /** Includes waiting data, as for Node's sockets. */
  get bytesWritten(): number {
    return this.taken + this.writableLength;
  }

  // Methods of a stream.

  override _read(): void {
    const done = this.waiting;
    this.waiting = undefined;
    done?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    const done: Callback = (error) => {
      if (!error) this.taken += chunk.length;
      callback(error);
    };
    // A copy: the receiver unmasks data in place, and the sender may reuse its buffer.
    const copy = Buffer.from(chunk);
    // Asynchronous: a socket never calls back during a write.
    setImmediate(() => this.peer.receive(copy, done));
  }

  override _final(callback: Callback): void {
    setImmediate(() => this.peer.receiveEnd());
    callback();
  }

  override _destroy(error: Error | null, callback: Callback): void {
    const { peer, waiting } = this;
    this.waiting = undefined;
    waiting?.(systemError('EPIPE', 'write'));
    setImmediate(() => peer.receiveEnd());
    callback(error);
  }

  private receive(chunk: Buffer, callback: Callback): void {
    if (this.destroyed || this.hasReadAll) {
      callback(systemError('EPIPE', 'write'));
      return;
    }
    this.bytesRead += chunk.length;
    if (this.push(chunk)) callback();
    else this.waiting = callback;
  }

  private receiveEnd(): void {
    if (this.hasReadAll || this.destroyed) return;
    this.hasReadAll = true;
    this.push(null);
  }
}

/** A port from the range that systems assign to clients. */
const CLIENT_PORT = 50_000;

function systemError(code: 'ECONNRESET' | 'EPIPE', syscall: 'read' | 'write'): Error {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
}
