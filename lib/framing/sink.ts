/**
 * The callbacks of the parsers: one per event and without event objects, because a server with millions of messages per
 * second would spend its time collecting them. `bytes` is the peer's chunk, unmasked in place, and [start, end) is the
 * part in question. It is borrowed: to keep any of it, copy it. The compiler rejects code that would pass a view of it
 * to a user, which is why the callbacks are properties: parameters of methods are not checked strictly.
 */
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';
import type { Chunk } from '../memory/shared-read-buffer.js';
import type { MessageKind } from './opcode.js';

export interface MessageSink {
  /**
   * A complete message in one frame and one chunk. Text is valid UTF-8.
   *
   * @param text the decoded text, if it is already known
   */
  readonly message: (kind: MessageKind, bytes: BorrowedBytes, start: number, end: number, text?: string) => void;
  /** A frame of any other message begins, `length` bytes long. The sink can reject it before anything is buffered. */
  readonly frame: (kind: MessageKind, length: number) => void;
  /** Some of that message's bytes. Text is valid UTF-8 and never split inside a character. */
  readonly data: (kind: MessageKind, bytes: BorrowedBytes, start: number, end: number) => void;
  /** That message is complete. */
  readonly end: (kind: MessageKind) => void;
  /**
   * Whether small frames of the unfinished message may be joined, which makes very small fragments cheap. Read before
   * each use, because it may change.
   */
  readonly joinsFragments: boolean;
}

/**
 * Takes the payload of compressed messages (RFC 7692) and passes the inflated data to a `MessageSink`.
 */
export interface InflatingSink {
  /** A compressed message begins. */
  readonly begin: (kind: MessageKind) => void;
  /** Some of its payload, still compressed. */
  readonly data: (bytes: BorrowedBytes, start: number, end: number) => void;
  /** The message is complete. */
  readonly end: () => void;
  /** Whether input waits to be inflated. Control frames and protocol errors after it must then wait too. */
  readonly hasInput: boolean;
  /** Starts to inflate the waiting input, and pauses the parser. */
  readonly start: () => void;
}

export interface ControlSink {
  /** `payload` is a copy. */
  ping(payload: Buffer): void;
  /** `payload` is a copy. */
  pong(payload: Buffer): void;
  /** The peer's close frame; nothing is parsed after it. `code` is 1005 when it carried none. */
  closed(code: number, reason: string): void;
  /** A ping was found ahead of a paused parser. When the parser reaches it, `ping` is called as well. */
  pingAhead?(payload: Buffer): void;
  /** A close frame was found ahead of a paused parser. When the parser reaches it, `closed` is called as well. */
  closeAhead?(): void;
}

/** Turns the peer's bytes into calls of the sinks. Implemented for RFC 6455 and for draft-76. */
export interface Parser {
  /** Takes the next bytes. Throws a `ProtocolError` at the first violation of the protocol. */
  feed(chunk: Chunk): void;
  /** Stops before the next frame. The rest of the chunk is kept until `resume`. */
  pause(): void;
  readonly paused: boolean;
  /** How many more bytes `feed` may bring: unlimited, or the room for reading ahead while the parser is paused. */
  readonly room: number;
  /** The memory of kept input, in bytes. */
  readonly pinned: number;
  /** Continues after `pause` with the kept input. Throws like `feed`. */
  resume(): void;
  /** Drops all kept and all later input. */
  discard(): void;
}
