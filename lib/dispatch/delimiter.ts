/** The kinds of `readDelimiter`, and the units that each delivers. */
import { invalidArgument, invalidOption } from '../errors.js';
import { NetStruct } from '../struct/net-struct.js';
import { Struct } from '../struct/struct.js';
import type { NetStructValues, StructValues } from '../struct/types.js';

/** Not exported, so that `EntireMessage` is the only value of this type. */
class EntireMessageDelimiter {
  private readonly name = 'EntireMessage';

  toString(): string {
    return this.name;
  }
}

/**
 * The default `readDelimiter`: `onRead` receives each message whole, as the peer framed it, including empty ones. If it
 * is set in the middle of a message, `onRead` receives the rest of that message.
 *
 * @example
 * this.readDelimiter = EntireMessage;
 */
export const EntireMessage = new EntireMessageDelimiter();

/**
 * A regular expression for binary data. Each byte is matched as the character with the same number (latin1), so `\xff`
 * matches the byte 255. `onRead` receives buffers. A plain `RegExp` reads text.
 *
 * @example
 * this.readDelimiter = new BinaryPattern(/\xff[\xfe\xfd]/);
 */
export class BinaryPattern {
  readonly pattern: RegExp;

  /** @throws TypeError if `pattern` is not a `RegExp` */
  constructor(pattern: RegExp) {
    if (!(pattern instanceof RegExp)) throw invalidArgument('BinaryPattern', pattern, 'it must wrap a RegExp');
    this.pattern = pattern;
  }
}

/** The match that a `BinaryPattern` delivers when `regexSearch` is off: the whole match, then its groups. */
export type BinaryMatch = readonly [match: Buffer, ...groups: (Buffer | undefined)[]];

/**
 * Decides how incoming data is divided into calls of `onRead`:
 *
 * - `EntireMessage`: one call per message;
 * - `null`: data as it arrives, before its frame or message is complete;
 * - a string (for text) or bytes (for binary data): the data before each occurrence, which is dropped;
 * - a number: that many characters (code points) of text, or that many bytes;
 * - a `RegExp` (for text) or `BinaryPattern` (for binary data): the data before each match, or, with `regexSearch` off,
 *   the match itself;
 * - a `Struct` or `NetStruct`: the values of one record, each as an argument.
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

/** The arguments of `onRead` with the delimiter `D`. */
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

/** The type that `messages()` yields with the delimiter `D`. The values of a struct come in one array. */
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
  // A lone surrogate has no UTF-8 encoding, so no text can contain it.
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
