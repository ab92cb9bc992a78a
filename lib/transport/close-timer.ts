/**
 * Gives up on a peer that does not finish the closing handshake. The socket is destroyed if, for `timeout`
 * milliseconds, the peer has neither ended the connection nor accepted any pending output.
 */
import { type Timed, wheelOf } from './timer-wheel.js';
import type { Transport } from './transport.js';

/** The writer. While it sends a file, output is pending even if the socket has none. */
export interface PendingOutput {
  readonly busy: boolean;
  /** Output is pending, and the delay is ours. */
  readonly preparing: boolean;
}

/** @returns a timer, to be stopped when the socket has closed */
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
  /** The peer's progress at the last check, if output was pending. */
  private before: number | undefined;

  constructor(transport: Transport, timeout: number, debtor?: PendingOutput) {
    this.transport = transport;
    this.timeout = timeout;
    this.debtor = debtor;
    this.since = wheelOf(transport.socket).now();
    this.before = this.waits(transport) ? transport.transmittedBytes : undefined;
  }

  /** The wheel still ticks once more, so drop the reference to the socket now. */
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
    // If no output waits, the kernel has accepted the last of it (such as our close frame), which proves no progress.
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
