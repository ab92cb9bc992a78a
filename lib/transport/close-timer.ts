/**
 * Gives up on a peer that does not finish the closing handshake: when for `timeout` milliseconds it has neither ended the
 * connection nor taken any of what is still owed to it, the socket is destroyed.
 */
import type { Duplex } from 'node:stream';
import { type Timed, wheelOf } from './timer-wheel.js';
import { transmittedBytes } from './unsent-bytes.js';

/** Who writes to the socket: while it is busy with a file, something is owed to the peer also when the socket has nothing. */
export interface PendingOutput {
  readonly busy: boolean;
  /** Something is owed to the peer, and it waits for us. */
  readonly preparing: boolean;
}

/** @returns to be stopped when the socket is gone */
export function destroyWithoutProgress(socket: Duplex, timeout: number, debtor?: PendingOutput): CloseTimer {
  const timer = new CloseTimer(socket, timeout, debtor);
  wheelOf(socket).add(timer, timeout);
  return timer;
}

export class CloseTimer implements Timed {
  private socket: Duplex | undefined;
  private readonly timeout: number;
  private debtor: PendingOutput | undefined;
  private since: number;
  /** How far the peer had come with what is owed to it, if something waited for it then. */
  private before: number | undefined;

  constructor(socket: Duplex, timeout: number, debtor?: PendingOutput) {
    this.socket = socket;
    this.timeout = timeout;
    this.debtor = debtor;
    this.since = wheelOf(socket).now();
    this.before = this.waits(socket) ? transmittedBytes(socket) : undefined;
  }

  /** The wheel comes by once more; the socket need not wait for that to be forgotten. */
  stop(): void {
    this.socket = undefined;
    this.debtor = undefined;
  }

  onTick(now: number): number {
    const { socket } = this;
    if (socket === undefined) return 0;
    const left = this.since + this.timeout - now;
    if (left > 0) return left;
    if (this.debtor?.preparing) {
      this.since = now;
      return this.timeout;
    }
    // Where nothing waits, it is the kernel that has taken the last of it (our close frame, say), and not the peer.
    const waits = this.waits(socket);
    const after = waits || this.before !== undefined ? transmittedBytes(socket) : undefined;
    if (after === this.before) {
      socket.destroy();
      return 0;
    }
    this.before = waits ? after : undefined;
    this.since = now;
    return this.timeout;
  }

  private waits(socket: Duplex): boolean {
    return socket.writableLength > 0 || this.debtor?.busy === true;
  }
}
