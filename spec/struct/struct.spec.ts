import { ErrorCode, StructError } from '../../lib/errors.js';
import { Struct } from '../../lib/struct/struct.js';
import type { StructInput } from '../../lib/struct/types.js';
import { canonical, fromTagged, loadVectors, type Tagged, toTagged } from '../support/vectors.js';

interface StructVector {
  format: string;
  bad_format?: true;
  size: number;
  values: Tagged[];
  packed?: string;
  unpacked: Tagged[];
  pack_error?: true;
}

const vectors = loadVectors<StructVector>('struct').map((vector, i) => ({ ...vector, name: `${i} ${vector.format}` }));

describe('what CPython 3.11 does', () => {
  it.each(vectors.filter((v) => v.bad_format))('$name is refused', ({ format }) => {
    expect(() => new Struct(format)).toThrow(StructError);
  });

  it.each(vectors.filter((v) => v.packed !== undefined))('$name packs and unpacks', (vector) => {
    const struct = new Struct(vector.format);
    expect(struct.size).toBe(vector.size);
    expect(struct.count).toBe(vector.values.length);
    // Every value of these vectors is one that a struct packs.
    const values = vector.values.map(fromTagged) as StructInput[];
    expect(struct.pack(...values).toString('hex')).toBe(vector.packed);
    const unpacked = struct.unpack(Buffer.from(vector.packed!, 'hex'));
    expect(unpacked.map((value, i) => toTagged(value, vector.unpacked[i]))).toEqual(canonical(vector.unpacked));
  });

  it.each(vectors.filter((v) => v.pack_error))('$name does not pack its values', ({ format, size, values }) => {
    const struct = new Struct(format);
    expect(struct.size).toBe(size);
    // What is wrong with them is the point.
    expect(() => struct.pack(...(values.map(fromTagged) as StructInput[]))).toThrow(StructError);
  });
});

describe('new Struct', () => {
  it('has the format, the size in bytes and the count of values', () => {
    const { format, size, count } = new Struct('<3hx2s');
    expect({ format, size, count }).toEqual({ format: '<3hx2s', size: 9, count: 4 });
  });

  it('costs nothing per value', () => {
    expect(new Struct('1000000000i')).toMatchObject({ size: 4_000_000_000, count: 1_000_000_000 });
  });
});

describe('pack', () => {
  it('refuses too few and too many values, naming both counts', () => {
    const struct: Struct = new Struct('!2H');
    expect(() => struct.pack(1)).toThrow("format '!2H' packs exactly 2 values, not 1");
    expect(() => struct.pack(1, 2, 3)).toThrow("format '!2H' packs exactly 2 values, not 3");
  });

  it('names the value, the rule and the remedy', () => {
    const failing = () => new Struct('!IH').pack(1, 65536);
    expect(failing).toThrow(
      "value 2 of format '!IH' is 65536: H holds integers from 0 to 65535; use a wider format character or a smaller value",
    );
    expect(failing).toThrow(expect.objectContaining({ name: 'StructError', code: ErrorCode.STRUCT }));
  });
});

describe('packInto', () => {
  it('writes size bytes at the offset, zeroing padding, and nothing else', () => {
    const target = new Uint8Array(8).fill(0xff);
    new Struct('<Hx1s').packInto(target, 2, 0x0201, Buffer.alloc(0));
    expect([...target]).toEqual([255, 255, 1, 2, 0, 0, 255, 255]);
  });

  it('takes an offset from the end', () => {
    const target = Buffer.alloc(4);
    new Struct('!H').packInto(target, -2, 0x0102);
    expect(target.toString('hex')).toBe('00000102');
  });

  it.each([3, -1, -5, 5])('refuses offset %p in 4 bytes', (offset) => {
    const pack = () => new Struct('!H').packInto(Buffer.alloc(4), offset, 1);
    expect(pack).toThrow(
      `format '!H' needs 2 bytes to pack into at offset ${offset}, but there are 4 in all; wait for more, ` +
        'or use a larger buffer',
    );
  });

  it('refuses the wrong number of values before it writes', () => {
    const target = Buffer.from([7]);
    const struct: Struct = new Struct('B');
    expect(() => struct.packInto(target, 0)).toThrow(StructError);
    expect(target[0]).toBe(7);
  });

  it('refuses what is not bytes with a TypeError', () => {
    // @ts-expect-error a plain array
    expect(() => new Struct('B').packInto([0], 0, 1)).toThrow('target is [ 0 ]: it must be a Buffer or Uint8Array');
  });
});

describe('unpack', () => {
  it('takes exactly size bytes', () => {
    const struct = new Struct('!H');
    expect(struct.unpack(new Uint8Array([1, 2]))).toEqual([258]);
    expect(() => struct.unpack(Buffer.alloc(1))).toThrow(
      "format '!H' unpacks exactly 2 bytes, not 1; unpackFrom() takes them from more",
    );
    expect(() => struct.unpack(Buffer.alloc(3))).toThrow(StructError);
  });

  it('takes any view of memory, and nothing else', () => {
    const { buffer } = new Uint8Array([9, 1, 2, 9]);
    // @ts-expect-error declared for byte arrays only
    expect(new Struct('!H').unpack(new DataView(buffer, 1, 2))).toEqual([258]);
    // @ts-expect-error text
    expect(() => new Struct('!H').unpack('ab')).toThrow(TypeError);
  });

  it.each([1, 2, 3, 4, 5, 9])('reads %i values in order', (count) => {
    const bytes = Buffer.from(Array.from({ length: count }, (_, i) => i + 1));
    expect(new Struct(`${count}B`).unpack(bytes)).toEqual([...bytes]);
    expect(new Struct('B'.repeat(count)).unpack(bytes)).toEqual([...bytes]);
  });

  it('copies bytes, so that the source may be reused', () => {
    const source = Buffer.from(`abc\x03def${'g'.repeat(100)}`);
    const [char, string, pascal, long] = new Struct('c2s4p100s').unpack(source);
    source.fill(0);
    expect(`${char}${string}${pascal}${long}`).toBe(`abcdef${'g'.repeat(100)}`);
  });
});

describe('unpackFrom', () => {
  it('takes size bytes from the offset, by default the first', () => {
    const bytes = Buffer.from([1, 2, 3, 4]);
    const struct = new Struct('!H');
    expect(struct.unpackFrom(bytes)).toEqual([0x0102]);
    expect(struct.unpackFrom(bytes, 2)).toEqual([0x0304]);
    expect(struct.unpackFrom(bytes, -3)).toEqual([0x0203]);
  });

  it.each([3, 9, -1, -5])('refuses offset %p in 4 bytes', (offset) => {
    expect(() => new Struct('!H').unpackFrom(Buffer.alloc(4), offset)).toThrow(
      `format '!H' needs 2 bytes to unpack at offset ${offset}, but there are 4 in all`,
    );
  });

  it.each([0.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses %p as an offset with a TypeError', (offset) => {
    const unpack = () => new Struct('!H').unpackFrom(Buffer.alloc(4), offset);
    expect(unpack).toThrow(TypeError);
    expect(unpack).toThrow(`offset is ${offset}: an offset is an integer, in bytes`);
  });
});

describe('iterUnpack', () => {
  it('yields the values of each record', () => {
    expect([...new Struct('!BH').iterUnpack(Buffer.from([1, 0, 2, 3, 0, 4]))]).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect([...new Struct('B').iterUnpack(Buffer.alloc(0))]).toEqual([]);
  });

  it('refuses a part of a record, and a struct of no bytes, at once', () => {
    expect(() => new Struct('!H').iterUnpack(Buffer.alloc(3))).toThrow(
      "format '!H' unpacks a multiple of 2 bytes, not 3; cut off the rest first",
    );
    expect(() => new Struct('0s').iterUnpack(Buffer.alloc(0))).toThrow("format '0s' has no bytes");
  });
});
