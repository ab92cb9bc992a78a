/**
 * What makes reading wait: a set of reasons, kept here and nowhere else. While there is one, the parser stops in front of the next
 * frame, the dispatcher after the unit at hand, and TCP holds the peer back once 64 KiB have been read ahead. Compressed data that
 * is being inflated stops the parser alone: what comes out goes to the dispatcher.
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
  /** The peer does not take what it is sent. */
  OUTPUT: 1 << 4,
  /** A compressed message is being inflated, or waits to be. */
  INFLATION: 1 << 5,
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];

const DELIVERY = Reason.HOOK | Reason.READER | Reason.READER_CHANGE | Reason.RATE | Reason.OUTPUT;
/** Those that are not the peer's doing. */
const OURS = Reason.HOOK | Reason.READER | Reason.RATE | Reason.INFLATION;

export abstract class FlowControl {
  abstract readonly dispatcher: Dispatcher;
  protected abstract readonly parser: Parser;
  protected abstract readonly transport: Transport;
  /** Nothing more is delivered, so that nothing need wait for its delivery. */
  protected discarding = false;
  private reasons = 0;

  /** Whether reading waits, for any reason. */
  get isBlocked(): boolean {
    return this.reasons !== 0;
  }

  /** Whether nothing makes what was read wait for its delivery. */
  get takesMore(): boolean {
    return (this.reasons & DELIVERY) === 0;
  }

  isBlockedBy(reason: Reason): boolean {
    return (this.reasons & reason) !== 0;
  }

  /** Whether what the peer says may not be heard, for reasons that are not its own doing. */
  get isDeaf(): boolean {
    return (this.reasons & OURS) !== 0;
  }

  /** How many bytes may come now. */
  get room(): number {
    return this.parser.room;
  }

  protected block(reason: Reason): void {
    if (this.discarding) return;
    this.reasons |= reason;
    this.parser.pause();
    if ((reason & DELIVERY) !== 0) this.dispatcher.pause();
    // A peer that exceeds its rate has nothing to be heard of: each byte of it was too much.
    if (reason === Reason.RATE) this.transport.pause();
  }

  /** @returns whether that was one: then what waited goes on by `deliverWaiting` */
  protected unblock(reason: Reason): boolean {
    const was = this.reasons;
    this.reasons &= ~reason;
    return was !== this.reasons;
  }

  protected unblockAll(): void {
    this.reasons = 0;
  }
}
