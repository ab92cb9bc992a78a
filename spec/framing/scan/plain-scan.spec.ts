import { COLUMNS, MAX_FRAMES, NOT_ASCII } from '../../../lib/framing/scan/frame-scanner.js';
import { plainScanner } from '../../../lib/framing/scan/plain-scan.js';
import { binary, frame, text } from '../../support/frames.js';

/** What it has found in these bytes, and what these are afterwards. */
function scan(bytes: Buffer, at = 0, end = bytes.length) {
  const count = plainScanner.scan(bytes, at, end, MAX_FRAMES);
  const [start, stop, first, key] = plainScanner.table.subarray(0, COLUMNS);
  return { count, start: start!, stop: stop!, first: first!, key: key! };
}

describe('the plain scanner', () => {
  it.each([0, 1, 125, 126, 500, 65_535])('finds and unmasks a whole message of %i bytes, one at a time', (length) => {
    const payload = Buffer.alloc(length, 'payload');
    const next = text('next');
    const bytes = Buffer.concat([Buffer.from('??'), binary(payload), next]);
    const { count, start, stop, first } = scan(bytes, 2);
    expect([count, first & 0xff]).toEqual([1, 0x82]);
    expect(bytes.subarray(start, stop).equals(payload)).toBe(true);
    expect(bytes.subarray(stop).equals(next)).toBe(true);
  });

  it('never says that text is ASCII, which it has not looked at', () => {
    expect(scan(text('ascii')).first & NOT_ASCII).toBe(NOT_ASCII);
  });

  it.each([
    ['a control frame', frame({ opcode: 9, payload: 'ping' })],
    ['the first fragment of a message', text('frag', false)],
    ['a continuation', frame({ opcode: 0, payload: 'ment' })],
    ['a reserved bit', frame({ opcode: 1, payload: 'x', rsv: 4 })],
    ['a frame that is not masked', frame({ opcode: 1, payload: 'unmasked', mask: false })],
    ['a length of 64 bits', binary(Buffer.alloc(65_536))],
    ['a length that is not minimal', Buffer.from([0x82, 0xfe, 0, 1, 0, 0, 0, 0, 0x61])],
    ['a message that is not whole', text('whole').subarray(0, -1)],
    ['a header that is not whole', binary(Buffer.alloc(200)).subarray(0, 7)],
  ])('leaves to the parser, as it is, %s', (_what, bytes) => {
    const before = Buffer.from(bytes);
    expect(scan(bytes).count).toBe(0);
    expect(bytes.equals(before)).toBe(true);
  });

  it('masks again with the key of the table', () => {
    const bytes = text('back and forth');
    const before = Buffer.from(bytes);
    const { start, stop, key } = scan(bytes);
    plainScanner.mask(bytes, start, stop, key);
    expect(bytes.equals(before)).toBe(true);
  });

  it('joins no fragments', () => {
    expect([plainScanner.join(7, 100), plainScanner.joinedLength]).toEqual([7, 0]);
  });
});
