import fc from 'fast-check';
import { reachOf } from '../../../lib/dispatch/readers/pattern-reach.js';

/** What the compiler refuses as a literal, or does not know yet. */
const made = (source: string, flags = ''): RegExp => new RegExp(source, flags);

const reach = (pattern: RegExp): unknown => {
  const found = reachOf(pattern, 1024);
  return found && [found.ahead, found.behind];
};

describe('how far a pattern looks', () => {
  it.each<[RegExp, number, number]>([
    [/;/, 1, 0],
    [/\r?\n/, 2, 0],
    [/\r\n|\n|\r/, 2, 0],
    [/[,;\]]{1,8}/, 8, 0],
    [/(?:END|STOP){2}/, 8, 0],
    [/(?<name>ab)c?/, 3, 0],
    [/a(?=bc)/, 3, 0],
    [/a(?!bcd)./, 4, 0],
    // What stands in a lookbehind may look ahead, so it is counted as if it did.
    [/(?<=ab)c/, 2, 2],
    [/(?<!\\),/, 1, 1],
    [/^x/m, 1, 1],
    [/x$/m, 2, 1],
    [/\bx/, 1, 1],
    [/\w\b\d{3}/, 4, 1],
    [/\x41\u0042\t\.\0/, 5, 0],
    [/\u{1f9c0}\p{L}/u, 2, 0],
    [/x{2}?y??/, 3, 0],
    [/[^\]]/, 1, 0],
    [made('[^]'), 1, 0],
    [/a{,2}/, 5, 0],
    [/(?:\b)*x/, 1, 1],
    [/x{0}y/, 1, 0],
    [/(?:)/, 1, 0],
    [/-{1024}/, 1024, 0],
  ])('%p looks %i ahead and %i behind', (pattern, ahead, behind) => {
    expect(reach(pattern)).toEqual([ahead, behind]);
  });

  it('takes u{3} without the flag u for three of them', () => {
    expect(reach(made('\\u{3}'))).toEqual([3, 0]);
  });

  it.each([
    ...[/,+/, /\s*;/, /x{2,}/, /(ab)+/, /(?=.*x)a/, /(?<=a.*)b/, /(a)\1/, /(?<q>['"])x\k<q>/, /-{1025}/],
    ...[/(x{40}){40}/, /,(?=(?:[^"]*"[^"]*")*[^"]*$)/, /(?:a+)?b/, made('[a--b]', 'v')],
  ])('%p looks without a bound', (pattern) => {
    expect(reach(pattern)).toBeUndefined();
  });

  /** Sources of patterns by the grammar, deep enough for all that nests. */
  const source = fc.letrec<{ term: string; all: string }>((tie) => ({
    term: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('a', 'b', '\\n', '.', '[ab]', '[^a]', '\\b', '\\B', '^', '$', '\\w', '\\x61', '🧀', '\\u0061'),
      tie('all').map((inner) => `(?:${inner})`),
      tie('all').map((inner) => `(${inner})`),
      tie('all').map((inner) => `(?=${inner})`),
      tie('all').map((inner) => `(?!${inner})`),
      tie('all').map((inner) => `(?<=${inner})`),
      tie('all').map((inner) => `(?<!${inner})`),
      fc
        .tuple(tie('all'), fc.constantFrom('?', '{2}', '{0,3}', '??', '{1,2}?'))
        .map(([inner, q]) => `(?:${inner})${q}`),
    ),
    all: fc
      .array(
        fc.array(tie('term'), { minLength: 1, maxLength: 3 }).map((terms) => terms.join('')),
        { minLength: 1, maxLength: 2 },
      )
      .map((alternatives) => alternatives.join('|')),
  })).all;
  const text = fc.array(fc.constantFrom('a', 'b', '\n', ' ', '🧀'), { maxLength: 12 }).map((parts) => parts.join(''));

  it('is as far as any match depends on what is there, for any pattern that is bounded', () => {
    let bounded = 0;
    fc.assert(
      fc.property(
        source,
        fc.constantFrom('', 'u', 'm', 'i', 's'),
        text,
        text,
        text,
        (all, flags, before, here, after) => {
          const pattern = new RegExp(all, `${flags}y`);
          const found = reachOf(pattern, 1024);
          if (found === undefined) return;
          bounded++;
          const long = before + here + after;
          // What counts is characters, of two units of UTF-16 or of one.
          const places = [0];
          for (const character of long) places.push(places.at(-1)! + character.length);
          for (const [i, at] of places.entries()) {
            pattern.lastIndex = at;
            const expected = pattern.exec(long)?.[0];
            const [from, to] = [places[Math.max(0, i - found.behind)]!, places[i + found.ahead]];
            pattern.lastIndex = at - from;
            expect(pattern.exec(long.slice(from, to))?.[0]).toBe(expected);
          }
        },
      ),
      { numRuns: 600, seed: 20261130 },
    );
    expect(bounded).toBeGreaterThan(450);
  });
});
