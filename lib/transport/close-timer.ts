/**
 * Gives up on a peer that does not finish the closing handshake: when for `timeout` milliseconds it has neither ended the
 * connection nor taken any of what is still owed to it, the socket is destroyed.
 */
import { type Timed, wheelOf } from './timer-wheel.js';
import type { Transport } from './transport.js';

/** Who writes to the socket: while it is busy with a file, something is owed to the peer also when the socket has nothing. */
export interface PendingOutput {
  readonly busy: boolean;
  /** Something is owed to the peer, and it waits for us. */
  readonly preparing: boolean;
}

/** @returns to be stopped when the socket is gone */
export function destroyWithoutProgress(transport: Transport, timeout: number, debtor?: PendingOutput): CloseTimer {
  const timer = new CloseTimer(transport, timeout, debtor);
  wheelOf(transport.socket).add(timer, timeout);
  return timer;
}

export class CloseTimer implements Timed {
  private transport: Transport | undefined;
  private readonly timeout: number;
  private debtor: PendingOutput | undefined;
  private since: number;
  /** How far the peer had come with what is owed to it, if something waited for it then. */
  private before: number | undefined;

  constructor(transport: Transport, timeout: number, debtor?: PendingOutput) {
    this.transport = transport;
    this.timeout = timeout;
    this.debtor = debtor;
    this.since = wheelOf(transport.socket).now();
    this.before = this.waits(transport) ? transport.transmittedBytes : undefined;
  }

  /** The wheel comes by once more; the socket need not wait for that to be forgotten. */
  stop(): void {
    this.transport = undefined;
    this.debtor = undefined;
  }

  onTick(now: number): number {
    const { transport } = this;
    if (transport === undefined) return 0;
    const left = this.since + this.timeout - now;
    if (left > 0) return left;
    if (this.debtor?.preparing) {
      this.since = now;
      return this.timeout;
    }
    // Where nothing waits, it is the kernel that has taken the last of it (our close frame, say), and not the peer.
    const waits = this.waits(transport);
    const after = waits || this.before !== undefined ? transport.transmittedBytes : undefined;
    if (after === this.before) {
      transport.destroy();
      return 0;
    }
    this.before = waits ? after : undefined;
    this.since = now;
    return this.timeout;
  }

  private waits(transport: Transport): boolean {
    return transport.writableLength > 0 || this.debtor?.busy === true;
  }
}
