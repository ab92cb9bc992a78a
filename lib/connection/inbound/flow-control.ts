/**
 * Keeps the set of reasons for which reading waits; no other object keeps any. While there is a reason, the parser
 * stops before the next frame, the dispatcher stops after the current unit, and TCP holds the peer back once 64 KiB
 * have been read ahead. Inflation stops only the parser, because its output goes to the dispatcher.
 */
import type { Dispatcher } from '../../dispatch/dispatcher.js';
import type { Parser } from '../../framing/sink.js';
import type { Transport } from '../../transport/transport.js';

export const Reason = {
  /** An asynchronous `onConnect` or `onRead` is pending. */
  HOOK: 1 << 0,
  /** The reader of `messages()` has not asked for more. */
  READER: 1 << 1,
  /** A reader of `messages()` has just left, and another may begin. */
  READER_CHANGE: 1 << 2,
  /** The peer exceeds its rate. */
  RATE: 1 << 3,
  /** The peer does not read what it is sent. */
  OUTPUT: 1 << 4,
  /** A compressed message is being inflated, or waits to be. */
  INFLATION: 1 << 5,
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];

const DELIVERY = Reason.HOOK | Reason.READER | Reason.READER_CHANGE | Reason.RATE | Reason.OUTPUT;
/** The reasons that the peer has not caused by refusing to read. */
const OURS = Reason.HOOK | Reason.READER | Reason.RATE | Reason.INFLATION;

export abstract class FlowControl {
  abstract readonly dispatcher: Dispatcher;
  protected abstract readonly parser: Parser;
  protected abstract readonly transport: Transport;
  /** All input is dropped, so nothing has to wait for delivery. */
  protected discarding = false;
  private reasons = 0;

  /** Whether reading waits, for any reason. */
  get isBlocked(): boolean {
    return this.reasons !== 0;
  }

  /** Whether data that has been read can be delivered now. */
  get takesMore(): boolean {
    return (this.reasons & DELIVERY) === 0;
  }

  isBlockedBy(reason: Reason): boolean {
    return (this.reasons & reason) !== 0;
  }

  /** Whether a sign of life from the peer may go unnoticed, for a reason other than its refusal to read. */
  get isDeaf(): boolean {
    return (this.reasons & OURS) !== 0;
  }

  /** How many more bytes may arrive now. */
  get room(): number {
    return this.parser.room;
  }

  protected block(reason: Reason): void {
    if (this.discarding) return;
    this.reasons |= reason;
    this.parser.pause();
    if ((reason & DELIVERY) !== 0) this.dispatcher.pause();
    // Do not read ahead from a peer that exceeds its rate: every byte counts against it.
    if (reason === Reason.RATE) this.transport.pause();
  }

  /** @returns whether the reason was set. If so, the caller continues by `deliverWaiting` */
  protected unblock(reason: Reason): boolean {
    const was = this.reasons;
    this.reasons &= ~reason;
    return was !== this.reasons;
  }

  protected unblockAll(): void {
    this.reasons = 0;
  }
}
