/**
 * Turns the data of messages into units, by the read delimiter:
 *
 *      parser ──message/data──▶ dispatcher ──read──▶ reader (one kind of delimiter)
 *                                  │   ▲                │
 *                            held bytes └───unit(s)─────┘──▶ consumer (calls onRead)
 *
 * Data is read straight from the peer's chunk while nothing is held; only what no unit was made of is copied and held. Where
 * something is, as little as completes its unit joins it, and what comes behind that is read from the chunk again. The
 * reader stops after a unit when the delimiter was changed in its `onRead` (the next reader goes on from there), or when
 * reading pauses because `onRead` is asynchronous.
 */
import { OverflowError, ProtocolError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { type MessageKind, Opcode } from '../framing/opcode.js';
import type { MessageSink } from '../framing/sink.js';
import { ownCopy } from '../memory/bulk-allocation.js';
import {
  BinaryPattern,
  checkBufferSize,
  checkDelimiter,
  checkRegexSearch,
  type Delimiter,
  EntireMessage,
} from './delimiter.js';
import { ReadBuffer } from './read-buffer.js';
import type { ReadSettings } from './read-settings.js';
import type { Reader, Unit, UnitSink } from './reader.js';
import { readerFor } from './reader-table.js';
import { entireReader, streamReader } from './readers/message-readers.js';
import { decodeRun } from './readers/pattern-text.js';

/** Whom units go to. None of these may throw: what the user's code throws is the consumer's affair. */
export interface UnitConsumer {
  onUnit(value: Unit): void;
  onUnits(values: readonly unknown[]): void;
  /** The same for the first `count` of these values, up to four: records are many and small, and need no array each. */
  onFew(count: number, a: unknown, b: unknown, c: unknown, d: unknown): void;
  /** May change the delimiter or the limit, or close. */
  onOverflow(error: OverflowError): void;
  /** What is held may now be dispatched differently: call `dispatchHeld` soon, but not within this call. */
  onStale(): void;
}

export interface DispatchSettings extends Readonly<ReadSettings> {
  readonly maxDelimiterLength: number;
}

/** How much of an arrival joins what is held, at the least, to complete its unit. */
const JOINED = 128;

export class Dispatcher implements MessageSink, UnitSink {
  limit: number;
  stopped = false;
  private delimiter: Delimiter;
  private reader: Reader;
  private search: boolean;
  private size: number;
  private readonly maxDelimiterLength: number;
  private held: ReadBuffer | undefined = undefined;
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
  /** What is held is being completed: more has arrived than stands behind it. */
  private completing = false;
  private overflowing = false;
  private decoded: { text: string; start: number; end: number } | undefined = undefined;
  /** Complete messages that have arrived. */
  messages = 0;
  private consumer: UnitConsumer;

  constructor(settings: DispatchSettings, consumer: UnitConsumer) {
    this.delimiter = settings.readDelimiter;
    this.search = settings.regexSearch;
    this.size = settings.bufferSize;
    this.maxDelimiterLength = settings.maxDelimiterLength;
    this.consumer = consumer;
    this.reader = this.createReader();
    this.limit = this.reader.limit(this.size);
  }

  // What the user sets, at any time.

  get readDelimiter(): Delimiter {
    return this.delimiter;
  }

  set readDelimiter(value: Delimiter) {
    checkDelimiter(value);
    if (value === this.delimiter && !isMutable(value)) return;
    this.delimiter = value;
    this.renewReader();
  }

  get regexSearch(): boolean {
    return this.search;
  }

  set regexSearch(value: boolean) {
    checkRegexSearch(value);
    if (value === this.search) return;
    this.search = value;
    // Others do not depend on it, and bytes may have been transferred since they were looked at.
    if (this.delimiter instanceof RegExp || this.delimiter instanceof BinaryPattern) this.renewReader();
  }

  get bufferSize(): number {
    return this.size;
  }

  set bufferSize(value: number) {
    checkBufferSize(value);
    this.size = value;
    const { limit } = this;
    this.limit = this.reader.limit(value);
    // A reader that is at work looks at the limit itself.
    if (this.limit < limit && !this.reading) this.dispatchSoon();
  }

  // What the connection does.

  /** The memory of what is held, in bytes. */
  get pinned(): number {
    return this.held?.bytes.length ?? 0;
  }

  /** From now on units go to this one. */
  deliverTo(consumer: UnitConsumer): void {
    this.consumer = consumer;
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
    const { pendingEmptyMessage: owed } = this;
    if (owed === undefined || this.paused || this.discarding) return;
    this.pendingEmptyMessage = undefined;
    this.deliverEmpty(owed);
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

  message(kind: MessageKind, bytes: Buffer, start: number, end: number, text?: string): void {
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

  /** Up to the limit of those that only see whole messages: beyond it each frame is a matter of its own. */
  get joinable(): number {
    if (this.reader === streamReader) return 0;
    if (!this.reader.wholeMessages) return Number.POSITIVE_INFINITY;
    return this.messageLimit - this.messageLength(this.held?.length ?? 0);
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

  data(kind: MessageKind, bytes: Buffer, start: number, end: number): void {
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

  // What the readers call.

  take(kind: MessageKind, bytes: Buffer, start: number, end: number): string | Buffer {
    if (kind === Opcode.Text) return bytes.toString('utf8', start, end);
    const { held } = this;
    if (held === undefined || bytes !== held.bytes || start !== held.start || end !== held.end) {
      return ownCopy(bytes, start, end);
    }
    // All that is held: the user gets the memory itself, and the buffer begins anew.
    held.release();
    return bytes.subarray(start, end);
  }

  decode(kind: MessageKind, bytes: Buffer, start: number, end: number): string {
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

  few(count: number, a: unknown, b: unknown, c: unknown, d: unknown): void {
    this.overflowing = false;
    this.consumer.onFew(count, a, b, c, d);
  }

  overflow(error: OverflowError): void {
    if (this.overflowing) throw new ProtocolError(error.message, CloseCode.MESSAGE_TOO_BIG);
    this.overflowing = true;
    this.stopped = true;
    this.consumer.onOverflow(error);
  }

  // How it works.

  private arrive(kind: MessageKind, bytes: Buffer, start: number, end: number): void {
    this.admit(end - start);
    if (this.discarding) return;
    this.untouched = false;
    this.decoded = undefined;
    const held = this.held;
    if (held !== undefined && held.length > 0) {
      // The seed: closed "if there is an existing string still in the buffer when the client sends another of a different type".
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
   * Puts as little behind what is held as completes its unit, if much has arrived: to copy all of that would cost more than to read
   * it. What may exceed a limit, and what only whole messages are made of, is not looked at in parts; nor is what is delivered as it
   * arrives.
   *
   * @returns where that begins which is not held
   */
  private completeHeld(held: ReadBuffer, bytes: Buffer, start: number, end: number): number {
    let more = Math.max(JOINED, 4 * held.length);
    // A unit that is so long that this does not complete it is worth a copy of all.
    if (end - start < 4 * more || this.paused || this.joinable !== Number.POSITIVE_INFINITY) return start;
    // Text is never cut inside a character.
    if (held.kind === Opcode.Text) while ((bytes[start + more]! & 0xc0) === 0x80) more++;
    if (held.length + more > this.limit) return start;
    held.append(held.kind, bytes, start, start + more);
    start += more;
    this.completing = true;
    try {
      this.dispatchHeld();
    } finally {
      this.completing = false;
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
    // What was held before it may have made reading pause: there is one such message at most, as nothing more is parsed then.
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

  private read(kind: MessageKind, bytes: Buffer, start: number, end: number): number {
    this.reading = true;
    try {
      while (start < end && !this.discarding && !this.paused) {
        const reader = this.reader;
        // The seed: closed if "the string types of the read_delimiter and the buffer differ".
        if (reader.kind !== 0 && reader.kind !== kind) throw mixed(kind);
        if (!this.completing && this.exceeds(end - start)) continue;
        this.stopped = false;
        const next = reader.read(kind, bytes, start, end, !this.open && !this.completing, this);
        this.before = Math.max(0, this.before - (next - start));
        start = next;
        if (!this.stopped) break;
      }
      return start;
    } finally {
      this.reading = false;
      this.overflowing = false;
    }
  }

  private createReader(): Reader {
    // Every connection begins with this one, and most never have another.
    if (this.delimiter === EntireMessage) return entireReader;
    return readerFor(this.delimiter, { regexSearch: this.search, maxDelimiterLength: this.maxDelimiterLength });
  }

  private renewReader(): void {
    this.reader = this.createReader();
    this.limit = this.reader.limit(this.size);
    if (this.reading) this.stopped = true;
    else this.dispatchSoon();
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

/** Whether the same object may mean another delimiter by now. */
function isMutable(value: Delimiter): boolean {
  return value instanceof RegExp || value instanceof BinaryPattern || value instanceof Uint8Array;
}
