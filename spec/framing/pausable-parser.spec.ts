import { FrameParser } from '../../lib/framing/frame-parser.js';
import { closeBody, frame, more, text } from '../support/frames.js';
import {
  byteByByte,
  type Cut,
  failure,
  type Give,
  type Happened,
  lent,
  own,
  RecordingSink,
  whole,
} from './recording-sink.js';

/** Halts after each message or piece of one, and notes where it went on. */
class Halting {
  readonly sink = new RecordingSink();
  readonly parser = new FrameParser(this.sink, this.sink);

  private readonly give: Give;

  constructor(halts: (name: Happened[0]) => boolean = (name) => name === 'end', give = own) {
    this.give = give;
    this.sink.afterwards = (name) => {
      if (halts(name)) this.parser.pause();
    };
  }

  get happened(): Happened[] {
    return this.sink.happened;
  }

  feed(bytes: Buffer, cut: Cut = whole): void {
    let at = 0;
    for (const length of cut(bytes.length)) {
      this.parser.feed(this.give(bytes.subarray(at, at + length)));
      at += length;
    }
  }
}

const close = frame({ opcode: 8, payload: closeBody(1001) });
const wrong = frame({ opcode: 3 });

describe.each([
  ['whole', whole, own],
  ['byte by byte', byteByByte, own],
  ['whole, in memory that is lent', whole, lent],
  ['byte by byte, in memory that is lent', byteByByte, lent],
])('a halted parser, fed %s', (_name, cut, give) => {
  it('stops in front of the next frame, and goes on in order', () => {
    const halting = new Halting(undefined, give);
    const bytes = Buffer.concat([
      text('a'),
      frame({ opcode: 9, payload: '1' }),
      text(''),
      text('c', false),
      more('d', true),
      close,
    ]);
    halting.feed(bytes, cut);
    expect(halting.parser.paused).toBe(true);
    expect(halting.happened).toEqual([
      ['data', 1, 'a'],
      ['end', 1],
    ]);
    halting.parser.resume();
    expect(halting.happened.slice(2)).toEqual([
      ['ping', '1'],
      ['end', 1],
    ]);
    halting.parser.resume();
    expect(halting.happened.slice(4)).toEqual([
      ['data', 1, 'cd'],
      ['end', 1],
    ]);
    halting.parser.resume();
    expect(halting.happened.slice(6)).toEqual([['closed', 1001, '']]);
  });

  it('keeps what is fed meanwhile', () => {
    const halting = new Halting(undefined, give);
    halting.feed(text('a'), cut);
    halting.feed(text('b'), cut);
    halting.feed(text('c'), cut);
    expect(halting.happened).toEqual([
      ['data', 1, 'a'],
      ['end', 1],
    ]);
    halting.parser.resume();
    halting.parser.resume();
    expect(halting.happened.slice(2)).toEqual([
      ['data', 1, 'b'],
      ['end', 1],
      ['data', 1, 'c'],
      ['end', 1],
    ]);
  });

  it('defers a mistake that stands behind what was delivered', () => {
    const halting = new Halting(undefined, give);
    halting.feed(Buffer.concat([text('a'), wrong, text('b')]), cut);
    expect(halting.happened).toEqual([
      ['data', 1, 'a'],
      ['end', 1],
    ]);
    expect(failure(() => halting.parser.resume())).toBe(1002);
    expect(halting.happened).toHaveLength(2);
  });

  it('says nothing after it was stopped', () => {
    const halting = new Halting(undefined, give);
    halting.feed(Buffer.concat([text('a'), text('b'), wrong]), cut);
    halting.parser.discard();
    halting.parser.resume();
    halting.feed(text('c'), cut);
    expect(halting.happened).toEqual([
      ['data', 1, 'a'],
      ['end', 1],
    ]);
  });
});

describe.each([
  ['', own],
  [', in memory that is lent', lent],
])('a parser that is halted inside a frame%s', (_name, give) => {
  it('finishes that frame', () => {
    const halting = new Halting((name) => name === 'data', give);
    halting.feed(Buffer.concat([text('a', false), more('b', true), text('c')]));
    expect(halting.happened).toEqual([['data', 1, 'a']]);
    halting.parser.resume();
    expect(halting.happened).toEqual([
      ['data', 1, 'ab'],
      ['end', 1],
    ]);
    halting.parser.resume();
    expect(halting.happened.slice(2)).toEqual([
      ['data', 1, 'c'],
      ['end', 1],
    ]);
  });

  it('defers the mistake it finds in the rest of it until what came before is delivered', () => {
    const halting = new Halting((name) => name === 'data', give);
    const payload = Buffer.concat([Buffer.from('good'), Buffer.from([0xff])]);
    halting.feed(Buffer.concat([frame({ opcode: 1, payload }), text('never')]));
    expect(halting.happened).toEqual([['data', 1, 'good']]);
    expect(failure(() => halting.parser.resume())).toBe(1007);
    expect(halting.happened).toEqual([['data', 1, 'good']]);
  });
});
