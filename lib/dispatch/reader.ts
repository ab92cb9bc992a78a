/**
 * A reader implements one kind of delimiter. It takes complete units from the front of the buffered data, passes each
 * to the outlet, and returns the index it reached. It remembers how far it has searched without a match, so that no
 * byte is searched twice.
 */
import type { OverflowError } from '../errors.js';
import type { MessageKind } from '../framing/opcode.js';
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';

/** A unit that `onRead` receives as its only argument. */
export type Unit = string | Buffer | RegExpExecArray | readonly (Buffer | undefined)[];

export interface UnitSink {
  /** The maximum size of one unit, in bytes. */
  readonly limit: number;
  /** Set if the reader must return after the unit it just delivered: the delimiter changed, or reading paused. */
  readonly stopped: boolean;
  /** Converts bytes[start, end) for the user: to a string, or to a buffer whose memory is the user's own. */
  readonly take: (kind: MessageKind, bytes: BorrowedBytes, start: number, end: number) => string | Buffer;
  /** Decodes bytes[start, end). The text is cached for readers that ask for its tail next. */
  readonly decode: (kind: MessageKind, bytes: BorrowedBytes, start: number, end: number) => string;
  unit(value: Unit): void;
  units(values: readonly unknown[]): void;
  /** Like `units`, for the first `count` of up to four values. */
  values4(count: number, a: unknown, b: unknown, c: unknown, d: unknown): void;
  /** Reports that the unit at the front, or its delimiter, is too long. The reader must then return. */
  overflow(error: OverflowError): void;
}

export interface Reader {
  /** The kind of data this delimiter reads; 0 for either. */
  readonly kind: MessageKind | 0;
  /** Whether units can only be taken from complete messages, so that each message has to be buffered whole. */
  readonly wholeMessages: boolean;
  /** @returns the maximum size of one unit with this `bufferSize`, in bytes */
  limit(bufferSize: number): number;
  /** @returns the maximum size of one message, in bytes, if it differs from `limit`; for readers of whole messages */
  messageLimit?(limit: number): number;
  /**
   * @param start the start of the current unit, unchanged since the previous call unless units were taken
   * @param complete whether a message ends at `end`
   * @returns the start of the first unit that was not delivered
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
