import { BinaryPattern, type Delimiter, EntireMessage } from '../../../lib/index.js';
import { CUTS, Dispatching, type Reactions } from '../dispatching.js';

/** A dispatcher whose pattern has to match at the beginning. */
function matching(readDelimiter: Delimiter, settings = {}, reactions: Reactions = {}): Dispatching {
  return new Dispatching(readDelimiter, { regexSearch: false, ...settings }, reactions);
}

/** The matches as arrays, without their index. */
function matches(one: Dispatching): unknown[] {
  return one.units.map((unit) => (Array.isArray(unit) ? [...unit] : unit));
}

describe('a pattern with regexSearch off', () => {
  it('delivers the match with its groups, from the beginning of what is buffered on', () => {
    for (const cut of CUTS) {
      const one = matching(/(\w+)=(\d*);?/).message('a=1;bé', cut);
      expect(matches(one)).toEqual([['a=1;', 'a', '1']]);
      expect(one.rest()).toBe('bé');
    }
  });

  it('sees whole messages: how they are cut changes nothing for a greedy pattern', () => {
    for (const cut of CUTS)
      expect(matches(matching(/x+/).message('xxxx', cut).message('xx', cut))).toEqual([['xxxx'], ['xx']]);
  });

  it('goes on with what earlier messages left', () => {
    const one = matching(/[^;]*;/)
      .message('ab')
      .message('cd;e')
      .message('f;');
    expect(matches(one)).toEqual([['abcd;'], ['ef;']]);
  });

  it('delivers buffers of binary data, and undefined for a group that took no part', () => {
    const one = matching(new BinaryPattern(/\xff(a)?(b)/)).message(Buffer.from([0xff, 0x62]));
    expect(matches(one)).toEqual([[Buffer.from([0xff, 0x62]), undefined, Buffer.from('b')]]);
  });

  it('takes an empty match for none', () => {
    const one = matching(/x*/).message('abc');
    expect(one.events).toEqual([]);
    expect(one.rest()).toBe('abc');
  });

  it('takes the whole character where it matches half of a surrogate pair', () => {
    const one = matching(/[\ud83e]/).message('🧀b');
    expect(one.events).toHaveLength(1);
    expect(one.rest()).toBe('b');
  });

  it('leaves the user’s own object as it is', () => {
    const pattern = /a/g;
    pattern.lastIndex = 3;
    expect(matches(matching(pattern).message('aa'))).toEqual([['a'], ['a']]);
    expect(pattern.lastIndex).toBe(3);
  });

  it('stops after a match whose onRead has changed the delimiter', () => {
    const reactions: Reactions = {
      read(dispatcher) {
        dispatcher.readDelimiter = EntireMessage;
      },
    };
    const one = matching(/.;/, {}, reactions).message('a;b;c');
    expect(matches(one)).toEqual([['a;'], 'b;c']);
  });

  it('overflows where the match, or what is buffered without one, exceeds the limit', () => {
    expect(matching(/x+/, { bufferSize: 4 }).message('xxxxx').events[0]).toEqual(['overflow', 4]);
    const two = matching(/x+;/, { bufferSize: 4 }).message('xxx').message('xxx');
    expect(two.events[0]).toEqual(['overflow', 4]);
  });

  it('overflows where twice maxDelimiterLength messages have not completed a match', () => {
    const one = matching(/x+;/, { maxDelimiterLength: 2 });
    for (let i = 0; i < 3; i++) one.message('x');
    expect(one.events).toEqual([]);
    one.message('x');
    expect(one.events[0]?.[0]).toBe('overflow');
  });
});
