import { randomFrom } from '../../framing/recording-sink.js';
import { CUTS, Dispatching } from '../dispatching.js';

describe('a string as delimiter', () => {
  it.each([
    ['\n', 'a\nb\n\nc', ['a', 'b', ''], 'c'],
    ['\r\n', 'a\rb\nc\r\r\n\r\n\r', ['a\rb\nc\r', ''], '\r'],
    ['aab', 'aaabaaaab', ['a', 'aa'], ''],
    ['abab', 'abababab', ['', ''], ''],
    ['é', 'Ã©é©é', ['Ã©', '©'], ''],
    ['🧀', '🍕🧀🧀x', ['🍕', ''], 'x'],
    ['END', 'EENDENENDEN', ['E', 'EN'], 'EN'],
  ])('the delimiter %p divides %p', (delimiter, message, units, rest) => {
    for (const cut of CUTS) {
      const one = new Dispatching(delimiter).message(message, cut);
      expect(one.units).toEqual(units);
      expect(one.rest()).toBe(rest);
      // The same across messages.
      const many = new Dispatching(delimiter);
      for (const character of message) many.message(character, cut);
      expect(many.units).toEqual(units);
      expect(many.rest()).toBe(rest);
    }
  });

  it('finds what String.split finds, however the messages are cut', () => {
    const random = randomFrom(11);
    for (let round = 0; round < 200; round++) {
      const delimiter = Array.from({ length: 1 + random(3) }, () => 'abé🧀'[random(2)]).join('');
      const message = Array.from({ length: random(200) }, () => [...'abcé🧀'][random(5)]).join('');
      const expected = message.split(delimiter);
      const left = expected.pop();
      for (const cut of CUTS) {
        const one = new Dispatching(delimiter).message(message, cut);
        expect(one.units).toEqual(expected);
        expect(one.rest()).toBe(left);
      }
    }
  });

  it.each(['\n', 'END'])('is not found in what stands behind the message in the same chunk: %j', (delimiter) => {
    for (const length of [1, 32, 33, 1000]) {
      for (const inside of [0, delimiter.length - 1]) {
        const one = new Dispatching(delimiter);
        const chunk = Buffer.from(`${'x'.repeat(length)}${delimiter}`);
        one.attempt(() => one.dispatcher.message(1, chunk, 0, length + inside));
        expect(one.units).toEqual([]);
        expect(one.rest()).toBe(chunk.toString('utf8', 0, length + inside));
      }
    }
  });

  it('closes with 1002 when bytes come', () => {
    for (const cut of CUTS) {
      expect(new Dispatching('\n').message(Buffer.from('a\n'), cut)).toFailWith(1002);
      const after = new Dispatching('\n').message('a\nb', cut).message(Buffer.from('c'), cut);
      expect(after.events).toEqual([
        ['read', 'a'],
        ['fail', 1002],
      ]);
    }
  });
});

describe('bytes as delimiter', () => {
  it('deliver buffers that stay as they are', () => {
    for (const cut of CUTS) {
      const one = new Dispatching(Buffer.from([0, 1]));
      one
        .message(Buffer.from([9, 0, 1, 0, 0, 1, 8]), cut)
        .message(Buffer.from([7, 0]), cut)
        .message(Buffer.from([1]), cut);
      expect(one.units).toEqual([Buffer.from([9]), Buffer.from([0]), Buffer.from([8, 7])]);
      expect(one.rest()).toBe('');
    }
  });

  it('are copied: what the user does to theirs changes nothing', () => {
    const mine = Buffer.from(';');
    const one = new Dispatching(mine);
    mine.fill(',');
    expect(one.message(Buffer.from('a;b,')).units).toEqual([Buffer.from('a')]);
  });

  it('bytes that changed are another delimiter when they are assigned again', () => {
    const mine = Buffer.from(';');
    const one = new Dispatching(mine).message(Buffer.from('a,b'));
    mine.fill(',');
    one.dispatcher.readDelimiter = mine;
    one.dispatcher.dispatchHeld();
    expect(one.units).toEqual([Buffer.from('a')]);
  });

  it('close with 1002 when text comes', () => {
    expect(new Dispatching(Buffer.from('x')).message('axb')).toFailWith(1002);
  });
});

describe('the limit of a unit', () => {
  it.each(['\n', '\r\n', 'END', 'é', '-'.repeat(50)])('is exact for %p, however it arrives', (delimiter) => {
    for (const cut of CUTS) {
      const exact = new Dispatching(delimiter, { bufferSize: 100 });
      exact.message(`${'x'.repeat(100)}${delimiter}`, cut).message(`${'ü'.repeat(50)}${delimiter}`, cut);
      expect(exact.units).toEqual(['x'.repeat(100), 'ü'.repeat(50)]);
      const over = new Dispatching(delimiter, { bufferSize: 100 }).message(`${'x'.repeat(101)}${delimiter}`, cut);
      expect(over.events).toEqual([
        ['overflow', 100],
        ['fail', 1009],
      ]);
      const across = new Dispatching(delimiter, { bufferSize: 100 });
      for (let i = 0; i < 99; i++) across.message('x', cut);
      expect(across.message(`ü${delimiter}`, cut).events).toEqual([
        ['overflow', 100],
        ['fail', 1009],
      ]);
    }
  });

  it('is not that of many short units in one large message', () => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `${i}`);
    expect(new Dispatching('\n', { bufferSize: 10 }).message(`${lines.join('\n')}\n`).units).toEqual(lines);
  });
});
