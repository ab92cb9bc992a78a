/** What the readers call: units on their way to the consumer. */
import { type OverflowError, ProtocolError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { type MessageKind, Opcode } from '../framing/opcode.js';
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';
import { ownCopy } from '../memory/bulk-allocation.js';
import type { ReadBuffer } from './read-buffer.js';
import type { Unit, UnitSink } from './reader.js';
import { type DispatchSettings, ReaderChoice } from './reader-choice.js';
import { decodeRun } from './readers/pattern-text.js';

/** Whom units go to. None of these may throw: what the user's code throws is the consumer's affair. */
export interface UnitConsumer {
  onUnit(value: Unit): void;
  onUnits(values: readonly unknown[]): void;
  /** The same for the first `count` of these values, up to four: records are many and small, and need no array each. */
  onValues4(count: number, a: unknown, b: unknown, c: unknown, d: unknown): void;
  /** May change the delimiter or the limit, or close. */
  onOverflow(error: OverflowError): void;
  /** What is held may now be dispatched differently: call `dispatchHeld` soon, but not within this call. */
  onStale(): void;
}

export abstract class UnitDelivery extends ReaderChoice implements UnitSink {
  stopped = false;
  protected held: ReadBuffer | undefined = undefined;
  protected overflowing = false;
  protected decoded: { text: string; start: number; end: number } | undefined = undefined;
  protected consumer: UnitConsumer;

  constructor(settings: DispatchSettings, consumer: UnitConsumer) {
    super(settings);
    this.consumer = consumer;
  }

  /** From now on units go to this one. */
  deliverTo(consumer: UnitConsumer): void {
    this.consumer = consumer;
  }

  take(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): string | Buffer {
    if (kind === Opcode.Text) return bytes.toString('utf8', start, end);
    const { held } = this;
    if (held === undefined || bytes !== held.bytes || start !== held.start || end !== held.end) {
      return ownCopy(bytes, start, end);
    }
    // All that is held: the user gets the memory itself, and the buffer begins anew.
    const own = held.bytes.subarray(start, end);
    held.release();
    return own;
  }

  decode(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): string {
    const known = this.decoded;
    const text =
      known !== undefined && known.end === end && known.start <= start
        ? known.text.slice(decodeRun(kind, bytes, known.start, start).length)
        : decodeRun(kind, bytes, start, end);
    this.decoded = { text, start, end };
    return text;
  }

  unit(value: Unit): void {
    this.overflowing = false;
    this.consumer.onUnit(value);
  }

  units(values: readonly unknown[]): void {
    this.overflowing = false;
    this.consumer.onUnits(values);
  }

  values4(count: number, a: unknown, b: unknown, c: unknown, d: unknown): void {
    this.overflowing = false;
    this.consumer.onValues4(count, a, b, c, d);
  }

  overflow(error: OverflowError): void {
    if (this.overflowing) throw new ProtocolError(error.message, CloseCode.MESSAGE_TOO_BIG);
    this.overflowing = true;
    this.stopped = true;
    this.consumer.onOverflow(error);
  }
}
