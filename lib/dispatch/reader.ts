/**
 * A reader knows one kind of delimiter. It is given what is buffered, takes whole units from its front, hands each to
 * the outlet, and returns how far it came; what it has searched in vain it remembers, so that no byte is searched
 * twice.
 */
import type { OverflowError } from '../errors.js';
import type { MessageKind } from '../framing/opcode.js';
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';

/** What reaches `onRead` as its only argument. */
export type Unit = string | Buffer | RegExpExecArray | readonly (Buffer | undefined)[];

export interface UnitSink {
  /** The most bytes that one unit may have. */
  readonly limit: number;
  /** Set when the reader must return after the unit it just handed over: the delimiter changed, or reading paused. */
  readonly stopped: boolean;
  /** bytes[start, end) as the user gets them: a string, or a buffer whose memory is theirs. */
  readonly take: (kind: MessageKind, bytes: BorrowedBytes, start: number, end: number) => string | Buffer;
  /** bytes[start, end) decoded once, though several readers in turn may ask for its rest. */
  readonly decode: (kind: MessageKind, bytes: BorrowedBytes, start: number, end: number) => string;
  unit(value: Unit): void;
  units(values: readonly unknown[]): void;
  /** The same for the first `count` of these values, up to four. */
  values4(count: number, a: unknown, b: unknown, c: unknown, d: unknown): void;
  /** The unit at the front, or its delimiter, is too long. The reader returns after it. */
  overflow(error: OverflowError): void;
}

export interface Reader {
  /** The kind of data this delimiter reads; 0 for either. */
  readonly kind: MessageKind | 0;
  /** Units are only taken when a message is complete, so the message has to be buffered whole. */
  readonly wholeMessages: boolean;
  /** The most bytes one unit may have under this `bufferSize`. */
  limit(bufferSize: number): number;
  /** Of a reader of whole messages: the most bytes that one may have, where that is more than a unit may. */
  messageLimit?(limit: number): number;
  /**
   * @param start where the unit at hand begins: the same place as in the call before, unless units were taken
   * @param complete whether bytes[start, end) end with the end of a message
   * @returns where the first unit begins that was not handed over
   */
  readonly read: (
    kind: MessageKind,
    bytes: BorrowedBytes,
    start: number,
    end: number,
    complete: boolean,
    outlet: UnitSink,
  ) => number;
}
