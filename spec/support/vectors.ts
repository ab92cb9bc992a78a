import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A value in `spec/vectors`; see the README there. */
export type Tagged =
  | { readonly int: string }
  | { readonly float: string }
  | { readonly bytes: string }
  | { readonly bool: boolean }
  | { readonly text: string }
  | { readonly groups: readonly (string | null)[] };

/** The cases of `spec/vectors/<name>.json`. Their shape is the caller's to know. */
export function loadVectors<Case>(name: string): Case[] {
  return JSON.parse(readFileSync(join(__dirname, '..', 'vectors', `${name}.json`), 'utf8')) as Case[];
}

/** The JavaScript value; an integer is a number while that is exact, else a bigint. */
export function fromTagged(tagged: Tagged): number | bigint | boolean | Buffer | string | readonly (string | null)[] {
  if ('int' in tagged) {
    const integer = BigInt(tagged.int);
    return Number.isSafeInteger(Number(integer)) ? Number(integer) : integer;
  }
  if ('float' in tagged) return Buffer.from(tagged.float, 'hex').readDoubleBE();
  if ('bytes' in tagged) return Buffer.from(tagged.bytes, 'hex');
  if ('bool' in tagged) return tagged.bool;
  return 'text' in tagged ? tagged.text : tagged.groups;
}

/**
 * `value` in the form of `like`, so that the two can be compared with `toEqual`: an integer whether number or bigint, a
 * float by its bits, any NaN alike. A value of another type is returned as it is, which equals nothing tagged.
 */
export function toTagged(value: unknown, like: Tagged | undefined): unknown {
  if (like === undefined) return value;
  if ('int' in like && (typeof value === 'bigint' || Number.isInteger(value))) return { int: String(value) };
  if ('float' in like && typeof value === 'number') return { float: doubleBits(value) };
  if ('bytes' in like && Buffer.isBuffer(value)) return { bytes: value.toString('hex') };
  if ('bool' in like && typeof value === 'boolean') return { bool: value };
  if ('text' in like && typeof value === 'string') return { text: value };
  if ('groups' in like && Array.isArray(value)) return { groups: Array.from(value, (group) => group ?? null) };
  return value;
}

/** `expected` with every NaN in the one form that `toTagged` gives it. */
export function canonical(expected: readonly Tagged[]): unknown[] {
  return expected.map((tagged) => toTagged(fromTagged(tagged), tagged));
}

function doubleBits(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(Number.isNaN(value) ? Number.NaN : value);
  return bytes.toString('hex');
}
