import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Converter } from '../../lib/handler/options/options.js';
import { compilePath, pathnameOf, toInteger } from '../../lib/routing/path.js';

interface Given {
  caseSensitive?: boolean;
  strict?: boolean;
  convert?: Record<string, Converter>;
}

function compiled(
  path: string | readonly string[] | undefined,
  { caseSensitive = false, strict = false, convert }: Given = {},
) {
  return compilePath(path, { caseSensitive, strict, convert });
}

/** Without the null prototype, which toEqual does not see. */
function found(path: string | readonly string[] | undefined, pathname: string, given?: Given): unknown {
  return compiled(path, given)(pathname);
}

describe('compilePath', () => {
  it.each<[string, string, unknown]>([
    ['/ws', '/ws', {}],
    ['/ws', '/', undefined],
    ['/ws', '/ws/x', undefined],
    ['/', '/', {}],
    ['/', '/x', undefined],
    ['/ws/:name', '/ws/ann', { name: 'ann' }],
    ['/ws/:name', '/ws/', undefined],
    ['/ws/:name', '/ws', undefined],
    ['/ws/:name', '/ws/a/b', undefined],
    ['/ws/:name', '/ws/a%20b%2Fc', { name: 'a b/c' }],
    ['/ws/:a-:b', '/ws/1-2', { a: '1', b: '2' }],
    ['/ws{/:id}', '/ws', {}],
    ['/ws{/:id}', '/ws/7', { id: '7' }],
    ['{/:lang}/ws', '/ws', {}],
    ['/files/*rest', '/files/a/b%20c', { rest: ['a', 'b c'] }],
    ['/*rest', '/a', { rest: ['a'] }],
    ['/:"a b"', '/x', { 'a b': 'x' }],
    ['/\\:x', '/:x', {}],
  ])('the path %s is matched against %s', (path, pathname, params) => {
    expect(found(path, pathname)).toEqual(params);
  });

  it("has Express's defaults", () => {
    expect(found('/ws/:Name', '/WS/Ann')).toEqual({ Name: 'Ann' });
    expect(found('/ws', '/ws/')).toEqual({});
    expect(found('/ws/', '/ws')).toEqual({});
    expect(found('/ws', '/ws//')).toBeUndefined();
  });

  it('can be case sensitive', () => {
    expect(found('/ws', '/WS', { caseSensitive: true })).toBeUndefined();
    expect(found('/ws', '/ws', { caseSensitive: true })).toEqual({});
  });

  it('can be strict about the trailing slash', () => {
    expect(found('/ws', '/ws/', { strict: true })).toBeUndefined();
    expect(found('/ws/', '/ws/', { strict: true })).toEqual({});
    expect(found('/ws/', '/ws', { strict: true })).toBeUndefined();
  });

  it('serves everything without a path', () => {
    expect(found(undefined, '/anything/%zz')).toEqual({});
  });

  it('tries several paths in order', () => {
    const paths = ['/a/:x', '/:y/b'];
    expect(found(paths, '/a/b')).toEqual({ x: 'b' });
    expect(found(paths, '/c/b')).toEqual({ y: 'c' });
    expect(found(paths, '/c/d')).toBeUndefined();
  });

  it.each(['/ws/%', '/ws/%zz', '/ws/%ff', '/ws/%E0%A4'])('calls %p malformed', (pathname) => {
    expect(found('/ws/:name', pathname)).toBe('malformed');
    expect(found('/ws/*rest', pathname)).toBe('malformed');
    expect(found('/other/:name', pathname)).toBeUndefined();
  });

  it('has parameters without a prototype, whatever they are called', () => {
    const params = compiled('/:__proto__/:constructor')('/a/b');
    expect(Object.getPrototypeOf(params)).toBeNull();
    expect(Object.entries(params ?? {})).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
    expect(Object.getPrototypeOf(compiled(undefined)('/'))).toBeNull();
  });

  it.each(['/:id?', '/ws/*', '/(a|b)', '/a+', '/:', '/{a', '/:"a'])('quotes the matcher on the bad path %p', (path) => {
    expect(() => compiled(path)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_WS_INVALID_PATH',
        message: expect.stringMatching(/^path is '.*': (Unexpected|Missing|Unterminated) .*\{\/:id\}.*\*name/),
      }),
    );
  });

  it.each(['', 'ws/:id', ':id'])('does not take %p, which nothing would match', (path) => {
    expect(() => compiled(path)).toThrow(/begins with a slash/);
  });

  it.each([[[]], [null], [7], [{}], [/x/], [['/a', 7]], [['/a', '/*']]])('does not take %p for a path', (path) => {
    const wrong: unknown = path;
    expect(() => compiled(wrong as string)).toThrow(expect.objectContaining({ code: 'ERR_WS_INVALID_PATH' }));
  });
});

describe('compilePath with converters', () => {
  it('hands out what they return', () => {
    expect(found('/ws/:id/:name', '/ws/7/ann', { convert: { id: toInteger } })).toEqual({ id: 7, name: 'ann' });
  });

  it('does not match what they turn down', () => {
    expect(found('/ws/:id', '/ws/ann', { convert: { id: toInteger } })).toBeUndefined();
    expect(found('/ws/:id', '/ws/ann', { convert: { id: Number } })).toBeUndefined();
    expect(found(['/ws/:id', '/ws/:name'], '/ws/ann', { convert: { id: toInteger } })).toEqual({ name: 'ann' });
  });

  it('keeps null, false, 0 and the empty string', () => {
    for (const value of [null, false, 0, ''])
      expect(found('/:x', '/a', { convert: { x: () => value } })).toEqual({ x: value });
  });

  it('gives them decoded text, a wildcard as one', () => {
    const convert = jest.fn((text: string) => text.length);
    expect(found('/*rest', '/a%20b/c', { convert: { rest: convert } })).toEqual({ rest: 5 });
    expect(convert).toHaveBeenCalledWith('a b/c');
  });

  it('does not ask about an optional parameter that is not there', () => {
    expect(found('/ws{/:id}', '/ws', { convert: { id: toInteger } })).toEqual({});
  });

  it('lets what they throw pass', () => {
    const convert = { x: () => decodeURIComponent('%') };
    expect(() => found('/:x', '/a', { convert })).toThrow(URIError);
  });

  it('wants them for parameters the path has', () => {
    expect(() => compiled('/ws/:id{/:name}', { convert: { idd: toInteger } })).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_WS_INVALID_OPTION',
        message: "a key of convert is 'idd': it must be a parameter of the path: the path has id, name",
      }),
    );
    expect(() => compiled('/ws', { convert: { toString: toInteger } })).toThrow(/has no parameters/);
    expect(() => compiled(undefined, { convert: { id: toInteger } })).toThrow(/has no parameters/);
    expect(found(['/a/:x', '/b/:y'], '/b/2', { convert: { x: toInteger, y: toInteger } })).toEqual({ y: 2 });
  });

  it('wants them to be functions', () => {
    const wrong: unknown = { id: 'integer' };
    expect(() => compiled('/:id', { convert: wrong as Record<string, Converter> })).toThrow(/convert\.id is 'integer'/);
    const none: unknown = 7;
    expect(() => compiled('/:id', { convert: none as Record<string, Converter> })).toThrow(/^convert is 7/);
  });

  it('does not find converters on a prototype', () => {
    expect(found('/:toString/:__proto__', '/a/b', { convert: {} })).toEqual(
      JSON.parse('{"toString": "a", "__proto__": "b"}'),
    );
  });
});

describe('toInteger', () => {
  it.each<[string, number]>([
    ['0', 0],
    ['-0', 0],
    ['7', 7],
    ['-42', -42],
    ['007', 7],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['-9007199254740991', Number.MIN_SAFE_INTEGER],
  ])('reads %p', (text, number) => {
    expect(toInteger(text)).toBe(number);
  });

  it.each([
    '',
    '-',
    '+1',
    '--1',
    '1.0',
    '1e3',
    '0x10',
    ' 1',
    '1 ',
    '1\n',
    '١',
    'NaN',
    'Infinity',
    '9007199254740992',
    '9'.repeat(16384),
  ])('does not read %p', (text) => {
    expect(toInteger(text)).toBeUndefined();
  });
});

describe('pathnameOf', () => {
  it.each([
    ['/ws/a?b=/c', '/ws/a'],
    ['http://evil.example/ws?x', '/ws'],
    ['//host/ws', '//host/ws'],
    ['/ws#frag', '/ws'],
    ['http://[::1/ws', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('the pathname of %p is %p, as in Express', (url, pathname) => {
    const request = new IncomingMessage(new Socket());
    if (url !== undefined) request.url = url;
    else Reflect.deleteProperty(request, 'url');
    expect(pathnameOf(request)).toBe(pathname);
  });
});
