/**
 * The RFC 6455 parser: bytes go in, and calls of the sinks come out. It reads the frame of section 5.2,
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-------+-+-------------+-------------------------------+
 *     |F|R|R|R| opcode|M| Payload len |    Extended payload length    |
 *     |I|S|S|S|  (4)  |A|     (7)     |             (16/64)           |
 *     |N|V|V|V|       |S|             |   (if payload len==126/127)   |
 *     | |1|2|3|       |K|             |                               |
 *     +-+-+-+-+-------+-+-------------+ - - - - - - - - - - - - - - - +
 *     |     Extended payload length continued, if payload len == 127  |
 *     + - - - - - - - - - - - - - - - +-------------------------------+
 *     |                               |  Masking-key                  |
 *     +-------------------------------+-------------------------------+
 *     |  Masking-key (continued)      |          Payload Data         |
 *     +-------------------------------- - - - - - - - - - - - - - - - +
 *
 * and is either in a header (`remaining` < 0) or in a payload (with `remaining` octets to come). Messages that are
 * complete in the chunk take a fast path (`whole-messages.ts`), and so do small fragments, which are joined. Everything
 * else goes through the state machine. Every octet is read once.
 */
import { ownCopy } from '../memory/bulk-allocation.js';
import { type Chunk, SharedChunk } from '../memory/shared-read-buffer.js';
import { parseClosePayload } from './close-payload.js';
import {
  FIN,
  MAX_HEADER_LENGTH,
  maskedHeaderLength,
  payloadLength,
  validateMask,
  validateOpcode,
} from './frame-header.js';
import { isControl, type MessageKind, Opcode, RSV1 } from './opcode.js';
import { PausableParser } from './pausable-parser.js';
import { scannerFor } from './scan/acceleration.js';
import type { FrameScanner } from './scan/frame-scanner.js';
import type { InflatingSink, MessageSink } from './sink.js';
import { isTextSoFar, Utf8Validator } from './utf8.js';
import { type MessageReader, readWholeMessages } from './whole-messages.js';

const IN_HEADER = -1;
const BROKEN = -1;

/** The look-ahead parser ignores messages: the main parser delivers them later. */
const IGNORED_MESSAGES: MessageSink = { message() {}, frame() {}, data() {}, end() {}, joinsFragments: false };
const IGNORED_INFLATION: InflatingSink = { begin() {}, data() {}, end() {}, hasInput: false, start() {} };

export class FrameParser extends PausableParser implements MessageReader {
  /** The kind of the unfinished fragmented message; 0 if there is none. */
  private open: MessageKind | 0 = 0;
  private final = false;
  private opcode = 0;
  private remaining = IN_HEADER;
  private key = 0;
  /** A header or a control frame's payload that arrives in parts. There is at most one at a time. */
  private partial: Buffer | undefined = undefined;
  private partialLength = 0;
  private utf8: Utf8Validator | undefined = undefined;
  /** Receives compressed messages; undefined if compression was not negotiated. */
  inflation: InflatingSink | undefined = undefined;
  scansAhead = true;
  /** The unfinished message is compressed. */
  private compressed = false;

  protected override get isBehind(): boolean {
    return this.paused || this.inflation?.hasInput === true;
  }

  protected override run(chunk: Chunk): void {
    const bytes = chunk instanceof SharedChunk ? chunk.bytes : chunk;
    const scanner = scannerFor(chunk);
    const end = bytes.length;
    let joins = true;
    let at = 0;
    while (at < end && !this.discarding) {
      if (this.remaining !== IN_HEADER) {
        at = this.readPayload(scanner, bytes, at, end);
        continue;
      }
      if (this.paused) {
        this.keep(chunk, at);
        return;
      }
      if (this.partialLength === 0) {
        let next = at;
        if (this.open === 0) next = readWholeMessages(this, scanner, bytes, at, end);
        else if (joins) next = this.readFragments(scanner, at, end);
        if (next === BROKEN) joins = false;
        if (next > at) {
          at = next;
          continue;
        }
      }
      if (this.inflation?.hasInput && isControl(bytes[at]! & 0x0f)) {
        // The control frame must not overtake the data before it, so inflate that first. This pauses the parser.
        this.inflation.start();
        continue;
      }
      at = this.readHeader(bytes, at, end);
    }
  }

  protected override createLookAhead(): FrameParser {
    const { controls, inflation, partial } = this;
    const ahead = new FrameParser(IGNORED_MESSAGES, {
      ping: (payload) => controls.pingAhead?.(payload),
      pong() {},
      closed: () => controls.closeAhead?.(),
    });
    ahead.open = this.open;
    ahead.final = this.final;
    ahead.opcode = this.opcode;
    ahead.remaining = this.remaining;
    ahead.key = this.key;
    ahead.partial = partial && Buffer.from(partial);
    ahead.partialLength = this.partialLength;
    ahead.utf8 = this.utf8?.clone();
    ahead.inflation = inflation && IGNORED_INFLATION;
    ahead.compressed = this.compressed;
    return ahead;
  }

  /**
   * A fast path for messages in very small fragments: consecutive fragments that are complete in the chunk, without
   * other frames between them, are passed on as one frame. It excludes the first and the last fragment of a message.
   *
   * @returns the start of the first frame that was not taken; `BROKEN` if some of the text is invalid
   */
  private readFragments(scanner: FrameScanner, at: number, end: number): number {
    // Complete a pending character first, by its own frame.
    if (this.compressed || !this.messages.joinsFragments || (this.utf8?.pending ?? 0) > 0) return at;
    const next = scanner.join(at, end);
    if (next === at) return at;
    const { joined, joinedLength } = scanner;
    const kind = this.openKind();
    // With invalid text, process each frame alone, so that the sink sees the same frame lengths before the error as
    // without joining.
    if (kind === Opcode.Text && !isTextSoFar(joined, 0, joinedLength)) return BROKEN;
    this.messages.frame(kind, joinedLength);
    if (joinedLength > 0) this.passOn(kind, joined, 0, joinedLength);
    return next;
  }

  /**
   * Reads a header, or as much of it as the chunk contains. Each of the first two octets is checked as soon as it
   * arrives, the length once the header is complete.
   */
  private readHeader(bytes: Buffer, at: number, end: number): number {
    if (this.partialLength === 0 && end - at >= 2) {
      const length = maskedHeaderLength(bytes[at + 1]!);
      if (end - at >= length) {
        validateOpcode(bytes[at]!, this.open !== 0, this.inflation !== undefined);
        validateMask(bytes[at]!, bytes[at + 1]!);
        this.openFrame(bytes, at);
        return at + length;
      }
    }
    this.partial ??= Buffer.allocUnsafeSlow(MAX_HEADER_LENGTH);
    const header = this.partial;
    while (at < end) {
      header[this.partialLength++] = bytes[at++]!;
      if (this.partialLength === 1) validateOpcode(header[0]!, this.open !== 0, this.inflation !== undefined);
      else if (this.partialLength === 2) validateMask(header[0]!, header[1]!);
      if (this.partialLength >= 2 && this.partialLength === maskedHeaderLength(header[1]!)) {
        this.partial = undefined;
        this.partialLength = 0;
        this.openFrame(header, 0);
        break;
      }
    }
    return at;
  }

  private openFrame(header: Buffer, at: number): void {
    const length = payloadLength(header, at);
    const opcode = header[at]! & 0x0f;
    this.final = (header[at]! & FIN) !== 0;
    this.opcode = opcode;
    this.remaining = length;
    this.key = header.readInt32BE(at + maskedHeaderLength(header[at + 1]!) - 4);
    if (!isControl(opcode)) {
      if (opcode === Opcode.Text || opcode === Opcode.Binary) {
        this.open = opcode;
        this.compressed = (header[at]! & RSV1) !== 0;
        if (this.compressed) this.inflation?.begin(opcode);
      }
      // The size of a compressed frame's data is not known yet.
      if (!this.compressed) this.messages.frame(this.openKind(), length);
    }
    if (length === 0) this.closeFrame(header, at, at);
  }

  private readPayload(scanner: FrameScanner, bytes: Buffer, at: number, end: number): number {
    const stop = Math.min(end, at + this.remaining);
    this.key = scanner.unmask(bytes, at, stop, this.key);
    this.remaining -= stop - at;
    if (isControl(this.opcode)) {
      this.readControl(bytes, at, stop);
      return stop;
    }
    if (this.compressed) {
      this.inflation?.data(bytes, at, stop);
    } else {
      this.passOn(this.openKind(), bytes, at, stop);
    }
    if (this.remaining === 0) this.closeFrame(bytes, stop, stop);
    return stop;
  }

  private passOn(kind: MessageKind, bytes: Buffer, start: number, end: number): void {
    if (kind === Opcode.Text) {
      this.utf8 ??= new Utf8Validator();
      this.utf8.write(bytes, start, end, this.messages);
    } else {
      this.messages.data(Opcode.Binary, bytes, start, end);
    }
  }

  override discard(): void {
    super.discard();
    this.partial = undefined;
    this.utf8 = undefined;
  }

  private readControl(bytes: Buffer, start: number, end: number): void {
    if (this.remaining === 0 && this.partialLength === 0) {
      this.closeFrame(bytes, start, end);
      return;
    }
    this.partial ??= Buffer.allocUnsafeSlow(125);
    this.partialLength += bytes.copy(this.partial, this.partialLength, start, end);
    if (this.remaining === 0) {
      const payload = this.partial;
      const length = this.partialLength;
      this.partial = undefined;
      this.partialLength = 0;
      this.closeFrame(payload, 0, length);
    }
  }

  /** The frame is complete; bytes[start, end) is a control frame's payload. */
  private closeFrame(bytes: Buffer, start: number, end: number): void {
    this.remaining = IN_HEADER;
    switch (this.opcode) {
      case Opcode.Ping:
        this.controls.ping(ownCopy(bytes, start, end));
        break;
      case Opcode.Pong:
        this.controls.pong(ownCopy(bytes, start, end));
        break;
      case Opcode.Close: {
        const { code, reason } = parseClosePayload(bytes.subarray(start, end));
        this.discard();
        this.controls.closed(code, reason);
        break;
      }
      default:
        if (this.final) this.endMessage();
    }
  }

  private endMessage(): void {
    const kind = this.openKind();
    this.open = 0;
    if (this.compressed) {
      this.compressed = false;
      this.inflation?.end();
      return;
    }
    this.utf8?.end();
    this.utf8 = undefined;
    this.messages.end(kind);
  }

  private openKind(): MessageKind {
    return this.open === Opcode.Text ? Opcode.Text : Opcode.Binary;
  }
}
