import fc from 'fast-check';
import { type ExtensionOffer, parseExtensions } from '../../../lib/handshake/request/extensions.js';

/** Each parameter as `[name]` or `[name, value]`. */
function offer(name: string, ...params: [string, string?][]): ExtensionOffer {
  return { name, params: params.map(([param, value]) => ({ name: param, value })) };
}

/** All the texts of up to `length` characters out of these. */
function* texts(characters: string, length: number, begin = ''): Iterable<string> {
  yield begin;
  if (length === 0) return;
  for (const character of characters) yield* texts(characters, length - 1, begin + character);
}

describe('parseExtensions, RFC 6455 section 9.1', () => {
  it.each([
    ['foo', [offer('foo')]],
    // The examples of section 9.1.
    ['bar; baz=2', [offer('bar', ['baz', '2'])]],
    ['foo, bar; baz=2', [offer('foo'), offer('bar', ['baz', '2'])]],
    ['deflate-stream', [offer('deflate-stream')]],
    [
      'mux; max-channels=4; flow-control, deflate-stream',
      [offer('mux', ['max-channels', '4'], ['flow-control']), offer('deflate-stream')],
    ],
    ['a;b;c=d;b', [offer('a', ['b'], ['c', 'd'], ['b'])]],
    ['a,a;b,a;b=1', [offer('a'), offer('a', ['b']), offer('a', ['b', '1'])]],
    [' \ta\t ;\t b \t= \tc\t ,\t d ', [offer('a', ['b', 'c']), offer('d')]],
    ['a, A; B=C', [offer('a'), offer('A', ['B', 'C'])]],
    ["!#$%&'*+-.^_`|~09AZaz", [offer("!#$%&'*+-.^_`|~09AZaz")]],
    // Empty elements, RFC 9110 section 5.6.1.2.
    ['', []],
    [' ', []],
    [',', []],
    [' ,\t, ', []],
    ['a,', [offer('a')]],
    [',a', [offer('a')]],
    ['a;b=1,, ,c,', [offer('a', ['b', '1']), offer('c')]],
  ])('reads %p', (value, offers) => {
    expect(parseExtensions(value)).toEqual(offers);
  });

  it.each([
    ['a;b="c"', 'c'],
    ['a; b = "c" ', 'c'],
    ['a;b="\\c"', 'c'],
    ['a;b="\\1\\0"', '10'],
    ['a;b="1\\0"', '10'],
    ['a;b="\\10"', '10'],
  ])('takes off the quotes and backslashes of %p', (value, content) => {
    expect(parseExtensions(value)).toEqual([offer('a', ['b', content])]);
  });

  it.each([
    ';',
    ',;',
    'a,;b',
    'a,,b;',
    'a;',
    'a; ',
    'a;;b',
    'a;,b',
    ';a',
    'a b',
    'a;b c',
    'a;b=c d',
    'a=b',
    'a;=',
    'a;=b',
    'a;b=',
    'a;b= ',
    'a;b=,c',
    'a;b=;c',
    'a;b==c',
    'a;b=c=d',
    '"a"',
    'a;"b"',
    'a;"b"=c',
    'a/b',
    'a;b=(c)',
    'a;b=c\\d',
    'a\xa0',
    'a\0',
    'a\r\nb',
    'a;b="c\r\n"',
    '\x7f',
    '\xff',
    'é',
    '漢',
    '𝒳',
  ])('takes %p for malformed', (value) => {
    expect(parseExtensions(value)).toBeUndefined();
  });

  // Section 9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF".
  it.each([
    'a;b="',
    'a;b=""',
    'a;b="c',
    'a;b="c\\',
    'a;b="c\\"',
    'a;b="\\"',
    'a;b="\\""',
    'a;b="\\\\"',
    'a;b=" c"',
    'a;b="c "',
    'a;b="c d"',
    'a;b="c\\ d"',
    'a;b="c,d"',
    'a;b="c;d"',
    'a;b="c"d',
    'a;b="c""d"',
    'a;b=c"d"',
    'a;b="c\xa0"',
    'a;b="\\é"',
    "a;b='c d'",
  ])('takes %p for malformed: it is quoted, and no token', (value) => {
    expect(parseExtensions(value)).toBeUndefined();
  });

  it('takes every byte from 0x80 to 0xFF for malformed, wherever it stands', () => {
    const bytes = Array.from({ length: 128 }, (_, i) => String.fromCharCode(0x80 + i));
    const values = bytes.flatMap((byte) => [
      `a${byte}`,
      `a;${byte}`,
      `a;b=${byte}`,
      `a;b="${byte}"`,
      `a;b="\\${byte}"`,
    ]);
    expect(values.filter((value) => parseExtensions(value) !== undefined)).toEqual([]);
  });

  it('takes what a regular expression of the grammar takes, and nothing else', () => {
    const param = 'a+ *(= *(a+|"(\\\\?a)+") *)?';
    const extension = `a+ *(; *${param})*`;
    const list = new RegExp(`^ *(${extension})?(, *(${extension})?)*$`);
    const wrong: string[] = [];
    for (const value of texts('a,;="\\ ', 6)) {
      if (list.test(value) !== (parseExtensions(value) !== undefined)) wrong.push(value);
    }
    for (const rest of texts('a,;="\\ ', 5)) {
      if (list.test(`a;a=${rest}`) !== (parseExtensions(`a;a=${rest}`) !== undefined)) wrong.push(`a;a=${rest}`);
    }
    expect(wrong).toEqual([]);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('takes %s for a name like others', (name) => {
    expect(parseExtensions(`${name}; ${name}=${name}; ${name}, ${name}`)).toEqual([
      offer(name, [name, name], [name]),
      offer(name),
    ]);
  });

  // CVE-2020-7662: a parser that goes back would not end within the time a test has.
  it.each([
    ...['"', '\\', ';', '=', 'a ', 'a;', ' ;', '\xff'].map((fill) => ['', fill, '']),
    ...[',', ' ', '\t', ' ,'].map((fill) => ['', fill, ';']),
    ...['\\c', '\\', 'c', ' ', '"', '\\"', '\\\\', '\\c '].map((fill) => ['a;b="', fill, '']),
    ...['\\', '"', ' "'].map((fill) => ['a;b=', fill, '']),
    ['a', ' ', 'b'],
    ['a;b', ' ', 'c'],
    ['a;b="c"', ' ', 'd'],
    ['a', ',a', '='],
    ['a', ';b', ';'],
    ['a', ';b="\\c"', ';b="\\c'],
  ])('reads %p and 1 MiB of %p and %p to their end, and takes them for malformed', (begin, fill, end) => {
    expect(parseExtensions(begin + fill.repeat((1 << 20) / fill.length) + end)).toBeUndefined();
  });

  it.each([
    ['a', ',a', 250_001, undefined],
    ['a', ';b', 1, 250_000],
    ['a', ';b="\\c"', 1, 250_000],
    ['a', ' ', 1, 0],
    ['a', ',', 1, 0],
    ['', ',', 0, undefined],
  ])('reads %p and 250,000 times %p to their end', (begin, fill, offers, params) => {
    const read = parseExtensions(begin + fill.repeat(250_000));
    expect(read?.length).toBe(offers);
    if (params !== undefined) expect(read?.[0]?.params.length).toBe(params);
  });

  it('reads a quoted value of 250,000 escapes', () => {
    const value = parseExtensions(`a;b="${'\\c'.repeat(250_000)}"`)?.[0]?.params[0]?.value;
    expect(value === 'c'.repeat(250_000)).toBe(true);
  });

  describe('of anything', () => {
    const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}$/);
    const blanks = fc.stringMatching(/^[ \t]{0,3}$/);
    const param = fc.record({ name: token, value: fc.option(token, { nil: undefined }) });
    const offers = fc.array(fc.record({ name: token, params: fc.array(param, { maxLength: 4 }) }), {
      minLength: 1,
      maxLength: 4,
    });

    it('reads back what was written, however it was quoted and spaced', () => {
      fc.assert(
        fc.property(offers, fc.infiniteStream(blanks), fc.infiniteStream(fc.boolean()), (written, spaces, coins) => {
          const space = (): string => spaces.next().value;
          const coin = (): boolean => coins.next().value;
          const around = (mark: string): string => space() + mark + space();
          const quoted = (value: string): string => `"${[...value].map((c) => (coin() ? `\\${c}` : c)).join('')}"`;
          const text = written.map(({ name, params }) => {
            const tail = params.map(
              (p) =>
                around(';') +
                p.name +
                (p.value === undefined ? '' : around('=') + (coin() ? quoted(p.value) : p.value)),
            );
            return name + tail.join('');
          });
          const value = space() + text.reduce((all, one) => all + around(',') + one) + space();
          expect(parseExtensions(value)).toEqual(written);
        }),
      );
    });

    it('parseExtensions never throws, and returns tokens only', () => {
      const texts = fc.oneof(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.string({ unit: fc.constantFrom('a', '1', ',', ';', '=', '"', '\\', ' ', '\t', '\xff'), maxLength: 20 }),
      );
      fc.assert(
        fc.property(texts, (value) => {
          const offers = parseExtensions(value) ?? [];
          const tokens = offers.flatMap(({ name, params }) => [
            name,
            ...params.flatMap((p) => [p.name, p.value ?? 'none']),
          ]);
          return tokens.every((each) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(each));
        }),
        { numRuns: 1000 },
      );
    });
  });
});
