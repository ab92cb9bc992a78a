/** RFC 6455 section 7.4: every number that a close frame can carry, byte by byte through the parser. */
import { FrameParser } from '../../lib/framing/frame-parser.js';
import { RecordingSink } from '../framing/recording-sink.js';
import { closeBody, frame } from '../support/frames.js';

/** Those of section 7.4.1 that may be sent, those that IANA has registered since (1012 to 1014), and 7.4.2: "3000-3999", "4000-4999". */
function isValid(code: number): boolean {
  const registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
  return registered.includes(code) || (code >= 3000 && code <= 4999);
}

describe('7.4 a close code', () => {
  it('is taken if it may be sent, and fails the connection with 1002 if not: each of 65,536', () => {
    const wrong: number[] = [];
    for (let code = 0; code <= 0xffff; code++) {
      const sink = new RecordingSink();
      const parser = new FrameParser(sink, sink);
      try {
        parser.feed(frame({ opcode: 8, payload: closeBody(code, 'why') }));
      } catch (error) {
        sink.happened.push(['fail', (error as { closeCode: number }).closeCode]);
      }
      const [happened] = sink.happened;
      const expected = isValid(code) ? `closed,${code},why` : 'fail,1002';
      if (String(happened) !== expected) wrong.push(code);
    }
    expect(wrong).toEqual([]);
  });
});
