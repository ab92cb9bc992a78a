import { CUTS, Dispatching } from '../dispatching.js';

describe('a number as delimiter', () => {
  it('counts the bytes of binary data', () => {
    for (const cut of CUTS) {
      const one = new Dispatching(3).message(Buffer.from('abcdefgh'), cut).message(Buffer.from('i'), cut);
      expect(one.units).toEqual([Buffer.from('abc'), Buffer.from('def'), Buffer.from('ghi')]);
    }
  });

  it('counts the characters of text, not bytes nor UTF-16 units', () => {
    for (const cut of CUTS) {
      const one = new Dispatching(3).message('aé🧀中🍕\u{10ffff}b', cut).message('\0\u07ff', cut);
      expect(one.units).toEqual(['aé🧀', '中🍕\u{10ffff}', 'b\0\u07ff']);
    }
  });

  it.each([1, 2, 5, 1000])('a delimiter of %i delivers every one of many', (count) => {
    const characters = Array.from({ length: 3000 }, (_, i) => (i % 7 === 0 ? '🧀' : 'x'));
    for (const cut of CUTS) {
      const one = new Dispatching(count).message(characters.join(''), cut);
      const expected = Array.from({ length: 3000 / count }, (_, i) =>
        characters.slice(i * count, (i + 1) * count).join(''),
      );
      expect(one.units).toEqual(expected);
      expect(one.rest()).toBe('');
    }
  });

  it('raises the limit to fit', () => {
    for (const cut of CUTS) {
      const one = new Dispatching(200, { bufferSize: 10 }).message('🧀'.repeat(200), cut);
      expect(one.units).toEqual(['🧀'.repeat(200)]);
    }
  });

  it('takes both kinds in turn, but not in one unit', () => {
    const turn = new Dispatching(2).message('ab').message(Buffer.from('cd')).message('ef');
    expect(turn.units).toEqual(['ab', Buffer.from('cd'), 'ef']);
    expect(turn.message('g').message(Buffer.from('h')).events.at(-1)).toEqual(['fail', 1002]);
  });

  it('reserves nothing for what has not come', () => {
    const before = process.memoryUsage().arrayBuffers;
    const many = Array.from({ length: 100 }, () => new Dispatching(2 ** 40).message(Buffer.from('x')));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 << 20);
    expect(many[0]!.events).toEqual([]);
  });
});
