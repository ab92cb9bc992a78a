import { ErrorCode, StructError } from '../../lib/errors.js';
import { parseFormat } from '../../lib/struct/format.js';

/** Offsets of the fields, and the size. */
function layout(format: string) {
  const { fields, size } = parseFormat(format);
  return [...fields.map(({ char, offset }) => `${char}${offset}`), size].join(' ');
}

describe('a format', () => {
  it('may be empty', () => {
    expect(parseFormat('')).toEqual({ fields: [], size: 0, count: 0 });
    expect(parseFormat('!')).toEqual({ fields: [], size: 0, count: 0 });
  });

  it('aligns each field in native mode, and only there', () => {
    expect(layout('bhbibqbe')).toBe('b0 h2 b4 i8 b12 q16 b24 e26 28');
    expect(layout('@bd')).toBe('b0 d8 16');
    expect(layout('=bhbibq')).toBe('b0 h1 b3 i4 b8 q9 17');
  });

  it('adds no padding at the end, unless a zero count asks for it', () => {
    expect(layout('ib')).toBe('i0 b4 5');
    expect(layout('ib0i')).toBe('i0 b4 8');
    expect(layout('<ib0i')).toBe('i0 b4 5');
  });

  it('has standard sizes after a prefix, and those of 64-bit Linux without', () => {
    const sizes = (format: string) => parseFormat(format).size;
    expect([...'xcbB?hHiIlLqQefdsp'].map((char) => sizes(`!${char}`)).join('')).toBe('111112244448824811');
    expect([...'lLqQnNP'].map(sizes)).toEqual([8, 8, 8, 8, 8, 8, 8]);
  });

  it('takes a count before s and p as a length, and as a repetition elsewhere', () => {
    expect(parseFormat('5s5p5x5c')).toMatchObject({ size: 20, count: 7 });
    expect(parseFormat('0s0p0c')).toMatchObject({ size: 0, count: 2 });
    expect(parseFormat('003h')).toMatchObject({ size: 6, count: 3 });
  });

  it('may have white space between fields', () => {
    expect(layout(' \t\n\v\f\r b h\n')).toBe('b0 h2 4');
    expect(layout('< b')).toBe('b0 1');
    expect(layout(' ')).toBe('0');
  });
});

describe('a malformed format', () => {
  it.each([
    ['3', 'the count 3 has no format character right after it; write for example "3h"'],
    ['h 12', 'the count 12 has no format character'],
    ['3 h', 'the count 3 has no format character'],
    [' <h', "the character '<' at position 1 is a byte order; it may only be the very first"],
    ['@@', "the character '@' at position 1 is a byte order"],
    ['!n', "the character 'n' at position 1 needs native mode; use q or Q, or the prefix @ or none"],
    ['<P', "the character 'P' at position 1 needs native mode"],
    ['hz', "the character 'z' at position 1 is not a format character; use one of x s p c ?"],
    ['h$', "the character '$' at position 1 is not a format character"],
    ['h\0', "the character '\\x00' at position 1 is not"],
    ['é', "the character 'é' at position 0 is not"],
    ['\xa0h', 'at position 0 is not'],
    ['9007199254740992s', 'its size exceeds 9007199254740991 bytes; use smaller counts'],
    ['9007199254740991sb', 'its size exceeds'],
    ['2251799813685249i', 'its size exceeds'],
    ['99999999999999999999999999x', 'its size exceeds'],
    [`${'9'.repeat(400)}x`, 'its size exceeds'],
  ])('the format %j is refused', (format, rule) => {
    expect(() => parseFormat(format)).toThrow(StructError);
    expect(() => parseFormat(format)).toThrow(rule);
    expect(() => parseFormat(format)).toThrow(/^format is '/);
  });

  it.each([undefined, null, 5, Buffer.from('h')])('a format that is %p is refused with a TypeError', (format) => {
    // @ts-expect-error that is the mistake
    const parse = () => parseFormat(format);
    expect(parse).toThrow(TypeError);
    expect(parse).toThrow(expect.objectContaining({ code: ErrorCode.INVALID_ARGUMENT }));
    expect(parse).toThrow('a format is a string, such as "!ILH"');
  });
});
