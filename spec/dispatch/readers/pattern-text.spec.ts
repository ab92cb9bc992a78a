import { back, byteLength, copyPattern, decodeRun, splitsPair } from '../../../lib/dispatch/readers/pattern-text.js';

const BYTES = Buffer.from('aé🧀b');

describe('what a pattern sees', () => {
  it('is text as it is, and of binary data a character for each byte', () => {
    expect(decodeRun(1, BYTES, 1, 7)).toBe('é🧀');
    expect(decodeRun(2, BYTES, 1, 3)).toBe('\xc3\xa9');
  });

  it('has as many bytes as it was made of', () => {
    for (const kind of [1, 2] as const) expect(byteLength(kind, decodeRun(kind, BYTES, 0, 8))).toBe(8);
  });

  it('is gone back in by whole characters of text, or by bytes, and not beyond the start', () => {
    expect([1, 2, 3, 4, 9].map((count) => back(1, BYTES, 0, 8, count))).toEqual([7, 3, 1, 0, 0]);
    expect([1, 2, 3, 9].map((count) => back(2, BYTES, 2, 8, count))).toEqual([7, 6, 5, 2]);
    expect(back(1, BYTES, 3, 8, 9)).toBe(3);
  });

  it('may be cut inside of a surrogate pair, which has no bytes there', () => {
    const text = 'a🧀b';
    expect([0, 1, 2, 3, 4].map((at) => splitsPair(text, at))).toEqual([false, false, true, false, false]);
    expect(splitsPair('\udc00', 0)).toBe(false);
  });

  it('is looked at by a copy of the pattern, with its own lastIndex and one of the flags g and y', () => {
    const own = /a/giy;
    own.lastIndex = 7;
    const copy = copyPattern(own, 'y');
    expect([copy.source, copy.flags, copy.lastIndex]).toEqual(['a', 'iy', 0]);
    expect(copyPattern(/b/su, 'g').flags).toBe('gsu');
    expect([own.flags, own.lastIndex]).toEqual(['giy', 7]);
  });
});
