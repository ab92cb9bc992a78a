import { type FieldTable, fieldTable, PREFIXES } from '../../../lib/struct/fields/field-types.js';

/** Which characters there are, each with its size, and its alignment where that is another. */
function sizes(table: FieldTable): string {
  return Array.from(table, ([char, { size, alignment }]) => char + size + (alignment === size ? '' : `/${alignment}`))
    .sort()
    .join(' ');
}

/** The bytes of 1 as a value of this type. */
function one(prefix: string, char: string): number[] {
  const type = fieldTable(prefix).get(char);
  if (type?.count !== 'values') throw new Error(`${char} holds no values`);
  const target = new Uint8Array(type.size);
  const rule = type.codec.write(target, 0, type.size === 8 ? 1n : 1);
  expect([rule, type.codec.read(target, 0)]).toEqual([undefined, type.size === 8 ? 1n : 1]);
  return [...target];
}

describe('the field types', () => {
  it('have in native mode the sizes and alignments of C on 64-bit Linux', () => {
    const native = '?1 B1 H2 I4 L8 N8 P8 Q8 b1 c1 d8 e2 f4 h2 i4 l8 n8 p1 q8 s1 x1';
    expect([sizes(fieldTable('')), sizes(fieldTable('@'))]).toEqual([native, native]);
  });

  it.each(['=', '<', '>', '!'])('have standard sizes without alignment after %s, and no n, N and P', (prefix) => {
    expect(sizes(fieldTable(prefix))).toBe(
      '?1 B1 H2/1 I4/1 L4/1 Q8/1 b1 c1 d8/1 e2/1 f4/1 h2/1 i4/1 l4/1 p1 q8/1 s1 x1',
    );
  });

  it('are little-endian after = and <, and in native mode on every machine, and big-endian after > and !', () => {
    expect([...PREFIXES].join('')).toBe('@=<>!');
    for (const prefix of ['', '@', '=', '<']) expect(one(prefix, 'I')).toEqual([1, 0, 0, 0]);
    for (const prefix of ['>', '!']) expect(one(prefix, 'I')).toEqual([0, 0, 0, 1]);
    expect([one('<', 'q'), one('>', 'H')]).toEqual([
      [1, 0, 0, 0, 0, 0, 0, 0],
      [0, 1],
    ]);
  });

  it('count the characters of s and p as a length, and those of x as padding', () => {
    const kinds = ['x', 's', 'p', 'B', 'd'].map((char) => fieldTable('!').get(char)?.count);
    expect(kinds).toEqual(['padding', 'length', 'length', 'values', 'values']);
  });
});
