/** Units of text that a string delimits, cut from blocks that are decoded at once: see `sequence-reader.ts`. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { EntireMessage } from '../../../lib/index.js';
import { randomFrom } from '../../framing/recording-sink.js';
import { expectSame } from '../../support/expect-same.js';
import { type Dispatched, Dispatching, type Reactions } from '../dispatching.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

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
  function expectSameEvents(
    text: string,
    delimiter: string,
    bufferSize: number,
    reactions: () => Reactions,
  ): Dispatched[] {
    const play = (cut: number): [Dispatched[], string] => {
      const one = new Dispatching(delimiter, { bufferSize }, reactions()).message(text, cut);
      one.message(delimiter, cut).message(text.slice(-1000), cut);
      const { events } = one;
      return [[...events], events.at(-1)?.[0] === 'fail' ? '' : one.rest()];
    };
    const expected = play(SLOWLY!);
    for (const cut of OTHERS) expectSame(play(cut), expected);
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
        expectSame(one.units, expected);
        expect(one.rest()).toBe(left);
      }
    }
  });

  it.each(TEXTS)('have an exact limit, which may change in the midst of them, %j in %j', (delimiter, alphabet) => {
    const overflowed = new Set<boolean>();
    for (let round = 0; round < 20; round++) {
      const text = textOf(alphabet, delimiter, 400);
      const [change, later] = [1 + random(40), 20 + random(200)];
      const events = expectSameEvents(text, delimiter, 60 + random(400), () => ({
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
      expectSameEvents(text, delimiter, 1 << 20, () => ({
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
