import { allocate } from '../../lib/memory/bulk-allocation.js';

it.each([0, 1, 31, 5000, 32 * 1024 - 1, 32 * 1024, 40_001, 1 << 20, 3_000_001])(
  'gives %d bytes of their own',
  (size) => {
    const piece = allocate(size);
    expect([piece.length, piece.byteOffset, piece.buffer.byteLength]).toEqual([size, 0, size]);
    expect(allocate(size).buffer).not.toBe(piece.buffer);
  },
);
