import { plainScanner } from '../../lib/framing/scan/plain-scan.js';
import { simdScanner } from '../../lib/framing/scan/simd-scan.js';
import { type MessageReader, readWholeMessages } from '../../lib/framing/whole-messages.js';
import { READ_BUFFER } from '../../lib/memory/shared-read-buffer.js';
import { binary, frame, text } from '../support/frames.js';
import { failure, RecordingSink } from './recording-sink.js';

const SCANNERS = Object.entries({ plain: plainScanner, simd: simdScanner ?? plainScanner });

describe.each(SCANNERS)('whole messages, found by the %s scanner,', (_name, scanner) => {
  /** What a parser is that reads them, and the memory that they stand in. */
  function reading(...frames: Buffer[]) {
    const messages = new RecordingSink();
    const reader: MessageReader & { paused: boolean } = {
      messages,
      paused: false,
      discarding: false,
      scansAhead: true,
    };
    const all = Buffer.concat(frames);
    READ_BUFFER.set(all);
    const bytes = READ_BUFFER.subarray(0, all.length);
    return {
      messages,
      reader,
      bytes,
      read: (at: number) => readWholeMessages(reader, scanner, bytes, at, bytes.length),
    };
  }

  /** Calls it until it finds nothing more. */
  function readAll(read: (at: number) => number): number {
    for (let at = 0; ; ) {
      const next = read(at);
      if (next === at) return at;
      at = next;
    }
  }

  it('are delivered in order, up to the first frame that is anything else', () => {
    const whole = [text('ascii'), binary(Buffer.from('bytes')), text(''), text('é€😀'), text('x'.repeat(3000))];
    const { messages, read } = reading(...whole, frame({ opcode: 9, payload: 'ping' }), text('behind'));
    expect(readAll(read)).toBe(Buffer.concat(whole).length);
    const delivered = messages.happened.filter(([name]) => name === 'data').map(([, , data]) => data);
    const utf8 = Buffer.from('é€😀').toString('latin1');
    expect(delivered).toEqual(['ascii', 'bytes', utf8, 'x'.repeat(3000)]);
    expect(messages.happened.filter(([name]) => name === 'end')).toHaveLength(5);
  });

  it('are delivered no more once the parser is paused, and what is left is masked as it came', () => {
    const rest = Buffer.concat([text('second'), binary(Buffer.alloc(300, 1))]);
    const first = text('first');
    const { messages, reader, bytes, read } = reading(first, rest);
    messages.afterwards = () => {
      reader.paused = true;
    };
    expect(read(0)).toBe(first.length);
    expect(messages.happened).toEqual([
      ['data', 1, 'first'],
      ['end', 1],
    ]);
    expect(bytes.subarray(first.length).equals(rest)).toBe(true);
    expect(reader.scansAhead).toBe(false);
  });

  it('of invalid UTF-8 fail with 1007, behind the characters that are valid', () => {
    const broken = frame({ opcode: 1, payload: Buffer.from([0x6f, 0x6b, 0xff]) });
    const { messages, read } = reading(text('before'), broken);
    expect(failure(() => readAll(read))).toBe(1007);
    expect(messages.happened).toEqual([
      ['data', 1, 'before'],
      ['end', 1],
      ['data', 1, 'ok'],
    ]);
  });
});
