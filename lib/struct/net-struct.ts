import { Buffer } from 'node:buffer';
import { inspectValue, invalidArgument, StructError } from '../errors.js';
import { ownCopy } from '../memory/bulk-allocation.js';
import { asBytes, checkBytes } from '../memory/bytes.js';
import { checkLength, parseSegments, type Segment } from './fields/segments.js';
import { valueError } from './format.js';
import { newParseState, type ParseState } from './parse-state.js';
import type { NetStructInputs, NetStructValues, StructValue } from './types.js';
import { Unpacker } from './unpacker.js';

/**
 * Packs and unpacks binary records with variable-length strings, as Python's `netstruct` does. The format is that of
 * `Struct` plus `$`: the integer before a `$` is the length of a string that follows immediately, and the two form one
 * value, the string. Without a prefix the byte order is big-endian (`!`). `e`, `n` and `N` are rejected, as in
 * netstruct.
 *
 * Pad bytes (`x`) do not count as values. In netstruct they do, which is a bug.
 *
 * @example
 * ```ts
 * const greeting = new NetStruct('ih$5b');
 * const bytes = greeting.pack(1298, Buffer.from('largefile'), 0, 0, 1, 0, 0);
 * const [id, name, ...flags] = greeting.unpack(bytes); // [number, Buffer, number, number, number, number, number]
 * ```
 */
export class NetStruct<const F extends string = string> {
  /** The format string passed to the constructor. */
  readonly format: F;
  /** The size of a record in which every string is empty, in bytes. */
  readonly minimumSize: number;
  /** The number of bytes before the first string; 0 for an empty format. */
  readonly initialSize: number;
  /** The number of values in a record. A string and its length count as one. */
  readonly count: number;
  readonly #segments: readonly Segment[];

  /** @throws {StructError} if the format is malformed; `TypeError` if it is not a string. */
  constructor(format: F) {
    const segments = parseSegments(format);
    this.#segments = segments;
    this.format = format;
    this.minimumSize = segments.reduce((sum, { struct }) => sum + struct.size, 0);
    this.initialSize = segments[0]?.struct.size ?? 0;
    this.count = segments.reduce((sum, { struct }) => sum + struct.count, 0);
    if (!Number.isSafeInteger(this.minimumSize)) {
      throw this.#error(`has a size beyond ${Number.MAX_SAFE_INTEGER} bytes; use smaller counts`);
    }
  }

  /**
   * Packs the values into a new buffer, each string after its length.
   *
   * @throws {StructError} if there are too many or too few values, if a value does not fit its field, or if a string is
   * too long for its length field.
   * @example
   * ```ts
   * new NetStruct('H$').pack(Buffer.from('hi')); // <Buffer 00 02 68 69>
   * ```
   */
  pack(...values: NetStructInputs<F>): Buffer {
    if (values.length !== this.count) {
      throw this.#error(`packs exactly ${this.count} values, not ${values.length}; give one per field`);
    }
    const parts: Uint8Array[] = [];
    let first = 0;
    for (const { struct, length } of this.#segments) {
      const end = first + struct.count;
      const fixed: unknown[] = values.slice(first, end);
      const string = length === undefined ? undefined : this.#string(end - 1, values[end - 1]);
      if (string !== undefined) fixed[fixed.length - 1] = string.length;
      const target = Buffer.alloc(struct.size);
      const broken = struct.write(target, 0, fixed);
      if (broken !== undefined) {
        const { index, rule } = broken;
        const isLength = string !== undefined && index === fixed.length - 1;
        const reason = isLength ? `its length, ${string.length} bytes, does not fit: ${rule}` : rule;
        throw valueError(this.format, first + index, values[first + index], reason);
      }
      parts.push(target);
      if (string !== undefined) parts.push(string);
      first = end;
    }
    return Buffer.concat(parts);
  }

  /**
   * Unpacks the record at the start of `bytes` and ignores the bytes after it. Strings are copies.
   *
   * @throws {StructError} if there are not enough bytes, or a string has a negative length.
   * @example
   * ```ts
   * const [id, name] = new NetStruct('IH$').unpack(bytes); // [number, Buffer]
   * ```
   */
  unpack(bytes: Uint8Array): NetStructValues<F> {
    return this.unpackFrom(bytes);
  }

  /**
   * Unpacks the record at `offset` in `bytes` and ignores the bytes after it. Strings are copies.
   *
   * @throws {StructError} as `unpack` does.
   * @example
   * ```ts
   * const [name] = new NetStruct('H$').unpackFrom(packet, 4);
   * ```
   */
  unpackFrom(bytes: Uint8Array, offset = 0): NetStructValues<F> {
    const source = checkBytes('bytes', bytes);
    if (!(Number.isSafeInteger(offset) && offset >= 0)) {
      throw invalidArgument('offset', offset, 'an offset is an integer from 0, in bytes');
    }
    let values: StructValue[] = [];
    let at = offset;
    for (const { struct, length } of this.#segments) {
      if (at + struct.size > source.length) throw this.#tooShort(source, offset);
      const fixed = struct.read(source, at);
      at += struct.size;
      if (length !== undefined) {
        const start = at;
        at += checkLength(fixed[fixed.length - 1], this.format);
        if (at > source.length) throw this.#tooShort(source, offset);
        fixed[fixed.length - 1] = ownCopy(source, start, at);
      }
      if (values.length === 0) values = fixed;
      else for (const value of fixed) values.push(value);
    }
    // The compiler and parseSegments parse the same format. The type specs check that they agree.
    return values as unknown as NetStructValues<F>;
  }

  /**
   * Unpacks a record from bytes that arrive in pieces. The generator yields the number of bytes still needed, until
   * `next(bytes)` has supplied them in chunks of any size. It then yields the values, and finally the leftover bytes.
   *
   * @param initial the bytes received so far.
   * @throws {StructError} from the call itself or from `next`, if a string has a negative length; `TypeError` if given
   * anything but bytes.
   * @example
   * ```ts
   * const it = new NetStruct('H$').iterUnpack();
   * it.next().value; // 2
   * it.next(Buffer.from([0, 2])).value; // 2
   * it.next(Buffer.from('hi!')).value; // [<Buffer 68 69>]
   * it.next().value; // <Buffer 21>
   * ```
   */
  iterUnpack(initial?: Uint8Array): Generator<number | NetStructValues<F> | Buffer, void, Uint8Array | undefined> {
    return this.#steps(this.unpacker(initial));
  }

  *#steps(
    unpacker: Unpacker<NetStructValues<F>>,
  ): Generator<number | NetStructValues<F> | Buffer, void, Uint8Array | undefined> {
    while (unpacker.result === undefined) {
      const bytes = yield unpacker.remaining;
      if (bytes !== undefined) unpacker.feed(bytes);
    }
    const late = yield unpacker.result;
    if (late !== undefined) unpacker.feed(late);
    yield unpacker.unusedData;
  }

  /**
   * Returns an `Unpacker`, which unpacks a record from bytes that arrive in pieces.
   *
   * @param initial the bytes received so far.
   * @throws {StructError} if a string has a negative length.
   * @example
   * ```ts
   * const unpacker = new NetStruct('H$').unpacker();
   * for await (const chunk of stream) if (unpacker.feed(chunk) === 0) break;
   * const [name] = unpacker.result ?? [];
   * ```
   */
  unpacker(initial?: Uint8Array): Unpacker<NetStructValues<F>> {
    return new Unpacker(this, initial);
  }

  /**
   * Computes the size of the record that begins at `start`, as far as the bytes up to `end` reveal it. The record is
   * complete when its size is at most `end - start`. Each call continues where the previous one with the same
   * `progress` stopped, so many calls cost no more than one.
   *
   * @internal for readers that keep the bytes themselves
   * @throws {StructError} if a string has a negative length.
   */
  measure(bytes: Uint8Array, start: number, end: number, progress: ParseState): number {
    const available = end - start;
    while (progress.segment < this.#segments.length) {
      const { struct, length } = this.#segments[progress.segment]!;
      const next = progress.offset + struct.size;
      if (next > available) break;
      const string =
        length === undefined
          ? 0
          : checkLength(length.read(bytes, start + progress.offset + length.offset), this.format);
      if (!Number.isSafeInteger(progress.need + string)) {
        throw this.#error(
          `cannot hold strings of more than ${Number.MAX_SAFE_INTEGER} bytes; the bytes are not of this format`,
        );
      }
      progress.segment++;
      progress.offset = next + string;
      progress.need += string;
    }
    return progress.need;
  }

  #string(index: number, value: unknown): Uint8Array {
    const bytes = asBytes(value);
    if (bytes !== undefined) return bytes;
    const rule = '$ holds bytes, as a Buffer or Uint8Array; encode text with Buffer.from(text)';
    throw valueError(this.format, index, value, rule);
  }

  #tooShort(bytes: Uint8Array, offset: number): StructError {
    const need = this.measure(bytes, offset, bytes.length, newParseState(this));
    const there = Math.max(bytes.length - offset, 0);
    return this.#error(
      `needs at least ${need} bytes from offset ${offset}, but there are ${there}; wait for more, or use unpacker()`,
    );
  }

  #error(rule: string): StructError {
    return new StructError(`format ${inspectValue(this.format)} ${rule}`);
  }
}
