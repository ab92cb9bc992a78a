import { Struct } from '../../../lib/struct/struct.js';
import type { StructInput } from '../../../lib/struct/types.js';

const NOT_BYTES = /holds bytes, as a Buffer or Uint8Array; encode text with Buffer\.from\(text\)/;

describe.each(['c', '3s', '3p'])('the bytes %s', (format) => {
  const struct: Struct = new Struct(format);

  it('take any view of memory', () => {
    const { buffer } = new Uint8Array([7, 65, 7]);
    const expected = struct.pack(Buffer.from('A'));
    expect(struct.pack(new Uint8Array(buffer, 1, 1))).toEqual(expected);
    expect(struct.pack(new DataView(buffer, 1, 1))).toEqual(expected);
    expect(struct.pack(new Int8Array(buffer, 1, 1))).toEqual(expected);
    expect(struct.pack(buffer.slice(1, 2))).toEqual(expected);
  });

  it('refuse text and everything else', () => {
    // A caller without types may try a string.
    for (const value of ['A', 65, null, undefined, true] as StructInput[]) {
      expect(() => struct.pack(value)).toThrow(NOT_BYTES);
    }
  });
});

describe('c', () => {
  it('is exactly one byte', () => {
    expect(new Struct('2c').unpack(Buffer.from('ab'))).toEqual([Buffer.from('a'), Buffer.from('b')]);
    expect(() => new Struct('c').pack(Buffer.alloc(0))).toThrow('c holds exactly one byte, not 0; use s with a count');
    expect(() => new Struct('c').pack(Buffer.alloc(2))).toThrow('not 2');
  });
});

describe('s', () => {
  it('cuts what is too long, and fills with zeros', () => {
    expect(new Struct('3s').pack(Buffer.from('abcd')).toString('latin1')).toBe('abc');
    expect(new Struct('3s').pack(Buffer.from('a')).toString('latin1')).toBe('a\0\0');
    expect(new Struct('3s').unpack(Buffer.from('a\0\0'))).toEqual([Buffer.from('a\0\0')]);
  });

  it('may have no bytes, and is a value still', () => {
    expect(new Struct('0s').pack(Buffer.from('a'))).toHaveLength(0);
    expect(new Struct('0s').unpack(Buffer.alloc(0))).toEqual([Buffer.alloc(0)]);
  });
});

describe('p', () => {
  it('has its length before it', () => {
    expect(new Struct('4p').pack(Buffer.from('ab')).toString('latin1')).toBe('\x02ab\0');
    expect(new Struct('4p').pack(Buffer.from('abcd')).toString('latin1')).toBe('\x03abc');
    expect(new Struct('4p').unpack(Buffer.from('\x02abc'))).toEqual([Buffer.from('ab')]);
  });

  it('believes a length no further than the field goes', () => {
    expect(new Struct('3pc').unpack(Buffer.from('\x09abc'))).toEqual([Buffer.from('ab'), Buffer.from('c')]);
    expect(new Struct('1pc').unpack(Buffer.from('\x09a'))).toEqual([Buffer.alloc(0), Buffer.from('a')]);
  });

  it('stores more than 255 bytes, but counts only those', () => {
    const bytes = new Struct('300p').pack(Buffer.alloc(299, 'a'));
    expect(bytes[0]).toBe(255);
    expect(bytes.subarray(1).every((byte) => byte === 97)).toBe(true);
    expect(new Struct('300p').unpack(bytes)[0]).toHaveLength(255);
  });

  it('a p of no bytes is empty', () => {
    expect(new Struct('0p').pack(Buffer.from('a'))).toHaveLength(0);
    expect(new Struct('0p').unpack(Buffer.alloc(0))).toEqual([Buffer.alloc(0)]);
    expect(new Struct('0pc').unpack(Buffer.from('\x01'))).toEqual([Buffer.alloc(0), Buffer.from('\x01')]);
  });
});

describe('?', () => {
  it('packs by truthiness in Python', () => {
    // Anything at all is taken, whatever the types allow.
    const pack = (value: unknown) => new Struct('?').pack(value as StructInput)[0];
    for (const value of [false, 0, -0, 0n, '', null, undefined, [], Buffer.alloc(0), new ArrayBuffer(0)]) {
      expect(pack(value)).toBe(0);
    }
    for (const value of [true, 1, -1n, 256, Number.NaN, 'a', {}, [0], Buffer.alloc(1)]) expect(pack(value)).toBe(1);
  });

  it('is true for any byte but zero', () => {
    expect(new Struct('3?').unpack(Buffer.from([0, 1, 128]))).toEqual([false, true, true]);
  });
});
