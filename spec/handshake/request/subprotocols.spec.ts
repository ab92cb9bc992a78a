import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { HeaderError } from '../../../lib/errors.js';
import { compileSubprotocols, parseSubprotocols } from '../../../lib/handshake/request/subprotocols.js';

const request = new IncomingMessage(new Socket());

describe('parseSubprotocols, RFC 6455 section 4.3', () => {
  it.each([
    ['chat', ['chat']],
    ['chat, superchat', ['chat', 'superchat']],
    ['b,a', ['b', 'a']],
    [' \ta\t ,\t b ', ['a', 'b']],
    ["!#$%&'*+-.^_`|~09AZaz", ["!#$%&'*+-.^_`|~09AZaz"]],
    ['a, A', ['a', 'A']],
    ['', []],
    [' ', []],
    [',', []],
    [',\t, ,', []],
    ['a,', ['a']],
    [',a', ['a']],
    ['a,,b', ['a', 'b']],
    [', a , , b ,', ['a', 'b']],
    ['__proto__, constructor, hasOwnProperty', ['__proto__', 'constructor', 'hasOwnProperty']],
  ])('reads %p', (value, names) => {
    expect(parseSubprotocols(value)).toEqual(names);
  });

  it.each([
    'a, a',
    'a,, a',
    ', a b',
    'a,\xa0,b',
    'a b',
    'a\xa0',
    '"a"',
    'a=b',
    'a;b',
    'a/b',
    '(a)',
    'a\\',
    'a\0',
    'a\r\nb',
    '\x7f',
    '\x80',
    '\xff',
    'é',
    '漢',
    '𝒳',
  ])('takes %p for malformed', (value) => {
    expect(parseSubprotocols(value)).toBeUndefined();
  });

  it('takes every byte from 0x80 to 0xFF for malformed', () => {
    const bytes = Array.from({ length: 128 }, (_, i) => String.fromCharCode(0x80 + i));
    expect(bytes.filter((byte) => parseSubprotocols(`a${byte}`) !== undefined)).toEqual([]);
  });

  // A parser that goes back would not end within the time a test has.
  it.each([',', ' ', '"', '\\', '\t', 'a', 'a ', ' ,', '\xff'])('reads 4 MiB of %p to its end', (fill) => {
    const value = fill.repeat((4 << 20) / fill.length);
    const count = { a: 1, ',': 0, ' ': 0, '\t': 0, ' ,': 0 }[fill];
    expect(parseSubprotocols(value)?.length).toBe(count);
  });

  it('reads half a million names to their end', () => {
    const names = Array.from({ length: 500_000 }, (_, i) => `n${i}`);
    expect(parseSubprotocols(names.join(','))).toHaveLength(500_000);
  });
});

describe('compileSubprotocols', () => {
  it('speaks none by default', () => {
    expect(compileSubprotocols(undefined)(['a'], request)).toBeUndefined();
    expect(compileSubprotocols([])(['a'], request)).toBeUndefined();
  });

  it("follows the server's order", () => {
    const choose = compileSubprotocols(['v2', 'v1']);
    expect(choose(['v1', 'v2'], request)).toBe('v2');
    expect(choose(['v0', 'v1'], request)).toBe('v1');
    expect(choose(['V1', 'v0'], request)).toBeUndefined();
    expect(choose([], request)).toBeUndefined();
  });

  it('is what it was when it was checked', () => {
    const names = ['v1'];
    const choose = compileSubprotocols(names);
    names[0] = 'v2';
    expect(choose(['v1', 'v2'], request)).toBe('v1');
  });

  it.each([[['a b']], [['']], [['a,b']], [['é']], [['a\r\nX: y']], [[7]], [[undefined]], [new Array(1)]])(
    'does not take %p',
    (names) => {
      expect(() => compileSubprotocols(names)).toThrow(
        expect.objectContaining({
          name: 'TypeError',
          code: 'ERR_WS_INVALID_OPTION',
          message: expect.stringContaining('a subprotocol is a token'),
        }),
      );
    },
  );

  it.each([['chat'], [null], [7], [{}], [new Set(['a'])]])('does not take %p for the option', (option) => {
    expect(() => compileSubprotocols(option)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_WS_INVALID_OPTION',
        message: expect.stringMatching(/^subprotocols is/),
      }),
    );
  });

  it('asks a function with what was offered and the request', () => {
    const option = jest.fn((offered: readonly string[]) => offered[1]);
    expect(compileSubprotocols(option)(['a', 'b'], request)).toBe('b');
    expect(option).toHaveBeenCalledWith(['a', 'b'], request);
    expect(compileSubprotocols(option)(['a'], request)).toBeUndefined();
  });

  it.each([['c'], ['A'], [''], [null], [false], [0], [Promise.resolve('a')], [['a']]])(
    'does not let a function choose %p',
    (chosen) => {
      const choose = compileSubprotocols(() => chosen);
      expect(() => choose(['a', 'b'], request)).toThrow(HeaderError);
      expect(() => choose(['a', 'b'], request)).toThrow(expect.objectContaining({ header: 'Sec-WebSocket-Protocol' }));
    },
  );
});
