import { Buffer } from 'node:buffer';
import { inspectValue, invalidArgument, StructError } from '../errors.js';
import { checkBytes } from '../memory/bytes.js';
import { CompiledFormat } from './compiled-format.js';
import { valueError } from './format.js';
import type { StructInputs, StructValues } from './types.js';

/** @internal Friend of `Struct`: its compiled format, for readers of many records. */
export let compiledOf: (struct: Struct) => CompiledFormat;

/**
 * Packs and unpacks fixed-size binary records, exactly as Python's `struct.Struct` (CPython 3.11) does on 64-bit Linux.
 * The constructor compiles the format, so create a `Struct` once and reuse it.
 *
 * The first character may set the byte order and sizes: `<` and `=` are little-endian, `>` and `!` are big-endian
 * (network order); all four use standard sizes without alignment. `@`, or no prefix, is native: little-endian, aligned,
 * and `l L n N P` take 8 bytes.
 *
 * | character | bytes | value |
 * |---|---|---|
 * | `b B h H i I l L` | 1 1 2 2 4 4 4 4 | `number`; capitals are unsigned |
 * | `q Q`, native `l L n N P` | 8 | `bigint`; `number` is accepted when packing |
 * | `e f d` | 2 4 8 | `number` |
 * | `?` | 1 | `boolean` |
 * | `c` | 1 | `Buffer` of one byte |
 * | `5s` | 5 | `Buffer`; zero-padded or truncated when packing |
 * | `5p` | 5 | `Buffer`; a length byte and up to 4 bytes |
 * | `x` | 1 | a pad byte, without a value |
 *
 * A count before a character repeats it (`3h`); before `s` and `p` it is the length. Whitespace between items is
 * ignored.
 *
 * @example
 * ```ts
 * const header = new Struct('!ILH');
 * const bytes = header.pack(1, 2, 3); // <Buffer 00 00 00 01 00 00 00 02 00 03>
 * const [id, length, flags] = header.unpack(bytes); // [number, number, number]
 * ```
 */
export class Struct<const F extends string = string> {
  /** The format string passed to the constructor. */
  readonly format: F;
  /** The size of a packed record, in bytes. */
  readonly size: number;
  /** The number of values in a record. Pad bytes do not count. */
  readonly count: number;
  readonly #compiled: CompiledFormat;

  static {
    compiledOf = (struct) => struct.#compiled;
  }

  /** @throws {StructError} if the format is malformed; `TypeError` if it is not a string. */
  constructor(format: F) {
    this.#compiled = new CompiledFormat(format);
    this.format = format;
    this.size = this.#compiled.size;
    this.count = this.#compiled.count;
  }

  /**
   * Packs the values into a new buffer of `size` bytes.
   *
   * @throws {StructError} if there are too many or too few values, or a value does not fit its field.
   * @example
   * ```ts
   * new Struct('<Hc').pack(513, Buffer.from('!')); // <Buffer 01 02 21>
   * ```
   */
  pack(...values: StructInputs<F>): Buffer {
    this.#checkCount(values.length);
    const target = Buffer.alloc(this.size);
    this.#write(target, 0, values);
    return target;
  }

  /**
   * Packs the values into `size` bytes of `target`, starting at `offset`. A negative `offset` counts from the end. Pad
   * bytes are zeroed. If a value is rejected, the values before it have already been written.
   *
   * @throws {StructError} as `pack` does, and if fewer than `size` bytes follow `offset`.
   * @example
   * ```ts
   * const target = Buffer.alloc(6);
   * new Struct('!H').packInto(target, 4, 513); // target: <Buffer 00 00 00 00 02 01>
   * ```
   */
  packInto(target: Uint8Array, offset: number, ...values: StructInputs<F>): void {
    this.#checkCount(values.length);
    const bytes = checkBytes('target', target);
    const at = this.#locate(bytes, offset, 'to pack into');
    bytes.fill(0, at, at + this.size);
    this.#write(bytes, at, values);
  }

  /**
   * Unpacks `bytes`, which must be exactly `size` bytes long. Buffers in the result are copies.
   *
   * @throws {StructError} if `bytes` is longer or shorter than `size`.
   * @example
   * ```ts
   * const [big, small] = new Struct('>qb').unpack(bytes); // [bigint, number]
   * ```
   */
  unpack(bytes: Uint8Array): StructValues<F> {
    const source = checkBytes('bytes', bytes);
    if (source.length !== this.size) {
      throw this.#error(`unpacks exactly ${this.size} bytes, not ${source.length}; unpackFrom() takes them from more`);
    }
    return this.#read(source, 0);
  }

  /**
   * Unpacks the `size` bytes starting at `offset`. A negative `offset` counts from the end. Buffers in the result are
   * copies.
   *
   * @throws {StructError} if fewer than `size` bytes follow `offset`.
   * @example
   * ```ts
   * const [length] = new Struct('!H').unpackFrom(packet, 2);
   * ```
   */
  unpackFrom(bytes: Uint8Array, offset = 0): StructValues<F> {
    const source = checkBytes('bytes', bytes);
    return this.#read(source, this.#locate(source, offset, 'to unpack'));
  }

  /**
   * Unpacks consecutive records, one per iteration. `bytes` must hold a whole number of records.
   *
   * @throws {StructError} from the call itself, if the length is not a multiple of `size` or `size` is 0.
   * @example
   * ```ts
   * for (const [x, y] of new Struct('<2f').iterUnpack(points)) draw(x, y);
   * ```
   */
  iterUnpack(bytes: Uint8Array): Generator<StructValues<F>, void, void> {
    const source = checkBytes('bytes', bytes);
    if (this.size === 0) throw this.#error('has no bytes, so there is no end to unpacking it; add a field');
    if (source.length % this.size !== 0) {
      throw this.#error(`unpacks a multiple of ${this.size} bytes, not ${source.length}; cut off the rest first`);
    }
    return this.#records(source);
  }

  *#records(bytes: Uint8Array): Generator<StructValues<F>, void, void> {
    for (let at = 0; at < bytes.length; at += this.size) yield this.#read(bytes, at);
  }

  #read(bytes: Uint8Array, at: number): StructValues<F> {
    // The compiler and CompiledFormat parse the same format. The type specs check that they agree.
    return this.#compiled.read(bytes, at) as unknown as StructValues<F>;
  }

  #write(target: Uint8Array, at: number, values: readonly unknown[]): void {
    const broken = this.#compiled.write(target, at, values);
    if (broken !== undefined) throw valueError(this.format, broken.index, values[broken.index], broken.rule);
  }

  /** @returns the index at which the record begins */
  #locate(bytes: Uint8Array, offset: number, purpose: string): number {
    const at = offset < 0 ? bytes.length + offset : offset;
    if (at >= 0 && at + this.size <= bytes.length && Number.isInteger(at)) return at;
    if (!Number.isInteger(offset)) throw invalidArgument('offset', offset, 'an offset is an integer, in bytes');
    throw this.#error(
      `needs ${this.size} bytes ${purpose} at offset ${offset}, but there are ${bytes.length} in all; wait for more, ` +
        'or use a larger buffer',
    );
  }

  #checkCount(given: number): void {
    if (given !== this.count) throw this.#error(`packs exactly ${this.count} values, not ${given}; give one per field`);
  }

  #error(rule: string): StructError {
    return new StructError(`format ${inspectValue(this.format)} ${rule}`);
  }
}
