import type { Delimiter } from '../../lib/dispatch/delimiter.js';
import { readerFor } from '../../lib/dispatch/reader-table.js';
import { CountReader } from '../../lib/dispatch/readers/count-reader.js';
import { MatchReader } from '../../lib/dispatch/readers/match-reader.js';
import { entireReader, streamReader } from '../../lib/dispatch/readers/message-readers.js';
import { PatternReader } from '../../lib/dispatch/readers/pattern-reader.js';
import { SequenceReader } from '../../lib/dispatch/readers/sequence-reader.js';
import { NetStructReader, StructReader } from '../../lib/dispatch/readers/struct-readers.js';
import { BinaryPattern, EntireMessage, NetStruct, Struct } from '../../lib/index.js';

const SEARCH = { regexSearch: true, maxDelimiterLength: 8 };
const MATCH = { ...SEARCH, regexSearch: false };

describe('the table of readers', () => {
  it('has one reader of whole messages, and one of streams, for all connections', () => {
    expect(readerFor(EntireMessage, SEARCH)).toBe(entireReader);
    expect(readerFor(null, SEARCH)).toBe(streamReader);
  });

  it.each<[string, Delimiter, abstract new (...args: never[]) => object]>([
    ['a string', '\n', SequenceReader],
    ['bytes', Buffer.from('\n'), SequenceReader],
    ['a number', 5, CountReader],
    ['a Struct', new Struct('B'), StructReader],
    ['a NetStruct', new NetStruct('B$'), NetStructReader],
    ['a RegExp', /x/, PatternReader],
    ['a BinaryPattern', new BinaryPattern(/x/), PatternReader],
  ])('has a reader for %s, made anew for each connection', (_what, delimiter, type) => {
    expect(readerFor(delimiter, SEARCH)).toBeInstanceOf(type);
    expect(readerFor(delimiter, SEARCH)).not.toBe(readerFor(delimiter, SEARCH));
  });

  it('has another reader for patterns with regexSearch off, for the same kind of data', () => {
    const [text, bytes] = [readerFor(/x/, MATCH), readerFor(new BinaryPattern(/x/), MATCH)];
    expect([text, bytes].map((reader) => reader instanceof MatchReader)).toEqual([true, true]);
    expect([text.kind, bytes.kind]).toEqual([1, 2]);
  });
});
