/** A unit of exactly so many bytes as it may have, one less and one more, under each delimiter, however it comes. */
import {
  BinaryPattern,
  type Delimiter,
  EntireMessage,
  NetStruct,
  type OverflowError,
  Struct,
} from '../../lib/index.js';
import { CUTS, Dispatching } from './dispatching.js';

const SIZE = 16;
const text = (size: number, end: string): string => 'y'.repeat(size) + end;
const bytes = (size: number, end: string): Buffer => Buffer.from(text(size, end));

describe('a unit at the limit', () => {
  const delimiters: [name: string, delimiter: Delimiter, unit: (size: number) => string | Buffer][] = [
    ['a string', ';', (size) => text(size, ';')],
    ['a longer string', '\r\n', (size) => text(size, '\r\n')],
    ['bytes', Buffer.from(';'), (size) => bytes(size, ';')],
    ['a pattern', /;/, (size) => text(size, ';')],
    ['a pattern of two', /\r?\n/, (size) => text(size, '\r\n')],
    ['a pattern without a bound', /;+/, (size) => text(size, ';')],
    ['a long match of one', /-+/, (size) => text(size, '-'.repeat(1024))],
    ['a pattern for bytes', new BinaryPattern(/;/), (size) => bytes(size, ';')],
    [
      'one without a bound',
      new BinaryPattern(/\xff+/),
      (size) => Buffer.concat([bytes(size, ''), Buffer.alloc(1024, 255)]),
    ],
    ['EntireMessage', EntireMessage, (size) => text(size, '')],
  ];
  it.each(delimiters)(
    'a unit of bufferSize bytes under %s fits, and one byte more does not',
    (_name, delimiter, unit) => {
      for (const cut of CUTS) {
        for (const size of [SIZE - 1, SIZE]) {
          const fits = new Dispatching(delimiter, { bufferSize: SIZE }).message(unit(size), cut);
          expect(fits.units.map(String)).toEqual(['y'.repeat(size)]);
        }
        const over = new Dispatching(delimiter, { bufferSize: SIZE }).message(unit(SIZE + 1), cut);
        expect(over.events).toEqual([
          ['overflow', SIZE],
          ['fail', 1009],
        ]);
      }
    },
  );

  it.each(delimiters.filter(([name]) => name !== 'EntireMessage'))(
    'a unit at the limit under %s is handled the same when its delimiter comes in a message of its own',
    (_name, delimiter, unit) => {
      for (const size of [SIZE, SIZE + 1]) {
        const whole = unit(size);
        const one = new Dispatching(delimiter, { bufferSize: SIZE });
        one.message(whole.slice(0, size)).message(whole.slice(size));
        expect(one.units.map(String)).toEqual(size === SIZE ? ['y'.repeat(SIZE)] : ['overflow,16', 'fail,1009']);
      }
    },
  );

  it('a pattern that has to match has the length of its match limited', () => {
    for (const cut of CUTS) {
      const settings = { bufferSize: SIZE, regexSearch: false };
      expect(new Dispatching(/y+;/, settings).message(text(SIZE - 1, ';'), cut).units).toHaveLength(1);
      expect(new Dispatching(/y+;/, settings).message(text(SIZE, ';'), cut).events[0]).toEqual(['overflow', SIZE]);
    }
  });

  it('a number, a struct and null may exceed the limit', () => {
    for (const cut of CUTS) {
      for (const size of [SIZE - 1, SIZE, SIZE + 1]) {
        const settings = { bufferSize: SIZE };
        expect(new Dispatching(size, settings).message(text(size, ''), cut).units).toEqual(['y'.repeat(size)]);
        expect(new Dispatching(new Struct(`${size}s`), settings).message(bytes(size, ''), cut).units).toHaveLength(1);
        expect(new Dispatching(null, settings).message(text(size, ''), cut).units.join('')).toBe('y'.repeat(size));
      }
    }
  });

  it('a NetStruct has its bytes limited together with the lengths', () => {
    for (const cut of CUTS) {
      const record = (size: number): Buffer => Buffer.concat([Buffer.of(size - 1), bytes(size - 1, '')]);
      const settings = { bufferSize: SIZE };
      for (const size of [SIZE - 1, SIZE]) {
        expect(new Dispatching(new NetStruct('B$'), settings).message(record(size), cut).units).toHaveLength(1);
      }
      const over = new Dispatching(new NetStruct('B$'), settings).message(record(SIZE + 1), cut);
      expect(over.events[0]).toEqual(['overflow', SIZE]);
    }
  });
});

describe('many units in one message that is larger than a unit may be', () => {
  const lines = 'a short line\r\n'.repeat(10_000);
  it.each<[string, Delimiter]>([
    ['a string', '\r\n'],
    ['a pattern', /\r?\n/],
    ['a pattern that looks around', /(?<=\w)\r\n(?=a|$)/],
    ['a pattern of alternatives', /\r\n|\n|\r/],
  ])('are delivered under %s, however the message is cut', (_name, delimiter) => {
    for (const cut of [0, 1000, 7]) {
      const one = new Dispatching(delimiter).message(lines, cut);
      expect(one.units).toHaveLength(10_000);
      expect(new Set(one.units)).toEqual(new Set(['a short line']));
    }
  });

  it('are delivered under a BinaryPattern', () => {
    const one = new Dispatching(new BinaryPattern(/\r?\n/)).message(Buffer.from(lines), 1000);
    expect(one.units).toHaveLength(10_000);
  });

  it('hold no more than one of them meanwhile', () => {
    const one = new Dispatching(/\r?\n/);
    const bytes = Buffer.from(lines);
    for (let at = 0; at < bytes.length; at += 1000) {
      one.dispatcher.frame(1, 1000);
      one.dispatcher.data(1, bytes, at, Math.min(bytes.length, at + 1000));
      expect(one.dispatcher.pinned).toBeLessThan(4096);
    }
  });

  it('overflow under a pattern without a bound, which has to see the message whole', () => {
    const errors: OverflowError[] = [];
    const one = new Dispatching(/[\r\n]+/, {}, { overflow: (_dispatcher, error) => void errors.push(error) });
    expect(one.message(lines).events.map(([what]) => what)).toEqual(['overflow', 'fail']);
    expect(errors[0]).toMatchObject({ option: 'bufferSize', limit: 65_536, size: 140_000 });
    expect(errors[0]?.message).toMatch(
      /^a message of at least 140000 bytes exceeds the limit of 65536 bytes: raise bufferSize/,
    );
  });
});

describe('what an overflow names', () => {
  function overflowOf(delimiter: Delimiter, regexSearch: boolean, messages: string[]): OverflowError {
    const errors: OverflowError[] = [];
    const one = new Dispatching(
      delimiter,
      { regexSearch },
      { overflow: (_dispatcher, error) => void errors.push(error) },
    );
    for (const message of messages) one.message(message);
    expect(errors).toHaveLength(1);
    return errors[0]!;
  }

  it('is maxDelimiterLength for a delimiter that is longer', () => {
    for (const pattern of [/-{2000}/, /-+/]) {
      const error = overflowOf(pattern, true, [`a${'-'.repeat(2000)}b`]);
      expect(error).toMatchObject({ option: 'maxDelimiterLength', limit: 1024, size: 2000 });
      expect(error.message).toBe(
        'a delimiter of 2000 characters exceeds the limit of 1024 characters: raise maxDelimiterLength, ' +
          'or choose a readDelimiter that finds shorter ones',
      );
    }
  });

  it('is told beside bufferSize where a delimiter may be too long to be found', () => {
    let message = '';
    const overflow = (_dispatcher: unknown, error: OverflowError): void => {
      message = error.message;
    };
    const dispatching = new Dispatching(/-{2000}/, { bufferSize: 4096 }, { overflow });
    dispatching.message('a');
    for (let i = 0; i < 10; i++) dispatching.message('-'.repeat(200));
    for (let i = 0; i < 4; i++) dispatching.message('b'.repeat(1000));
    expect(message).toMatch(
      /raise bufferSize.* more than maxDelimiterLength \(1024\) characters is not found: raise that/,
    );
  });

  it('is maxDelimiterLength for a unit that too many messages have not completed', () => {
    const error = overflowOf(/(a+);/, false, Array<string>(3000).fill('a'));
    expect(error).toMatchObject({ option: 'maxDelimiterLength', limit: 1024, size: 2049 });
    expect(error.message).toMatch(
      /^a unit of at least 2049 messages exceeds the limit of 2048 messages, twice maxDelimiterLength \(1024\): raise max/,
    );
  });

  it.each<[string, Delimiter, boolean, string[]]>([
    ['a string', '\n', true, ['x'.repeat(70_000)]],
    ['a pattern', /\n/, true, ['x'.repeat(70_000)]],
    ['a pattern without a bound', /\n+/, true, ['x'.repeat(70_000)]],
    ['a pattern to match', /x*\n/, false, ['x'.repeat(40_000), 'x'.repeat(40_000)]],
    ['EntireMessage', EntireMessage, true, ['x'.repeat(70_000)]],
  ])('is bufferSize for a unit that is too long under %s', (_name, delimiter, regexSearch, messages) => {
    const error = overflowOf(delimiter, regexSearch, messages);
    expect(error).toMatchObject({ option: 'bufferSize', limit: 65_536 });
    expect(error.size).toBeGreaterThan(65_536);
    expect(error.message).toContain('raise bufferSize');
  });
});
