import { decodeHalf, encodeHalf } from '../../../lib/struct/fields/half-float.js';

describe('half precision', () => {
  it('gives every one of its numbers back', () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 0x10000; bits++) {
      const number = decodeHalf(bits);
      if (!Number.isNaN(number) && encodeHalf(number) !== bits) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
    expect(decodeHalf(0x7e00)).toBeNaN();
    expect(decodeHalf(0xfc01)).toBeNaN();
    expect(encodeHalf(Number.NaN)).toBe(0x7e00);
  });

  it.each([
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x03ff, 2 ** -14 - 2 ** -24],
    [0x0001, 2 ** -24],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x8000, -0],
    [0x3555, 0.333251953125],
  ])('%p is %p', (bits, number) => {
    expect(decodeHalf(bits)).toBe(number);
  });

  it.each([
    ['a half down to even', 2049, 0x6800],
    ['a half up to even', 2051, 0x6802],
    ['up into the next power of two', 2047.9, 0x6800],
    ['a subnormal half to even', 2 ** -25, 0x0000],
    ['a subnormal up', 2 ** -25 * 1.0001, 0x0001],
    ['a subnormal half up to even', 2 ** -24 * 1.5, 0x0002],
    ['a subnormal up into the normal numbers', 2 ** -14 - 2 ** -26, 0x0400],
    ['the least double to zero', 5e-324, 0x0000],
    ['the largest that fits', 65519.99, 0x7bff],
    ['once, not by way of a single', 1 + 2 ** -11 + 2 ** -40, 0x3c01],
  ])('rounds %s', (_what, number, bits) => {
    expect(encodeHalf(number)).toBe(bits);
    expect(encodeHalf(-number)).toBe(bits | 0x8000);
  });

  it('has no room for 65520', () => {
    expect(encodeHalf(65520)).toBeUndefined();
    expect(encodeHalf(-1e300)).toBeUndefined();
  });
});
