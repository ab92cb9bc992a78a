import { Dispatcher } from '../../../lib/dispatch/dispatcher.js';
import { NetStruct, Struct } from '../../../lib/index.js';
import { randomFrom } from '../../framing/recording-sink.js';
import { CUTS, Dispatching } from '../dispatching.js';

describe('a Struct as delimiter', () => {
  it('delivers its values as so many arguments, across messages', () => {
    const struct = new Struct('!HB2s');
    const bytes = Buffer.concat([struct.pack(1, 2, Buffer.from('ab')), struct.pack(3, 4, Buffer.from('cd'))]);
    for (const cut of CUTS) {
      for (const at of [0, 1, 5, 7, 10]) {
        const one = new Dispatching(struct).message(bytes.subarray(0, at), cut).message(bytes.subarray(at), cut);
        expect(one.events).toEqual([
          ['read', 1, 2, Buffer.from('ab')],
          ['read', 3, 4, Buffer.from('cd')],
        ]);
      }
    }
  });

  it('a Struct of nothing but padding delivers no values', () => {
    expect(new Dispatching(new Struct('2x')).message(Buffer.alloc(5)).events).toEqual([['read'], ['read']]);
  });

  it.each(['x?', '2B', 'Hqb', '!IfdB', '<HiH3sx', '!12b'])('reads what unpack() reads, %s', (format) => {
    const struct = new Struct(format);
    const random = randomFrom(struct.size);
    const records = Array.from({ length: 40 }, () =>
      Buffer.from(Array.from({ length: struct.size }, () => random(256))),
    );
    const expected = records.map((record) => ['read', ...struct.unpack(record)]);
    for (const cut of CUTS) {
      const one = new Dispatching(struct).message(Buffer.concat(records), cut);
      expect(one.events).toEqual(expected);
    }
  });

  it.each([1, 2, 3, 4, 5])('hands over up to four values without an array, and more in one: %i', (count) => {
    const calls: unknown[] = [];
    const none = (): void => {};
    const dispatcher = new Dispatcher(
      { readDelimiter: new Struct(`${count}B`), regexSearch: true, bufferSize: 65_536, maxDelimiterLength: 1024 },
      {
        onUnit: none,
        onUnits: (values) => calls.push(['array', ...values]),
        onValues4: (...values) => calls.push(['values', ...values]),
        onOverflow: none,
        onStale: none,
      },
    );
    const values = [1, 2, 3, 4, 5].slice(0, count);
    dispatcher.message(2, Buffer.from(values), 0, count);
    const filled = [0, 1, 2, 3].map((i) => values[i]);
    expect(calls).toEqual([count > 4 ? ['array', ...values] : ['values', count, ...filled]]);
  });

  it('is another one at once, where that is set in the midst of records', () => {
    for (const cut of CUTS) {
      for (const next of ['B', '2B', '3B', '4B', '5B']) {
        const one = new Dispatching(
          new Struct('!H'),
          {},
          {
            read: (dispatcher, count) => {
              if (count === 2) dispatcher.readDelimiter = new Struct(next);
            },
          },
        );
        one.message(Buffer.from([0, 1, 0, 2, 3, 4, 5, 6, 7]), cut);
        const rest = [3, 4, 5, 6, 7];
        const { count } = new Struct(next);
        const records: unknown[] = [];
        for (let at = 0; at + count <= rest.length; at += count) records.push(['read', ...rest.slice(at, at + count)]);
        expect(one.events).toEqual([['read', 1], ['read', 2], ...records]);
      }
    }
  });

  it('raises the limit to fit', () => {
    const one = new Dispatching(new Struct('300s'), { bufferSize: 10 }).message(Buffer.alloc(300, 1), 7);
    expect(one.units).toEqual([Buffer.alloc(300, 1)]);
  });

  it('closes with 1002 when text comes, and not when it is empty', () => {
    for (const cut of CUTS) {
      expect(new Dispatching(new Struct('B')).message('x', cut)).toFailWith(1002);
      expect(new Dispatching(new NetStruct('B$')).message('x', cut)).toFailWith(1002);
      expect(new Dispatching(new Struct('B')).message('', cut).message(Buffer.from([7]), cut).events).toEqual([
        ['read', 7],
      ]);
    }
  });
});

describe('a NetStruct as delimiter', () => {
  const struct = new NetStruct('H$BH$');

  it('delivers its values, however they are cut', () => {
    const units: [Buffer, number, Buffer][] = [
      [Buffer.from('one'), 1, Buffer.alloc(0)],
      [Buffer.alloc(0), 2, Buffer.alloc(500, 'x')],
      [Buffer.alloc(300, 'y'), 3, Buffer.from('z')],
    ];
    const bytes = Buffer.concat(units.map((unit) => struct.pack(...unit)));
    for (const cut of CUTS) {
      expect(new Dispatching(struct).message(bytes, cut).events).toEqual(units.map((unit) => ['read', ...unit]));
      const many = new Dispatching(struct);
      for (const byte of bytes) many.message(Buffer.from([byte]), cut);
      expect(many.events).toEqual(units.map((unit) => ['read', ...unit]));
    }
  });

  it('has a limit that is exact, and is known from the lengths alone', () => {
    const fits = new NetStruct('I$');
    for (const cut of CUTS) {
      const exact = fits.pack(Buffer.alloc(96, 1));
      expect(new Dispatching(fits, { bufferSize: 100 }).message(exact, cut).units).toEqual([Buffer.alloc(96, 1)]);
      const header = Buffer.from([0, 0, 0, 97]);
      const one = new Dispatching(fits, { bufferSize: 100 }).message(header, cut);
      expect(one.events).toEqual([
        ['overflow', 100],
        ['fail', 1009],
      ]);
    }
  });

  it('refuses a length of 4 GiB before any of it is buffered', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 100; i++) {
      const one = new Dispatching(new NetStruct('I$')).message(Buffer.from('ffffffff', 'hex'));
      expect(one.events).toEqual([
        ['overflow', 65536],
        ['fail', 1009],
      ]);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });

  it.each([
    ['b$', 'ff'],
    ['b$', '80'],
    ['!h$', 'ffff'],
    ['!i$', '80000000'],
    ['!q$', 'ffffffffffffffff'],
    ['!q$', '8000000000000000'],
    ['!q$', '7fffffffffffffff'],
    ['!Q$', 'ffffffffffffffff'],
    ['!Q$', '0020000000000000'],
    ['!Q$Q$', '001fffffffffffff'],
  ])('closes for a length that is negative or beyond counting, %s of %s', (format, hex) => {
    for (const cut of CUTS) {
      const [last] = new Dispatching(new NetStruct(format)).message(Buffer.from(hex, 'hex'), cut).events.slice(-1);
      expect(last).toEqual(['fail', expect.any(Number)]);
      expect([1002, 1009]).toContain(last?.[1]);
    }
  });

  it('raises the limit to fit its fixed part', () => {
    const wide = new NetStruct('200sB$');
    const one = new Dispatching(wide, { bufferSize: 10 }).message(wide.pack(Buffer.alloc(200), Buffer.alloc(0)), 3);
    expect(one.events).toHaveLength(1);
    const over = new Dispatching(wide, { bufferSize: 10 }).message(wide.pack(Buffer.alloc(200), Buffer.from('x')), 3);
    expect(over.events).toEqual([
      ['overflow', 201],
      ['fail', 1009],
    ]);
  });
});
