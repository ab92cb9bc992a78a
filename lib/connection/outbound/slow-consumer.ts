/** Applies the policy to a peer that does not read its output. Created when `maxBufferedAmount` is first exceeded. */
import { publish } from '../../telemetry/channels.js';
import type { HookRunner } from '../hook-runner.js';
import type { ConnectionSettings } from '../hooks.js';
import type { Writer } from './writer.js';

export interface SlowConsumerGuardOwner {
  readonly settings: ConnectionSettings;
  readonly runner: HookRunner;
  /** The policy is to close the connection of a peer that is too slow. */
  onTooSlow(): void;
}

export class SlowConsumerGuard {
  /** How many messages the policy has dropped. */
  dropped = 0;
  /** Whether too much was waiting at the last check. */
  private isFull = false;
  /** Whether the current slow phase has been published. */
  private isTold = false;
  private isDue = false;
  private readonly writer: Writer;
  private readonly owner: SlowConsumerGuardOwner;

  constructor(writer: Writer, owner: SlowConsumerGuardOwner) {
    this.writer = writer;
    this.owner = owner;
  }

  /** Takes effect after this turn of the event loop, because the peer cannot read output in the turn that writes it. */
  exceeded(): void {
    if (this.isFull || this.isDue) return;
    this.isDue = true;
    setImmediate(() => {
      this.isDue = false;
      this.isFull = true;
    });
  }

  /**
   * @returns true if too much waits for the peer; the policy has then been applied, and the message must not be sent
   */
  refuses(): boolean {
    if (!this.isFull) return false;
    const { runner, settings } = this.owner;
    // Flush first, because only data that the kernel does not accept counts.
    this.writer.flush();
    const { bufferedAmount } = this.writer;
    if (bufferedAmount <= settings.maxBufferedAmount) {
      this.isFull = false;
      this.isTold = false;
      return false;
    }
    const { route, slowConsumer: policy, counters } = settings;
    if (!this.isTold) {
      this.isTold = true;
      counters.counts.slowConsumers++;
      runner.inContext(() =>
        publish('slow-consumer', () => ({ route, connection: runner.hooks, bufferedAmount, policy })),
      );
    }
    this.dropped++;
    counters.counts.dropped++;
    if (policy === 'close') this.owner.onTooSlow();
    return true;
  }
}
