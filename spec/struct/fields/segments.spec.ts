import { StructError } from '../../../lib/errors.js';
import { checkLength, parseSegments } from '../../../lib/struct/fields/segments.js';

/** Each segment: its size, and the character and place of the length behind which a string stands. */
function segments(format: string): [size: number, length: string | undefined][] {
  return parseSegments(format).map(({ struct, length }) => [
    struct.size,
    length && `${length.char} at ${length.offset}`,
  ]);
}

describe('the format of a NetStruct', () => {
  it('is cut behind the length of each string', () => {
    expect(segments('ih$5b')).toEqual([
      [6, 'h at 4'],
      [5, undefined],
    ]);
    expect(segments('B$H$')).toEqual([
      [1, 'B at 0'],
      [2, 'H at 0'],
    ]);
    expect(segments('2B3H$')).toEqual([[8, 'H at 6']]);
    expect([segments(''), segments('3B')]).toEqual([[], [[3, undefined]]]);
  });

  it('is big-endian unless it says otherwise, and has one byte order in all segments', () => {
    const lengths = (format: string): unknown[] =>
      parseSegments(format).map(({ length }) => length?.read(Buffer.from([1, 2]), 0));
    expect(lengths('H$H$')).toEqual([0x102, 0x102]);
    expect(lengths('<H$H$')).toEqual([0x201, 0x201]);
  });

  it.each([
    ['$', 'a $ comes right after the length'],
    ['B$$', 'a $ comes right after the length'],
    ['f$', 'a $ comes right after the length'],
    ['3s$', 'a $ comes right after the length'],
    ['0h$', 'a $ comes right after the length'],
    ['B!$', 'is a byte order; it may only be the very first'],
    ['eB$', "the character 'e' is not allowed here"],
    ['B$y', "the character 'y' is not allowed here"],
  ])('is refused as %p', (format, message) => {
    expect(() => parseSegments(format)).toThrow(StructError);
    expect(() => parseSegments(format)).toThrow(message);
  });

  it('must be a string', () => {
    expect(() => parseSegments(5 as never)).toThrow(TypeError);
  });
});

describe('the length of a string', () => {
  it('is a number of bytes, also where its field has 64 bits', () => {
    expect([checkLength(0, 'B$'), checkLength(5n, 'Q$')]).toEqual([0, 5]);
  });

  it.each([-1, -1n, 2n ** 53n])('may not be %p', (length) => {
    expect(() => checkLength(length, 'q$')).toThrow(`has length ${length}`);
  });
});
