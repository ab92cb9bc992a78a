/**
 * Divides the data of messages into units, according to the read delimiter:
 *
 *      parser ──message/data──▶ dispatcher ──read──▶ reader (one kind of delimiter)
 *                                  │   ▲                │
 *                            held bytes └───unit(s)─────┘──▶ consumer (calls onRead)
 *
 * While nothing is held, data is read directly from the peer's chunk, and only the incomplete unit at its end is copied
 * and held. While something is held, only enough of the next chunk to complete that unit is copied; the rest is again
 * read from the chunk. The reader stops after a unit if `onRead` changed the delimiter (the next reader continues from
 * there), or if reading pauses because `onRead` is asynchronous.
 */
import { OverflowError, ProtocolError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { type MessageKind, Opcode } from '../framing/opcode.js';
import type { MessageSink } from '../framing/sink.js';
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';
import { ReadBuffer } from './read-buffer.js';
import { entireReader, streamReader } from './readers/message-readers.js';
import { UnitDelivery } from './unit-delivery.js';

/** The least to copy from new data to complete the held unit, in bytes. */
const JOINED = 128;

export class Dispatcher extends UnitDelivery implements MessageSink {
  /** A message has begun and is not complete. */
  private open = false;
  /** No data of that message has arrived yet. */
  private untouched = true;
  /** How many of the held bytes arrived before that message began. */
  private before = 0;
  /** The rest of the current frame, in bytes. */
  private coming = 0;
  private paused = false;
  /** An empty message that waits behind the held data. */
  private pendingEmptyMessage: MessageKind | undefined = undefined;
  private discarding = false;
  private reading = false;
  /** Complete messages that have arrived. */
  messages = 0;

  // Called by the connection.

  /** The memory that held data takes, in bytes. */
  get pinned(): number {
    return this.held?.bytes.length ?? 0;
  }

  /** Holds all data that arrives until `resume`. */
  pause(): void {
    this.paused = true;
    this.stopped = true;
  }

  /** Continues after `pause`, starting with the held data. Throws what `dispatchHeld` throws. */
  resume(): void {
    this.paused = false;
    this.dispatchHeld();
    const { pendingEmptyMessage: kind } = this;
    if (kind === undefined || this.paused || this.discarding) return;
    this.pendingEmptyMessage = undefined;
    this.deliverEmpty(kind);
  }

  /** Drops the held data and all later data. */
  discard(): void {
    this.discarding = true;
    this.stopped = true;
    this.held = undefined;
    this.decoded = undefined;
  }

  /**
   * @throws ProtocolError if the held data is not of the delimiter's kind, or still exceeds the limit after
   * `onOverflow`
   */
  dispatchHeld(): void {
    const held = this.held;
    if (held === undefined || held.length === 0 || this.discarding || this.paused || this.reading) return;
    const bytes = held.bytes;
    const next = this.read(held.kind, bytes, held.start, held.end);
    if (held.bytes === bytes) held.drop(next);
    if (!this.paused) this.decoded = undefined;
  }

  // Called by the parser.

  message(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number, text?: string): void {
    if (this.discarding) return;
    this.messages++;
    if (this.reader === entireReader && !this.paused && end - start <= this.limit && !this.held?.length) {
      // A shortcut for most messages, with the same result as below.
      this.overflowing = false;
      this.consumer.onUnit(text ?? this.take(kind, bytes, start, end));
      return;
    }
    this.untouched = true;
    this.before = this.held?.length ?? 0;
    if (start === end) this.endMessage(kind);
    else this.arrive(kind, bytes, start, end);
  }

  /** The delimiter `null` delivers data exactly as it arrived. */
  get joinsFragments(): boolean {
    return this.reader !== streamReader;
  }

  frame(_kind: MessageKind, length: number): void {
    if (this.discarding) return;
    if (!this.open) {
      this.open = true;
      this.untouched = true;
      this.before = this.held?.length ?? 0;
    }
    this.coming = length;
    this.admit(length);
  }

  data(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): void {
    if (this.discarding) return;
    this.coming = Math.max(0, this.coming - (end - start));
    this.arrive(kind, bytes, start, end);
  }

  end(kind: MessageKind): void {
    this.open = false;
    if (this.discarding) return;
    this.messages++;
    this.endMessage(kind);
  }

  private arrive(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): void {
    this.admit(end - start);
    if (this.discarding) return;
    this.untouched = false;
    this.decoded = undefined;
    const held = this.held;
    if (held !== undefined && held.length > 0) {
      // The specification closes the connection "if there is an existing string still in the buffer when the client
      // sends another of a different type".
      if (kind !== held.kind) throw mixed(kind);
      start = this.completeHeld(held, bytes, start, end);
      if (start === end || this.discarding) return;
    }
    if (held !== undefined && held.length > 0) {
      held.append(kind, bytes, start, end, this.coming);
      this.dispatchHeld();
      return;
    }
    if (!this.paused) start = this.read(kind, bytes, start, end);
    this.decoded = undefined;
    if (start === end || this.discarding) return;
    this.held ??= new ReadBuffer();
    this.held.append(kind, bytes, start, end, this.coming);
  }

  /**
   * If much data has arrived, copies only enough to complete the held unit: copying all of it would cost more than
   * reading it in place. Does nothing if the data may exceed the limit, or if the reader takes whole messages, or data
   * as it arrives.
   *
   * @returns the start of the data that was not copied
   */
  private completeHeld(held: ReadBuffer, bytes: BorrowedBytes, start: number, end: number): number {
    const { reader } = this;
    let more = Math.max(JOINED, 4 * held.length);
    // If this does not complete the unit, the unit is long, and copying all data is cheap in comparison.
    if (end - start < 4 * more || this.paused || reader.wholeMessages || reader === streamReader) return start;
    if (reader.kind !== 0 && reader.kind !== held.kind) return start;
    // Text is never split inside a character.
    if (held.kind === Opcode.Text) while ((bytes[start + more]! & 0xc0) === 0x80) more++;
    if (held.length + more > this.limit) return start;
    held.append(held.kind, bytes, start, start + more);
    start += more;
    this.reading = true;
    try {
      const all = held.bytes;
      const next = this.readOnce(held.kind, all, held.start, held.end, false);
      if (held.bytes === all) held.drop(next);
    } finally {
      this.reading = false;
      this.decoded = undefined;
    }
    if (held.length > more || this.paused || this.discarding) return start;
    // The remaining held bytes are also in the chunk.
    start -= held.length;
    held.release();
    return start;
  }

  private endMessage(kind: MessageKind): void {
    const nothing = this.untouched;
    this.untouched = true;
    if (!nothing || this.reader === entireReader) this.dispatchHeld();
    if (!nothing || this.reader !== entireReader) return;
    // Dispatching the held data may have paused reading. At most one message waits here, because parsing stops then.
    if (this.paused) this.pendingEmptyMessage = kind;
    else this.deliverEmpty(kind);
  }

  private deliverEmpty(kind: MessageKind): void {
    this.consumer.onUnit(kind === Opcode.Text ? '' : Buffer.alloc(0));
  }

  /**
   * Rejects a message that is too long by its declared length, before it is buffered, if the reader takes whole
   * messages.
   */
  private admit(length: number): void {
    while (!this.discarding && this.exceeds(length + (this.held?.length ?? 0)));
    this.overflowing = false;
  }

  /** Whether this many bytes exceed the limit of a reader of whole messages. If so, `onOverflow` has been called. */
  private exceeds(buffered: number): boolean {
    if (!this.reader.wholeMessages) return false;
    const size = this.messageLength(buffered);
    if (size <= this.messageLimit) return false;
    this.overflow(new OverflowError(size, this.limit, 'a message'));
    return true;
  }

  private get messageLimit(): number {
    return this.reader.messageLimit?.(this.limit) ?? this.limit;
  }

  /**
   * For patterns the limit applies to the current message alone: an earlier message's incomplete unit may precede it.
   */
  private messageLength(buffered: number): number {
    return this.reader === entireReader ? buffered : buffered - this.before;
  }

  private read(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): number {
    this.reading = true;
    try {
      while (start < end && !this.discarding && !this.paused) {
        const reader = this.reader;
        // The specification closes the connection if "the string types of the read_delimiter and the buffer differ".
        if (reader.kind !== 0 && reader.kind !== kind) throw mixed(kind);
        if (this.exceeds(end - start)) continue;
        start = this.readOnce(kind, bytes, start, end, !this.open);
        if (!this.stopped) break;
      }
      return start;
    } finally {
      this.reading = false;
      this.overflowing = false;
    }
  }

  /** Reads until the reader needs more data or has to stop. */
  private readOnce(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number, complete: boolean): number {
    this.stopped = false;
    const next = this.reader.read(kind, bytes, start, end, complete, this);
    this.before = Math.max(0, this.before - (next - start));
    return next;
  }

  protected override onReaderChanged(): void {
    if (this.reading) this.stopped = true;
    else this.dispatchSoon();
  }

  protected override onLimitLowered(): void {
    // A running reader checks the limit itself.
    if (!this.reading) this.dispatchSoon();
  }

  /** Under the new settings the held data may contain units, or exceed the limit. */
  private dispatchSoon(): void {
    if (this.held !== undefined && this.held.length > 0) this.consumer.onStale();
  }
}

function mixed(kind: MessageKind): ProtocolError {
  const [got, wanted] = kind === Opcode.Text ? ['text', 'binary data'] : ['binary data', 'text'];
  return new ProtocolError(`${got} where ${wanted} is read`, CloseCode.PROTOCOL_ERROR);
}
