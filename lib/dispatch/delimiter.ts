/** What a `readDelimiter` may be, and what each kind of it delivers. */
import { invalidArgument, invalidOption } from '../errors.js';
import { NetStruct } from '../struct/net-struct.js';
import { Struct } from '../struct/struct.js';
import type { NetStructValues, StructValues } from '../struct/types.js';

/** A class of one: private, so that nothing else has its type. */
class EntireMessageDelimiter {
  private readonly name = 'EntireMessage';

  toString(): string {
    return this.name;
  }
}

/**
 * The default `readDelimiter`: each message arrives whole, as the peer framed it, an empty one too. Set in the middle
 * of a message it delivers the rest of that message.
 *
 * @example
 * this.readDelimiter = EntireMessage;
 */
export const EntireMessage = new EntireMessageDelimiter();

/**
 * A regular expression for binary data. It sees each byte as the character of the same number (latin1), so `\xff` is
 * the byte 255; what it delivers are buffers. A bare `RegExp` reads text.
 *
 * @example
 * this.readDelimiter = new BinaryPattern(/\xff[\xfe\xfd]/);
 */
export class BinaryPattern {
  readonly pattern: RegExp;

  /** @throws TypeError when `pattern` is no `RegExp` */
  constructor(pattern: RegExp) {
    if (!(pattern instanceof RegExp)) throw invalidArgument('BinaryPattern', pattern, 'it must wrap a RegExp');
    this.pattern = pattern;
  }
}

/** What a `BinaryPattern` delivers with `regexSearch` off: the whole match, then its groups. */
export type BinaryMatch = readonly [match: Buffer, ...groups: (Buffer | undefined)[]];

/**
 * When incoming data reaches `onRead`:
 *
 * - `EntireMessage`: a message at a time;
 * - `null`: as it arrives, before its frame or message is complete;
 * - a string, or bytes: what stands before each occurrence, which itself is dropped; a string reads text, bytes binary data;
 * - a number: so many characters (code points) of text, or so many bytes;
 * - a `RegExp` (text) or `BinaryPattern` (bytes): what stands before each match, or the match itself (`regexSearch`);
 * - a `Struct` or `NetStruct`: its values, as so many arguments.
 */
export type Delimiter =
  | typeof EntireMessage
  | null
  | string
  | Uint8Array
  | number
  | RegExp
  | BinaryPattern
  | Struct
  | NetStruct;

/** The arguments that `onRead` gets under the delimiter `D`. */
export type UnitOf<D> = D extends string
  ? [data: string]
  : D extends Uint8Array
    ? [data: Buffer]
    : D extends RegExp
      ? [data: string | RegExpExecArray]
      : D extends BinaryPattern
        ? [data: Buffer | BinaryMatch]
        : D extends Struct<infer F>
          ? StructValues<F>
          : D extends NetStruct<infer F>
            ? NetStructValues<F>
            : [data: string | Buffer];

/** What `messages()` gives under the delimiter `D`: a struct all its values in one array. */
export type MessageOf<D> = D extends Struct | NetStruct ? UnitOf<D> : UnitOf<D>[0];

const RULE =
  'it must be EntireMessage, null, a non-empty string or Buffer, a positive integer, a RegExp, a BinaryPattern, ' +
  'or a Struct or NetStruct of at least one byte';

/** @throws TypeError that names the value */
export function checkDelimiter(value: unknown): asserts value is Delimiter {
  if (!isDelimiter(value)) throw invalidOption('readDelimiter', value, RULE);
}

function isDelimiter(value: unknown): value is Delimiter {
  if (value === EntireMessage || value === null) return true;
  // A lone surrogate has no UTF-8 form, so that no text could ever contain it.
  if (typeof value === 'string') return value.length > 0 && value.isWellFormed();
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0;
  if (value instanceof Uint8Array) return value.length > 0;
  if (value instanceof Struct) return value.size > 0;
  if (value instanceof NetStruct) return value.minimumSize > 0;
  return value instanceof RegExp || value instanceof BinaryPattern;
}

/** @throws TypeError that names the value */
export function checkBufferSize(value: unknown): asserts value is number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw invalidOption('bufferSize', value, 'it must be a positive integer, in bytes');
  }
}

/** @throws TypeError that names the value */
export function checkRegexSearch(value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') {
    throw invalidOption('regexSearch', value, 'it must be true (search) or false (match at the beginning)');
  }
}
