import { StructError } from '../../../lib/errors.js';
import { Struct } from '../../../lib/struct/struct.js';
import type { StructInput } from '../../../lib/struct/types.js';

const FIELDS: [chars: string, bits: number, signed: boolean][] = [
  ['b', 8, true],
  ['B', 8, false],
  ['h', 16, true],
  ['H', 16, false],
  ['il', 32, true],
  ['IL', 32, false],
  ['q', 64, true],
  ['Q', 64, false],
];

describe.each(FIELDS.flatMap(([chars, ...rest]) => [...chars].map((char) => [char, ...rest] as const)))(
  'the integer %s',
  (char, bits, signed) => {
    const min = signed ? -(2n ** BigInt(bits - 1)) : 0n;
    const max = min + 2n ** BigInt(bits) - 1n;
    const convert = (integer: bigint) => (bits === 64 ? integer : Number(integer));

    it.each([min, min + 1n, -2n, 0n, 1n, 0x12n, max - 1n, max])('holds %p in both byte orders', (integer) => {
      if (integer < min) integer = 0n;
      const big: Struct = new Struct(`>${char}`);
      const little: Struct = new Struct(`<${char}`);
      const bytes = big.pack(integer);
      expect(BigInt(`0x${bytes.toString('hex')}`)).toBe(BigInt.asUintN(bits, integer));
      expect(little.pack(convert(integer))).toEqual(Buffer.from(bytes).reverse());
      expect(big.unpack(bytes)).toEqual([convert(integer)]);
      expect(little.unpack(Buffer.from(bytes).reverse())).toEqual([convert(integer)]);
    });

    it('refuses what is out of range', () => {
      const struct: Struct = new Struct(`>${char}`);
      const rule = `${char} holds integers from ${min} to ${max}; use a wider format character or a smaller value`;
      expect(() => struct.pack(min - 1n)).toThrow(`is ${min - 1n}n: ${rule}`);
      expect(() => struct.pack(max + 1n)).toThrow(rule);
      expect(() => struct.pack(Number(max + 1n))).toThrow(rule);
      expect(() => struct.pack(2 ** 70)).toThrow(rule);
      expect(() => struct.pack(Number.POSITIVE_INFINITY)).toThrow(StructError);
    });

    it('takes booleans, and refuses what is no integer', () => {
      const struct: Struct = new Struct(`<${char}`);
      expect(struct.unpack(struct.pack(true))).toEqual([convert(1n)]);
      expect(struct.unpack(struct.pack(false))).toEqual([convert(0n)]);
      const remedy = 'convert it first, for example with Math.round(), Number() or BigInt()';
      // Not all of these are StructInput: a caller without types may try them.
      for (const value of [1.5, Number.NaN, '1', null, undefined, {}, Buffer.alloc(8)] as StructInput[]) {
        expect(() => struct.pack(value)).toThrow(remedy);
      }
    });
  },
);

describe('64-bit integers', () => {
  it('take a number by its exact value, even beyond the safe ones', () => {
    expect(new Struct('>Q').pack(2 ** 63).toString('hex')).toBe('8000000000000000');
    expect(new Struct('>q').pack(-(2 ** 63)).toString('hex')).toBe('8000000000000000');
    expect(new Struct('>Q').pack(-0).toString('hex')).toBe('0000000000000000');
  });

  it('are those of l, L, n, N and P in native mode, little-endian', () => {
    const bytes = new Struct('lLnNP').pack(-1, 1, -2, 2, 3);
    expect(bytes.readBigUInt64LE(24)).toBe(2n);
    expect(new Struct('lLnNP').unpack(bytes)).toEqual([-1n, 1n, -2n, 2n, 3n]);
  });
});

describe('P', () => {
  it('packs negative pointers, and unpacks them unsigned', () => {
    expect(new Struct('P').unpack(new Struct('P').pack(-1))).toEqual([2n ** 64n - 1n]);
    expect(() => new Struct('P').pack(-(2n ** 63n) - 1n)).toThrow(StructError);
    expect(() => new Struct('P').pack(2n ** 64n)).toThrow(StructError);
  });
});
