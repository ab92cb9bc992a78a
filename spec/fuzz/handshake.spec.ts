/**
 * Whatever a handshake says: it is accepted if and only if it is what RFC 6455 section 4.2.1 asks for, else refused by a status that
 * is documented; nothing is ever thrown; and over a socket any bytes have an answer of HTTP, or the end of the connection.
 */
import { createHash } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';
import { connect } from 'node:net';
import fc from 'fast-check';
import * as ws from 'ws';
import { upgradeListener, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { challengeResponse } from '../../lib/upgrade/draft76.js';
import { parseExtensions } from '../../lib/upgrade/extensions.js';
import { type HandshakeRequest, negotiate } from '../../lib/upgrade/handshake.js';
import { compileOrigins, originRefusalText } from '../../lib/upgrade/origins.js';
import { parseSubprotocols } from '../../lib/upgrade/subprotocols.js';
import { KEY } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';
import { expectSame, times, timesOverSockets } from './settings.js';
import { byteMutation, cut, few, mutateBytes, sizes } from './streams.js';

/** Texts of headers, as Node gives them: a character a byte. */
const latin1 = (maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ maxLength }).map((bytes) =>
    Buffer.from(bytes)
      .toString('latin1')
      .replaceAll(/[\0\r\n]/g, ' '),
  );

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
  it('is read as by ws, but for blanks around what separates them', () => {
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
          expectSame(ours.extensions, readByWs(withoutBlanks(value)).extensions);
        } else expectSame(ours.extensions, theirs.extensions);
        if (ours.subprotocols !== undefined && theirs.subprotocols === undefined) {
          expectSame(ours.subprotocols, readByWs(withoutBlanks(value)).subprotocols);
        } else expectSame(ours.subprotocols, theirs.subprotocols);
        if (theirs.extensions !== undefined) agreed++;
      }),
      times(5000),
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

function readByWs(value: string): { extensions: unknown; subprotocols: string[] | undefined } {
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

function withoutBlanks(value: string): string {
  return value.replaceAll(/[ \t]*([,;=])[ \t]*/g, '$1').replaceAll(/^[ \t]+|[ \t]+$/g, '');
}

/** The headers of a handshake that is accepted. */
const GOOD = {
  host: 'example.com',
  upgrade: 'websocket',
  connection: 'keep-alive, Upgrade',
  'sec-websocket-version': '13',
  'sec-websocket-key': KEY,
  'sec-websocket-protocol': 'chat, superchat',
  'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits',
  origin: 'http://example.com',
};
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
const LIST_OF_EXTENSIONS = new RegExp(`^${EXTENSION}(,${EXTENSION})*$`);

/** Section 4.2.1 in other words than those of the library. */
function isHandshake(
  { method, httpVersionMajor, httpVersionMinor, headers, rawHeaders }: HandshakeRequest,
  oldToo: boolean,
): boolean {
  const has = (name: string, pattern: RegExp): boolean => pattern.test(String(headers[name] ?? ''));
  const names = String(headers['sec-websocket-protocol'] ?? 'none')
    .split(',')
    .map((name) => name.replaceAll(/^[ \t]+|[ \t]+$/g, ''));
  const isRequest =
    method === 'GET' &&
    has('upgrade', /(^|,)[ \t]*websocket[ \t]*(,|$)/i) &&
    has('connection', /(^|,)[ \t]*upgrade[ \t]*(,|$)/i) &&
    httpVersionMajor * 10 + httpVersionMinor >= 11 &&
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
    has('sec-websocket-key', /^[A-Za-z0-9+/]{21}[AQgw]==$/) &&
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
      times(4000),
    );
    // Otherwise nothing was tried.
    expect([...results]).toEqual(
      expect.arrayContaining(['version 13', 'version 8', 'key', 'extension', 'subprotocol', 'host', 'body']),
    );
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
          expect(page).toMatch(/^https?:\/\/[^/?#@\\,\s]+$/i);
          expect(url.host).toBe(new URL(`${url.protocol}//${host}`).host);
          if (secure) expect(url.protocol).toBe('https:');
        }
        expect(originRefusalText(page, host)).toMatch(/^[\x20-\x7e]+$/);
      }),
      times(2000),
    );
    expect(allowed).toBeGreaterThan(0);
  });

  it('of draft-76 has an answer, or none', () => {
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
      times(1000),
    );
    expect(answered).toBeGreaterThan(0);
  });
});

/** What is done to the lines of a request. */
const lineChange = fc.record({
  kind: fc.constantFrom('drop', 'double', 'swap', 'replace', 'insert'),
  at: fc.nat(20),
  line: fc.oneof(
    latin1(40),
    fc.constantFrom(
      ...[
        'GET /a HTTP/1.1',
        'GET / HTTP/1.0',
        'GET http://h/x HTTP/1.1',
        'POST / HTTP/1.1',
        'Content-Length: 5',
        'Expect: 100-continue',
      ],
      ...[
        'Transfer-Encoding: chunked',
        'Upgrade: h2c',
        'Connection: close',
        'Sec-WebSocket-Version: 8',
        ': x',
        '',
        'X: y\0z',
      ],
      ...[`X: ${'a'.repeat(20_000)}`, 'Origin: http://evil.example', 'Sec-WebSocket-Extensions: a;b="\\', 'Host:'],
    ),
  ),
});

const FRAMES = Buffer.from('818537fa213d7f9f4d5158888000000000', 'hex');
const RFC6455 = ['GET /ws HTTP/1.1', ...Object.entries(GOOD).map(([name, value]) => `${name}: ${value}`)];
const DRAFT76 = [
  ...[
    'GET /ws HTTP/1.1',
    'Host: example.com',
    'Connection: Upgrade',
    'Upgrade: WebSocket',
    'Origin: http://example.com',
  ],
  ...['Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5', 'Sec-WebSocket-Key2: 12998 5 Y3 1  .P00'],
];

const requestBytes = fc
  .tuple(
    fc.constantFrom(
      { lines: RFC6455, body: FRAMES },
      { lines: DRAFT76, body: Buffer.from('^n:ds[4U\0hi\xff\xff\0', 'latin1') },
    ),
    few(lineChange),
    few(byteMutation),
    fc.boolean(),
  )
  .map(([{ lines, body }, changes, mutations, hasBody]) => {
    const all = [...lines];
    for (const { kind, at, line } of changes) {
      const place = at % (all.length || 1);
      if (kind === 'drop') all.splice(place, 1);
      else if (kind === 'double') all.splice(place, 0, all[place] ?? '');
      else if (kind === 'swap') all.splice(place, 2, ...all.slice(place, place + 2).reverse());
      else all.splice(place, kind === 'insert' ? 0 : 1, line);
    }
    const head = Buffer.from(`${all.join('\r\n')}\r\n\r\n`, 'latin1');
    return mutateBytes(hasBody ? Buffer.concat([head, body]) : head, mutations);
  });

/** All that comes back for these bytes, until the connection is over. */
async function answerTo({ port }: Running, bytes: Buffer, lengths: readonly number[]): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  socket.on('error', () => {});
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const gone = new Promise((resolve) => socket.once('close', resolve));
  for (const chunk of cut(bytes, lengths)) {
    if (!socket.writable) break;
    await new Promise((resolve) => socket.write(chunk, resolve));
  }
  socket.end();
  await gone;
  return Buffer.concat(chunks);
}

describe.each([
  ['the request door', (app: RequestListener) => createServer(app)],
  [
    'the upgrade door',
    (app: RequestListener) => {
      const server = createServer(app);
      server.on('upgrade', upgradeListener(app));
      return server;
    },
  ],
])('%s', (_name, makeServer) => {
  let blamed: unknown[];
  let logged: jest.SpyInstance;
  const blame = (error: unknown): void => void blamed.push(error);
  beforeEach(() => {
    blamed = [];
    logged = jest.spyOn(console, 'error').mockImplementation((...args: unknown[]) => void blamed.push(args));
    for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, blame);
  });
  afterEach(() => {
    logged.mockRestore();
    for (const event of ['uncaughtException', 'unhandledRejection']) process.off(event, blame);
  });

  it('answers any bytes by HTTP, or ends the connection', async () => {
    const opened: IncomingMessage[] = [];
    class Opening extends WebSocketHandler<{ args: [unknown, IncomingMessage] }> {
      override onConnect(_params: unknown, request: IncomingMessage): void {
        opened.push(request);
      }
      override onRead(data: string | Buffer): void {
        this.write(data);
      }
    }
    const app = websocketRoute(Opening, {
      allowOldHandshake: true,
      compress: true,
      subprotocols: ['chat'],
      pingInterval: 0,
    });
    const server = await serve(makeServer(app));
    const statuses = new Set<number>();
    await fc.assert(
      fc.asyncProperty(requestBytes, sizes, async (bytes, lengths) => {
        opened.length = 0;
        const answer = await answerTo(server, bytes, lengths);
        expect(blamed).toEqual([]);
        if (answer.length === 0) return;
        const head = answer.toString('latin1', 0, answer.indexOf('\r\n\r\n'));
        const status = Number(/^HTTP\/1\.1 ([1-5][0-9]{2}) /.exec(head)?.[1]);
        expect([100, 101, 400, 403, 404, 405, 408, 417, 426, 431]).toContain(status);
        statuses.add(status);
        const [asked] = opened;
        if (status !== 101 || asked === undefined) return;
        const key = asked.headers['sec-websocket-key'];
        const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
        if (asked.headers['sec-websocket-version'] !== undefined)
          expect(head).toContain(`\r\nSec-WebSocket-Accept: ${accept}`);
      }),
      timesOverSockets(300),
    );
    expect([...statuses]).toEqual(expect.arrayContaining([101, 400, 403, 426]));
  });
});
