/**
 * Parses a format into its layout: the offset of each field. A run of equal values ("3h") is one field, so the work is
 * proportional to the length of the format and not to its counts.
 */
import { inspectValue, invalidArgument, StructError } from '../errors.js';
import type { Codec } from './fields/codec.js';
import { type FieldTable, fieldTable, PREFIXES } from './fields/field-types.js';

/** `count` consecutive values of `size` bytes each. */
export interface Field {
  readonly char: string;
  /** The offset of the first value, in bytes from the start of the struct. */
  readonly offset: number;
  readonly size: number;
  readonly count: number;
  readonly codec: Codec;
}

export interface Layout {
  /** The fields that hold values. Padding and zero counts only affect offsets. */
  readonly fields: readonly Field[];
  /** In bytes. */
  readonly size: number;
  /** The number of values. */
  readonly count: number;
}

export function parseFormat(format: string): Layout {
  if (typeof format !== 'string') throw invalidArgument('format', format, 'a format is a string, such as "!ILH"');
  const prefix = format !== '' && PREFIXES.includes(format[0]!) ? format[0]! : '';
  const table = fieldTable(prefix);
  const fields: Field[] = [];
  let size = 0;
  let count = 0;
  for (const item of items(format, prefix.length)) {
    const type = lookUp(table, item, format);
    const offset = Math.ceil(size / type.alignment) * type.alignment;
    size = offset + item.count * type.size;
    if (!Number.isSafeInteger(size)) {
      throw formatError(format, `its size exceeds ${Number.MAX_SAFE_INTEGER} bytes; use smaller counts`);
    }
    if (type.count === 'length') {
      fields.push({ char: item.char, offset, size: item.count, count: 1, codec: type.codecOfLength(item.count) });
      count += 1;
    } else if (type.count === 'values' && item.count > 0) {
      fields.push({ char: item.char, offset, size: type.size, count: item.count, codec: type.codec });
      count += item.count;
    }
  }
  return { fields, size, count };
}

interface Item {
  readonly char: string;
  readonly count: number;
  readonly position: number;
}

/** Yields each character with its count. A count directly precedes its character; spaces may only separate items. */
function* items(format: string, start: number): Generator<Item> {
  // Sticky, so it matches at `lastIndex` or not at all. The spaces are those of C's isspace().
  const pattern = /[ \t\n\v\f\r]*(?:(\d*)([^\d \t\n\v\f\r])|(\d+))?/y;
  pattern.lastIndex = start;
  while (pattern.lastIndex < format.length) {
    const [, digits, char, stray] = pattern.exec(format)!;
    if (stray !== undefined) {
      throw formatError(format, `the count ${stray} has no format character right after it; write for example "3h"`);
    }
    if (char === undefined) return;
    yield { char, count: digits === '' ? 1 : Number(digits), position: pattern.lastIndex - 1 };
  }
}

function lookUp(table: FieldTable, { char, position }: Item, format: string) {
  const type = table.get(char);
  if (type !== undefined) return type;
  const what = `the character ${inspectValue(char)} at position ${position}`;
  if (PREFIXES.includes(char)) throw formatError(format, `${what} is a byte order; it may only be the very first`);
  if ('nNP'.includes(char)) throw formatError(format, `${what} needs native mode; use q or Q, or the prefix @ or none`);
  throw formatError(format, `${what} is not a format character; use one of ${[...table.keys()].join(' ')}`);
}

export function formatError(format: string, rule: string): StructError {
  return new StructError(`format is ${inspectValue(format)}: ${rule}`);
}

/** `index` is zero-based; the message counts from 1. */
export function valueError(format: string, index: number, value: unknown, rule: string): StructError {
  return new StructError(`value ${index + 1} of format ${inspectValue(format)} is ${inspectValue(value)}: ${rule}`);
}
