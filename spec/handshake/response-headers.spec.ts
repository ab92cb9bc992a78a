import { ErrorCode, HeaderError } from '../../lib/errors.js';
import { checkResponseHeaders } from '../../lib/handshake/response-headers.js';

function errorOf(headers: Record<string, unknown>, status = 101, offered: string[] = []): unknown {
  try {
    checkResponseHeaders(headers, status, offered);
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('checkResponseHeaders', () => {
  it('returns names and values in order, numbers as text', () => {
    expect(
      checkResponseHeaders(
        { 'X-B': 'b', 'x-a': 7, 'Set-Cookie': ['a=1', 2], 'X-Empty': '', 'X-L': 'caf\xe9\t' },
        101,
        [],
      ),
    ).toEqual([
      ['X-B', 'b'],
      ['x-a', '7'],
      ['Set-Cookie', ['a=1', '2']],
      ['X-Empty', ''],
      ['X-L', 'caf\xe9\t'],
    ]);
  });

  it.each(['\r', '\n', '\0', '\r\n', '\r\nX-Evil: 1', '\x7f', '\x01', '\u0100', '€', '😀'])(
    'refuses a value with %p and names the header',
    (text) => {
      for (const value of [text, `a${text}b`, ['ok', text]]) {
        const error = errorOf({ 'X-Good': 'y', 'X-User': value });
        expect(error).toBeInstanceOf(HeaderError);
        expect(error).toMatchObject({ code: ErrorCode.HEADER, header: 'X-User' });
      }
    },
  );

  it.each(['', ' ', 'a b', 'a:', 'a\r\n', 'a\nb', 'a\0', 'é', '(a)', '"'])('refuses the name %p', (name) => {
    expect(errorOf({ [name]: 'x' })).toMatchObject({ code: ErrorCode.HEADER, header: name });
  });

  it.each([
    [undefined],
    [null],
    [true],
    [{}],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [7n],
    [Symbol('s')],
    [() => 'x'],
    [[]],
    [[undefined]],
    [new Array(1)],
    [[['x']]],
    [new Date()],
  ])('refuses the value %p', (value) => {
    expect(errorOf({ 'X-User': value })).toMatchObject({ code: ErrorCode.HEADER, header: 'X-User' });
  });

  it('tells who sets undefined to delete the header', () => {
    expect(String(errorOf({ 'X-User': undefined }))).toContain("'X-User' is undefined: delete the header instead");
  });

  it.each([
    'Upgrade',
    'Connection',
    'Sec-WebSocket-Accept',
    'Sec-WebSocket-Extensions',
    'Sec-WebSocket-Version',
    'Content-Length',
    'Transfer-Encoding',
    'Trailer',
  ])('keeps %s of a 101 for the protocol, in any case', (name) => {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
      expect(errorOf({ [spelled]: '1' })).toMatchObject({ code: ErrorCode.HEADER, header: spelled });
    }
  });

  it.each(['Connection', 'Sec-WebSocket-Accept', 'Content-Length', 'Transfer-Encoding', 'Trailer'])(
    'keeps %s of a refusal',
    (name) => {
      expect(errorOf({ [name.toLowerCase()]: '1' }, 403)).toMatchObject({ code: ErrorCode.HEADER });
    },
  );

  it('lets a refusal say what would be accepted', () => {
    const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Protocol': 'chat' };
    expect(checkResponseHeaders(headers, 426, [])).toEqual(Object.entries(headers));
  });

  it('lets a 101 name the subprotocol that was offered', () => {
    expect(checkResponseHeaders({ 'sec-websocket-protocol': 'b' }, 101, ['a', 'b'])).toEqual([
      ['sec-websocket-protocol', 'b'],
    ]);
  });

  it.each([['c'], ['A'], ['a, b'], [''], [['a']], [['a', 'b']], [1]])(
    'does not let a 101 name the subprotocol %p',
    (value) => {
      expect(errorOf({ 'Sec-WebSocket-Protocol': value }, 101, ['a', 'b'])).toMatchObject({
        header: 'Sec-WebSocket-Protocol',
      });
    },
  );

  it('refuses one name in two cases, of which one would be lost', () => {
    expect(errorOf({ 'X-User': 'a', 'x-user': 'b' })).toMatchObject({ header: 'x-user' });
  });

  it('takes cookies by their name in any case: they add up', () => {
    const headers = { 'Set-Cookie': 'a=1', 'set-cookie': ['b=2'] };
    expect(checkResponseHeaders(headers, 101, [])).toEqual(Object.entries(headers));
  });

  it('sees own headers only, whatever they are called', () => {
    const headers = JSON.parse('{"__proto__": "a", "constructor": "b", "toString": "c"}');
    expect(checkResponseHeaders(headers, 101, [])).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['toString', 'c'],
    ]);
    expect(checkResponseHeaders(Object.create({ 'X-Inherited': 'x' }), 101, [])).toEqual([]);
  });

  it('checks 2000 headers', () => {
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`x-${i}`, i]));
    expect(checkResponseHeaders(many, 403, [])).toHaveLength(2000);
  });
});
