import { Buffer } from 'node:buffer';
import { ownCopy } from '../memory/bulk-allocation.js';
import { checkBytes } from '../memory/bytes.js';
import { newParseState, type ParseState } from './parse-state.js';

/** What an `Unpacker` needs of a `NetStruct`. */
interface Measurable<Values> {
  readonly minimumSize: number;
  measure(bytes: Uint8Array, start: number, end: number, progress: ParseState): number;
  unpackFrom(bytes: Uint8Array): Values;
}

/**
 * One record of a `NetStruct` that arrives in pieces. Made by `NetStruct.unpacker()`.
 *
 * Any number of pieces costs time in proportion to their bytes, and memory in proportion to what has arrived: a length
 * that a peer announces reserves nothing.
 *
 * @example
 * ```ts
 * const unpacker = new NetStruct('H$').unpacker();
 * unpacker.feed(Buffer.from([0, 2])); // 2, as many bytes as are still missing
 * unpacker.feed(Buffer.from('hi!')); // 0
 * unpacker.result; // [<Buffer 68 69>]
 * unpacker.unusedData; // <Buffer 21>
 * ```
 */
export class Unpacker<Values> {
  readonly #netStruct: Measurable<Values>;
  readonly #progress: ParseState;
  #buffer: Buffer = Buffer.alloc(0);
  /** How many bytes of `#buffer` have been filled. */
  #filled = 0;
  #result: Values | undefined;

  /** @internal */
  constructor(netStruct: Measurable<Values>, initial: Uint8Array = Buffer.alloc(0)) {
    this.#netStruct = netStruct;
    this.#progress = newParseState(netStruct);
    this.feed(initial);
  }

  /**
   * How many bytes are missing, as far as is known: lengths that have not arrived count as 0. It is 0 only when the record
   * is complete.
   */
  get remaining(): number {
    return this.#result === undefined ? this.#progress.need - this.#filled : 0;
  }

  /** The values; `undefined` until the record is complete. */
  get result(): Values | undefined {
    return this.#result;
  }

  /** What was fed beyond the end of the record, as a copy; empty until the record is complete. */
  get unusedData(): Buffer {
    return ownCopy(this.#buffer, this.#result === undefined ? this.#filled : this.#progress.need, this.#filled);
  }

  /**
   * Takes more bytes, as many or as few as there are, and returns `remaining`.
   *
   * @throws {StructError} when they say that the length of a string is negative.
   */
  feed(bytes: Uint8Array): number {
    this.#append(checkBytes('bytes', bytes));
    if (this.#result === undefined) {
      const need = this.#netStruct.measure(this.#buffer, 0, this.#filled, this.#progress);
      if (need <= this.#filled) this.#result = this.#netStruct.unpackFrom(this.#buffer);
    }
    return this.remaining;
  }

  #append(bytes: Uint8Array): void {
    const filled = this.#filled + bytes.length;
    if (filled > this.#buffer.length) {
      // Doubled, so that each byte is moved a bounded number of times on average.
      const larger = Buffer.allocUnsafeSlow(Math.max(filled, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#filled);
    this.#filled = filled;
  }
}
