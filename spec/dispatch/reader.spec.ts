import type { Delimiter } from '../../lib/dispatch/delimiter.js';
import type { UnitSink } from '../../lib/dispatch/reader.js';
import { readerFor } from '../../lib/dispatch/reader-table.js';
import { BinaryPattern, EntireMessage, NetStruct, Struct } from '../../lib/index.js';

const SEARCH = { regexSearch: true, maxDelimiterLength: 8 };

/** Bytes that count how many of them are looked at. */
function counted(bytes: Buffer): { bytes: Buffer; readonly examined: number } {
  const counter = { bytes, examined: 0 };
  const watch = (target: Buffer): Buffer =>
    new Proxy(target, {
      get(_target, key) {
        if (typeof key === 'string' && /^\d+$/.test(key)) counter.examined++;
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        return (...args: number[]) => {
          if (key === 'subarray') return watch(target.subarray(...args));
          if (key === 'indexOf') counter.examined += target.length - args[1]!;
          if (key === 'toString') counter.examined += args[2]! - args[1]!;
          return Reflect.apply(value, target, args);
        };
      },
    });
  counter.bytes = watch(bytes);
  return counter;
}

const SIZE = 20_000;

/** How many bytes are looked at per byte that comes, one by one, each a message of its own. */
function workPerByte(delimiter: Delimiter, byte: string, regexSearch = true): number {
  const all = counted(Buffer.alloc(SIZE, byte));
  const reader = readerFor(delimiter, { ...SEARCH, regexSearch });
  const refuse = (): never => {
    throw new Error('there is no unit');
  };
  const outlet: UnitSink = {
    limit: Infinity,
    stopped: false,
    take: refuse,
    unit: refuse,
    units: refuse,
    values4: refuse,
    overflow: refuse,
    decode: (_kind, bytes, start, end) => bytes.toString('latin1', start, end),
  };
  const kind = reader.kind === 0 ? 1 : reader.kind;
  for (let end = 1; end <= SIZE; end++) {
    if (reader.read(kind, all.bytes, 0, end, true, outlet) !== 0) throw new Error(`a unit at ${end}`);
  }
  return all.examined / SIZE;
}

describe('a reader, given one byte at a time,', () => {
  it.each<[string, Delimiter, string, number]>([
    ['a byte', Buffer.from('\n'), 'x', 2],
    ['a string', '\r\n', 'x', 3],
    ['a string that nearly occurs', 'aab', 'a', 4],
    ['a string of forty', `${'a'.repeat(39)}b`, 'a', 44],
    ['a number, of characters', SIZE + 1, 'x', 2],
    ['a struct', new Struct(`${SIZE + 1}s`), 'x', 1],
    ['a netstruct', new NetStruct('!I$'), '\x7f', 1],
    ['a pattern', /y/, 'x', 8 * 6],
    ['a greedy pattern', /x+y/, 'x', 8 * 6],
    ['a binary pattern', new BinaryPattern(/\xff/), 'x', 8 * 6],
  ])('looks at each a bounded number of times: %s', (_what, delimiter, byte, bound) => {
    expect(workPerByte(delimiter, byte)).toBeLessThanOrEqual(bound);
  });
});

describe('the table of readers', () => {
  it('says which kind each delimiter reads, and whether it needs whole messages', () => {
    const kinds = (delimiter: Delimiter): unknown[] => {
      const { kind, wholeMessages, limit } = readerFor(delimiter, SEARCH);
      return [kind, wholeMessages, limit.call(readerFor(delimiter, SEARCH), 100)];
    };
    expect(kinds(EntireMessage)).toEqual([0, true, 100]);
    expect(kinds(null)).toEqual([0, false, Infinity]);
    expect(kinds('x')).toEqual([1, false, 100]);
    expect(kinds(Buffer.from('x'))).toEqual([2, false, 100]);
    expect(kinds(5)).toEqual([0, false, Infinity]);
    expect(kinds(/x/)).toEqual([1, false, 100]);
    expect(kinds(/x+/)).toEqual([1, true, 100]);
    expect(kinds(new BinaryPattern(/x/))).toEqual([2, false, 100]);
    expect(kinds(new BinaryPattern(/x+/))).toEqual([2, true, 100]);
    expect(kinds(new Struct('B'))).toEqual([2, false, Infinity]);
    expect(kinds(new NetStruct('B$'))).toEqual([2, false, 100]);
    expect(kinds(new NetStruct('200sB$'))).toEqual([2, false, 201]);
  });
});
