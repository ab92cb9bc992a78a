/** A number as delimiter: that many bytes of binary data, or that many characters (code points) of text. */
import { type MessageKind, Opcode } from '../../framing/opcode.js';
import type { BorrowedBytes } from '../../memory/borrowed-bytes.js';
import type { Reader, UnitSink } from '../reader.js';

export class CountReader implements Reader {
  readonly kind = 0;
  readonly wholeMessages = false;
  private readonly count: number;
  /** The characters of the current unit counted so far, and their bytes. */
  private characters = 0;
  private bytes = 0;

  constructor(count: number) {
    this.count = count;
  }

  /** A unit always fits, whatever the buffer size. */
  limit(): number {
    return Number.POSITIVE_INFINITY;
  }

  read(
    kind: MessageKind,
    bytes: BorrowedBytes,
    start: number,
    end: number,
    _complete: boolean,
    outlet: UnitSink,
  ): number {
    for (;;) {
      const stop = kind === Opcode.Text ? this.countCharacters(bytes, start, end) : start + this.count;
      if (stop === -1 || stop > end) return start;
      const unit = outlet.take(kind, bytes, start, stop);
      start = stop;
      this.characters = 0;
      this.bytes = 0;
      outlet.unit(unit);
      if (outlet.stopped || start === end) return start;
    }
  }

  /**
   * @returns the end of the unit, or -1. Text is never split inside a character, so each lead byte reveals the next one
   */
  private countCharacters(bytes: BorrowedBytes, start: number, end: number): number {
    let at = start + this.bytes;
    let characters = this.characters;
    while (at < end && characters < this.count) {
      const lead = bytes[at]!;
      at += lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
      characters++;
    }
    this.characters = characters;
    this.bytes = at - start;
    return characters === this.count ? at : -1;
  }
}
