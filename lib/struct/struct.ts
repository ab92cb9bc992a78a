import { Buffer } from 'node:buffer';
import { inspectValue, invalidArgument, StructError } from '../errors.js';
import { checkBytes } from '../memory/bytes.js';
import { CompiledFormat } from './compiled-format.js';
import { valueError } from './format.js';
import type { StructInputs, StructValues } from './types.js';

/** @internal Friend of `Struct`: its format made ready to run, for whoever reads many records. */
export let compiledOf: (struct: Struct) => CompiledFormat;

/**
 * Fixed-size binary records, exactly as Python's `struct.Struct` (CPython 3.11) on 64-bit Linux. The format is compiled
 * once; keep the object.
 *
 * The first character may choose byte order and sizes: `<` and `=` little-endian, `>` and `!` big-endian (network order),
 * all with standard sizes and no alignment; `@` or none is native: little-endian, aligned, and `l L n N P` have 8 bytes.
 *
 * | character | bytes | value |
 * |---|---|---|
 * | `b B h H i I l L` | 1 1 2 2 4 4 4 4 | `number`; capital letters are unsigned |
 * | `q Q`, native `l L n N P` | 8 | `bigint`; `number` is accepted when packing |
 * | `e f d` | 2 4 8 | `number` |
 * | `?` | 1 | `boolean` |
 * | `c` | 1 | `Buffer` of one byte |
 * | `5s` | 5 | `Buffer`; padded with zeros or cut when packing |
 * | `5p` | 5 | `Buffer`; a length byte and up to 4 bytes |
 * | `x` | 1 | no value: a pad byte |
 *
 * A count before a character repeats it (`3h`); before `s` and `p` it is the length. White space between is ignored.
 *
 * @example
 * ```ts
 * const header = new Struct('!ILH');
 * const bytes = header.pack(1, 2, 3); // <Buffer 00 00 00 01 00 00 00 02 00 03>
 * const [id, length, flags] = header.unpack(bytes); // [number, number, number]
 * ```
 */
export class Struct<const F extends string = string> {
  /** The format as given. */
  readonly format: F;
  /** How many bytes it packs to. */
  readonly size: number;
  /** How many values it packs; pad bytes are none. */
  readonly count: number;
  readonly #compiled: CompiledFormat;

  static {
    compiledOf = (struct) => struct.#compiled;
  }

  /** @throws {StructError} when the format is malformed, `TypeError` when it is not a string. */
  constructor(format: F) {
    this.#compiled = new CompiledFormat(format);
    this.format = format;
    this.size = this.#compiled.size;
    this.count = this.#compiled.count;
  }

  /**
   * The values as `size` bytes.
   *
   * @throws {StructError} when there are too many or too few values, or one does not fit its field.
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
   * Packs into `size` bytes of `target` from `offset`; a negative one counts from the end. Pad bytes are zeroed. When a
   * value is refused, those before it have been written.
   *
   * @throws {StructError} as `pack` does, and when `target` has too few bytes from `offset`.
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
   * The values in `bytes`, which must be `size` bytes. Buffers among the values are copies.
   *
   * @throws {StructError} when there are more or fewer bytes.
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
   * The values in the `size` bytes from `offset`; a negative one counts from the end. Buffers among them are copies.
   *
   * @throws {StructError} when there are fewer bytes.
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
   * The values of each record in `bytes`, which must be a whole number of them.
   *
   * @throws {StructError} at once, when it is not, or when the struct has no bytes.
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
    // The compiler and CompiledFormat have read the same format; the spec of the types holds them together.
    return this.#compiled.read(bytes, at) as unknown as StructValues<F>;
  }

  #write(target: Uint8Array, at: number, values: readonly unknown[]): void {
    const broken = this.#compiled.write(target, at, values);
    if (broken !== undefined) throw valueError(this.format, broken.index, values[broken.index], broken.rule);
  }

  /** Where the record begins. */
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
