import { compressSettings, resolveOptions, resolveRouteOptions } from '../../../lib/handler/options/options.js';
import { BinaryPattern, type Delimiter, EntireMessage, Limits, NetStruct, Struct } from '../../../lib/index.js';
import { processLog } from '../../../lib/log.js';
import { usageErrorCode } from '../../support/usage-error.js';

const refused = (pattern: RegExp): Error =>
  expect.objectContaining({
    name: 'TypeError',
    code: usageErrorCode(),
    message: expect.stringMatching(pattern),
  });

describe('options', () => {
  it('have these defaults', () => {
    const defaults = {
      readDelimiter: EntireMessage,
      regexSearch: true,
      bufferSize: 65536,
      maxDelimiterLength: 1024,
      origins: 'same-origin',
      subprotocols: [],
      allowOldHandshake: false,
      closeTimeout: 5000,
      highWaterMark: 65536,
      maxBufferedAmount: 16 * 1024 * 1024,
      slowConsumer: 'close',
      limits: expect.any(Limits),
      compress: false,
      pingInterval: 25_000,
      pongTimeout: 20_000,
      idleTimeout: 0,
      handshakeTimeout: 10_000,
      maxConnections: Infinity,
      maxConnectionsPerKey: Infinity,
      keyOf: 'ip',
      rate: {},
      asyncContext: 'none',
      log: processLog,
      name: '',
    };
    expect(resolveOptions({})).toEqual(defaults);
    expect(resolveRouteOptions({})).toEqual(defaults);
    expect(resolveOptions(Object.fromEntries(Object.keys(defaults).map((name) => [name, undefined])))).toEqual(
      defaults,
    );
  });

  it('are taken as they are given, and not changed', () => {
    const given = Object.freeze({ bufferSize: 1, closeTimeout: 0x7fff_ffff, highWaterMark: 1, maxDelimiterLength: 1 });
    expect(resolveOptions(given)).toMatchObject(given);
  });

  it.each<Delimiter>([
    EntireMessage,
    null,
    '\n',
    '🧀',
    Buffer.from([0]),
    Uint8Array.of(1),
    1,
    2 ** 53 - 1,
    /x/,
    new BinaryPattern(/x/),
    new Struct('B'),
    new NetStruct('B$'),
  ])('take the readDelimiter %p', (readDelimiter) => {
    const resolved = resolveOptions({ readDelimiter }).readDelimiter;
    // Of bytes a copy: theirs may be transferred, or changed, while the route lives.
    if (readDelimiter instanceof Uint8Array) expect(resolved).toEqual(Buffer.from(readDelimiter));
    else expect(resolved).toBe(readDelimiter);
  });

  const wrong: [name: string, values: unknown[]][] = [
    [
      'readDelimiter',
      [
        0,
        -1,
        1.5,
        Number.NaN,
        Infinity,
        2 ** 53,
        '',
        '\ud800',
        Buffer.alloc(0),
        true,
        {},
        [],
        Symbol('x'),
        5n,
        new Struct(''),
        new NetStruct(''),
        () => 1,
      ],
    ],
    ['regexSearch', [0, 1, 'true', null, {}]],
    ['bufferSize', [0, -1, 1.5, Number.NaN, Infinity, 2 ** 53, '1024', 1024n, null, {}, true]],
    ['maxDelimiterLength', [0, -1, 1.5, Number.NaN, Infinity, '1', null]],
    ['highWaterMark', [0, -1, 1.5, Number.NaN, Infinity, '1', null]],
    ['closeTimeout', [0, -1, 1.5, Number.NaN, Infinity, '1', null, 2 ** 31]],
    ['pongTimeout', [0, -1, 1.5, Number.NaN, Infinity, '1', null, 2 ** 31]],
    ['pingInterval', [-1, 1.5, Number.NaN, Infinity, '1', null, 2 ** 31, false]],
    ['idleTimeout', [-1, 1.5, Number.NaN, Infinity, '1', null, 2 ** 31, false]],
    ['handshakeTimeout', [-1, 1.5, Number.NaN, Infinity, '1', null, 2 ** 31, false]],
    ['maxBufferedAmount', [0, -1, 65_536.5, 65_535, Number.NaN, '1', null]],
    ['slowConsumer', ['terminate', 'Close', true, null, 1013]],
    ['limits', [null, {}, { maxBufferedBytes: 1 }, 1024, Limits]],
    ['compress', [null, 1, 'true', [], () => true, new Map()]],
    ['maxConnections', [0, -1, 1.5, Number.NaN, -Infinity, '1', null]],
    ['maxConnectionsPerKey', [0, -1, 1.5, Number.NaN, '1', null]],
    ['keyOf', ['address', null, 1, {}]],
    ['rate', [null, 100, [], 'fast', new Map()]],
    ['asyncContext', [true, false, 'request', '', null, {}]],
    ['allowOldHandshake', [0, 1, 'yes', null]],
  ];

  it.each(wrong.flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
    'refuse as %s the value %p, naming both',
    (name, value) => {
      const resolve = (): unknown => resolveOptions({ [name]: value });
      expect(resolve).toThrow(refused(new RegExp(`^${name} is `)));
      expect(() => resolveRouteOptions({ [name]: value })).toThrow(refused(new RegExp(`^${name} is `)));
    },
  );

  it.each(['messages', 'bytes', 'burst', 'patience'])('refuse as rate.%s what is no positive number', (name) => {
    for (const value of [0, -1, Number.NaN, '5', null, -Infinity, 5n]) {
      expect(() => resolveOptions({ rate: { [name]: value } })).toThrow(refused(new RegExp(`^rate\\.${name} is `)));
    }
    for (const value of [0.5, 1, 1e9, undefined]) {
      const rate = { messages: 1, [name]: value };
      expect(resolveOptions({ rate: { bytes: 1, ...rate } }).rate).toEqual({ bytes: 1, ...rate });
    }
    expect(() => resolveOptions({ rate: { [`${name}PerSecond`]: 1 } })).toThrow(
      refused(/^rate member is .*the members are messages, bytes, burst, patience$/),
    );
  });

  const members: [name: string, right: unknown[], wrong: unknown[]][] = [
    ['threshold', [0, 1, 1024, undefined], [-1, 1.5, Number.NaN, Infinity, '1024', null, 2 ** 53]],
    ['serverNoContextTakeover', [true, false, undefined], [0, 'true', null]],
    ['clientNoContextTakeover', [true, false, undefined], [1, 'false', null]],
    ['serverMaxWindowBits', [8, 9, 15, undefined], [7, 16, 0, -8, 8.5, '8', null, Number.NaN]],
    ['clientMaxWindowBits', [8, 9, 15, undefined], [7, 16, 0, -8, 8.5, '8', null, true]],
    ['level', [-1, 0, 9, undefined], [-2, 10, 1.5, '6', null]],
    ['memLevel', [1, 9, undefined], [0, 10, 8.5, '8', null]],
  ];

  it.each(members)('take as compress.%s what zlib takes, and refuse the rest', (name, right, wrong) => {
    for (const value of right) expect(() => resolveOptions({ compress: { [name]: value } })).not.toThrow();
    for (const value of wrong) {
      expect(() => resolveOptions({ compress: { [name]: value } })).toThrow(
        refused(new RegExp(`^compress\\.${name} is `)),
      );
    }
    expect(() => resolveOptions({ compress: { [`${name}s`]: 1 } })).toThrow(
      refused(/^compress member is .*the members are threshold, serverNoContextTakeover, .*, memLevel$/),
    );
  });

  it('make of compress its settings: those that are given, and the defaults', () => {
    const defaults = {
      threshold: 1024,
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 15,
      clientMaxWindowBits: 15,
      level: -1,
      memLevel: 8,
    };
    expect(compressSettings(false)).toBeUndefined();
    for (const option of [true, {}, { level: undefined }]) expect(compressSettings(option)).toEqual(defaults);
    expect(compressSettings({ threshold: 0, serverNoContextTakeover: false })).toEqual({
      ...defaults,
      threshold: 0,
      serverNoContextTakeover: false,
    });
  });

  it('let only patience be endless', () => {
    const rate = { messages: 1, patience: Infinity };
    expect(resolveOptions({ rate }).rate).toEqual(rate);
    expect(() => resolveOptions({ rate: { messages: Infinity } })).toThrow(refused(/^rate\.messages is Infinity/));
  });

  it('tell the unit of a rate', () => {
    const refusal = refused(/^rate\.patience is '10s': it must be a positive number, in milliseconds, or Infinity/);
    expect(() => resolveOptions({ rate: { messages: 1, patience: '10s' as never } })).toThrow(refusal);
    expect(() => resolveOptions({ rate: { bytes: 0 } })).toThrow(refused(/^rate\.bytes is 0: .*in bytes per second$/));
  });

  it('refuse a rate that limits nothing, unless it is empty', () => {
    for (const rate of [{ burst: 2 }, { patience: 1000 }, { messages: undefined, burst: 2, patience: 1 }]) {
      expect(() => resolveOptions({ rate })).toThrow(refused(/^rate is \{.*limits nothing: set messages or bytes/));
    }
    for (const rate of [{}, { burst: undefined }, { bytes: 1 }]) expect(resolveOptions({ rate }).rate).toEqual(rate);
  });

  it('refuse a key by which nothing is counted', () => {
    for (const keyOf of ['ip', () => 'ada'] as const) {
      const refusal = refused(/^keyOf is .*: it has no effect without maxConnectionsPerKey: set that, too$/);
      expect(() => resolveOptions({ keyOf })).toThrow(refusal);
      expect(() => resolveOptions({ keyOf, maxConnections: 5 })).toThrow(refusal);
      for (const maxConnectionsPerKey of [1, Infinity]) {
        expect(resolveOptions({ keyOf, maxConnectionsPerKey })).toMatchObject({ keyOf, maxConnectionsPerKey });
      }
    }
    expect(resolveOptions({ keyOf: undefined }).keyOf).toBe('ip');
  });

  it('take 0 for never, and Infinity for no limit', () => {
    const given = { pingInterval: 0, idleTimeout: 0, handshakeTimeout: 0, maxBufferedAmount: Infinity };
    expect(resolveOptions(given)).toMatchObject(given);
    expect(resolveOptions({ pongTimeout: 2 ** 31 - 1, maxConnections: 1 })).toMatchObject({ maxConnections: 1 });
  });

  it('bound the buffer at the high-water mark or above', () => {
    expect(resolveOptions({ highWaterMark: 1, maxBufferedAmount: 1 }).maxBufferedAmount).toBe(1);
    expect(() => resolveOptions({ highWaterMark: 2, maxBufferedAmount: 1 })).toThrow(refused(/highWaterMark \(2\)/));
  });

  it.each(['caseSensitive', 'strict'])('a route refuses %s unless it is a boolean', (name) => {
    for (const value of [0, 1, 'yes', {}]) {
      expect(() => resolveRouteOptions({ [name]: value })).toThrow(refused(new RegExp(`^${name} is `)));
    }
    for (const value of [true, false, undefined]) expect(() => resolveRouteOptions({ [name]: value })).not.toThrow();
  });

  it.each(['maxConns', 'bufersize', 'Buffersize', 'constructor', '__proto__', 'toString', ''])(
    'refuse the unknown name %p, and tell the known ones',
    (name) => {
      const options = JSON.parse(`{${JSON.stringify(name)}: 1}`) as object;
      expect(() => resolveOptions(options)).toThrow(
        refused(
          /^option is .*it is unknown( \(did you mean bufferSize\?\))?; the options are readDelimiter, .*asyncContext, log, name$/,
        ),
      );
      expect(() => resolveRouteOptions(options)).toThrow(
        refused(/asyncContext, log, name, convert, caseSensitive, strict$/),
      );
    },
  );

  it.each([
    ['maxPayload', 'bufferSize'],
    ['perMessageDeflate', 'compress'],
  ])('refuse %s of another library, and tell that it is called %s here', (name, here) => {
    expect(() => resolveOptions({ [name]: 1 })).toThrow(
      refused(new RegExp(`^option is '${name}': it is called ${here} here$`)),
    );
  });

  it('a route without a path refuses the options of a path', () => {
    for (const name of ['convert', 'caseSensitive', 'strict']) {
      const refusal = refused(new RegExp(`^option is '${name}': it is only for a route with a path`));
      expect(() => resolveOptions({ [name]: undefined })).toThrow(refusal);
    }
  });

  it.each([null, 5, 'options', true, undefined, () => 1])('may not be %p', (options) => {
    expect(() => resolveOptions(options as unknown as object)).toThrow(TypeError);
  });
});
