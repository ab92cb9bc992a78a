/**
 * Turns the data of messages into units, by the read delimiter:
 *
 *      parser ──message/data──▶ dispatcher ──read──▶ reader (one kind of delimiter)
 *                                  │   ▲                │
 *                            held bytes └───unit(s)─────┘──▶ consumer (calls onRead)
 *
 * Data is read straight from the peer's chunk while nothing is held; only what no unit was made of is copied and held.
 * Where something is, as little as completes its unit joins it, and what comes behind that is read from the chunk
 * again. The reader stops after a unit when the delimiter was changed in its `onRead` (the next reader goes on from
 * there), or when reading pauses because `onRead` is asynchronous.
 */
import { OverflowError, ProtocolError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { type MessageKind, Opcode } from '../framing/opcode.js';
import type { MessageSink } from '../framing/sink.js';
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';
import { ReadBuffer } from './read-buffer.js';
import { entireReader, streamReader } from './readers/message-readers.js';
import { UnitDelivery } from './unit-delivery.js';

/** How much of an arrival joins what is held, at the least, to complete its unit. */
const JOINED = 128;

export class Dispatcher extends UnitDelivery implements MessageSink {
  /** A message has begun and is not complete. */
  private open = false;
  /** Nothing of that message has arrived yet. */
  private untouched = true;
  /** How much of what is held had arrived before that message began. */
  private before = 0;
  /** What is still to come of the frame at hand, in bytes. */
  private coming = 0;
  private paused = false;
  /** An empty message that waits for what is held before it. */
  private pendingEmptyMessage: MessageKind | undefined = undefined;
  private discarding = false;
  private reading = false;
  /** Complete messages that have arrived. */
  messages = 0;

  // What the connection does.

  /** The memory of what is held, in bytes. */
  get pinned(): number {
    return this.held?.bytes.length ?? 0;
  }

  /** Keeps what arrives until `resume`. */
  pause(): void {
    this.paused = true;
    this.stopped = true;
  }

  /** Goes on after `pause` with what is held. Throws what `dispatchHeld` throws. */
  resume(): void {
    this.paused = false;
    this.dispatchHeld();
    const { pendingEmptyMessage: kind } = this;
    if (kind === undefined || this.paused || this.discarding) return;
    this.pendingEmptyMessage = undefined;
    this.deliverEmpty(kind);
  }

  /** Nothing more reaches the consumer. */
  discard(): void {
    this.discarding = true;
    this.stopped = true;
    this.held = undefined;
    this.decoded = undefined;
  }

  /** @throws ProtocolError when what is held is of the other kind than the delimiter, or exceeds the limit for good */
  dispatchHeld(): void {
    const held = this.held;
    if (held === undefined || held.length === 0 || this.discarding || this.paused || this.reading) return;
    const bytes = held.bytes;
    const next = this.read(held.kind, bytes, held.start, held.end);
    if (held.bytes === bytes) held.drop(next);
    if (!this.paused) this.decoded = undefined;
  }

  // What the parser calls.

  message(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number, text?: string): void {
    if (this.discarding) return;
    this.messages++;
    if (this.reader === entireReader && !this.paused && end - start <= this.limit && !this.held?.length) {
      // What most messages are, by the shortest way: the same as below.
      this.overflowing = false;
      this.consumer.onUnit(text ?? this.take(kind, bytes, start, end));
      return;
    }
    this.untouched = true;
    this.before = this.held?.length ?? 0;
    if (start === end) this.endMessage(kind);
    else this.arrive(kind, bytes, start, end);
  }

  /** `null` delivers what has arrived, as it arrived. */
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

  // How it works.

  private arrive(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): void {
    this.admit(end - start);
    if (this.discarding) return;
    this.untouched = false;
    this.decoded = undefined;
    const held = this.held;
    if (held !== undefined && held.length > 0) {
      // The seed: closed "if there is an existing string still in the buffer when the client sends another of a
      // different type".
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
   * Puts as little behind what is held as completes its unit, if much has arrived: to copy all of that would cost more
   * than to read it. What may exceed a limit, and what only whole messages are made of, is not looked at in parts; nor
   * is what is delivered as it arrives.
   *
   * @returns where that begins which is not held
   */
  private completeHeld(held: ReadBuffer, bytes: BorrowedBytes, start: number, end: number): number {
    const { reader } = this;
    let more = Math.max(JOINED, 4 * held.length);
    // A unit that is so long that this does not complete it is worth a copy of all.
    if (end - start < 4 * more || this.paused || reader.wholeMessages || reader === streamReader) return start;
    if (reader.kind !== 0 && reader.kind !== held.kind) return start;
    // Text is never cut inside a character.
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
    // The same bytes are in both.
    start -= held.length;
    held.release();
    return start;
  }

  private endMessage(kind: MessageKind): void {
    const nothing = this.untouched;
    this.untouched = true;
    if (!nothing || this.reader === entireReader) this.dispatchHeld();
    if (!nothing || this.reader !== entireReader) return;
    // What was held before it may have made reading pause: there is one such message at most, as nothing more is parsed
    // then.
    if (this.paused) this.pendingEmptyMessage = kind;
    else this.deliverEmpty(kind);
  }

  private deliverEmpty(kind: MessageKind): void {
    this.consumer.onUnit(kind === Opcode.Text ? '' : Buffer.alloc(0));
  }

  /** Refuses what only whole messages are made of before it is buffered, on its declared length. */
  private admit(length: number): void {
    while (!this.discarding && this.exceeds(length + (this.held?.length ?? 0)));
    this.overflowing = false;
  }

  /** Whether so much is too much for a reader of whole messages; then `onOverflow` has been called. */
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

  /** What counts of so much: a pattern gets one message of that size, with room for the rest of a unit before it. */
  private messageLength(buffered: number): number {
    return this.reader === entireReader ? buffered : buffered - this.before;
  }

  private read(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): number {
    this.reading = true;
    try {
      while (start < end && !this.discarding && !this.paused) {
        const reader = this.reader;
        // The seed: closed if "the string types of the read_delimiter and the buffer differ".
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

  /** Until the reader needs more, or has to stop. */
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
    // A reader that is at work looks at the limit itself.
    if (!this.reading) this.dispatchSoon();
  }

  /** What is held may be something else now: units, or too much. */
  private dispatchSoon(): void {
    if (this.held !== undefined && this.held.length > 0) this.consumer.onStale();
  }
}

function mixed(kind: MessageKind): ProtocolError {
  const [got, wanted] = kind === Opcode.Text ? ['text', 'binary data'] : ['binary data', 'text'];
  return new ProtocolError(`${got} where ${wanted} is read`, CloseCode.PROTOCOL_ERROR);
}
