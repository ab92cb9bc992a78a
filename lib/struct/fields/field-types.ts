/**
 * The format characters, in three tables. The first character of a format selects the table:
 *
 *     @ or none   native   little-endian, C sizes of 64-bit Linux, aligned
 *     = <         little   little-endian, standard sizes, no alignment, no n, N, P
 *     > !         big      big-endian, likewise
 *
 * Native is the same on every machine, so a format means the same on every server.
 */
import { bool, char, fixedString, pascalString } from './byte-strings.js';
import type { Codec } from './codec.js';
import { float16, float32, float64 } from './floats.js';
import { integer, pointer } from './integers.js';

export type FieldType = { readonly size: number; readonly alignment: number } & (
  | { readonly count: 'values'; readonly codec: Codec }
  | { readonly count: 'length'; readonly codecOfLength: (length: number) => Codec }
  | { readonly count: 'padding' }
);

export type FieldTable = ReadonlyMap<string, FieldType>;

export const PREFIXES = '@=<>!';

/** @returns the table for `prefix`; `''` is native */
export function fieldTable(prefix: string): FieldTable {
  if (prefix === '<' || prefix === '=') return LITTLE;
  return prefix === '>' || prefix === '!' ? BIG : NATIVE;
}

const NATIVE = buildTable(true, true);
const LITTLE = buildTable(true, false);
const BIG = buildTable(false, false);

function buildTable(littleEndian: boolean, native: boolean): FieldTable {
  const table = new Map<string, FieldType>();
  const add = (char: string, size: number, codec: Codec) =>
    table.set(char, { size, alignment: native ? size : 1, count: 'values', codec });
  const addIntegers = (signed: string, unsigned: string, size: 1 | 2 | 4 | 8) => {
    add(signed, size, integer(signed, size, true, littleEndian));
    add(unsigned, size, integer(unsigned, size, false, littleEndian));
  };

  table.set('x', { size: 1, alignment: 1, count: 'padding' });
  table.set('s', { size: 1, alignment: 1, count: 'length', codecOfLength: fixedString });
  table.set('p', { size: 1, alignment: 1, count: 'length', codecOfLength: pascalString });
  add('c', 1, char);
  add('?', 1, bool);
  addIntegers('b', 'B', 1);
  addIntegers('h', 'H', 2);
  addIntegers('i', 'I', 4);
  addIntegers('l', 'L', native ? 8 : 4);
  addIntegers('q', 'Q', 8);
  if (native) {
    addIntegers('n', 'N', 8);
    add('P', 8, pointer(littleEndian));
  }
  add('e', 2, float16(littleEndian));
  add('f', 4, float32(littleEndian, native));
  add('d', 8, float64(littleEndian));
  return table;
}
