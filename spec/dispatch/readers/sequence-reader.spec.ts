import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { EntireMessage } from '../../../lib/index.js';
import { randomFrom } from '../../framing/recording-sink.js';
import { CUTS, type Dispatched, Dispatching, type Reactions } from '../dispatching.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

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

describe('short units of a long text', () => {
  /** A character at a time nothing is decoded in blocks; in the others it is. */
  const [SLOWLY, ...OTHERS] = [1, 0, 50, 333, 5000];
  const random = randomFrom(64);

  function textOf(alphabet: string, delimiter: string, longest: number): string {
    const characters = [...alphabet];
    const parts: string[] = [];
    for (let length = 0; length < 4000; length += parts.at(-1)!.length + delimiter.length) {
      const most = random(20) === 0 ? longest : 1 + random(60);
      parts.push(Array.from({ length: random(most) }, () => characters[random(characters.length)]).join(''));
    }
    return parts.join(delimiter);
  }

  /** The events are the same, however the text comes. */
  function expectSame(text: string, delimiter: string, bufferSize: number, reactions: () => Reactions): Dispatched[] {
    const play = (cut: number): [Dispatched[], string] => {
      const one = new Dispatching(delimiter, { bufferSize }, reactions()).message(text, cut);
      one.message(delimiter, cut).message(text.slice(-1000), cut);
      const { events } = one;
      return [[...events], events.at(-1)?.[0] === 'fail' ? '' : one.rest()];
    };
    const expected = play(SLOWLY!);
    for (const cut of OTHERS) expect(play(cut)).toEqual(expected);
    return expected[0];
  }

  const TEXTS: [delimiter: string, alphabet: string][] = [
    ['\n', 'abcdefgh \r'],
    ['\n', 'abcdé'],
    ['\n', 'a中🧀'],
    ['\r\n', 'ab\r\n'],
    ['abab', 'ab'],
    ['é', 'aãÃ©'],
    ['🧀', 'a🍕中'],
    // What half of a character would be decoded as.
    ['\ufffd', '🧀🍕中é'],
  ];

  it.each(TEXTS)('are what String.split finds, %j in %j', (delimiter, alphabet) => {
    for (let round = 0; round < 5; round++) {
      const text = textOf(alphabet, delimiter, 2000);
      const expected = text.split(delimiter);
      const left = expected.pop();
      for (const cut of [0, 50, 333, 5000]) {
        const one = new Dispatching(delimiter).message(text, cut);
        expect(one.units).toEqual(expected);
        expect(one.rest()).toBe(left);
      }
    }
  });

  it.each(TEXTS)('have an exact limit, which may change in the midst of them, %j in %j', (delimiter, alphabet) => {
    const overflowed = new Set<boolean>();
    for (let round = 0; round < 20; round++) {
      const text = textOf(alphabet, delimiter, 400);
      const [change, later] = [1 + random(40), 20 + random(200)];
      const events = expectSame(text, delimiter, 60 + random(400), () => ({
        read: (dispatcher, count) => {
          if (count === change) dispatcher.bufferSize = later;
        },
        overflow: (dispatcher) => {
          dispatcher.bufferSize = 1 << 20;
        },
      }));
      overflowed.add(events.some(([name]) => name === 'overflow'));
    }
    expect(overflowed.has(true)).toBe(true);
  });

  it.each(TEXTS)('may be followed by units of other delimiters, %j in %j', (delimiter, alphabet) => {
    const next = [1, 7, 'b', '🍕', '\n', 64, /a+/u, EntireMessage];
    for (let round = 0; round < 20; round++) {
      const text = textOf(alphabet, delimiter, 400);
      const [change, back, other] = [1 + random(40), 1 + random(10), next[random(next.length)]!];
      expectSame(text, delimiter, 1 << 20, () => ({
        read: (dispatcher, count) => {
          if (count === change) dispatcher.readDelimiter = other;
          if (count === change + back) dispatcher.readDelimiter = delimiter;
        },
      }));
    }
  });

  it.each(TEXTS)('wait while reading pauses, %j in %j', (delimiter, alphabet) => {
    for (let round = 0; round < 10; round++) {
      const text = textOf(alphabet, delimiter, 400);
      for (const every of [1, 2, 5, 17]) {
        for (const cut of OTHERS) {
          const one = new Dispatching(delimiter, {}, { read: (d, count) => count % every === 0 && d.pause() });
          one.message(text, cut);
          let before = -1;
          while (one.events.length > before) {
            before = one.events.length;
            one.attempt(() => one.dispatcher.resume());
          }
          expect(one.units).toEqual(text.split(delimiter).slice(0, -1));
        }
      }
    }
  });

  it('keep no more than a kibibyte each of the text that they stood in, whoever keeps one', () => {
    const kept: string[] = [];
    const text = 'a line of thirty-two characters\n'.repeat(2000);
    const reactions: Reactions = {
      read: (_dispatcher, count) => count % 1000 === 500 && kept.push(one.units.pop() as string),
    };
    const one = new Dispatching('\n', {}, reactions);
    const keep = (): number => {
      for (let i = 0; i < 200; i++) {
        one.message(text);
        one.events.length = 0;
      }
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = keep();
    const each = (keep() - before) / 400;
    expect(kept).toHaveLength(800);
    expect(each).toBeLessThan(1024 + 200);
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
