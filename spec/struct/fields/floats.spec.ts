import { StructError } from '../../../lib/errors.js';
import { Struct } from '../../../lib/struct/struct.js';
import type { StructInput } from '../../../lib/struct/types.js';

describe.each(['e', 'f', 'd'] as const)('the float %s', (char) => {
  it.each([0, -0, 1, -1.5, 0.25, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN])(
    'holds %p in both byte orders',
    (number) => {
      const big = new Struct(`>${char}`);
      const little = new Struct(`<${char}`);
      const bytes = big.pack(number);
      expect(big.unpack(bytes)).toEqual([number]);
      expect(little.pack(number)).toEqual(Buffer.from(bytes).reverse());
      expect(little.unpack(little.pack(number))).toEqual([number]);
    },
  );

  it('takes integers and booleans', () => {
    const struct = new Struct(`<${char}`);
    expect(struct.unpack(struct.pack(1024n))).toEqual([1024]);
    expect(struct.unpack(struct.pack(true))).toEqual([1]);
  });

  it('refuses what is no number, and a bigint beyond every double', () => {
    const struct: Struct = new Struct(`<${char}`);
    // Not all of these are StructInput: a caller without types may try them.
    for (const value of ['1.5', null, undefined, Buffer.alloc(8), 10n ** 309n] as StructInput[]) {
      expect(() => struct.pack(value)).toThrow(
        `${char} holds numbers that a double can represent; convert it first, for example with Number()`,
      );
    }
  });
});

describe('a finite number too large for its field', () => {
  // The least number that rounds up to 2^128.
  const tooLarge = 3.4028235677973366e38;
  const largest = 3.4028235677973362e38;

  it('is refused by f in the standard modes', () => {
    expect(() => new Struct('!f').pack(tooLarge)).toThrow('f holds finite numbers up to about 3.4e38; use d');
    expect(() => new Struct('=f').pack(-tooLarge)).toThrow(StructError);
    expect(new Struct('!f').pack(largest).toString('hex')).toBe('7f7fffff');
  });

  it('becomes infinity in native f, as in C', () => {
    expect(new Struct('f').pack(tooLarge).toString('hex')).toBe('0000807f');
    expect(new Struct('@f').pack(-tooLarge).toString('hex')).toBe('000080ff');
  });

  it('is refused by e in every mode', () => {
    for (const prefix of ['', '@', '<', '!']) {
      expect(() => new Struct(`${prefix}e`).pack(65520)).toThrow('e holds finite numbers below 65520; use f or d');
    }
  });
});
