import { BinaryPattern, checkBufferSize, checkDelimiter, checkRegexSearch } from '../../lib/dispatch/delimiter.js';
import { EntireMessage, NetStruct, Struct } from '../../lib/index.js';
import { usageErrorCode } from '../support/usage-error.js';

const refused = (pattern: RegExp): Error =>
  expect.objectContaining({
    name: 'TypeError',
    code: usageErrorCode(),
    message: expect.stringMatching(pattern),
  });

describe('a readDelimiter', () => {
  it.each([
    EntireMessage,
    null,
    'x',
    '\0',
    '🧀',
    Buffer.from([0]),
    Uint8Array.of(1),
    1,
    Number.MAX_SAFE_INTEGER,
    /x/,
    /(?:)/,
    new BinaryPattern(/x/g),
    new Struct('B'),
    new Struct('3x'),
    new NetStruct('B$'),
  ])('may be %p', (value) => {
    expect(() => checkDelimiter(value)).not.toThrow();
  });

  it.each([
    [0, '0'],
    [-0, '-0'],
    [-1, '-1'],
    [1.5, '1.5'],
    [Number.NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [2 ** 53, '9007199254740992'],
    ['', "''"],
    ['a\ud800', String.raw`'a\ud800'`],
    ['\udc00', String.raw`'\udc00'`],
    [Buffer.alloc(0), '<Buffer >'],
    [true, 'true'],
    [false, 'false'],
    [{}, '{}'],
    [undefined, 'undefined'],
    [[], '[]'],
    [['\n'], "[ '\\n' ]"],
    [Symbol('EntireMessage'), 'Symbol(EntireMessage)'],
    [5n, '5n'],
    [new Struct(''), 'Struct'],
    [new Struct('0s'), 'Struct'],
    [new NetStruct(''), 'NetStruct'],
    [new ArrayBuffer(2), 'ArrayBuffer'],
    [new DataView(new ArrayBuffer(2)), 'DataView'],
    [new Uint16Array(2), 'Uint16Array'],
    [() => 1, '[Function'],
    [{ source: 'x', flags: '' }, "{ source: 'x', flags: '' }"],
  ])('may not be %p, which the error names: %s', (value, name) => {
    let message = '';
    try {
      checkDelimiter(value);
    } catch (error) {
      expect(error).toMatchObject({ name: 'TypeError', code: usageErrorCode() });
      ({ message } = error as Error);
    }
    expect(message).toContain(`readDelimiter is ${name}`);
    expect(message).toContain('it must be EntireMessage, null, a non-empty string or Buffer, a positive integer');
  });
});

describe('a bufferSize', () => {
  it('is a positive integer', () => {
    for (const value of [1, 65536, Number.MAX_SAFE_INTEGER]) expect(() => checkBufferSize(value)).not.toThrow();
    for (const value of [0, -1, 1.5, Number.NaN, Infinity, 2 ** 53, '1', 1n, null, undefined, true, {}]) {
      expect(() => checkBufferSize(value)).toThrow(refused(/^bufferSize is .*a positive integer/));
    }
  });
});

describe('regexSearch', () => {
  it('is a boolean', () => {
    for (const value of [true, false]) expect(() => checkRegexSearch(value)).not.toThrow();
    for (const value of [0, 1, '', 'true', null, undefined, {}]) {
      expect(() => checkRegexSearch(value)).toThrow(refused(/^regexSearch is/));
    }
  });
});

describe('BinaryPattern', () => {
  it('wraps a RegExp and nothing else', () => {
    const pattern = /x/;
    expect(new BinaryPattern(pattern).pattern).toBe(pattern);
    for (const value of ['x', Buffer.from('x'), null, undefined, {}, { source: 'x', flags: '' }]) {
      expect(() => new BinaryPattern(value as RegExp)).toThrow(refused(/^BinaryPattern is/));
    }
  });
});
