import { ControlScanner, type FramePosition } from '../../lib/framing/control-scanner.js';
import { FrameParser } from '../../lib/framing/frame-parser.js';
import { binary, frame, text } from '../support/frames.js';

const BETWEEN: FramePosition = { remaining: -1, opcode: 0, key: 0, partial: Buffer.alloc(0) };

/** What is found, whole and byte by byte. */
function scan(bytes: Buffer, position = BETWEEN): string[] {
  const ways = [[bytes], Array.from(bytes, (byte) => Buffer.of(byte))].map((parts) => {
    const found: string[] = [];
    const sink = {
      pingAhead: (payload: Buffer) => void found.push(`ping ${payload}`),
      closeAhead: () => void found.push('close'),
    };
    const scanner = new ControlScanner(sink, position);
    const before = Buffer.concat(parts);
    for (const part of parts) scanner.scan(part);
    // It only looks.
    expect(Buffer.concat(parts)).toEqual(before);
    return found;
  });
  expect(ways[0]).toEqual(ways[1]);
  return ways[0]!;
}

const ping = (payload: string): Buffer => frame({ opcode: 9, payload });
const close = frame({ opcode: 8, payload: Buffer.from([0x03, 0xe8]) });

describe('the scanner for control frames', () => {
  it('finds pings and the close frame between messages of all lengths', () => {
    const bytes = [text('a'), ping('1'), binary(Buffer.alloc(300)), binary(Buffer.alloc(70_000)), ping(''), close];
    expect(scan(Buffer.concat(bytes))).toEqual(['ping 1', 'ping ', 'close']);
  });

  it('finds them between the fragments of a message', () => {
    const bytes = [text('a', false), ping('within'), frame({ opcode: 0, payload: 'b' })];
    expect(scan(Buffer.concat(bytes))).toEqual(['ping within']);
  });

  it('passes over pongs', () => {
    expect(scan(Buffer.concat([frame({ opcode: 10, payload: 'pong' }), ping('x')]))).toEqual(['ping x']);
  });

  it('takes a payload that looks like a frame for a payload', () => {
    expect(scan(binary(Buffer.concat([ping('no'), close])))).toEqual([]);
  });

  it('looks at nothing behind a close frame', () => {
    expect(scan(Buffer.concat([close, ping('late')]))).toEqual(['close']);
  });

  it.each([
    ['a frame that is not masked', Buffer.from('810161', 'hex')],
    ['a control frame that is fragmented', frame({ opcode: 9, fin: false })],
    ['a control frame that is too long', Buffer.from('89fe007e00000000', 'hex')],
    ['a reserved opcode', frame({ opcode: 3 })],
    ['a reserved control opcode', frame({ opcode: 11 })],
  ])('stops at %s, which the parser will refuse', (_what, bytes) => {
    expect(scan(Buffer.concat([ping('before'), bytes, ping('behind')]))).toEqual(['ping before']);
  });

  it.each(Array.from({ length: 12 }, (_, at) => at))(
    'goes on where a parser stands, %d bytes into its frames',
    (at) => {
      const bytes = Buffer.concat([ping('abcd'), close]);
      const found: string[] = [];
      const sink = { message() {}, frame() {}, data() {}, end() {}, joinsFragments: false };
      const controls = {
        ping: (payload: Buffer) => void found.push(`ping ${payload}`),
        pong() {},
        closed() {},
        pingAhead: (payload: Buffer) => void found.push(`ping ${payload}`),
        closeAhead: () => void found.push('close'),
      };
      const parser = new FrameParser(sink, controls);
      parser.feed(Buffer.from(bytes.subarray(0, at)));
      parser.pause();
      parser.feed(Buffer.from(bytes.subarray(at)));
      expect(found).toEqual(['ping abcd', 'close']);
    },
  );
});
