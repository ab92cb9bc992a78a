/** What a parser that is paused tells of frames that it has not come to. */
import { FrameParser } from '../../lib/framing/frame-parser.js';
import { binary, closeBody, frame, text } from '../support/frames.js';

const IGNORED = { message() {}, frame() {}, data() {}, end() {}, joinsFragments: false };

/** A parser that is paused, and what it tells. */
function paused(before = Buffer.alloc(0)): { parser: FrameParser; found: string[] } {
  const found: string[] = [];
  const parser = new FrameParser(IGNORED, {
    ping: (payload) => void found.push(`ping ${payload}`),
    pong() {},
    closed: () => void found.push('close'),
    pingAhead: (payload) => void found.push(`ahead: ping ${payload}`),
    closeAhead: () => void found.push('ahead: close'),
  });
  parser.feed(before);
  parser.pause();
  return { parser, found };
}

/** What is found, whole and byte by byte. */
function scan(bytes: Buffer): string[] {
  const ways = [[bytes], Array.from(bytes, (byte) => Buffer.of(byte))].map((parts) => {
    const { parser, found } = paused();
    for (const part of parts) parser.feed(Buffer.from(part));
    return found;
  });
  expect(ways[0]).toEqual(ways[1]);
  return ways[0]!.map((name) => name.replace('ahead: ', ''));
}

const ping = (payload: string): Buffer => frame({ opcode: 9, payload });
const close = frame({ opcode: 8, payload: closeBody(1000) });

describe('a parser that is paused', () => {
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
    ['text that is not UTF-8', frame({ opcode: 1, payload: Buffer.from([0xff]) })],
    ['a continuation of nothing', frame({ opcode: 0, payload: 'a' })],
    ['a close frame with a wrong code', frame({ opcode: 8, payload: closeBody(1005) })],
  ])('stops at %s, which the parser will refuse', (_what, bytes) => {
    expect(scan(Buffer.concat([ping('before'), bytes, ping('behind')]))).toEqual(['ping before']);
  });

  it.each(Array.from({ length: 16 }, (_, at) => at))(
    'looks ahead from where it stands, %d bytes into its frames',
    (at) => {
      const bytes = Buffer.concat([text('é'), ping('abcd'), close]);
      const { parser, found } = paused(Buffer.from(bytes.subarray(0, at)));
      parser.feed(Buffer.from(bytes.subarray(at)));
      expect(found).toEqual(['ahead: ping abcd', 'ahead: close']);
      parser.resume();
      expect(found).toEqual(['ahead: ping abcd', 'ahead: close', 'ping abcd', 'close']);
    },
  );

  it('tells of each frame once, however often it is paused before it comes to that', () => {
    const found: string[] = [];
    const parser: FrameParser = new FrameParser(
      { ...IGNORED, message: () => parser.pause() },
      {
        ping: (payload) => void found.push(`ping ${payload}`),
        pong() {},
        closed() {},
        pingAhead: (payload) => void found.push(`ahead: ping ${payload}`),
      },
    );
    parser.feed(Buffer.concat([text('a'), text('b'), ping('1'), text('c'), ping('2')]));
    parser.feed(Buffer.concat([text('d'), ping('3')]));
    for (let i = 0; i < 4; i++) parser.resume();
    expect(found).toEqual(['ahead: ping 1', 'ahead: ping 2', 'ahead: ping 3', ...['ping 1', 'ping 2', 'ping 3']]);
  });

  it('finds nothing behind a protocol error of its own, which waits for what came before it', () => {
    const found: string[] = [];
    const parser: FrameParser = new FrameParser(
      { ...IGNORED, data: () => parser.pause() },
      {
        ping: (payload) => void found.push(`ping ${payload}`),
        pong() {},
        closed: () => void found.push('close'),
        pingAhead: (payload) => void found.push(`ahead: ping ${payload}`),
        closeAhead: () => void found.push('ahead: close'),
      },
    );
    parser.feed(text('a', false));
    parser.resume();
    // A character that is not complete.
    parser.feed(frame({ opcode: 0, payload: Buffer.from([0x62, 0xc3]) }));
    expect(parser.paused).toBe(true);
    parser.feed(Buffer.concat([ping('behind'), close]));
    expect(found).toEqual([]);
    expect(() => parser.resume()).toThrow('UTF-8');
  });

  it('is not disturbed by another parser that looks ahead while it reports a ping', () => {
    const other = paused();
    const found: string[] = [];
    const parser = new FrameParser(IGNORED, {
      ping() {},
      pong() {},
      closed() {},
      pingAhead(payload) {
        found.push(`ping ${payload}`);
        other.parser.feed(Buffer.concat([ping('of another'), ping('and one more')]));
      },
    });
    parser.pause();
    parser.feed(Buffer.concat([ping('1'), ping('2'), ping('3')]));
    expect(found).toEqual(['ping 1', 'ping 2', 'ping 3']);
    expect(other.found.slice(0, 2)).toEqual(['ahead: ping of another', 'ahead: ping and one more']);
  });

  it('has room for 64 KiB, and for any number of bytes when it goes on', () => {
    const { parser } = paused();
    expect(parser.room).toBe(64 * 1024);
    parser.feed(binary(Buffer.alloc(1000)));
    expect(parser.room).toBe(64 * 1024 - 1008);
    parser.feed(Buffer.alloc(70_000));
    expect(parser.room).toBe(0);
    parser.discard();
    expect(parser.pinned).toBe(0);
  });
});
