/**
 * String and Buffer delimiters. Both are searched as bytes: valid UTF-8 contains the UTF-8 of a string exactly where
 * the text contains the string, so text need not be decoded before it is delivered.
 *
 * Text with many consecutive short units is decoded a block at a time, and the units are sliced from the block:
 *
 *     | unit | unit | unit | unit | uni|t | ...
 *     | as bytes | a block ............|          the next block begins with the unit that is incomplete in this one
 *
 * V8 slices a string without copying, so a unit that the user keeps also keeps its block in memory, just as a line from
 * `split` keeps the whole text. Hence blocks are small; larger ones bring no measurable gain. The first block is
 * smaller still, and each is twice the size of the previous one, so that little is decoded for nothing if the handler
 * makes reading wait, or changes the delimiter, at each unit.
 */
import { OverflowError } from '../../errors.js';
import { type MessageKind, Opcode } from '../../framing/opcode.js';
import type { BorrowedBytes } from '../../memory/borrowed-bytes.js';
import type { Reader, UnitSink } from '../reader.js';

/** Below this many bytes a loop is faster than a call into the runtime. */
const SHORT = 32;

/** The size of the first block, in bytes. */
const SMALLEST_BLOCK = 128;
/** The maximum size of a block, in bytes, and so the memory that a kept unit may hold. */
const LARGEST_BLOCK = 1024;
/** Slicing longer units from a block gains nothing. */
const SHORT_UNIT = 256;

export class SequenceReader implements Reader {
  readonly kind: MessageKind;
  readonly wholeMessages = false;
  private readonly needle: Buffer;
  /** The delimiter as a string; empty for bytes. */
  private readonly text: string;
  /** How many bytes of the current unit cannot begin an occurrence. */
  private searched = 0;

  constructor(delimiter: string | Uint8Array) {
    this.kind = typeof delimiter === 'string' ? Opcode.Text : Opcode.Binary;
    // A copy, because the user may modify the original.
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
    // The rest to search only gets shorter, so a short one never needs a view.
    const isShort = end - start - this.searched <= SHORT;
    const haystack = isShort || end === bytes.length ? bytes : bytes.subarray(0, end);
    for (;;) {
      const found = this.find(haystack, start + this.searched, end);
      const length = (found === -1 ? end - width + 1 : found) - start;
      if (length > outlet.limit) {
        // Even without an occurrence, because the next one would end a unit of at least this length.
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
   * Takes all units of text that are complete within a block, block by block.
   *
   * @returns the start of the first unit that was not taken, which `read` handles
   */
  private readBlocks(bytes: BorrowedBytes, start: number, end: number, outlet: UnitSink): number {
    const { text: delimiter } = this;
    const width = delimiter.length;
    for (let size = SMALLEST_BLOCK; end - start >= SMALLEST_BLOCK; size = Math.min(2 * size, LARGEST_BLOCK)) {
      let stop = Math.min(end, start + size);
      // Stop between characters: half of one would be decoded as U+FFFD, which may be the delimiter.
      if (stop < end) while ((bytes[stop]! & 0xc0) === 0x80) stop--;
      const block = bytes.toString('utf8', start, stop);
      // The maximum bytes per UTF-16 code unit. If a unit may exceed the limit by this bound, `read` counts exactly.
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
