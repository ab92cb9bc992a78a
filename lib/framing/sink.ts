/**
 * How the engine is called back: one method per event and no event objects, because a server that handles millions of
 * messages a second would spend its time collecting them. `bytes` is the chunk that came from the peer, unmasked in
 * place; [start, end) is the part that is meant. It is borrowed: all of it that is kept has to be copied, and the
 * compiler lets no view of it be handed to a user. (Hence properties and no methods: of a method's parameters it would
 * not ask.)
 */
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';
import type { Chunk } from '../memory/shared-read-buffer.js';
import type { MessageKind } from './opcode.js';

export interface MessageSink {
  /**
   * A whole message that stood in one frame and one chunk. Text is valid UTF-8.
   *
   * @param text the same decoded, where that is done already
   */
  readonly message: (kind: MessageKind, bytes: BorrowedBytes, start: number, end: number, text?: string) => void;
  /** A frame of any other message begins, `length` bytes long: the place to refuse it before anything is buffered. */
  readonly frame: (kind: MessageKind, length: number) => void;
  /** Some of that message's bytes. Text is valid UTF-8 and never cut inside a character. */
  readonly data: (kind: MessageKind, bytes: BorrowedBytes, start: number, end: number) => void;
  /** That message is complete. */
  readonly end: (kind: MessageKind) => void;
  /**
   * Whether small frames of the message that is open may come as if they had been one: what is sent in very small
   * fragments then costs next to nothing each. Asked before each.
   */
  readonly joinsFragments: boolean;
}

/**
 * Where the payload of compressed messages goes (RFC 7692); what comes out of it reaches the `MessageSink` through it.
 */
export interface InflatingSink {
  /** A compressed message begins. */
  readonly begin: (kind: MessageKind) => void;
  /** Some of its payload, still compressed. */
  readonly data: (bytes: BorrowedBytes, start: number, end: number) => void;
  /** That was all. */
  readonly end: () => void;
  /** Whether some of it waits to be inflated: control frames and mistakes that come behind it wait, too. */
  readonly hasInput: boolean;
  /** Begins with that, and pauses the parser. */
  readonly start: () => void;
}

export interface ControlSink {
  /** `payload` is a copy. */
  ping(payload: Buffer): void;
  /** `payload` is a copy. */
  pong(payload: Buffer): void;
  /** The peer's close frame; nothing is parsed after it. `code` is 1005 when it carried none. */
  closed(code: number, reason: string): void;
  /** A ping stands behind what a parser that is paused has come to. Once that comes to it, `ping` is called as well. */
  pingAhead?(payload: Buffer): void;
  /** The same for a close frame. */
  closeAhead?(): void;
}

/** What turns the peer's bytes into calls of the sinks: the RFC 6455 parser, or the draft-76 one. */
export interface Parser {
  /** Takes the next bytes. Throws a `ProtocolError` at the peer's first mistake. */
  feed(chunk: Chunk): void;
  /** Stops in front of the next frame. What is left of the chunk is kept until `resume`. */
  pause(): void;
  readonly paused: boolean;
  /** How many bytes may still come: any number, or while it is paused those that are read ahead. */
  readonly room: number;
  /** The memory of what is kept, in bytes. */
  readonly pinned: number;
  /** Goes on after `pause`, with what was kept. Throws like `feed`. */
  resume(): void;
  /** Drops everything that is still to come. */
  discard(): void;
}
