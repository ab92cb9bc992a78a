/**
 * String and Buffer delimiters. Both are searched as bytes: valid UTF-8 contains the UTF-8 of a string exactly where the
 * text contains the string, so text needs no decoding before it is delivered.
 */
import { type MessageKind, Opcode } from '../framing/opcode.js';
import type { Outlet, Reader } from './reader.js';

/** Below this many bytes a loop is faster than a call into the runtime. */
const SHORT = 32;

export class SequenceReader implements Reader {
  readonly kind: MessageKind;
  readonly wholeMessages = false;
  private readonly needle: Buffer;
  /** How many bytes of the unit at hand cannot begin an occurrence. */
  private searched = 0;

  constructor(delimiter: string | Uint8Array) {
    this.kind = typeof delimiter === 'string' ? Opcode.Text : Opcode.Binary;
    // A copy: the user may write to theirs.
    this.needle = typeof delimiter === 'string' ? Buffer.from(delimiter) : Buffer.from(delimiter);
  }

  limit(bufferSize: number): number {
    return bufferSize;
  }

  read(kind: MessageKind, bytes: Buffer, start: number, end: number, _complete: boolean, outlet: Outlet): number {
    const width = this.needle.length;
    // What is left to search only gets shorter: where it is short already, no view is needed.
    const isShort = end - start - this.searched <= SHORT;
    const haystack = isShort || end === bytes.length ? bytes : bytes.subarray(0, end);
    for (;;) {
      const found = this.find(haystack, start + this.searched, end);
      const length = (found === -1 ? end - width + 1 : found) - start;
      if (length > outlet.limit) {
        // Also without an occurrence: the next one would make a unit at least that long.
        outlet.overflow(length);
        return start;
      }
      if (found === -1) {
        this.searched = Math.max(0, length);
        return start;
      }
      const unit = outlet.take(kind, bytes, start, found);
      start = found + width;
      this.searched = 0;
      outlet.unit(unit);
      if (outlet.stopped || start === end) return start;
    }
  }

  private find(haystack: Buffer, from: number, end: number): number {
    const first = this.needle[0]!;
    const width = this.needle.length;
    if (end - from <= SHORT) {
      next: for (let at = from; at <= end - width; at++) {
        if (haystack[at] !== first) continue;
        for (let i = 1; i < width; i++) if (haystack[at + i] !== this.needle[i]) continue next;
        return at;
      }
      return -1;
    }
    return width === 1 ? haystack.indexOf(first, from) : haystack.indexOf(this.needle, from);
  }
}
