import { Draft76Parser } from '../../../lib/framing/draft76/draft76-parser.js';
import {
  byteByByte,
  failure,
  type Happened,
  parse,
  RecordingSink,
  randomCut,
  randomFrom,
  whole,
} from '../recording-sink.js';

const make = (...sinks: ConstructorParameters<typeof Draft76Parser>): Draft76Parser => new Draft76Parser(...sinks);
const bytesOf = (...parts: (string | number)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));
const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

function expectEvents(bytes: Buffer, expected: Happened[]): void {
  const over = ['fail', 'closed'].includes(expected.at(-1)?.[0] ?? '');
  const after: Happened[] = over ? expected : [...expected, ['data', 1, 'trailing'], ['end', 1]];
  for (const cut of [whole, byteByByte, randomCut(randomFrom(76), 5)]) {
    expect(parse(make, bytes, cut)).toEqual(expected);
    expect(parse(make, Buffer.concat([bytes, bytesOf(0, 'trailing', 0xff)]), cut)).toEqual(after);
  }
}

describe('the framing of draft-76, section 4.2', () => {
  it('carries text between 0x00 and 0xFF', () => {
    expectEvents(bytesOf(0, 'Hello', 0xff, 0, 'κόσμε 🧀', 0xff), [
      ['data', 1, 'Hello'],
      ['end', 1],
      ['data', 1, latin1('κόσμε 🧀')],
      ['end', 1],
    ]);
  });

  it('carries empty messages, and zeros inside a message', () => {
    expectEvents(bytesOf(0, 0xff, 0, '\0a\0', 0xff, 0, 0xff), [
      ['end', 1],
      ['data', 1, '\0a\0'],
      ['end', 1],
      ['end', 1],
    ]);
  });

  it('ends with 0xFF 0x00', () => {
    expectEvents(bytesOf(0, 'bye', 0xff, 0xff, 0), [
      ['data', 1, 'bye'],
      ['end', 1],
      ['closed', 1005, ''],
    ]);
  });

  it.each([1, 0x7f, 0x80, 0x81, 0xfe])('refuses the frame type %i, on its byte', (type) => {
    expectEvents(bytesOf(type, 'whatever'), [['fail', 1002]]);
    expectEvents(bytesOf(0, 'a', 0xff, type), [
      ['data', 1, 'a'],
      ['end', 1],
      ['fail', 1002],
    ]);
  });

  it.each([1, 5, 0x80, 0xff])('refuses a closing frame that announces a length of %i', (length) => {
    expectEvents(bytesOf(0xff, length), [['fail', 1002]]);
  });

  it('refuses text that is no UTF-8, after what was', () => {
    expectEvents(bytesOf(0, 'good', 0xc0, 'bad', 0xff), [
      ['data', 1, 'good'],
      ['fail', 1007],
    ]);
    expectEvents(bytesOf(0, 'cut', 0xe2, 0x82, 0xff), [
      ['data', 1, 'cut'],
      ['fail', 1007],
    ]);
  });

  it('stops in front of the next frame while halted', () => {
    const sink = new RecordingSink();
    const parser = make(sink, sink);
    sink.afterwards = () => parser.pause();
    parser.feed(bytesOf(0, 'a', 0xff, 0, 'b', 0xff, 7));
    expect(sink.happened).toEqual([
      ['data', 1, 'a'],
      ['end', 1],
    ]);
    parser.resume();
    expect(sink.happened.slice(2)).toEqual([
      ['data', 1, 'b'],
      ['end', 1],
    ]);
    expect(failure(() => parser.resume())).toBe(1002);
  });
});
