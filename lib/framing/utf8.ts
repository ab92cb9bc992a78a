/**
 * UTF-8 (RFC 3629) as RFC 6455 section 8.1 wants it: "When an endpoint is to interpret a byte stream as UTF-8 but finds
 * that the byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_."
 *
 * The runtime validates whole runs of characters; what is written here is what it does not offer: a character cut by a
 * frame or by TCP is held back until it is whole, a prefix that no character begins with fails at that very byte, and
 * the characters before a bad byte are found, so that what is delivered does not depend on how the bytes were cut.
 */
import { isUtf8 } from 'node:buffer';
import { ProtocolError } from '../errors.js';
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';
import { CloseCode } from './close-code.js';
import { type MessageKind, Opcode } from './opcode.js';

/** Shorter runs are looked at here: calling into the runtime costs more. */
const SHORT = 24;

export function invalidUtf8(): ProtocolError {
  return new ProtocolError('text is not valid UTF-8', CloseCode.INVALID_FRAME_PAYLOAD_DATA);
}

/** Whether bytes[start, end) are whole characters of valid UTF-8. */
export function isText(bytes: Buffer, start: number, end: number): boolean {
  if (end - start <= SHORT) {
    let at = start;
    while (at < end && bytes[at]! < 0x80) at++;
    if (at === end) return true;
  }
  return isUtf8(bytes.subarray(start, end));
}

/** Where the last character that is not whole begins: `end` when all are. Looks at three bytes at the most. */
function lastBoundary(bytes: Buffer, start: number, end: number): number {
  for (let at = end - 1; at >= start && at >= end - 3; at--) {
    const byte = bytes[at]!;
    if (byte < 0x80) return end;
    if (byte >= 0xc0) return at + sequenceLength(byte) > end ? at : end;
  }
  return end;
}

/** The octets of the character that this lead byte opens; 0 where no character begins with it. */
function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

/** Whether some character begins with bytes[start, end), at most four of them: the table of RFC 3629 section 4. */
function isPrefix(bytes: Buffer, start: number, end: number): boolean {
  const lead = bytes[start]!;
  const length = sequenceLength(lead);
  if (length === 0 || end - start > length) return false;
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at]!;
    let low = 0x80;
    let high = 0xbf;
    if (at === start + 1) {
      if (lead === 0xe0) low = 0xa0;
      else if (lead === 0xed) high = 0x9f;
      else if (lead === 0xf0) low = 0x90;
      else if (lead === 0xf4) high = 0x8f;
    }
    if (byte < low || byte > high) return false;
  }
  return true;
}

/** Whether bytes[start, end) are valid UTF-8 as far as they go: the last character may be cut. */
export function isTextSoFar(bytes: Buffer, start: number, end: number): boolean {
  const boundary = lastBoundary(bytes, start, end);
  return isText(bytes, start, boundary) && (boundary === end || isPrefix(bytes, boundary, end));
}

/** The end of the whole, valid characters that bytes[start, end) begin with. */
export function validPrefix(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const next = at + sequenceLength(bytes[at]!);
    if (next === at || next > end || !isPrefix(bytes, at, next)) break;
    at = next;
  }
  return at;
}

/** Where whole characters go. */
export interface TextSink {
  readonly data: (kind: MessageKind, bytes: BorrowedBytes, start: number, end: number) => void;
}

/** Passes on the text of one message as whole characters, however it was cut. */
export class Utf8Validator {
  /** The character that is not whole yet. */
  private readonly tail = Buffer.allocUnsafeSlow(4);
  private tailLength = 0;

  write(bytes: Buffer, start: number, end: number, sink: TextSink): void {
    while (this.tailLength > 0 && start < end) {
      this.tail[this.tailLength++] = bytes[start++]!;
      if (!isPrefix(this.tail, 0, this.tailLength)) throw invalidUtf8();
      if (this.tailLength === sequenceLength(this.tail[0]!)) {
        this.tailLength = 0;
        sink.data(Opcode.Text, this.tail, 0, sequenceLength(this.tail[0]!));
      }
    }
    if (start === end) return;
    const boundary = lastBoundary(bytes, start, end);
    const valid = isText(bytes, start, boundary) && (boundary === end || isPrefix(bytes, boundary, end));
    const stop = valid ? boundary : validPrefix(bytes, start, end);
    if (stop > start) sink.data(Opcode.Text, bytes, start, stop);
    if (!valid) throw invalidUtf8();
    this.tailLength = bytes.copy(this.tail, 0, boundary, end);
  }

  /** Another one, which stands where this one does. */
  clone(): Utf8Validator {
    const clone = new Utf8Validator();
    clone.tailLength = this.tail.copy(clone.tail, 0, 0, this.tailLength);
    return clone;
  }

  /** How many bytes are held back. */
  get pending(): number {
    return this.tailLength;
  }

  /** The message is complete: its last character must be, too. */
  end(): void {
    if (this.tailLength > 0) throw invalidUtf8();
  }
}
