import { FrameParser } from '../../../lib/framing/frame-parser.js';
import { lent } from '../../framing/recording-sink.js';
import { binary, more, text } from '../../support/frames.js';
import { CUTS, Dispatching, EntireMessage, type Reactions } from '../dispatching.js';

const toEntire: Reactions = {
  read(dispatcher) {
    dispatcher.readDelimiter = EntireMessage;
  },
};

describe('EntireMessage', () => {
  it('delivers each message whole, of either kind, an empty one too', () => {
    for (const cut of CUTS) {
      const one = new Dispatching(EntireMessage);
      one
        .message('Hello 🧀', cut)
        .message('', cut)
        .message(Buffer.from([0, 255]), cut)
        .message(Buffer.alloc(0), cut);
      expect(one.units).toEqual(['Hello 🧀', '', Buffer.from([0, 255]), Buffer.alloc(0)]);
      expect(one.rest()).toBe('');
    }
  });

  it('has a limit that is exact, however the message arrives', () => {
    for (const cut of CUTS) {
      const one = new Dispatching(EntireMessage, { bufferSize: 100 });
      one.message('é'.repeat(50), cut).message(Buffer.alloc(100, 1), cut);
      expect(one.units).toEqual(['é'.repeat(50), Buffer.alloc(100, 1)]);
      for (const over of [`${'é'.repeat(50)}x`, Buffer.alloc(101)]) {
        const other = new Dispatching(EntireMessage, { bufferSize: 100 }).message(over, cut);
        expect(other.events).toEqual([
          ['overflow', 100],
          ['fail', 1009],
        ]);
      }
    }
  });

  it('refuses a length that is declared, before anything of it is buffered', () => {
    const before = process.memoryUsage();
    for (let i = 0; i < 1000; i++) {
      const one = new Dispatching(EntireMessage).attempt(() => {});
      one.attempt(() => one.dispatcher.frame(2, 2 ** 40));
      expect(one.events).toEqual([
        ['overflow', 65536],
        ['fail', 1009],
      ]);
    }
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(1 << 20);
  });

  it('refuses the sum of the frames, also with the last', () => {
    const one = new Dispatching(EntireMessage, { bufferSize: 100 });
    one.attempt(() => {
      one.dispatcher.frame(2, 60);
      one.dispatcher.data(2, Buffer.alloc(60), 0, 60);
      one.dispatcher.frame(2, 41);
    });
    expect(one.events).toEqual([
      ['overflow', 100],
      ['fail', 1009],
    ]);
  });

  it('EntireMessage set in the middle of a message delivers the rest of it, and no empty rest', () => {
    for (const cut of CUTS) {
      const one = new Dispatching('\n', {}, toEntire).message('head\nbody\nmore', cut).message('next', cut);
      expect(one.units).toEqual(['head', 'body\nmore', 'next']);
      const nothing = new Dispatching('\n', {}, toEntire).message('head\n', cut).message('next', cut).message('', cut);
      expect(nothing.units).toEqual(['head', 'next', '']);
      const binary = new Dispatching(2, {}, toEntire).message(Buffer.from('abcde'), cut).message(Buffer.from(''), cut);
      expect(binary.units).toEqual([Buffer.from('ab'), Buffer.from('cde'), Buffer.alloc(0)]);
    }
  });

  it('gives the user memory that stays as it is', () => {
    for (const cut of [1, 3, 7]) {
      const one = new Dispatching(EntireMessage);
      one.message(Buffer.from('first'), cut).message(Buffer.from('second'), cut).message(Buffer.from('third'), cut);
      expect(one.units.map(String)).toEqual(['first', 'second', 'third']);
    }
  });
});

describe('null', () => {
  it('delivers data as it arrives, before its frame or message is complete', () => {
    const one = new Dispatching(null);
    one.dispatcher.frame(2, 2 ** 40);
    one.dispatcher.data(2, Buffer.from('abc'), 0, 2);
    one.dispatcher.data(2, Buffer.from('abc'), 2, 3);
    expect(one.units).toEqual([Buffer.from('ab'), Buffer.from('c')]);
  });

  it('delivers no empty message, and has no limit', () => {
    const one = new Dispatching(null, { bufferSize: 1 }).message('').message('x'.repeat(1000)).message('', 1);
    expect(one.units).toEqual(['x'.repeat(1000)]);
  });

  it('takes text and binary data in turn', () => {
    expect(new Dispatching(null).message('a').message(Buffer.from('b')).units).toEqual(['a', Buffer.from('b')]);
  });

  it.each([
    ['text', 'é€😀x'.repeat(20_000)],
    ['binary data', Buffer.alloc(200_000, 'abcdefg')],
  ])('delivers %s that comes in bulk by 64 KiB, and no part of a character', (_kind, data) => {
    const one = new Dispatching(null);
    const chunk = typeof data === 'string' ? text(data) : binary(data);
    new FrameParser(one.dispatcher, { ping() {}, pong() {}, closed() {} }).feed(lent(chunk));
    const sizes = one.units.map((unit) => Buffer.byteLength(unit as string | Buffer));
    expect(sizes.length).toBe(4);
    for (const size of sizes.slice(0, -1)) expect([0, 1, 2, 3]).toContain(65_536 - size);
    expect(Buffer.concat(one.units.map((unit) => Buffer.from(unit as string)))).toEqual(Buffer.from(data as string));
  });

  it('gives what is left of it to the delimiter that its user sets', () => {
    const one = new Dispatching(null, { bufferSize: 1 << 20 }, toEntire);
    new FrameParser(one.dispatcher, { ping() {}, pong() {}, closed() {} }).feed(lent(binary(Buffer.alloc(200_000, 1))));
    expect(one.units.map((unit) => (unit as Buffer).length)).toEqual([65_536, 200_000 - 65_536]);
  });
});

describe('small fragments that come in one chunk', () => {
  it('are units by themselves under null, and none of their own under others', () => {
    const chunk = Buffer.concat([text('a', false), more('b\nc'), more('d'), more('e'), more('f\n'), more('g\n', true)]);
    const units: unknown[] = [null, '\n', EntireMessage].map((delimiter) => {
      const one = new Dispatching(delimiter);
      new FrameParser(one.dispatcher, { ping() {}, pong() {}, closed() {} }).feed(lent(chunk));
      return one.units;
    });
    expect(units).toEqual([['a', 'b\nc', 'd', 'e', 'f\n', 'g\n'], ['ab', 'cdef', 'g'], ['ab\ncdef\ng\n']]);
  });
});
