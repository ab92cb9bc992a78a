/**
 * Holds data that has arrived and was not delivered, in one piece, so that a peer that sends one byte per frame costs
 * no more memory than one that sends them all at once. The buffer grows by doubling, or to the size of a frame of which
 * more than half has arrived. Before it grows it drops consumed data from its front. While empty it holds no memory. It
 * does not use Node's pool, where a single byte would keep an 8 KiB block alive.
 */

import type { MessageKind } from '../framing/opcode.js';
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';
import { allocate } from '../memory/bulk-allocation.js';

const NOTHING = Buffer.alloc(0);

export class ReadBuffer {
  bytes = NOTHING;
  start = 0;
  end = 0;
  /** The buffer never holds both kinds at once. Meaningless while it is empty. */
  kind: MessageKind = 1;

  get length(): number {
    return this.end - this.start;
  }

  /** @param rest how many more bytes the frame header announced */
  append(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number, rest = 0): void {
    const length = this.length;
    const more = end - start;
    if (this.end + more > this.bytes.length) {
      const needed = length + more;
      const roomy = needed * 2 <= this.bytes.length;
      const target = roomy ? this.bytes : allocate(sizeFor(length, needed, rest));
      this.bytes.copy(target, 0, this.start, this.end);
      this.bytes = target;
      this.start = 0;
      this.end = length;
    }
    bytes.copy(this.bytes, this.end, start, end);
    this.end += more;
    this.kind = kind;
  }

  /** Drops the data before `start`. */
  drop(start: number): void {
    if (start === this.end) this.release();
    else this.start = start;
  }

  /** Lets go of the memory, so that the recipient of a view of it owns it. */
  release(): void {
    this.bytes = NOTHING;
    this.start = 0;
    this.end = 0;
  }
}

/** Announcing a length costs a peer nothing, so memory is reserved only for as much as has already arrived. */
function sizeFor(length: number, needed: number, rest: number): number {
  const whole = needed + rest;
  // Growing by less than half would copy each byte again and again.
  if (rest <= needed && whole * 2 >= length * 3) return whole;
  return Math.max(needed, length * 2);
}
