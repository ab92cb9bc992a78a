/**
 * Splits the format of a `NetStruct` into segments at each `$`. A segment is a struct in the byte order of the whole.
 * If a `$` ends it, its last value is the length of the string that follows:
 *
 *     "ih$5b"  →  "!ih"  + string        i     h    string…   b b b b b
 *                 "!5b"                  ──── fixed ── free ─ ─ fixed ─
 */
import { inspectValue, invalidArgument, StructError } from '../../errors.js';
import { CompiledFormat } from '../compiled-format.js';
import { formatError } from '../format.js';
import type { Read } from './codec.js';
import { PREFIXES } from './field-types.js';

export interface Segment {
  readonly struct: CompiledFormat;
  /** The length of the string after it, if there is one. */
  readonly length: LengthField | undefined;
}

/** The last field of a segment that a `$` ends. */
interface LengthField {
  readonly char: string;
  /** In bytes from the start of the segment. */
  readonly offset: number;
  readonly read: Read;
}

/** The characters allowed before a `$`. */
const LENGTHS = 'bBhHiIlLqQP';

/** `e`, `n` and `N` are missing, as in Python's netstruct. */
const ALLOWED = /^[xcbB?hHiIlLqQfdpsP0-9$ \t\r\n]$/;

export function parseSegments(format: string): Segment[] {
  if (typeof format !== 'string') throw invalidArgument('format', format, 'a format is a string, such as "ih$5b"');
  const prefix = format !== '' && PREFIXES.includes(format[0]!) ? format[0]! : '';
  const body = format.slice(prefix.length);
  const refused = [...body].find((char) => !ALLOWED.test(char));
  if (refused !== undefined) {
    const rule = PREFIXES.includes(refused) ? 'is a byte order; it may only be the very first' : 'is not allowed here';
    throw formatError(
      format,
      `the character ${inspectValue(refused)} ${rule}; use x c b B ? h H i I l L q Q f d s p P $`,
    );
  }
  const parts = body.split('$');
  const last = parts.pop()!;
  const segments = parts.map((part) => withString(format, prefix || '!', part));
  if (last !== '') segments.push({ struct: new CompiledFormat((prefix || '!') + last), length: undefined });
  return segments;
}

function withString(format: string, prefix: string, part: string): Segment {
  const rule = `a $ comes right after the length of its string, which is one of ${[...LENGTHS].join(' ')}; write "H$"`;
  if (part === '' || !LENGTHS.includes(part.at(-1)!)) throw formatError(format, rule);
  const struct = new CompiledFormat(prefix + part);
  // A zero count ("0h$") has no value, so the last field may come from an earlier character.
  const field = struct.fields.at(-1);
  if (field === undefined || !LENGTHS.includes(field.char)) throw formatError(format, rule);
  const offset = field.offset + (field.count - 1) * field.size;
  return { struct, length: { char: field.char, offset, read: field.codec.read } };
}

/** @returns the length of a string, in bytes */
export function checkLength(length: unknown, format: string): number {
  // 64-bit lengths are bigint.
  const bytes = Number(length);
  if (bytes < 0 || !Number.isSafeInteger(bytes)) {
    throw new StructError(
      `a string of format ${inspectValue(format)} has length ${length}: ` +
        `it must be from 0 to ${Number.MAX_SAFE_INTEGER}; the bytes are not of this format`,
    );
  }
  return bytes;
}
