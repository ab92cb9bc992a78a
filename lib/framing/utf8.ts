/**
 * UTF-8 (RFC 3629) as RFC 6455 section 8.1 requires it: "When an endpoint is to interpret a byte stream as UTF-8 but
 * finds that the byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket
 * Connection_."
 *
 * The runtime validates runs of complete characters. This module adds what it lacks: a character split by a frame or by
 * TCP is held back until it is complete, an invalid prefix fails at its first bad byte, and the valid characters before
 * a bad byte are found, so that the result does not depend on how the bytes were split.
 */
import { isUtf8 } from 'node:buffer';
import { ProtocolError } from '../errors.js';
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';
import { CloseCode } from './close-code.js';
import { type MessageKind, Opcode } from './opcode.js';

/** Shorter runs are checked in JavaScript, because calling the runtime costs more. */
const SHORT = 24;

export function invalidUtf8(): ProtocolError {
  return new ProtocolError('text is not valid UTF-8', CloseCode.INVALID_FRAME_PAYLOAD_DATA);
}

/** Whether bytes[start, end) are complete characters of valid UTF-8. */
export function isText(bytes: Buffer, start: number, end: number): boolean {
  if (end - start <= SHORT) {
    let at = start;
    while (at < end && bytes[at]! < 0x80) at++;
    if (at === end) return true;
  }
  return isUtf8(bytes.subarray(start, end));
}

/** @returns the start of an incomplete last character, or `end` if there is none. Reads at most three bytes */
function lastBoundary(bytes: Buffer, start: number, end: number): number {
  for (let at = end - 1; at >= start && at >= end - 3; at--) {
    const byte = bytes[at]!;
    if (byte < 0x80) return end;
    if (byte >= 0xc0) return at + sequenceLength(byte) > end ? at : end;
  }
  return end;
}

/** @returns the length of a character with this lead byte; 0 if no character begins with it */
function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

/** Whether a character can begin with bytes[start, end), which are at most four (RFC 3629 section 4). */
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

/** Whether bytes[start, end) are valid UTF-8. The last character may be incomplete. */
export function isTextSoFar(bytes: Buffer, start: number, end: number): boolean {
  const boundary = lastBoundary(bytes, start, end);
  return isText(bytes, start, boundary) && (boundary === end || isPrefix(bytes, boundary, end));
}

/** @returns the end of the complete, valid characters at the start of bytes[start, end) */
export function validPrefix(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const next = at + sequenceLength(bytes[at]!);
    if (next === at || next > end || !isPrefix(bytes, at, next)) break;
    at = next;
  }
  return at;
}

/** Receives complete characters. */
export interface TextSink {
  readonly data: (kind: MessageKind, bytes: BorrowedBytes, start: number, end: number) => void;
}

/** Passes on the text of one message in complete characters, however it was split. */
export class Utf8Validator {
  /** The incomplete character. */
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

  /** @returns a validator in the same state */
  clone(): Utf8Validator {
    const clone = new Utf8Validator();
    clone.tailLength = this.tail.copy(clone.tail, 0, 0, this.tailLength);
    return clone;
  }

  /** How many bytes are held back. */
  get pending(): number {
    return this.tailLength;
  }

  /** Checks that the last character of the message is complete. */
  end(): void {
    if (this.tailLength > 0) throw invalidUtf8();
  }
}
