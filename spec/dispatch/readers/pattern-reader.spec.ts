import { BinaryPattern } from '../../../lib/index.js';
import { randomFrom } from '../../framing/recording-sink.js';
import { CUTS, Dispatching } from '../dispatching.js';

const match = { regexSearch: false };

/** The groups of what was read, as plain arrays. */
function groups(one: Dispatching): unknown[] {
  return one.events.map((event) => (event[0] === 'read' ? Array.from(event[1] as unknown[]) : event));
}

describe('a pattern that is searched for', () => {
  it.each<[RegExp, string[], string[], string]>([
    [/[,;]/, ['a,b;c'], ['a', 'b'], 'c'],
    [/\s+/, ['a  b', ' ', ' c '], ['a', 'b', '', 'c'], ''],
    [/END/, ['onE', 'NDtwoEND'], ['one'.slice(0, 2), 'two'], ''],
    [/x*/, ['aaxxbx'], ['aa', 'b'], ''],
    [/(?:)/, ['abc', 'def'], [], 'abcdef'],
    [/$/, ['abc'], [], 'abc'],
    [/^/, ['abc'], [], 'abc'],
    [/\b/, ['a b'], [], 'a b'],
    [/^-/, ['-a-b', '-c'], ['', 'a-b-c'].slice(0, 1), 'a-b-c'],
    [/(?<=a)b/, ['b', 'ab', 'cab'], ['ba', 'ca'], ''],
    [/(?<!\\),/, ['a\\', ',b,c'], ['a\\,b'], 'c'],
    [/\bx/, ['yx', ' xz', 'x'], ['yx '], 'zx'],
    [/é|🧀/, ['aé🧀', '🍕🧀'], ['a', '', '🍕'], ''],
    [/./, ['a\n', '🧀'], ['', '\n'], ''],
    [/./u, ['a', '🧀b'], ['', '', ''], ''],
    [/\n/m, ['a\nb\n'], ['a', 'b'], ''],
    [/^x/m, ['a\nx', 'b\n', 'x'], ['a\n', 'b\n'], ''],
    [/E/i, ['aeb', 'E'], ['a', 'b'], ''],
  ])('the pattern %p divides %j', (pattern, messages, units, rest) => {
    for (const cut of CUTS) {
      const one = new Dispatching(pattern);
      for (const message of messages) one.message(message, cut);
      expect(one.units).toEqual(units);
      expect(one.rest()).toBe(rest);
    }
  });

  it('sees whole messages: a greedy pattern delivers the same however they are cut', () => {
    for (const cut of CUTS) {
      expect(new Dispatching(/,+/).message('a,,,b,', cut).message(',c', cut).units).toEqual(['a', 'b', '']);
    }
  });

  it.each(['g', 'y', 'gy', 'giy'])('is not changed, nor does its flag %s or its lastIndex matter', (flags) => {
    const pattern = new RegExp(';', flags);
    pattern.lastIndex = 1;
    const one = new Dispatching(pattern).message('a;b;').message('xyz;');
    expect(one.units).toEqual(['a', 'b', 'xyz']);
    expect(pattern.lastIndex).toBe(1);
    const matching = new Dispatching(pattern, match).message(';;a;');
    expect(matching.units).toHaveLength(2);
    expect(pattern.lastIndex).toBe(1);
  });

  it('a pattern that was recompiled is another delimiter when it is assigned again', () => {
    const pattern = /;/;
    const one = new Dispatching(pattern).message('a,b');
    pattern.compile(',');
    one.dispatcher.readDelimiter = pattern;
    one.dispatcher.dispatchHeld();
    expect(one.units).toEqual(['a']);
  });

  it('finds a delimiter of maxDelimiterLength characters across messages, and overflows for a longer one', () => {
    for (const cut of CUTS) {
      const fits = new Dispatching(/<-*>/, { maxDelimiterLength: 10 });
      fits.message(`unit<${'-'.repeat(4)}`, cut).message(`${'-'.repeat(4)}>next`, cut);
      expect(fits.units).toEqual(['unit']);
      expect(fits.rest()).toBe('next');
      const last = new Dispatching(/<-*>/, { maxDelimiterLength: 10 });
      last.message(`${'unit'.repeat(9)}<${'-'.repeat(8)}`, cut).message('>next', cut);
      expect(last.units).toEqual(['unit'.repeat(9)]);
      const long = new Dispatching(/<-*>/, { maxDelimiterLength: 10 }).message(`unit<${'-'.repeat(9)}>`, cut);
      expect(long.events).toEqual([
        ['overflow', 10],
        ['fail', 1009],
      ]);
    }
  });

  it('counts maxDelimiterLength in characters of several bytes, too', () => {
    for (const character of ['é', '中', '🧀']) {
      const one = new Dispatching(new RegExp(`<${character}+>`, 'u'), { maxDelimiterLength: 22 });
      one.message(`${'z'.repeat(100)}<${character.repeat(5)}`).message(`${character.repeat(5)}>rest`);
      expect(one.units).toEqual(['z'.repeat(100)]);
      expect(one.rest()).toBe('rest');
    }
  });

  it('a pattern that matches half of a surrogate pair takes the whole character', () => {
    for (const [pattern, units, rest] of [
      [/\ud83e/, ['a'], 'b'],
      [/\uddc0/, ['a'], 'b'],
    ] as const) {
      const one = new Dispatching(pattern).message('a🧀b');
      expect(one.units).toEqual(units);
      expect(one.rest()).toBe(rest);
    }
  });

  it('has a limit for one unit, which may span messages', () => {
    const exact = new Dispatching(/;/, { bufferSize: 10 }).message('12345').message('67890').message(';');
    expect(exact.units).toEqual(['1234567890']);
    const over = new Dispatching(/;/, { bufferSize: 10 }).message('12345').message('678901');
    expect(over.events).toEqual([
      ['overflow', 10],
      ['fail', 1009],
    ]);
    for (const cut of CUTS) {
      const message = new Dispatching(/;/, { bufferSize: 10 }).message('1234567890;', cut);
      expect(message.units).toEqual(['1234567890']);
      const room = new Dispatching(/;/, { bufferSize: 10 }).message('12345', cut).message('67890;abc;', cut);
      expect(room.units).toEqual(['1234567890', 'abc']);
    }
  });

  it('closes with 1002 when bytes come', () => {
    expect(new Dispatching(/x/).message(Buffer.from('axb'))).toFailWith(1002);
  });

  it('agrees with a search over all that was sent, for random text in random messages', () => {
    const random = randomFrom(5);
    for (const pattern of [/[,;]/, /ab/, /🧀/u, /é(?=.)|x/s]) {
      for (let round = 0; round < 100; round++) {
        const messages = Array.from({ length: 1 + random(5) }, () =>
          Array.from({ length: random(12) }, () => [...',;abé🧀x'][random(7)]).join(''),
        );
        const [first, ...others] = CUTS.map((cut) => {
          const one = new Dispatching(pattern, { maxDelimiterLength: 4 });
          for (const message of messages) one.message(message, cut);
          return [one.units, one.rest()];
        });
        for (const other of others) expect(other).toEqual(first);
      }
    }
  });
});

describe('a pattern that has to match at the beginning', () => {
  it('delivers the match with its groups, and drops it', () => {
    for (const cut of CUTS) {
      const one = new Dispatching(/(?<key>\w+)=(\d+)?;/, match).message('a=1;b=;c', cut).message('c=22;d', cut);
      expect(groups(one)).toEqual([
        ['a=1;', 'a', '1'],
        ['b=;', 'b', undefined],
        ['cc=22;', 'cc', '22'],
      ]);
      const [, first] = one.events[0]!;
      expect((first as unknown as RegExpExecArray).groups).toEqual({ key: 'a' });
      expect((first as unknown as RegExpExecArray).index).toBe(0);
      expect(one.rest()).toBe('d');
    }
  });

  it('does not skip what does not match', () => {
    const one = new Dispatching(/\d;/, match).message('x1;2;');
    expect(one.events).toEqual([]);
    expect(one.rest()).toBe('x1;2;');
  });

  it('a pattern never matches the empty string', () => {
    expect(new Dispatching(/x*/, match).message('ab').events).toEqual([]);
    expect(groups(new Dispatching(/x*/, match).message('xxab'))).toEqual([['xx']]);
  });

  it('is greedy over all that is buffered', () => {
    for (const cut of CUTS)
      expect(groups(new Dispatching(/\d+/, match).message('123', cut).message('45', cut))).toEqual([['123'], ['45']]);
  });

  it('takes the anchor ^ as the beginning of the unit', () => {
    expect(groups(new Dispatching(/^a|^b/, match).message('ab'))).toEqual([['a'], ['b']]);
  });

  it('has a limit for the match', () => {
    const one = new Dispatching(/\d+;/, { ...match, bufferSize: 5 });
    expect(groups(one.message('123').message('4;'))).toEqual([['1234;']]);
    expect(one.message('1234').message('5;').events.slice(1)).toEqual([
      ['overflow', 5],
      ['fail', 1009],
    ]);
  });

  it('is chosen by regexSearch, at any time', () => {
    const one = new Dispatching(/b/).message('a');
    one.dispatcher.regexSearch = false;
    expect(one.stale).toBe(1);
    expect(one.message('b').units).toEqual([]);
    one.dispatcher.regexSearch = true;
    one.dispatcher.dispatchHeld();
    expect(one.units).toEqual(['a']);
  });
});

describe('a unit of match mode that comes in many messages', () => {
  const settings = { ...match, maxDelimiterLength: 4 };
  const refused = [
    ['overflow', 4],
    ['fail', 1009],
  ];
  const send = (one: Dispatching, data: string, cut = 0): Dispatching => {
    for (const character of data) one.message(character, cut);
    return one;
  };

  it('may span 2 * maxDelimiterLength of them, however each is cut, and overflows when the last leaves it incomplete', () => {
    for (const cut of CUTS) {
      const fits = send(new Dispatching(/\d+;/, settings), '1234567;12;7654321;', cut);
      expect(groups(fits)).toEqual([['1234567;'], ['12;'], ['7654321;']]);
      expect(send(new Dispatching(/\d+;/, settings), '12345678', cut).events).toEqual(refused);
      expect(send(new Dispatching(/;/, settings), '12345678', cut).events).toEqual(refused);
    }
    const bytes = new Dispatching(new BinaryPattern(/\d+;/), settings);
    for (let i = 0; i < 8; i++) bytes.message(Buffer.from('1'));
    expect(bytes.events).toEqual(refused);
  });

  it('is not counted in frames, nor by messages that bring nothing', () => {
    const one = new Dispatching(/\d+;/, settings).message('1'.repeat(100), 1);
    for (let i = 0; i < 20; i++) one.message('').message('', 1);
    expect(groups(one.message(';', 1))).toEqual([[`${'1'.repeat(100)};`]]);
  });

  it('begins to be counted in the message in which it begins', () => {
    const one = new Dispatching(/\d+;/, settings).message('123;1');
    expect(groups(send(one, '234567'))).toEqual([['123;']]);
    expect(one.message('8').events.slice(1)).toEqual(refused);
  });

  it('is neither tried nor counted again when nothing has come, though reading has paused and gone on', () => {
    const decoded: string[] = [];
    const original = Buffer.prototype.toString;
    const one = send(new Dispatching(/\d+;/, settings), '123');
    const spy = jest.spyOn(Buffer.prototype, 'toString').mockImplementation(function (this: Buffer, ...args) {
      decoded.push(original.apply(this, args));
      return decoded.at(-1) ?? '';
    });
    for (let i = 0; i < 20; i++) {
      one.dispatcher.pause();
      one.dispatcher.resume();
    }
    spy.mockRestore();
    expect(decoded).toEqual([]);
    expect(groups(send(one, '4567;'))).toEqual([['1234567;']]);
  });

  it('is looked at by so many tries, and therefore costs so much for each byte at the most', () => {
    let decoded = 0;
    const original = Buffer.prototype.toString;
    const spy = jest.spyOn(Buffer.prototype, 'toString').mockImplementation(function (this: Buffer, ...args) {
      decoded += Number(args[2]) - Number(args[1]);
      return original.apply(this, args);
    });
    const one = new Dispatching(/\d+;/, { ...match, maxDelimiterLength: 16 });
    const unit = ['1'.repeat(1000), ...'1'.repeat(30), ';'];
    for (let i = 0; i < 10; i++) for (const message of unit) one.message(message);
    spy.mockRestore();
    expect(one.units).toHaveLength(10);
    expect(decoded).toBeLessThanOrEqual(32 * 10 * unit.join('').length);
  });

  it('is not saved by a higher limit', () => {
    const one = new Dispatching(/\d+;/, settings, {
      overflow(dispatcher) {
        dispatcher.bufferSize += 65536;
      },
    });
    expect(send(one, '123456789').events).toEqual(refused);
  });

  it('goes to another delimiter that onOverflowError sets', () => {
    for (const readDelimiter of [null, 8, /\d{8}/]) {
      const one = new Dispatching(/\d+;/, settings, {
        overflow(dispatcher) {
          dispatcher.readDelimiter = readDelimiter;
        },
      });
      const [overflow, read] = send(one, '12345678').events;
      expect(overflow).toEqual(['overflow', 4]);
      expect(String(read?.[1])).toBe('12345678');
    }
  });

  it('goes to the search that onOverflowError turns on', () => {
    const one = new Dispatching(/;/, settings, {
      overflow(dispatcher) {
        dispatcher.regexSearch = true;
      },
    });
    expect(send(one, '12345678;').units).toEqual([['overflow', 4], '12345678']);
  });

  it('is counted anew when onOverflowError sets the pattern again, so that it is called once for so many messages', () => {
    const pattern = /\d+;/;
    const one = new Dispatching(pattern, settings, {
      overflow(dispatcher) {
        dispatcher.readDelimiter = pattern;
      },
    });
    // The new reader's first try is at once, for the same message.
    send(one, '1'.repeat(8 + 7 * 10));
    expect(one.events).toEqual(Array.from({ length: 11 }, () => ['overflow', 4]));
    expect(groups(one.message(';')).at(-1)).toEqual([`${'1'.repeat(78)};`]);
  });

  it('has no such bound where the pattern is searched for', () => {
    const one = send(new Dispatching(/;/, { maxDelimiterLength: 4 }), `${'1'.repeat(500)};`);
    expect(one.units).toEqual(['1'.repeat(500)]);
  });
});

describe('a BinaryPattern', () => {
  const bytes = (...values: number[]): Buffer => Buffer.from(values);

  it('a BinaryPattern that is searched for sees each byte as the character of that number', () => {
    for (const cut of CUTS) {
      const one = new Dispatching(new BinaryPattern(/\xff[\xfe\xfd]/));
      one.message(bytes(1, 255, 2, 255, 254, 0xc3, 0xa9, 255), cut).message(bytes(253, 3), cut);
      expect(one.units).toEqual([bytes(1, 255, 2), bytes(0xc3, 0xa9)]);
      one.dispatcher.readDelimiter = null;
      one.dispatcher.dispatchHeld();
      expect(one.units.at(-1)).toEqual(bytes(3));
    }
  });

  it('a BinaryPattern that has to match delivers the match and its groups as buffers', () => {
    for (const cut of CUTS) {
      const one = new Dispatching(new BinaryPattern(/([^\x80-\xff])(\xff)?\0/), match);
      one.message(bytes(1, 255, 0, 2), cut).message(bytes(0, 200), cut);
      expect(groups(one)).toEqual([
        [bytes(1, 255, 0), bytes(1), bytes(255)],
        [bytes(2, 0), bytes(2), undefined],
      ]);
    }
  });

  it('closes with 1002 when text comes', () => {
    expect(new Dispatching(new BinaryPattern(/x/)).message('axb')).toFailWith(1002);
  });
});
