/** A peer that does not take what is written to it: made when more than `maxBufferedAmount` bytes wait for one. */
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
  /** Messages that were not sent for it. */
  dropped = 0;
  /** Too much was waiting when this was last looked at. */
  private isFull = false;
  /** It was told that this peer is slow, this time. */
  private isTold = false;
  private isDue = false;
  private readonly writer: Writer;
  private readonly owner: SlowConsumerGuardOwner;

  constructor(writer: Writer, owner: SlowConsumerGuardOwner) {
    this.writer = writer;
    this.owner = owner;
  }

  /** Of what is written in the same turn of the event loop the peer had no chance to take anything yet: that is not held against it. */
  exceeded(): void {
    if (this.isFull || this.isDue) return;
    this.isDue = true;
    setImmediate(() => {
      this.isDue = false;
      this.isFull = true;
    });
  }

  /** Whether too much waits for the peer already: then the policy has been applied, and the message at hand is not to be sent. */
  refuses(): boolean {
    if (!this.isFull) return false;
    const { runner, settings } = this.owner;
    // Only what the kernel has not taken either counts: perhaps it was just not asked yet.
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
