/**
 * What has arrived and was not delivered, in one piece: a peer that sends a byte a frame costs no more memory than one
 * that sends them all at once. Grows by doubling, or to the size of a frame of which more than half has come, drops
 * what was taken from its front when it would have to grow, and holds no memory at all while it is empty. None of it is
 * of Node's pool, of which a byte would keep the 8 KiB that it is cut from.
 */

import type { MessageKind } from '../framing/opcode.js';
import type { BorrowedBytes } from '../memory/borrowed-bytes.js';
import { allocate } from '../memory/bulk-allocation.js';

const NOTHING = Buffer.alloc(0);

export class ReadBuffer {
  bytes = NOTHING;
  start = 0;
  end = 0;
  /** Text and bytes never stand in the buffer together. Meaningless while it is empty. */
  kind: MessageKind = 1;

  get length(): number {
    return this.end - this.start;
  }

  /** @param rest so many bytes are announced to come behind these */
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

  /** Drops what stands before `start`. */
  drop(start: number): void {
    if (start === this.end) this.release();
    else this.start = start;
  }

  /** Forgets the memory, so that whoever was given a view of it owns it. */
  release(): void {
    this.bytes = NOTHING;
    this.start = 0;
    this.end = 0;
  }
}

/** An announcement costs nothing: it is believed where it is no more than what has come. */
function sizeFor(length: number, needed: number, rest: number): number {
  const whole = needed + rest;
  // By less than a half it never grows: each byte would be copied again and again.
  if (rest <= needed && whole * 2 >= length * 3) return whole;
  return Math.max(needed, length * 2);
}
