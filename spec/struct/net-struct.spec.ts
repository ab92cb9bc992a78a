import { StructError } from '../../lib/errors.js';
import { NetStruct } from '../../lib/struct/net-struct.js';
import { newParseState } from '../../lib/struct/parse-state.js';
import type { StructInput } from '../../lib/struct/types.js';
import { canonical, fromTagged, loadVectors, type Tagged, toTagged } from '../support/vectors.js';

interface NetStructVector {
  format: string;
  bad_format?: true;
  values: Tagged[];
  packed: string;
  minimumSize: number;
  initialSize: number;
  count: number;
  asks: number[];
  unpacked: Tagged[];
}

const vectors = loadVectors<NetStructVector>('netstruct').map((vector, i) => ({
  ...vector,
  name: `${i} ${vector.format}`,
}));

describe('what netstruct does', () => {
  it.each(vectors.filter((v) => v.bad_format))('$name is refused', ({ format }) => {
    expect(() => new NetStruct(format)).toThrow(StructError);
  });

  it.each(vectors.filter((v) => !v.bad_format))('$name packs and unpacks', (vector) => {
    const netStruct = new NetStruct(vector.format);
    const { minimumSize, initialSize, count } = vector;
    expect(netStruct).toMatchObject({ minimumSize, initialSize, count });
    // Every value of these vectors is one that a NetStruct packs.
    expect(netStruct.pack(...(vector.values.map(fromTagged) as StructInput[])).toString('hex')).toBe(vector.packed);
    const unpacked = netStruct.unpack(Buffer.from(vector.packed, 'hex'));
    expect(unpacked.map((value, i) => toTagged(value, vector.unpacked[i]))).toEqual(canonical(vector.unpacked));
  });

  it.each(vectors.filter((v) => !v.bad_format))('$name asks for as many bytes', ({ format, packed, asks }) => {
    const unpacker = new NetStruct(format).iterUnpack();
    const bytes = Buffer.from(packed, 'hex');
    const asked: unknown[] = [];
    let at = 0;
    let { value } = unpacker.next();
    while (typeof value === 'number') {
      asked.push(value);
      const chunk = bytes.subarray(at, at + value);
      at += value;
      ({ value } = unpacker.next(chunk));
    }
    expect(asked).toEqual(asks);
    expect(value).toEqual(new NetStruct(format).unpack(bytes));
  });
});

describe('new NetStruct', () => {
  it('may be empty', () => {
    const empty = new NetStruct('');
    expect(empty).toMatchObject({ format: '', minimumSize: 0, initialSize: 0, count: 0 });
    expect(empty.unpack(Buffer.from('rest'))).toEqual([]);
    expect(empty.pack()).toHaveLength(0);
  });

  it('is in network order, unless a prefix says otherwise', () => {
    expect(new NetStruct('H$').pack(Buffer.from('a')).toString('hex')).toBe('000161');
    expect(new NetStruct('<H$H').pack(Buffer.from('a'), 1).toString('hex')).toBe('0100610100');
    expect(new NetStruct('@bi').minimumSize).toBe(8);
    expect(new NetStruct('bi').minimumSize).toBe(5);
  });

  it('aligns each segment by itself', () => {
    expect(new NetStruct('@b$i').pack(Buffer.from('ab'), 1).toString('hex')).toBe('02616201000000');
  });

  it('takes the last of a run as the length', () => {
    expect(new NetStruct('3h$').pack(1, 2, Buffer.from('a')).toString('hex')).toBe('00010002000161');
    expect(new NetStruct('h0h$').unpack(Buffer.from('\0\x01a'))).toEqual([Buffer.from('a')]);
  });

  it('counts no pad bytes', () => {
    expect(new NetStruct('3xh$').count).toBe(1);
    expect(new NetStruct('2xB3x').count).toBe(1);
  });

  it.each([
    ['$', 'a $ comes right after the length of its string, which is one of b B h H i I l L q Q P; write "H$"'],
    ['h$$', 'a $ comes right after the length'],
    ['h$$b', 'a $ comes right after the length'],
    ['f$', 'a $ comes right after the length'],
    ['?$', 'a $ comes right after the length'],
    ['hx$', 'a $ comes right after the length'],
    ['h $', 'a $ comes right after the length'],
    ['h$ $', 'a $ comes right after the length'],
    ['5$', 'a $ comes right after the length'],
    ['0h$', 'a $ comes right after the length'],
    ['s0h$', 'a $ comes right after the length'],
    ['e', "the character 'e' is not allowed here; use x c b B ? h H i I l L q Q f d s p P $"],
    ['@n', "the character 'n' is not allowed here"],
    ['@N$', "the character 'N' is not allowed here"],
    ['h\v', 'is not allowed here'],
    ['hé', "the character 'é' is not allowed here"],
    ['h!', "the character '!' is a byte order; it may only be the very first"],
    [' !h', "the character '!' is a byte order"],
    ['P$', "the character 'P' at position 1 needs native mode"],
    ['5 h', 'the count 5 has no format character'],
    ['5', 'the count 5 has no format character'],
    ['9007199254740990sB$9s', 'has a size beyond 9007199254740991 bytes; use smaller counts'],
  ])('refuses %j', (format, rule) => {
    expect(() => new NetStruct(format)).toThrow(StructError);
    expect(() => new NetStruct(format)).toThrow(rule);
  });

  it('refuses what is no string with a TypeError', () => {
    // @ts-expect-error that is the mistake
    expect(() => new NetStruct(undefined)).toThrow(TypeError);
  });
});

describe('pack', () => {
  const packing =
    (format: string, ...values: StructInput[]) =>
    () =>
      new NetStruct(format).pack(...values);

  it('refuses too few and too many values', () => {
    expect(packing('ih$', 1)).toThrow("format 'ih$' packs exactly 2 values, not 1; give one per field");
    expect(packing('ih$', 1, Buffer.alloc(0), 2)).toThrow("format 'ih$' packs exactly 2 values, not 3");
  });

  it('numbers the values over all segments', () => {
    expect(packing('H$2B', Buffer.alloc(1), 1, 256)).toThrow(
      "value 3 of format 'H$2B' is 256: B holds integers from 0 to 255; use a wider format character",
    );
  });

  it('refuses a string that is longer than its length can say', () => {
    expect(packing('BB$', 1, Buffer.alloc(255))).not.toThrow();
    expect(packing('BB$', 1, Buffer.alloc(256))).toThrow(
      /^value 2 of format 'BB\$' is <Buffer 00 .*: its length, 256 bytes, does not fit: B holds integers from 0 to 255; use/,
    );
    expect(packing('b$', Buffer.alloc(128))).toThrow(StructError);
  });

  it('refuses text', () => {
    // @ts-expect-error that is the mistake
    expect(packing('BH$', 1, 'text')).toThrow(
      "value 2 of format 'BH$' is 'text': $ holds bytes, as a Buffer or Uint8Array; encode text with Buffer.from(text)",
    );
  });

  it('takes any view of memory as a string', () => {
    const { buffer } = Uint8Array.from([97, 98]);
    expect(new NetStruct('B$').pack(new DataView(buffer)).toString()).toBe('\x02ab');
    expect(new NetStruct('B$').pack(buffer).toString()).toBe('\x02ab');
  });

  it.each(['B', 'Q'] as const)('writes a length in %s', (char) => {
    const packed = new NetStruct(`${char}$`).pack(Buffer.from('ab'));
    expect(new NetStruct(`${char}$`).unpack(packed)).toEqual([Buffer.from('ab')]);
  });
});

describe('unpack and unpackFrom', () => {
  const netStruct = new NetStruct('Bh$B');
  const packed = netStruct.pack(1, Buffer.from('abc'), 2);

  it('ignore what comes after', () => {
    expect(netStruct.unpack(Buffer.concat([packed, packed]))).toEqual([1, Buffer.from('abc'), 2]);
    expect(netStruct.unpackFrom(Buffer.concat([Buffer.from('xx'), packed, packed]), 2)).toEqual([
      1,
      Buffer.from('abc'),
      2,
    ]);
  });

  it('copy strings, so that the source may be reused', () => {
    const source = Buffer.from(packed);
    const [, string] = netStruct.unpack(source);
    source.fill(0);
    expect(string.toString()).toBe('abc');
  });

  it.each([
    [0, 4],
    [2, 4],
    [3, 7],
    [5, 7],
    [6, 7],
  ])('say of %i bytes that %i are needed', (there, need) => {
    expect(() => netStruct.unpack(packed.subarray(0, there))).toThrow(
      `format 'Bh$B' needs at least ${need} bytes from offset 0, but there are ${there}; wait for more, or use unpacker()`,
    );
    const behind = Buffer.concat([Buffer.from('xx'), packed.subarray(0, there)]);
    expect(() => netStruct.unpackFrom(behind, 2)).toThrow(
      `at least ${need} bytes from offset 2, but there are ${there}`,
    );
  });

  it('refuse a negative length, and one beyond counting', () => {
    expect(() => netStruct.unpack(Buffer.from([1, 255, 255, 0]))).toThrow(
      "a string of format 'Bh$B' has length -1: it must be from 0 to 9007199254740991; the bytes are not of this format",
    );
    expect(() => new NetStruct('Q$').unpack(Buffer.alloc(8, 255))).toThrow('has length 18446744073709551615');
    expect(() => new NetStruct('q$').unpack(Buffer.alloc(8, 255))).toThrow('has length -1');
    expect(() => new NetStruct('Q$').unpack(Buffer.from('001fffffffffffff', 'hex'))).toThrow(StructError);
  });

  it('refuse an offset that is none with a TypeError', () => {
    for (const offset of [-1, 0.5, Number.NaN]) {
      expect(() => netStruct.unpackFrom(packed, offset)).toThrow(`offset is ${offset}: an offset is an integer from 0`);
    }
    expect(() => netStruct.unpackFrom(packed, 100)).toThrow('but there are 0');
    // @ts-expect-error text
    expect(() => netStruct.unpack('text')).toThrow(TypeError);
  });
});

describe('measure', () => {
  const netStruct = new NetStruct('B$xH$B');
  const packed = netStruct.pack(Buffer.from('ab'), Buffer.from('cde'), 7);

  it('knows as much as the bytes that have arrived say', () => {
    const source = Buffer.concat([Buffer.from('??'), packed, packed]);
    const progress = newParseState(netStruct);
    const known = Array.from(packed, (_, i) => netStruct.measure(source, 2, 2 + i, progress));
    expect(known).toEqual([5, 7, 7, 7, 7, 7, 10, 10, 10, 10]);
    expect(netStruct.measure(source, 2, 2 + packed.length, progress)).toBe(packed.length);
    expect(progress).toEqual({ segment: 3, offset: 10, need: 10 });
  });

  it('is exact for a unit with others behind it', () => {
    const source = Buffer.concat([packed, packed]);
    expect(netStruct.measure(source, 0, source.length, newParseState(netStruct))).toBe(packed.length);
  });

  it('finds the length at the end of a run', () => {
    const run = new NetStruct('B2H$');
    expect(run.measure(Buffer.from([9, 0, 1, 0, 2]), 0, 5, newParseState(run))).toBe(7);
  });

  it('looks at a segment once', () => {
    const source = Buffer.from(packed);
    const progress = newParseState(netStruct);
    netStruct.measure(source, 0, 3, progress);
    source[0] = 200;
    expect(netStruct.measure(source, 0, source.length, progress)).toBe(packed.length);
  });

  it('refuses lengths that add up beyond counting', () => {
    const large = new NetStruct('Q$B');
    expect(() => large.measure(Buffer.from('001fffffffffffff', 'hex'), 0, 8, newParseState(large))).toThrow(
      "format 'Q$B' cannot hold strings of more than 9007199254740991 bytes",
    );
  });
});
