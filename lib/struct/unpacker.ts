import { Buffer } from 'node:buffer';
import { ownCopy } from '../memory/bulk-allocation.js';
import { checkBytes } from '../memory/bytes.js';
import { newParseState, type ParseState } from './parse-state.js';

/** The part of `NetStruct` that an `Unpacker` uses. */
interface Measurable<Values> {
  readonly minimumSize: number;
  measure(bytes: Uint8Array, start: number, end: number, progress: ParseState): number;
  unpackFrom(bytes: Uint8Array): Values;
}

/**
 * Unpacks one `NetStruct` record that arrives in pieces. Created by `NetStruct.unpacker()`.
 *
 * However many pieces there are, the time is proportional to their bytes, and the memory to the bytes received: a
 * length that a peer announces reserves nothing.
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
  /** In bytes. */
  #filled = 0;
  #result: Values | undefined;

  /** @internal */
  constructor(netStruct: Measurable<Values>, initial: Uint8Array = Buffer.alloc(0)) {
    this.#netStruct = netStruct;
    this.#progress = newParseState(netStruct);
    this.feed(initial);
  }

  /**
   * The number of bytes still missing, as far as is known: a length that has not arrived yet counts as 0. The value is
   * 0 only when the record is complete.
   */
  get remaining(): number {
    return this.#result === undefined ? this.#progress.need - this.#filled : 0;
  }

  /** The unpacked values; `undefined` until the record is complete. */
  get result(): Values | undefined {
    return this.#result;
  }

  /** A copy of the bytes after the end of the record; empty until the record is complete. */
  get unusedData(): Buffer {
    return ownCopy(this.#buffer, this.#result === undefined ? this.#filled : this.#progress.need, this.#filled);
  }

  /**
   * Takes the next chunk, of any size, and returns `remaining`.
   *
   * @throws {StructError} if a string has a negative length.
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
      // Doubling keeps the copying linear in the number of bytes.
      const larger = Buffer.allocUnsafeSlow(Math.max(filled, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#filled);
    this.#filled = filled;
  }
}
