import { type Accepting, type HandshakeRequest, isUpgradeRequest, negotiate } from '../../lib/handshake/negotiate.js';
import type { PlainRefusal } from '../../lib/handshake/refusal.js';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const GOOD = {
  host: 'server.example.com',
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-key': KEY,
  'sec-websocket-version': '13',
};
const OLD = {
  host: 'example.com',
  upgrade: 'WebSocket',
  connection: 'Upgrade',
  'sec-websocket-key1': '4 @1  46546xW%0l 1 5',
  'sec-websocket-key2': '12998 5 Y3 1  .P00',
};

type Headers = Record<string, string | undefined>;

/** The sample handshake of RFC 6455 section 1.3, changed by `headers`; `undefined` takes one away. */
function request(headers: Headers = {}, rest: Partial<HandshakeRequest> = {}, base: Headers = GOOD): HandshakeRequest {
  return { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1, headers: { ...base, ...headers }, ...rest };
}

function judge(
  headers: Headers = {},
  rest: Partial<HandshakeRequest> = {},
  allowOldHandshake = false,
  base: Headers = GOOD,
): Accepting | PlainRefusal {
  return negotiate(request(headers, rest, base), { allowOldHandshake });
}

function accepted(result: Accepting | PlainRefusal): Accepting {
  if (!('accept' in result)) throw new Error(`refused: ${result.body}`);
  return result;
}

function refused(result: Accepting | PlainRefusal): PlainRefusal {
  if ('accept' in result) throw new Error('accepted');
  return result;
}

const UPGRADE_REQUIRED = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13' };

describe('RFC 6455 section 1.3, the sample handshake', () => {
  it('is accepted with the value the RFC computes', () => {
    expect(judge({ origin: 'http://example.com', 'sec-websocket-protocol': 'chat, superchat' })).toEqual({
      version: 13,
      accept: 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      subprotocols: ['chat', 'superchat'],
      extensions: [],
      origin: 'http://example.com',
    });
  });

  it('needs neither origin nor subprotocol', () => {
    expect(accepted(judge())).toMatchObject({ subprotocols: [], origin: undefined });
  });
});

describe('RFC 6455 section 4.2.1, 1: an HTTP/1.1 or higher GET request', () => {
  it.each(['POST', 'HEAD', 'OPTIONS', 'PUT', 'CONNECT', 'get', '', undefined])(
    'refuses the method %p with 405',
    (method) => {
      const refusal = refused(judge({}, { method }));
      expect(refusal).toMatchObject({ status: 405, reason: 'method', headers: { Allow: 'GET' } });
    },
  );

  it.each([
    [1, 0],
    [0, 9],
  ])('refuses HTTP/%i.%i with 400', (httpVersionMajor, httpVersionMinor) => {
    expect(judge({}, { httpVersionMajor, httpVersionMinor })).toMatchObject({ status: 400, reason: 'http-version' });
  });

  it('refuses HTTP/2, which has no Upgrade, with 426', () => {
    const refusal = judge({}, { httpVersionMajor: 2, httpVersionMinor: 0 });
    expect(refusal).toMatchObject({ status: 426, reason: 'http-version' });
  });

  it.each([
    { 'content-length': '1' },
    { 'content-length': '' },
    { 'content-length': '00' },
    { 'transfer-encoding': 'chunked' },
  ])('refuses a request with a body, %p', (headers) => {
    expect(judge(headers)).toMatchObject({ status: 400, reason: 'body' });
  });

  it('takes a length of zero for no body', () => {
    expect(accepted(judge({ 'content-length': '0' })).version).toBe(13);
  });
});

describe('RFC 6455 section 4.2.1, 2: a Host header', () => {
  it.each([undefined, ''])('refuses %p', (host) => {
    expect(judge({ host })).toMatchObject({ status: 400, reason: 'host' });
  });

  it('refuses two, of which Node shows the first', () => {
    expect(judge({}, { rawHeaders: ['Host', 'a', 'HOST', 'b'] })).toMatchObject({ status: 400, reason: 'host' });
    expect(accepted(judge({}, { rawHeaders: ['Host', 'a', 'X-Host', 'Host'] })).version).toBe(13);
  });
});

describe('RFC 6455 section 4.2.1, 3: an Upgrade header containing "websocket"', () => {
  it.each(['WebSocket', 'WEBSOCKET', 'h2c, websocket', ' \twebsocket\t ,foo', ',,websocket', 'websocket, '])(
    'finds it in %p',
    (upgrade) => {
      expect(accepted(judge({ upgrade })).version).toBe(13);
      expect(isUpgradeRequest(request({ upgrade }))).toBe(true);
    },
  );

  it.each([
    undefined,
    '',
    'h2c',
    'websocket/13',
    'websockets',
    'web socket',
    '"websocket"',
    'websocket\xa0',
    'websocket;q=1',
    '__proto__',
  ])('does not find it in %p, and answers 426', (upgrade) => {
    expect(judge({ upgrade })).toMatchObject({ status: 426, reason: 'not-an-upgrade', headers: UPGRADE_REQUIRED });
    expect(isUpgradeRequest(request({ upgrade }))).toBe(false);
  });
});

describe('RFC 6455 section 4.2.1, 4: a Connection header that includes the token "Upgrade"', () => {
  it.each(['upgrade', 'UPGRADE', 'keep-alive, Upgrade', 'Upgrade,close', 'upgrade,', ', ,\tUpgrade ,'])(
    'finds it in %p',
    (connection) => {
      expect(accepted(judge({ connection })).version).toBe(13);
    },
  );

  it.each([undefined, '', 'close', 'keep-alive', 'upgraded', 'up grade'])(
    'refuses %p and suspects the proxy',
    (connection) => {
      const refusal = refused(judge({ connection }));
      expect(refusal).toMatchObject({ status: 400, reason: 'connection' });
      expect(refusal.body.toString()).toContain('proxy_set_header Connection "upgrade"');
    },
  );
});

describe('RFC 6455 section 4.2.1, 5: a Sec-WebSocket-Key of 16 bytes in base64', () => {
  it.each([
    'AAAAAAAAAAAAAAAAAAAAAA==',
    'AAAAAAAAAAAAAAAAAAAAAQ==',
    '/////////////////////g==',
    '+++++++++++++++++++++w==',
    KEY,
    // The bits that are left over; the second is the example of section 4.1.
    'dGhlIHNhbXBsZSBub25jZR==',
    'AQIDBAUGBwgJCgsMDQ4PEC==',
  ])('takes %p', (key) => {
    expect(accepted(judge({ 'sec-websocket-key': key })).accept).toHaveLength(28);
  });

  it.each([
    undefined,
    '',
    'dGhlIHNhbXBsZSBub25jZQ',
    'dGhlIHNhbXBsZSBub25jZQ=',
    'dGhlIHNhbXBsZSBub25jZQ=A',
    'dGhlIHNhbXBsZSBub25jZQQ=',
    'dGhlIHNhbXBsZSBub25jZQAA',
    'dGhl HNhbXBsZSBub25jZQ==',
    '_-hlIHNhbXBsZSBub25jZQ==',
    '\xff\xfe\xfdlIHNhbXBsZSBub25jZQ==',
    `${KEY}, ${KEY}`,
    `"${KEY}"`,
    '========================',
    '__proto__',
  ])('refuses %p', (key) => {
    expect(judge({ 'sec-websocket-key': key })).toMatchObject({ status: 400, reason: 'key' });
  });
});

describe('RFC 6455 section 4.2.1, 6: a Sec-WebSocket-Version', () => {
  it.each(['0', '1', '7', '9', '12', '14', '99', '100', '255'])(
    'refuses %p with 426 and says which would do',
    (version) => {
      const refusal = refused(judge({ 'sec-websocket-version': version }));
      expect(refusal).toMatchObject({ status: 426, reason: 'version', headers: UPGRADE_REQUIRED });
    },
  );

  it.each([
    '',
    '13, 13',
    '13,8',
    '013',
    '+13',
    '-1',
    '1e1',
    '1.5',
    '0x8',
    '256',
    '999',
    '1234',
    'NaN',
    'x',
    '13 ',
    '١٣',
    '\xff',
  ])('refuses the malformed %p with 400', (version) => {
    const refusal = refused(judge({ 'sec-websocket-version': version }));
    expect(refusal).toMatchObject({ status: 400, reason: 'version', headers: { 'Sec-WebSocket-Version': '13' } });
    expect(refusal.headers).not.toHaveProperty('Upgrade');
  });

  it('refuses a missing one with 400', () => {
    const refusal = refused(judge({ 'sec-websocket-version': undefined }));
    expect(refusal).toMatchObject({ status: 400, reason: 'version', headers: { 'Sec-WebSocket-Version': '13' } });
  });

  it('speaks 8, whose origin has its own name', () => {
    const headers = { 'sec-websocket-version': '8', origin: 'http://b' };
    expect(judge({ ...headers, 'sec-websocket-origin': 'http://a' })).toMatchObject({
      version: 8,
      accept: 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      origin: 'http://a',
    });
    expect(judge(headers)).toMatchObject({ version: 8, origin: 'http://b' });
  });

  it('does not let version 13 name its origin so', () => {
    expect(judge({ origin: 'http://b', 'sec-websocket-origin': 'http://a' })).toMatchObject({ origin: 'http://b' });
    expect(judge({ 'sec-websocket-origin': 'http://a' })).toMatchObject({ origin: undefined });
  });
});

describe('RFC 6455 section 4.2.1, 7: an Origin header', () => {
  it('tells an empty one from none', () => {
    expect(judge({ origin: '' })).toMatchObject({ origin: '' });
  });
});

describe('RFC 6455 section 4.2.1, 8: a Sec-WebSocket-Protocol list', () => {
  it.each([
    ['', []],
    [',', []],
    ['a,', ['a']],
    [', a ,', ['a']],
    ['a,,b', ['a', 'b']],
  ])('ignores the empty elements of %j', (list, subprotocols) => {
    expect(judge({ 'sec-websocket-protocol': list })).toMatchObject({ version: 13, subprotocols });
    expect(judge({ 'sec-websocket-protocol': list }, {}, true, OLD)).toMatchObject({ version: 0, subprotocols });
  });

  it.each(['a, a', 'a,,a', 'a b', '"a"', 'a;b', 'ch\xe4t', '\x80', 'a\tb', 'a/b'])('refuses %p', (list) => {
    expect(judge({ 'sec-websocket-protocol': list })).toMatchObject({ status: 400, reason: 'subprotocol' });
  });

  it('has no special names', () => {
    expect(judge({ 'sec-websocket-protocol': '__proto__,constructor,toString' })).toMatchObject({
      subprotocols: ['__proto__', 'constructor', 'toString'],
    });
  });
});

describe('RFC 6455 section 4.2.1, 9: a Sec-WebSocket-Extensions list', () => {
  it.each([
    ['', []],
    [' , ', []],
    ['foo,', ['foo']],
    [',foo,, bar;baz=1', ['foo', 'bar']],
  ])('ignores the empty elements of %j', (list, names) => {
    const { extensions } = accepted(judge({ 'sec-websocket-extensions': list }));
    expect(extensions.map(({ name }) => name)).toEqual(names);
  });

  it.each(['foo;', 'foo;;bar', 'foo bar', 'foo;bar=', 'foo,;bar', 'foo;bar="'])('refuses %p', (list) => {
    expect(judge({ 'sec-websocket-extensions': list })).toMatchObject({ status: 400, reason: 'extension' });
  });
});

describe('draft-76', () => {
  it('is accepted where it is allowed', () => {
    expect(judge({ origin: 'http://example.com', 'sec-websocket-protocol': 'sample' }, {}, true, OLD)).toEqual({
      version: 0,
      accept: '',
      subprotocols: ['sample'],
      extensions: [],
      origin: 'http://example.com',
    });
  });

  it('is refused with 426 where it is not', () => {
    expect(judge({}, {}, false, OLD)).toMatchObject({ status: 426, reason: 'version', headers: UPGRADE_REQUIRED });
  });

  it.each(['sec-websocket-key1', 'sec-websocket-key2'])('is not what a request without %s speaks', (name) => {
    expect(judge({ [name]: undefined }, {}, true, OLD)).toMatchObject({ status: 400, reason: 'version' });
  });

  it('is not what a request with a version speaks', () => {
    expect(judge({ 'sec-websocket-version': '0' }, {}, true, OLD)).toMatchObject({ status: 426 });
    expect(judge({ 'sec-websocket-version': '13' }, {}, true, OLD)).toMatchObject({ status: 400, reason: 'key' });
  });

  it('has its subprotocols checked as well', () => {
    expect(judge({ 'sec-websocket-protocol': 'a, a' }, {}, true, OLD)).toMatchObject({
      status: 400,
      reason: 'subprotocol',
    });
  });
});

describe('hostile headers', () => {
  const NAMES = [...Object.keys(GOOD), ...Object.keys(OLD), 'origin', 'sec-websocket-origin', 'sec-websocket-protocol'];
  const FILLS = [',', ' ', '"', '\\', ', ', 'a,', '\t,', '\xff', 'websocket,', ' upgrade', '=', '1', '[', '%', '\0'];

  it('are judged, each full of 16 KiB of anything', () => {
    for (const name of new Set(NAMES)) {
      for (const fill of FILLS) {
        for (const allow of [true, false]) {
          const value = fill.repeat(16384 / fill.length);
          for (const base of [GOOD, OLD]) expect(typeof judge({ [name]: value }, {}, allow, base)).toBe('object');
        }
      }
    }
  });

  it('may be 2000', () => {
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`x-${i}`, ',']));
    const rawHeaders = Object.entries({ ...many, ...GOOD }).flat();
    expect(accepted(judge(many, { rawHeaders })).version).toBe(13);
    // Node drops what exceeds maxHeadersCount: then all of ours may be missing.
    expect(refused(judge(many, {}, false, {})).status).toBe(426);
  });

  it('may be called as Object.prototype calls its own', () => {
    const headers: Headers = JSON.parse(
      '{"__proto__": "x", "constructor": "y", "toString": "z", "hasOwnProperty": "q"}',
    );
    expect(accepted(judge(headers)).version).toBe(13);
    expect(refused(judge(headers, {}, false, {})).status).toBe(426);
  });

  it('may come as arrays', () => {
    const headers = { ...GOOD, 'sec-websocket-protocol': ['a', 'b'], 'sec-websocket-key': [KEY, KEY] };
    const twice: unknown = headers;
    expect(
      negotiate({ ...request(), headers: twice as HandshakeRequest['headers'] }, { allowOldHandshake: false }),
    ).toMatchObject({
      reason: 'key',
    });
  });
});
