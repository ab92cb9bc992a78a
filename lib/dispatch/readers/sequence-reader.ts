/**
 * String and Buffer delimiters. Both are searched as bytes: valid UTF-8 contains the UTF-8 of a string exactly where
 * the text contains the string, so text needs no decoding before it is delivered.
 *
 * Of text that has many short units one behind the other, a block is decoded at a time, and the units are cut from
 * that:
 *
 *     | unit | unit | unit | unit | uni|t | ...
 *     | as bytes | a block ............|          the next block begins with the unit that this one has not whole
 *
 * V8 cuts a string without copying it, so a unit that is kept keeps its block, as a line that `split` made keeps the
 * whole text. Hence blocks are small: larger ones gain nothing that can be measured. The first is smaller still, and
 * each twice as large as the one before it, so that little is decoded in vain for a handler that makes reading wait, or
 * changes the delimiter, at each unit.
 */
import { OverflowError } from '../../errors.js';
import { type MessageKind, Opcode } from '../../framing/opcode.js';
import type { BorrowedBytes } from '../../memory/borrowed-bytes.js';
import type { Reader, UnitSink } from '../reader.js';

/** Below this many bytes a loop is faster than a call into the runtime. */
const SHORT = 32;

/** How many bytes of text the first block has. */
const SMALLEST_BLOCK = 128;
/** How many a block has at the most: what a kept unit may cost in memory. */
const LARGEST_BLOCK = 1024;
/** Longer units gain nothing by being cut from a block. */
const SHORT_UNIT = 256;

export class SequenceReader implements Reader {
  readonly kind: MessageKind;
  readonly wholeMessages = false;
  private readonly needle: Buffer;
  /** The same as a string; empty for bytes. */
  private readonly text: string;
  /** How many bytes of the unit at hand cannot begin an occurrence. */
  private searched = 0;

  constructor(delimiter: string | Uint8Array) {
    this.kind = typeof delimiter === 'string' ? Opcode.Text : Opcode.Binary;
    // A copy: the user may write to theirs.
    this.text = typeof delimiter === 'string' ? delimiter : '';
    this.needle = typeof delimiter === 'string' ? Buffer.from(delimiter) : Buffer.from(delimiter);
  }

  limit(bufferSize: number): number {
    return bufferSize;
  }

  read(
    kind: MessageKind,
    bytes: BorrowedBytes,
    start: number,
    end: number,
    _complete: boolean,
    outlet: UnitSink,
  ): number {
    const width = this.needle.length;
    // What is left to search only gets shorter: where it is short already, no view is needed.
    const isShort = end - start - this.searched <= SHORT;
    const haystack = isShort || end === bytes.length ? bytes : bytes.subarray(0, end);
    for (;;) {
      const found = this.find(haystack, start + this.searched, end);
      const length = (found === -1 ? end - width + 1 : found) - start;
      if (length > outlet.limit) {
        // Also without an occurrence: the next one would make a unit at least that long.
        outlet.overflow(new OverflowError(length, outlet.limit));
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
      if (this.text !== '' && length <= SHORT_UNIT && end - start >= SMALLEST_BLOCK) {
        start = this.readBlocks(bytes, start, end, outlet);
        if (outlet.stopped || start === end) return start;
      }
    }
  }

  /**
   * Takes units of text, as many as are whole in one block after the other.
   *
   * @returns where the first unit begins that was not taken: `read` knows what is to become of it
   */
  private readBlocks(bytes: BorrowedBytes, start: number, end: number, outlet: UnitSink): number {
    const { text: delimiter } = this;
    const width = delimiter.length;
    for (let size = SMALLEST_BLOCK; end - start >= SMALLEST_BLOCK; size = Math.min(2 * size, LARGEST_BLOCK)) {
      let stop = Math.min(end, start + size);
      // Not inside a character: half of one would be decoded as U+FFFD, which may be the delimiter.
      if (stop < end) while ((bytes[stop]! & 0xc0) === 0x80) stop--;
      const block = bytes.toString('utf8', start, stop);
      // The most bytes that a unit of a string may be: where that is over the limit, `read` counts them.
      const widest = block.length === stop - start ? 1 : 3;
      let at = 0;
      let found = block.indexOf(delimiter);
      while (found !== -1 && (found - at) * widest <= outlet.limit) {
        const unit = block.slice(at, found);
        at = found + width;
        outlet.unit(unit);
        found = outlet.stopped ? -1 : block.indexOf(delimiter, at);
      }
      start = stop - (widest === 1 ? block.length - at : Buffer.byteLength(block.slice(at)));
      if (at === 0 || found !== -1 || outlet.stopped) return start;
    }
    return start;
  }

  private find(haystack: BorrowedBytes, from: number, end: number): number {
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
