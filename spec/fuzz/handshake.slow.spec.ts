/**
 * Whatever a handshake says: it is accepted if and only if it is what RFC 6455 section 4.2.1 asks for, else refused by a status that
 * is documented; and nothing is ever thrown.
 */
import { type IncomingMessage, validateHeaderName, validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import * as ws from 'ws';
import { challengeResponse } from '../../lib/handshake/draft76/draft76.js';
import { type HandshakeRequest, negotiate } from '../../lib/handshake/negotiate.js';
import { parseExtensions } from '../../lib/handshake/request/extensions.js';
import { compileOrigins, originRefusalText } from '../../lib/handshake/request/origins.js';
import { parseSubprotocols } from '../../lib/handshake/request/subprotocols.js';
import { expectSame } from '../support/expect-same.js';
import { GOOD, latin1 } from './headers.js';
import { times } from './settings.js';
import { byteMutation, few, mutateBytes } from './streams.js';

/** A text, mutated as bytes are. */
function nearly(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(texts, few(byteMutation)).map(([text, changes]) =>
    mutateBytes(Buffer.from(text, 'latin1'), changes)
      .toString('latin1')
      .replaceAll(/[\0\r\n]/g, ' '),
  );
}

const offers = fc.constantFrom(
  'permessage-deflate',
  'permessage-deflate; client_max_window_bits',
  'permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate',
  'permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits="12"',
  'a;b=c; d="e\\f", g ; h\t= i,__proto__',
);
const subprotocols = fc.constantFrom('chat', 'chat, superchat', 'v10.stomp,\tv11.stomp', '__proto__, constructor');
const origin = fc.oneof(
  {
    arbitrary: nearly(
      fc.constantFrom(
        'http://example.com',
        'https://example.com:8443',
        'http://[::1]:80',
        'null',
        'moz-extension://abc',
        'wss://example.com',
      ),
    ),
    weight: 4,
  },
  { arbitrary: fc.webUrl(), weight: 1 },
  { arbitrary: latin1(30), weight: 1 },
);
const host = fc.oneof(
  {
    arbitrary: nearly(fc.constantFrom('example.com', 'example.com:80', 'example.com:8443', '[::1]', 'EXAMPLE.com')),
    weight: 4,
  },
  { arbitrary: latin1(20), weight: 1 },
);

describe('what clients offer', () => {
  it('is read as by ws, but for blanks around what separates them, and for empty elements', () => {
    const elements = fc.oneof(
      nearly(offers),
      nearly(subprotocols),
      fc.stringMatching(/^[a;=, "\\\t]{0,12}$/),
      latin1(20),
    );
    let agreed = 0;
    fc.assert(
      fc.property(elements, (value) => {
        const ours = { extensions: grouped(parseExtensions(value)), subprotocols: parseSubprotocols(value) };
        const theirs = readByWs(value);
        if (ours.extensions !== undefined && theirs.extensions === undefined) {
          // RFC 6455 section 9.1 has "the 'implied *LWS rule'" of RFC 2616: blanks may stand between any two tokens.
          expectSame(ours.extensions, readByWs(tidied(value)).extensions);
        } else expectSame(ours.extensions, theirs.extensions);
        if (ours.subprotocols !== undefined && theirs.subprotocols === undefined) {
          expectSame(ours.subprotocols, readByWs(tidied(value)).subprotocols);
        } else expectSame(ours.subprotocols, theirs.subprotocols);
        if (theirs.extensions !== undefined) agreed++;
      }),
      times(3000),
    );
    expect(agreed).toBeGreaterThan(0);
  });
});

/** By name, as `ws` has them; in the order of the names, since those that are numbers come first there. */
function grouped(offers: ReturnType<typeof parseExtensions>): unknown {
  if (offers === undefined) return undefined;
  const byName = new Map<string, [string, (string | true)[]][][]>();
  for (const { name, params } of offers) {
    const values = new Map<string, (string | true)[]>();
    for (const { name, value = true } of params) values.set(name, [...(values.get(name) ?? []), value]);
    byName.set(name, [...(byName.get(name) ?? []), [...values]]);
  }
  return [...byName].sort(byFirst).map(([name, all]) => [name, all.map((one) => one.sort(byFirst))]);
}

function byFirst([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}

/** Of a list without any element `ws` would say that it is malformed. */
function readByWs(value: string): { extensions: unknown; subprotocols: string[] | undefined } {
  if (value === '') return { extensions: [], subprotocols: [] };
  const parse = (name: 'extension' | 'subprotocol'): unknown => {
    const parser: unknown = Reflect.get(ws, name);
    if (typeof parser !== 'object' || parser === null) throw new Error(`ws exports no ${name} any more`);
    const run: unknown = Reflect.get(parser, 'parse');
    if (typeof run !== 'function') throw new Error(`ws has no ${name}.parse any more`);
    try {
      return run(value);
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  };
  const extensions = parse('extension');
  const names = parse('subprotocol');
  return {
    extensions:
      typeof extensions === 'object' && extensions !== null
        ? Object.entries(extensions)
            .sort(byFirst)
            .map(([name, all]: [string, object[]]) => [name, all.map((one) => Object.entries(one).sort(byFirst))])
        : undefined,
    subprotocols: names instanceof Set ? [...names] : undefined,
  };
}

/** Without the blanks around what separates the parts, and without the empty elements, which RFC 9110 section 5.6.1.2 ignores. */
function tidied(value: string): string {
  const tight = value.replaceAll(/[ \t]*([,;=])[ \t]*/g, '$1').replaceAll(/^[ \t]+|[ \t]+$/g, '');
  return tight.replaceAll(/,+/g, ',').replaceAll(/^,|,$/g, '');
}

const OTHERS = {
  'content-length': '0',
  'transfer-encoding': 'chunked',
  'sec-websocket-key1': '4 @1  46546xW%0l 1 5',
  'sec-websocket-key2': '12998 5 Y3 1  .P00',
  'sec-websocket-origin': 'http://example.com',
};

const headerChange = fc.oneof(
  {
    arbitrary: fc.record({
      name: fc.constantFrom(...Object.keys({ ...GOOD, ...OTHERS })),
      value: fc.constant(undefined),
    }),
    weight: 2,
  },
  { arbitrary: fc.constantFrom(...Object.entries(OTHERS)).map(([name, value]) => ({ name, value })), weight: 1 },
  {
    arbitrary: fc
      .constantFrom(...Object.entries({ ...GOOD, ...OTHERS }))
      .chain(([name, value]) => nearly(fc.constant(value)).map((changed) => ({ name, value: changed }))),
    weight: 6,
  },
  {
    arbitrary: fc.record({
      name: fc.constantFrom(...Object.keys({ ...GOOD, ...OTHERS })),
      value: fc.oneof(
        latin1(20),
        fc.constantFrom('8', '0', '255', '256', '013', 'websocket', 'Upgrade', 'chat,chat', ''),
      ),
    }),
    weight: 2,
  },
);

const request: fc.Arbitrary<HandshakeRequest> = fc
  .record({
    method: fc.oneof(
      { arbitrary: fc.constant('GET'), weight: 9 },
      { arbitrary: fc.constantFrom('POST', 'get', 'HEAD'), weight: 1 },
    ),
    version: fc.oneof(
      { arbitrary: fc.constant([1, 1] as const), weight: 9 },
      { arbitrary: fc.constantFrom([1, 0] as const, [2, 0] as const), weight: 1 },
    ),
    changes: few(headerChange),
    hosts: fc.oneof({ arbitrary: fc.constant(1), weight: 9 }, { arbitrary: fc.constant(2), weight: 1 }),
  })
  .map(({ method, version: [httpVersionMajor, httpVersionMinor], changes, hosts }) => {
    const headers: Record<string, string | undefined> = { ...GOOD };
    for (const { name, value } of changes) headers[name] = value;
    const rawHeaders = new Array<string[]>(hosts).fill(['HOST', headers['host'] ?? '']).flat();
    return { method, httpVersionMajor, httpVersionMinor, headers, rawHeaders };
  });

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const BLANKS = '[ \\t]*';
const PARAM = `;${BLANKS}${TOKEN}${BLANKS}(=${BLANKS}(${TOKEN}|"(\\\\?[!#$%&'*+\\-.^_\`|~0-9A-Za-z])+")${BLANKS})?`;
const EXTENSION = `${BLANKS}${TOKEN}${BLANKS}(${PARAM})*`;
const ELEMENT = `(${EXTENSION}|${BLANKS})`;
const LIST_OF_EXTENSIONS = new RegExp(`^${ELEMENT}(,${ELEMENT})*$`);

/** Section 4.2.1 in other words than those of the library. */
function isHandshake(
  { method, httpVersionMajor, httpVersionMinor, headers, rawHeaders }: HandshakeRequest,
  oldToo: boolean,
): boolean {
  const has = (name: string, pattern: RegExp): boolean => pattern.test(String(headers[name] ?? ''));
  const names = String(headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((name) => name.replaceAll(/^[ \t]+|[ \t]+$/g, ''))
    .filter((name) => name !== '');
  const isRequest =
    method === 'GET' &&
    has('upgrade', /(^|,)[ \t]*websocket[ \t]*(,|$)/i) &&
    has('connection', /(^|,)[ \t]*upgrade[ \t]*(,|$)/i) &&
    httpVersionMajor === 1 &&
    httpVersionMinor === 1 &&
    has('content-length', /^0?$/) &&
    (headers['content-length'] === undefined || headers['content-length'] === '0') &&
    headers['transfer-encoding'] === undefined &&
    has('host', /./) &&
    rawHeaders?.length === 2 &&
    names.every((name) => new RegExp(`^${TOKEN}$`).test(name)) &&
    new Set(names).size === names.length;
  if (!isRequest) return false;
  if (headers['sec-websocket-version'] === undefined) {
    return oldToo && headers['sec-websocket-key1'] !== undefined && headers['sec-websocket-key2'] !== undefined;
  }
  return (
    has('sec-websocket-version', /^(13|8)$/) &&
    has('sec-websocket-key', /^[A-Za-z0-9+/]{22}==$/) &&
    (headers['sec-websocket-extensions'] === undefined || has('sec-websocket-extensions', LIST_OF_EXTENSIONS))
  );
}

describe('a handshake', () => {
  it('is accepted if it is one, and refused if not', () => {
    const results = new Set<string>();
    fc.assert(
      fc.property(request, fc.boolean(), (asked, allowOldHandshake) => {
        const result = negotiate(asked, { allowOldHandshake });
        expect({ asked, accepted: 'accept' in result }).toEqual({
          asked,
          accepted: isHandshake(asked, allowOldHandshake),
        });
        results.add('accept' in result ? `version ${result.version}` : result.reason);
        if ('accept' in result) return;
        expect([400, 405, 426]).toContain(result.status);
        for (const [name, value] of Object.entries(result.headers)) {
          validateHeaderName(name);
          validateHeaderValue(name, String(value));
        }
      }),
      times(2500),
    );
    // Otherwise nothing was tried.
    expect([...results]).toEqual(expect.arrayContaining(['version 13', 'key', 'extension']));
  });

  it('has an origin that is the same only if it names the same host', () => {
    const check = compileOrigins();
    let allowed = 0;
    fc.assert(
      fc.property(origin, host, fc.boolean(), (page, host, secure) => {
        // The default policy asks nobody, so that there is no request to look at.
        const isAllowed = check(page, { secure, host, request: {} as IncomingMessage });
        expect(typeof isAllowed).toBe('boolean');
        if (isAllowed) {
          allowed++;
          const url = new URL(page);
          expect(page).toMatch(/^(https?|wss?):\/\/[^/?#@\\,\s]+$/i);
          expect(url.host).toBe(new URL(`${url.protocol}//${host}`).host);
          if (secure) expect(url.protocol).not.toBe('http:');
        }
        expect(originRefusalText(page, host)).toMatch(/^[\x20-\x7e]+$/);
      }),
      times(1500),
    );
    expect(allowed).toBeGreaterThan(0);
  });

  it('a draft-76 handshake has an answer, or none', () => {
    const keys = nearly(
      fc.constantFrom('4 @1  46546xW%0l 1 5', '12998 5 Y3 1  .P00', '3e6b263  4 17 80', '4294967295 0'),
    );
    let answered = 0;
    fc.assert(
      fc.property(keys, keys, fc.uint8Array({ minLength: 8, maxLength: 8 }), (key1, key2, key3) => {
        const answer = challengeResponse(key1, key2, key3);
        if (answer !== undefined) answered++;
        expect(answer === undefined || answer.length === 16).toBe(true);
      }),
      times(500),
    );
    expect(answered).toBeGreaterThan(0);
  });
});
