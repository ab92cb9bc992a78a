import {
  ErrorCode,
  FileError,
  HeaderError,
  InvalidStateError,
  inspectValue,
  invalidArgument,
  OverflowError,
  ProtocolError,
  StructError,
} from '../lib/errors.js';

describe('the catalogue of errors', () => {
  it('has codes that never change', () => {
    expect(ErrorCode).toEqual({
      INVALID_STATE: 'ERR_WS_INVALID_STATE',
      INVALID_ARGUMENT: 'ERR_WS_INVALID_ARGUMENT',
      INVALID_OPTION: 'ERR_WS_INVALID_OPTION',
      UNKNOWN_OPTION: 'ERR_WS_UNKNOWN_OPTION',
      INVALID_HANDLER: 'ERR_WS_INVALID_HANDLER',
      INVALID_PATH: 'ERR_WS_INVALID_PATH',
      INVALID_RETURN_VALUE: 'ERR_WS_INVALID_RETURN_VALUE',
      STRUCT: 'ERR_WS_STRUCT',
      PROTOCOL: 'ERR_WS_PROTOCOL',
      OVERFLOW: 'ERR_WS_OVERFLOW',
      HEADER: 'ERR_WS_HEADER',
      FILE: 'ERR_WS_FILE',
    });
  });

  it.each([
    ['InvalidStateError', new InvalidStateError('why'), 'ERR_WS_INVALID_STATE', 'why'],
    ['StructError', new StructError('why'), 'ERR_WS_STRUCT', 'why'],
    ['FileError', new FileError('why'), 'ERR_WS_FILE', 'why'],
    ['ProtocolError', new ProtocolError('why', 1002), 'ERR_WS_PROTOCOL', 'why'],
    [
      'OverflowError',
      new OverflowError(70000, 65536),
      'ERR_WS_OVERFLOW',
      'a unit of at least 70000 bytes exceeds the limit of 65536 bytes: raise bufferSize, or choose a readDelimiter that ' +
        'delivers smaller units (null streams)',
    ],
    [
      'HeaderError',
      new HeaderError('X-A', 'has a line break'),
      'ERR_WS_HEADER',
      "handshake header 'X-A' has a line break",
    ],
    ['TypeError', invalidArgument('code', 5, 'it must be 6'), 'ERR_WS_INVALID_ARGUMENT', 'code is 5: it must be 6'],
  ])('%s has its name, its code and its message', (name, error, code, message) => {
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name, code, message });
    expect(String(error)).toBe(`${name}: ${message}`);
    expect(error.stack).toContain('errors.spec');
  });

  it('carries what one wants to know', () => {
    expect(new ProtocolError('', 1007).closeCode).toBe(1007);
    expect(new OverflowError(2, 1)).toMatchObject({ size: 2, limit: 1 });
    expect(new OverflowError(2, 1, 'a message').message).toMatch(/^a message of at least 2/);
    expect(new HeaderError('X-A', '').header).toBe('X-A');
    expect(invalidArgument('x', 1, '')).toBeInstanceOf(TypeError);
  });
});

describe('a value in a message', () => {
  it.each([
    [0, '0'],
    [-0, '-0'],
    [Number.NaN, 'NaN'],
    [5n, '5n'],
    ['', "''"],
    ['a\r\nb', "'a\\r\\nb'"],
    [undefined, 'undefined'],
    [null, 'null'],
    [Symbol('s'), 'Symbol(s)'],
    [{}, '{}'],
    [{ a: { b: 1 } }, '{ a: [Object] }'],
    [[], '[]'],
    [Buffer.from('ab'), '<Buffer 61 62>'],
    [/x/g, '/x/g'],
  ])('%p is shown as %s', (value, shown) => {
    expect(inspectValue(value)).toBe(shown);
  });

  it('is one line of bounded length', () => {
    const deep = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key${i}`, 'x'.repeat(1000)]));
    for (const value of [deep, 'x'.repeat(1e6), 'line\n'.repeat(50), new Array(1e5).fill('y'), Buffer.alloc(1e6)]) {
      const shown = inspectValue(value);
      expect(shown.length).toBeLessThanOrEqual(120);
      expect(shown).not.toMatch(/\n/);
    }
  });
});
