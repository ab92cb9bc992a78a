import { headerLength, writeHeader } from '../../lib/framing/serializer.js';

describe('the header of a frame that a server sends, RFC 6455 section 5.2', () => {
  it.each([
    [0, 1, '8100'],
    [125, 2, '827d'],
    [126, 2, '827e007e'],
    [127, 2, '827e007f'],
    [255, 2, '827e00ff'],
    [256, 2, '827e0100'],
    [65535, 2, '827effff'],
    [65536, 2, '827f0000000000010000'],
    [2 ** 31 - 1, 2, '827f000000007fffffff'],
    [2 ** 31, 2, '827f0000000080000000'],
    [2 ** 32 - 1, 2, '827f00000000ffffffff'],
    [2 ** 32, 2, '827f0000000100000000'],
    [2 ** 40 + 5, 2, '827f0000010000000005'],
    [Number.MAX_SAFE_INTEGER, 2, '827f001fffffffffffff'],
    [2, 8, '8802'],
    [125, 9, '897d'],
    [0, 10, '8a00'],
  ])(
    'the header for %i octets of opcode %i is the shortest there is, final and not masked: %s',
    (length, opcode, hex) => {
      const target = Buffer.alloc(16, 0x55);
      const end = writeHeader(target, 3, opcode, length);
      expect(target.toString('hex', 3, end)).toBe(hex);
      expect(end).toBe(3 + headerLength(length));
      expect(target.toString('hex', 0, 3)).toBe('555555');
      expect(target.toString('hex', end)).toBe('55'.repeat(16 - end));
    },
  );
});
