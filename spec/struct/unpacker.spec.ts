import { StructError } from '../../lib/errors.js';
import { NetStruct } from '../../lib/struct/net-struct.js';

const netStruct = new NetStruct('h$dH$');
const values = [Buffer.from('x'.repeat(120)), 1.5, Buffer.from('y')];
const packed = netStruct.pack(Buffer.from('x'.repeat(120)), 1.5, Buffer.from('y'));

describe('an Unpacker', () => {
  it('takes a record whole', () => {
    const unpacker = netStruct.unpacker(packed);
    expect(unpacker.remaining).toBe(0);
    expect(unpacker.result).toEqual(values);
    expect(unpacker.unusedData).toEqual(Buffer.alloc(0));
  });

  it('takes exactly what it asks for', () => {
    const unpacker = netStruct.unpacker();
    expect(unpacker.remaining).toBe(12);
    expect(unpacker.feed(packed.subarray(0, 12))).toBe(120);
    expect(unpacker.result).toBeUndefined();
    expect(unpacker.feed(packed.subarray(12, 132))).toBe(1);
    expect(unpacker.feed(packed.subarray(132))).toBe(0);
    expect(unpacker.result).toEqual(values);
  });

  it('takes a record byte by byte, and keeps the rest', () => {
    const unpacker = netStruct.unpacker();
    for (const [i, byte] of packed.entries()) {
      expect(unpacker.result).toBeUndefined();
      expect(unpacker.unusedData).toHaveLength(0);
      expect(unpacker.remaining).toBeGreaterThan(0);
      expect(unpacker.feed(Buffer.from([byte]))).toBe(unpacker.remaining);
      // A string's length is known with its second byte.
      if (i === 1) expect(unpacker.remaining).toBe(12 + 120 - 2);
    }
    expect(unpacker.result).toEqual(values);
    expect(unpacker.feed(Buffer.from('re'))).toBe(0);
    expect(unpacker.feed(Buffer.from('st'))).toBe(0);
    expect(unpacker.unusedData.toString()).toBe('rest');
    expect(unpacker.result).toEqual(values);
  });

  it('keeps what comes with the last byte and after it', () => {
    const unpacker = netStruct.unpacker(Buffer.concat([packed, Buffer.from('rest')]));
    expect(unpacker.result).toEqual(values);
    expect(unpacker.unusedData.toString()).toBe('rest');
  });

  it('does not hold on to the bytes that it was fed', () => {
    const chunk = Buffer.from('\0\x02hi!');
    const unpacker = new NetStruct('H$').unpacker();
    for (const byte of [0, 1, 2]) unpacker.feed(chunk.subarray(byte, byte + 1));
    const rest = chunk.subarray(3);
    unpacker.feed(rest);
    chunk.fill(0);
    expect(unpacker.result).toEqual([Buffer.from('hi')]);
    expect(unpacker.unusedData.toString()).toBe('!');
  });

  it('is done at once if the format is empty', () => {
    expect(new NetStruct('').unpacker()).toMatchObject({ remaining: 0, result: [] });
  });

  it('reserves nothing for a length that is only announced', () => {
    const unpacker = new NetStruct('Q$').unpacker();
    expect(unpacker.feed(Buffer.from('000fffffffffffff', 'hex'))).toBe(2 ** 52 - 1);
    expect(unpacker.feed(Buffer.from('x'))).toBe(2 ** 52 - 2);
  });

  it('takes a million single bytes', () => {
    const size = 1_000_000;
    const unpacker = new NetStruct('I$').unpacker(Buffer.from([0, 0x0f, 0x42, 0x40]));
    const byte = Buffer.from('x');
    // Copying everything for each byte would move 500 gigabytes, for which a test has no time.
    for (let i = 0; i < size; i++) unpacker.feed(byte);
    expect(unpacker.result?.[0]).toHaveLength(size);
  });

  it('refuses a negative length, each time it is fed', () => {
    const unpacker = netStruct.unpacker(Buffer.from([255]));
    expect(() => unpacker.feed(Buffer.from([255]))).toThrow(StructError);
    expect(() => unpacker.feed(Buffer.alloc(100))).toThrow('has length -1');
    expect(unpacker.result).toBeUndefined();
    expect(() => netStruct.unpacker(Buffer.from([255, 255]))).toThrow(StructError);
  });

  it('refuses what is not bytes with a TypeError', () => {
    // @ts-expect-error text
    expect(() => netStruct.unpacker().feed('text')).toThrow(TypeError);
  });
});

describe('iterUnpack', () => {
  it('yields what is needed, then the values, then the rest', () => {
    const it = netStruct.iterUnpack();
    expect(it.next()).toEqual({ done: false, value: 12 });
    expect(it.next(packed.subarray(0, 12)).value).toBe(120);
    expect(it.next(packed.subarray(12, 132)).value).toBe(1);
    expect(it.next(Buffer.concat([packed.subarray(132), Buffer.from('rest')])).value).toEqual(values);
    expect(it.next().value).toEqual(Buffer.from('rest'));
    expect(it.next()).toEqual({ done: true, value: undefined });
  });

  it('takes fewer bytes than it asks for, and none', () => {
    const it = netStruct.iterUnpack(packed.subarray(0, 1));
    expect(it.next().value).toBe(11);
    expect(it.next().value).toBe(11);
    expect(it.next(Buffer.alloc(0)).value).toBe(11);
    expect(it.next(packed.subarray(1, 2)).value).toBe(130);
    expect(it.next(packed.subarray(2)).value).toEqual(values);
  });

  it('yields the values at once if all is there', () => {
    const it = netStruct.iterUnpack(packed);
    expect(it.next().value).toEqual(values);
    expect(it.next(Buffer.from('more')).value).toEqual(Buffer.from('more'));
  });
});
