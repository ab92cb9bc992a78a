import { unmask } from '../../lib/framing/mask.js';
import { randomFrom } from './recording-sink.js';

const KEY = 0x8f_01_7e_c3 | 0;
const OCTETS = [0x8f, 0x01, 0x7e, 0xc3];

/** RFC 6455 section 5.3, as it is written: "j = i MOD 4; transformed-octet-i = original-octet-i XOR masking-key-octet-j". */
function naive(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.map((octet, i) => octet ^ OCTETS[i & 3]!));
}

describe('masking, RFC 6455 section 5.3', () => {
  const memory = new ArrayBuffer(1024);
  const content = Buffer.from(Array.from({ length: 1024 }, (_, i) => (i * 167 + 13) & 0xff));

  it.each([0, 1, 2, 3, 4, 5, 6, 7])(
    'is that of the RFC for 0 to 600 octets at alignment %i, and touches no other',
    (alignment) => {
      for (let length = 0; length <= 600; length++) {
        const bytes = Buffer.from(memory, alignment, 700);
        content.copy(bytes);
        unmask(bytes, 3, 3 + length, KEY);
        const expected = Buffer.from(content.subarray(0, 700));
        naive(content.subarray(3, 3 + length)).copy(expected, 3);
        if (!bytes.equals(expected)) throw new Error(`length ${length} differs`);
      }
    },
  );

  it('goes on in the middle of a payload with the key that is due there', () => {
    const random = randomFrom(1);
    const expected = naive(content);
    for (let round = 0; round < 500; round++) {
      const bytes = Buffer.from(content);
      let key = KEY;
      for (let at = 0; at < bytes.length; ) {
        const stop = Math.min(bytes.length, at + random(round % 2 === 0 ? 8 : 500));
        key = unmask(bytes, at, stop, key);
        at = stop;
      }
      expect(bytes.equals(expected)).toBe(true);
    }
  });

  it.each([0, 1, 0xff, 0x8000_0000 | 0, -1])('takes the key %i, and undoes itself', (key) => {
    const bytes = Buffer.from(content);
    unmask(bytes, 0, bytes.length, key);
    expect(bytes.equals(content)).toBe(key === 0);
    unmask(bytes, 0, bytes.length, key);
    expect(bytes).toEqual(content);
  });
});
