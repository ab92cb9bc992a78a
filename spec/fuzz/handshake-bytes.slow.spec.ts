/**
 * Whatever bytes come where a handshake is awaited, by either door: there is an answer of HTTP, or the end of the connection, and
 * never an exception, or an error that is reported as one of ours.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import fc from 'fast-check';
import { upgradeListener, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { type Running, serve } from '../support/server.js';
import { GOOD, latin1 } from './headers.js';
import { timesOverSockets } from './settings.js';
import { byteMutation, cut, few, mutateBytes, sizes } from './streams.js';

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

/**
 * The head of an answer, without what depends on when it was given. Not what follows: at the request door Node drops frames that come
 * in one piece with the request, which no client may send (RFC 6455 section 4.1).
 */
function headOf(answer: Buffer): string {
  return answer.toString('latin1', 0, answer.indexOf('\r\n\r\n')).replaceAll(/\r\nDate: [^\r]*/gi, '');
}

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
        const whole = await answerTo(server, bytes, [bytes.length]);
        expect(blamed).toEqual([]);
        if (answer.length === 0) return;
        // A reset may overtake what was said before it.
        const head = headOf(answer);
        if (whole.length > 0) expect(head).toBe(headOf(whole));
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
      timesOverSockets(150),
    );
    expect([...statuses]).toEqual(expect.arrayContaining([101, 400]));
  });
});
