import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { compileOrigins, originRefusalText } from '../../../lib/handshake/request/origins.js';

const request = new IncomingMessage(new Socket());

function allows(policy: unknown, origin: string | undefined, host: string | undefined = 'example.com', secure = false) {
  return compileOrigins(policy)(origin, { secure, host, request });
}

const NO_ORIGINS = [
  '',
  'example.com',
  '//example.com',
  'https:example.com',
  'https:/example.com',
  'https:///example.com',
  'https://',
  'https://example.com/',
  'https://example.com/path',
  'https://example.com?q',
  'https://example.com#f',
  'https://example.com\\',
  'https:\\\\example.com',
  'https://example.com@evil.com',
  'https://evil.com@example.com',
  'https://user:pw@example.com',
  'https://example.com, https://example.com',
  'https://example.com https://example.com',
  'https://example.com,https://evil.com',
  ' https://example.com',
  'https://example.com ',
  'https://exam\tple.com',
  'https://exam\nple.com',
  'https://example.com:99999',
  'https://example.com:x',
  'https://[::1',
  'blob:https://example.com',
  'file:///',
  'capacitor:localhost',
  'about:blank',
  'data:text/html,x',
  'https://example.com%00',
  '\xff\xfe',
  '__proto__',
  'constructor',
];

const OTHERS = [
  'null',
  'file://',
  'capacitor://localhost',
  'ionic://',
  'capacitor://example.com',
  'https://evil-example.com',
  'https://example.com.evil.com',
  'https://example.com.',
  'https://sub.example.com',
  'https://example.co',
  'https://example.com:8443',
  'http://example.com:8080',
  'http://example.com:443',
  'https://example.com:80',
  'https://exаmple.com',
  'chrome-extension://example.com',
  'ftp://example.com',
  'javascript://example.com',
  'file://example.com',
  'ws://evil.com',
  'wss://example.com:8443',
  'ws://example.com:443',
  'wss://example.com@evil.com',
  'wss://example.com/',
];

describe("origins: 'same-origin'", () => {
  it('is the default', () => {
    expect(allows(undefined, 'https://example.com')).toBe(true);
    expect(allows(undefined, 'https://evil.com')).toBe(false);
  });

  it('lets clients connect that are no browsers', () => {
    expect(allows('same-origin', undefined)).toBe(true);
    expect(allows('same-origin', undefined, undefined)).toBe(true);
  });

  it.each([
    ['https://example.com', 'example.com'],
    ['http://example.com', 'example.com'],
    ['https://EXAMPLE.com', 'Example.COM'],
    ['https://example.com', 'example.com:443'],
    ['https://example.com:443', 'example.com'],
    ['http://example.com', 'example.com:80'],
    ['http://localhost:3000', 'localhost:3000'],
    ['http://[::1]:3000', '[0:0::1]:3000'],
    ['https://bücher.example', 'xn--bcher-kva.example'],
    ['https://xn--bcher-kva.example', 'bücher.example'],
    ['https://example.com.', 'example.com.'],
  ])('lets %p connect to %p', (origin, host) => {
    expect(allows('same-origin', origin, host)).toBe(true);
  });

  it.each([...NO_ORIGINS, ...OTHERS])('refuses %p', (origin) => {
    expect(allows('same-origin', origin)).toBe(false);
  });

  it.each([
    undefined,
    '',
    'example.com/',
    'x@example.com',
    'example.com, example.com',
    'example.com:x',
    'example.com#',
    ' ',
  ])('refuses everybody where the host is %p', (host) => {
    expect(compileOrigins('same-origin')('https://example.com', { secure: false, host, request })).toBe(false);
  });

  it('does not take the host of one port for that of another', () => {
    expect(allows('same-origin', 'https://example.com', 'example.com:80')).toBe(false);
    expect(allows('same-origin', 'http://example.com', 'example.com:443')).toBe(false);
  });

  it('wants an https page where the client may speak TLS', () => {
    expect(allows('same-origin', 'https://example.com', 'example.com', true)).toBe(true);
    expect(allows('same-origin', 'http://example.com', 'example.com', true)).toBe(false);
  });

  it.each([
    ['ws://example.com', 'example.com'],
    ['ws://example.com', 'example.com:80'],
    ['wss://example.com', 'example.com:443'],
    ['WSS://Example.com:443', 'example.com'],
    ['ws://192.168.0.7:8080', '192.168.0.7:8080'],
    ['ws://[::1]:3000', '[0:0::1]:3000'],
  ])('lets %p connect to %p: no page sends that', (origin, host) => {
    for (const secure of [false, true]) expect(allows('same-origin', origin, host, secure)).toBe(true);
  });
});

describe("origins: '*'", () => {
  it.each([undefined, ...NO_ORIGINS, ...OTHERS])('lets %p connect', (origin) => {
    expect(allows('*', origin)).toBe(true);
  });
});

describe('origins: a list', () => {
  it.each([
    ['https://example.com', 'https://example.com'],
    ['HTTPS://Example.com:443', 'https://example.com'],
    ['https://example.com', 'https://example.com:443'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['chrome-extension://AbCd', 'chrome-extension://abcd'],
    ['app://-', 'app://-'],
    ['capacitor://localhost', 'capacitor://localhost'],
    ['Ionic://LocalHost', 'ionic://localhost'],
    ['ionic://', 'ionic://'],
    ['file://', 'file://'],
    ['null', 'null'],
    ['wss://example.com', 'wss://example.com:443'],
  ])('a list of %p lets %p connect', (entry, origin) => {
    expect(allows(['https://other.example', entry], origin)).toBe(true);
  });

  it.each([...NO_ORIGINS, ...OTHERS, 'http://example.com', 'chrome-extension://abcd'])('refuses %p', (origin) => {
    expect(allows(['https://example.com', 'chrome-extension://other'], origin)).toBe(false);
  });

  it.each(['capacitor://localhost', 'file://', 'null', 'https://app.example.com'])(
    "a list of 'same-origin' and %p lets both connect, and no other origin",
    (entry) => {
      for (const list of [
        ['same-origin', entry],
        [entry, 'same-origin'],
      ]) {
        expect(allows(list, entry)).toBe(true);
        expect(allows(list, 'https://example.com')).toBe(true);
        expect(allows(list, 'http://example.com', 'example.com', true)).toBe(false);
        expect(allows(list, 'wss://example.com')).toBe(true);
        for (const other of [...NO_ORIGINS, ...OTHERS]) {
          expect([other, allows(list, other)]).toEqual([other, other === entry]);
        }
      }
    },
  );

  it('takes the opaque origin for nothing but itself', () => {
    expect(allows(['null'], 'app://x')).toBe(false);
    expect(allows(['app://x'], 'null')).toBe(false);
    expect(allows(['null'], 'NULL')).toBe(false);
    expect(allows(['null'], 'same-origin')).toBe(false);
    expect(allows(['same-origin'], 'same-origin')).toBe(false);
  });

  it('asks no Origin of who has none, and of nobody else forgives it', () => {
    expect(allows([], undefined)).toBe(true);
    expect(allows([], 'https://example.com')).toBe(false);
  });

  it('is what it was when it was checked', () => {
    const list = ['https://example.com'];
    const check = compileOrigins(list);
    list[0] = 'https://evil.com';
    expect(check('https://evil.com', { secure: false, host: undefined, request })).toBe(false);
  });

  it.each<[unknown]>([
    [['*']],
    [['https://*.example.com']],
    [['Same-Origin']],
    [[['same-origin']]],
    [[/example/]],
    [[undefined]],
    [new Array<unknown>(1)],
    ...NO_ORIGINS.map((origin): [unknown] => [[origin]]),
  ])('does not take %p', (policy: unknown) => {
    expect(() => compileOrigins(policy)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_WS_INVALID_OPTION',
        message: expect.stringContaining("use 'https://example.com'"),
      }),
    );
  });
});

describe('origins: a function', () => {
  it('is asked with the origin as it came, and with the request', () => {
    const policy = jest.fn(() => true);
    expect(allows(policy, 'null')).toBe(true);
    expect(policy).toHaveBeenCalledWith('null', request);
  });

  it('is not asked of who has no Origin', () => {
    const policy = jest.fn(() => false);
    expect(allows(policy, undefined)).toBe(true);
    expect(policy).not.toHaveBeenCalled();
  });

  it.each([false, undefined, null, 1, 'yes', {}])('refuses by returning %p', async (verdict) => {
    expect(allows(() => verdict, 'https://example.com')).toBe(false);
    await expect(allows(async () => verdict, 'https://example.com')).resolves.toBe(false);
  });

  it('may be async', async () => {
    await expect(allows(async () => true, 'https://example.com')).resolves.toBe(true);
    // biome-ignore lint/suspicious/noThenProperty: a promise of another library
    const foreign = { then: (resolve: (verdict: boolean) => void) => resolve(true) };
    await expect(allows(() => foreign, 'https://example.com')).resolves.toBe(true);
  });

  it('may fail', async () => {
    await expect(allows(async () => Promise.reject(new Error('db')), 'https://a.example')).rejects.toThrow('db');
  });
});

describe('compileOrigins', () => {
  it.each(['https://example.com', '', 'any', true, false, null, 7, {}, /x/])(
    'does not take %p for a policy',
    (policy) => {
      expect(() => compileOrigins(policy)).toThrow(
        expect.objectContaining({
          name: 'TypeError',
          code: 'ERR_WS_INVALID_OPTION',
          message: expect.stringMatching(/^origins is .*: use 'same-origin'/),
        }),
      );
    },
  );

  it.each([',', ' ', '"', '\\', '[', '%', 'a.', ':', '/', '@', '\xfc'])('reads 1 MiB of %p to its end', (fill) => {
    const check = compileOrigins('same-origin');
    // A check that goes back would not end within the time a test has.
    const text = fill.repeat((1 << 20) / fill.length);
    expect(check(`https://${text}`, { secure: false, host: `${text}.com`, request })).toBe(false);
    expect(check(text, { secure: false, host: `${text}:443`, request })).toBe(false);
  });
});

describe('originRefusalText', () => {
  it('says how to allow the origin', () => {
    expect(originRefusalText('https://a.example', 'b.example')).toBe(
      'The origin "https://a.example" may not open a WebSocket on "b.example". ' +
        "If it should, allow it in the options of the route: origins: ['same-origin', 'https://a.example']",
    );
  });

  it.each(['https://a.example', 'capacitor://localhost', 'file://', 'null'])(
    'the text for %s names a list that admits it and pages of the same origin',
    (origin) => {
      const [, list = ''] = /origins: \[(.*?)\]/.exec(originRefusalText(origin, 'b.example')) ?? [];
      const policy = list.split(', ').map((entry) => entry.slice(1, -1));
      expect(allows(policy, origin, 'b.example')).toBe(true);
      expect(allows(policy, 'https://b.example', 'b.example')).toBe(true);
    },
  );

  it('warns of the origin that everybody can have', () => {
    expect(originRefusalText('null', undefined)).toMatch(/every sandboxed frame of any page sends this one\.$/);
  });

  it('says so for what no list can hold', () => {
    expect(originRefusalText('example.com', undefined)).toBe(
      'The origin "example.com" may not open a WebSocket here. If it should, allow it in the options of the route: ' +
        "origins: (origin) => origin === 'example.com' || isOurs(origin)",
    );
  });

  it('reflects no control characters, breaks out of no quotes, and stays short', () => {
    const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('');
    const text = originRefusalText(all, `${all}\u2028'"`);
    expect(text).toMatch(/^[\x20-\x7e]+$/);
    expect(text).toContain('\\u0000\\u0001');
    expect(text).toContain('\\u007f\\u0080');
    expect(text).toContain('\\"#');
    expect(text).toContain("\\'(");
    expect(originRefusalText('\0'.repeat(16384), '\0'.repeat(16384)).length).toBeLessThan(5000);
  });
});
