/** Passes units from the readers to the consumer. */
import { type OverflowError, ProtocolError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { type MessageKind, Opcode } from '../framing/opcode.js';
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';
import { ownCopy } from '../memory/bulk-allocation.js';
import type { ReadBuffer } from './read-buffer.js';
import type { Unit, UnitSink } from './reader.js';
import { type DispatchSettings, ReaderChoice } from './reader-choice.js';
import { decodeRun } from './readers/pattern-text.js';

/** Receives units. None of these methods may throw: the consumer handles errors of the user's code. */
export interface UnitConsumer {
  onUnit(value: Unit): void;
  onUnits(values: readonly unknown[]): void;
  /** Like `onUnits`, for the first `count` of up to four values. It saves an array for each of many small records. */
  onValues4(count: number, a: unknown, b: unknown, c: unknown, d: unknown): void;
  /** May change the delimiter or the limit, or close. */
  onOverflow(error: OverflowError): void;
  /** The held data may now be dispatched differently. Call `dispatchHeld` soon, but not within this call. */
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

  /** Changes the recipient of later units. */
  deliverTo(consumer: UnitConsumer): void {
    this.consumer = consumer;
  }

  take(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): string | Buffer {
    if (kind === Opcode.Text) return bytes.toString('utf8', start, end);
    const { held } = this;
    if (held === undefined || bytes !== held.bytes || start !== held.start || end !== held.end) {
      return ownCopy(bytes, start, end);
    }
    // The unit is all the held data, so the user gets the memory itself, uncopied.
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
