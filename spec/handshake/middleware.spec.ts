/**
 * What is mounted before the route has run before the handshake is answered, and what it set goes out with the answer; what
 * the handshake answers is an ordinary response. All of it through both doors.
 */
import { createServer, type RequestListener } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createGzip, type Gzip } from 'node:zlib';
import express, { type Express, type Request, type RequestHandler } from 'express';
import session, { MemoryStore } from 'express-session';
import helmet from 'helmet';
import morgan from 'morgan';
import supertest from 'supertest';
import {
  type ConnectionOptions,
  HeaderError,
  InvalidStateError,
  type Refusal,
  type ResponseHeaders,
  upgradeListener,
  WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { text } from '../support/frames.js';
import { KEY, RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

/** The package has no types of its own. */
const cookieParser = require('cookie-parser') as () => RequestHandler;

declare module 'express-session' {
  interface SessionData {
    visits: number;
  }
}

const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': KEY,
};

class Echo extends WebSocketHandler {
  override onRead(data: string | Buffer): void {
    this.write(data);
  }
}

/** The connection works in both directions. */
async function expectEcho(client: RawClient): Promise<void> {
  client.send(text('still here'));
  expect(await client.nextText()).toBe('still here');
}

/** The errors that `console.error` is given. */
let logged: unknown[];
beforeEach(() => {
  logged = [];
  jest.spyOn(console, 'error').mockImplementation((_context: string, error: unknown) => void logged.push(error));
});
afterEach(() => jest.restoreAllMocks());

type OnHandshake = (this: WebSocketHandler, request: never, headers: ResponseHeaders) => unknown;

/** A handler whose `onHandshake` is this, and that remembers what happened to it. */
function handshaking(onHandshake: OnHandshake) {
  return class Handshaking extends Echo {
    static readonly connected: unknown[][] = [];
    static readonly errors: [error: unknown, hook: string][] = [];

    override onHandshake(request: never, headers: ResponseHeaders): boolean | Refusal {
      return onHandshake.call(this, request, headers) as boolean | Refusal;
    }

    override onConnect(...args: unknown[]): void {
      Handshaking.connected.push(args);
    }

    override onError(error: unknown, hook: string): void {
      Handshaking.errors.push([error, hook]);
    }
  };
}

const doors: [name: string, open: (app: Express) => Promise<Running>][] = [
  ['the request door', (app) => serve(app)],
  [
    'the upgrade door',
    async (app) => {
      const running = await serve(app);
      running.server.on('upgrade', upgradeListener(app));
      return running;
    },
  ],
];

describe.each(doors)('middleware before the route, by %s', (_door, open) => {
  it('has run before the 101 goes out, asynchronous middleware too', async () => {
    const order: string[] = [];
    const app = express();
    app.use(async (_req, _res, next) => {
      await delay(50);
      order.push('first');
      next();
    });
    app.use((_req, _res, next) => {
      setTimeout(() => {
        order.push('second');
        next();
      }, 50);
    });
    const Handler = handshaking(() => {
      order.push('onHandshake');
      return true;
    });
    app.use(websocketRoute('/ws', Handler));
    const server = await open(app);
    const client = await RawClient.open(server, '/ws');
    expect(order).toEqual(['first', 'second', 'onHandshake']);
    await expectEcho(client);
  });

  it('sets cookies and headers of the 101, beside those of onHandshake', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.cookie('from', 'middleware', { httpOnly: true });
      res.set('X-Middleware', 'yes');
      res.set('X-Both', 'middleware');
      next();
    });
    const Handler = handshaking((_request, headers) => {
      headers['SET-COOKIE'] = ['one=1', 'two=2'];
      headers['set-cookie'] = 'three=3';
      headers['X-Both'] = 'hook';
      headers['X-Number'] = 7;
      return true;
    });
    app.use(websocketRoute('/ws', Handler));
    const client = await RawClient.connect(await open(app));
    const { status, headers } = await client.handshake('/ws');
    expect(status).toBe(101);
    expect(headers['set-cookie']).toEqual(['from=middleware; Path=/; HttpOnly', 'one=1', 'two=2', 'three=3']);
    expect(headers).toMatchObject({ 'x-middleware': 'yes', 'x-both': 'hook', 'x-number': '7' });
    await expectEcho(client);
  });

  it('cannot spoil the 101 with headers that belong to the protocol', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.set({
        Connection: 'close',
        Upgrade: 'h2c',
        'Sec-WebSocket-Accept': 'forged',
        'Sec-WebSocket-Protocol': 'never-offered',
        'Sec-WebSocket-Extensions': 'permessage-deflate',
        'Content-Length': '12',
        'Transfer-Encoding': 'chunked',
        Trailer: 'X-Later',
      });
      next();
    });
    app.use(websocketRoute('/ws', Echo));
    const client = await RawClient.connect(await open(app));
    const { status, headers } = await client.handshake('/ws');
    expect(status).toBe(101);
    expect(headers).toEqual({
      date: expect.any(String),
      'x-powered-by': 'Express',
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
    });
    await expectEcho(client);
  });

  it('cannot spoil an answer with headers of a body that it meant to send', async () => {
    const OF_A_BODY = {
      'Content-Type': 'text/html',
      'Content-Encoding': 'br',
      'Content-Language': 'de',
      'Content-Location': '/page',
      'Content-Range': 'bytes 0-1/2',
      'Content-Disposition': 'attachment',
      'Content-Digest': 'sha-256=:AA==:',
      'Repr-Digest': 'sha-256=:AA==:',
      Digest: 'sha-256=AA==',
      'Content-MD5': 'AA==',
      ETag: '"x"',
      'Last-Modified': 'Thu, 01 Jan 1970 00:00:00 GMT',
    };
    const app = express();
    app.use((_req, res, next) => {
      res.set({ ...OF_A_BODY, 'Content-Security-Policy': 'sandbox', 'Cache-Control': 'no-store' });
      next();
    });
    const Handler = handshaking((request: Request, headers) => {
      headers['content-type'] = 'application/problem+json';
      headers['ETag'] = '"y"';
      return request.query['refuse'] === undefined || { status: 402, body: '{}' };
    });
    app.use(websocketRoute('/ws', Handler));
    const server = await open(app);
    const client = await RawClient.connect(server);
    const { status, headers } = await client.handshake('/ws');
    expect([status, Object.keys(headers).sort()]).toEqual([
      101,
      [
        ...['cache-control', 'connection', 'content-security-policy', 'date', 'sec-websocket-accept'],
        ...['upgrade', 'x-powered-by'],
      ],
    ]);
    await expectEcho(client);
    // A refusal has a body of its own, and what the hook says of that.
    const refused = await (await RawClient.connect(server)).handshake('/ws?refuse');
    const said = Object.keys(OF_A_BODY).map((name) => [name, refused.headers[name.toLowerCase()]]);
    expect([refused.status, said.filter(([, value]) => value !== undefined)]).toEqual([
      402,
      [
        ['Content-Type', 'application/problem+json'],
        ['ETag', '"y"'],
      ],
    ]);
  });

  it('may compress: a 101 is not a body to it, whatever it compresses', async () => {
    for (const type of [undefined, 'text/html']) {
      const app = express();
      app.use(compressing(), (_req, res, next) => {
        if (type !== undefined) res.type(type);
        next();
      });
      app.use(websocketRoute('/ws', Echo));
      app.get('/page', (_req, res) => void res.send('a page'));
      const server = await open(app);
      const client = await RawClient.connect(server);
      const { status, headers } = await client.handshake('/ws', { 'Accept-Encoding': 'gzip, br' });
      expect([status, headers['content-encoding'], headers['content-type']]).toEqual([101, undefined, undefined]);
      await expectEcho(client);
      await supertest(app).get('/page').expect('Content-Encoding', 'gzip').expect(200, 'a page');
    }
  });

  it('leaves Accept-Encoding to the hooks as it was', async () => {
    const seen = new AsyncQueue<unknown[]>();
    class Asking extends WebSocketHandler {
      override onConnect(_params: object, request: Request): void {
        seen.push([request.headers['accept-encoding'], 'accept-encoding' in request.headers]);
      }
    }
    const server = await open(express().use(compressing(), websocketRoute('/ws', Asking)));
    await RawClient.open(server, '/ws', { 'Accept-Encoding': 'gzip' });
    await RawClient.open(server, '/ws');
    expect(await seen.take(2)).toEqual([
      ['gzip', true],
      [undefined, false],
    ]);
  });

  it('may be helmet, whose headers go out with the 101 and with a refusal', async () => {
    const app = express().use(helmet(), websocketRoute('/ws', Echo));
    const server = await open(app);
    const client = await RawClient.connect(server);
    const { headers } = await client.handshake('/ws');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['x-powered-by']).toBeUndefined();
    await expectEcho(client);
    const refused = await (await RawClient.connect(server)).handshake('/ws', { Origin: 'http://evil.example' });
    expect([refused.status, refused.headers['x-content-type-options']]).toEqual([403, 'nosniff']);
  });

  it('may be express-session: the cookie is in the 101, the session is saved, and hooks can read it', async () => {
    const store = new MemoryStore();
    const app = express();
    app.use(cookieParser());
    app.use(session({ secret: 'secret', resave: false, saveUninitialized: true, store }));
    app.use((req, _res, next) => {
      req.session.visits = (req.session.visits ?? 0) + 1;
      next();
    });
    class Visitor extends WebSocketHandler {
      private seen = 0;

      override onHandshake(request: Request): boolean {
        this.seen = request.session.visits ?? 0;
        return true;
      }

      override onConnect(_params: object, request: Request): void {
        this.write(`${this.seen} ${request.session.visits} ${Object.keys(request.cookies).length}`);
      }
    }
    app.use(websocketRoute('/ws', Visitor));
    const server = await open(app);
    const client = await RawClient.connect(server);
    const { headers } = await client.handshake('/ws');
    expect(await client.nextText()).toBe('1 1 0');
    const cookie = String(headers['set-cookie']).split(';')[0]!;
    expect(cookie).toMatch(/^connect\.sid=/);
    const stored = await new Promise((resolve) => store.all((_error, all) => resolve(Object.values(all ?? {}))));
    expect(stored).toEqual([expect.objectContaining({ visits: 1 })]);
    const again = await RawClient.open(server, '/ws', { Cookie: cookie });
    expect(await again.nextText()).toBe('2 2 1');
  });

  it('may be morgan, which logs a 101 whose response has finished', async () => {
    const lines = new AsyncQueue<string>();
    const app = express();
    app.use(morgan(':method :url :status', { stream: { write: (line) => lines.push(line) } }));
    app.use(
      websocketRoute(
        '/ws',
        handshaking((_request, _headers) => ({ status: 402 })),
      ),
    );
    app.use(websocketRoute('/open', Echo));
    const server = await open(app);
    const client = await RawClient.open(server, '/open');
    expect(await lines.next()).toBe('GET /open 101\n');
    await expectEcho(client);
    await (await RawClient.connect(server)).handshake('/ws');
    expect(await lines.next()).toBe('GET /ws 402\n');
  });

  it('sees the response of a 101 finish and close, and the request too', async () => {
    const seen = new AsyncQueue<string>();
    const app = express();
    app.use((_req, res, next) => {
      res.once('finish', () => seen.push(`finish ${res.statusCode}`));
      res.once('close', () => seen.push(`close ${res.writableFinished}`));
      next();
    });
    app.use(websocketRoute('/ws', Echo));
    const client = await RawClient.open(await open(app), '/ws');
    expect(await seen.next()).toBe('finish 101');
    await expectEcho(client);
    expect(seen.left.every((one) => one === 'close true')).toBe(true);
  });

  it('may answer for itself, and then no handler hears of it', async () => {
    const Handler = handshaking(() => true);
    const app = express();
    app.use((_req, res) => void res.status(401).send('who are you?'));
    app.use(websocketRoute('/ws', Handler));
    const response = await (await RawClient.connect(await open(app))).handshake('/ws');
    expect(response).toMatchObject({ status: 401, body: 'who are you?' });
    expect(Handler.connected).toEqual([]);
  });

  it('may answer while the hook is thinking, and the answer stands', async () => {
    const thinking = new AsyncQueue<(verdict: boolean) => void>();
    const Handler = handshaking(() => new Promise<boolean>((resolve) => thinking.push(resolve)));
    const app = express();
    app.use((_req, res, next) => {
      answers.push(() => res.status(503).send('too slow'));
      next();
    });
    const answers: (() => void)[] = [];
    app.use(websocketRoute('/ws', Handler));
    const server = await open(app);
    for (const verdict of [true, false]) {
      const client = await RawClient.connect(server);
      client.sendHandshake('/ws');
      const decide = await thinking.next();
      answers.shift()!();
      expect(await client.response()).toMatchObject({ status: 503, body: 'too slow' });
      decide(verdict);
      client.socket.destroy();
    }
    await untilClosed(server);
    expect(Handler.connected).toEqual([]);
    expect(logged).toEqual([]);
  });

  it('middleware that throws in end() of the 101 ends the connection, and the process lives', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.end = () => {
        throw new Error('no end');
      };
      next();
    });
    app.use(websocketRoute('/ws', Echo));
    const client = await RawClient.connect(await open(app));
    client.sendHandshake('/ws');
    expect((await client.rest()).length).toBe(0);
    expect(logged).toEqual([new Error('no end')]);
  });

  it('middleware that throws in writeHead() has its error logged, and the process lives', async () => {
    const app = express();
    app.use((_req, res, next) => {
      const { end } = res;
      res.writeHead = () => {
        throw new Error('no head');
      };
      res.end = (...args: unknown[]) => {
        if (!res.headersSent) throw new Error('no end');
        return Reflect.apply(end, res, args);
      };
      next();
    });
    app.use(websocketRoute('/ws', Echo));
    const client = await RawClient.connect(await open(app));
    client.sendHandshake('/ws');
    expect((await client.rest()).length).toBe(0);
    expect(logged).toEqual([new Error('no head'), new Error('no end')]);
  });
});

/** Compresses everything that the client accepts, in the way of the package `compression`. */
function compressing(): RequestHandler {
  return (request, response, next) => {
    const { write, writeHead, end } = response;
    let gzip: Gzip | undefined;
    response.writeHead = (...args: unknown[]) => {
      if (/gzip/.test(String(request.headers['accept-encoding']))) {
        response.setHeader('Content-Encoding', 'gzip').removeHeader('Content-Length');
        gzip = createGzip();
        gzip.on('data', (chunk: Buffer) => Reflect.apply(write, response, [chunk]));
        gzip.on('end', () => Reflect.apply(end, response, []));
      }
      return Reflect.apply(writeHead, response, args);
    };
    response.end = (...args: unknown[]) => {
      if (!response.headersSent) response.writeHead(response.statusCode);
      if (gzip === undefined) return Reflect.apply(end, response, args);
      Reflect.apply(gzip.end, gzip, args);
      return response;
    };
    next();
  };
}

describe('a server that forgives no body where there can be none', () => {
  const strict = (app: Express, door: string): Promise<Running> => {
    const server = createServer({ rejectNonStandardBodyWrites: true }, app);
    if (door === 'upgrade') server.on('upgrade', upgradeListener(app));
    return serve(server);
  };

  it.each(['request', 'upgrade'])('gets none with a 101 that is compressed, by the %s door', async (door) => {
    const app = express().use(compressing(), websocketRoute('/ws', Echo));
    const client = await RawClient.connect(await strict(app, door));
    await expect(client.handshake('/ws', { 'Accept-Encoding': 'gzip' })).toBeAccepted();
    await expectEcho(client);
  });

  it.each(['request', 'upgrade'])('gets none with the answer to HEAD, or a 204, by the %s door', async (door) => {
    const app = express().use(
      websocketRoute(
        '/ws',
        handshaking(() => ({ status: 204 })),
      ),
    );
    const server = await strict(app, door);
    const client = await RawClient.connect(server);
    const { status, headers } = await client.handshake('/ws', {}, 'HEAD');
    expect([status, Number(headers['content-length']) > 0]).toEqual([405, true]);
    expect(await (await RawClient.connect(server)).handshake('/ws')).toMatchObject({ status: 204, body: '' });
    const bare = await serve(
      createServer({ rejectNonStandardBodyWrites: true }, websocketRoute('/ws', Echo) as RequestListener),
    );
    expect((await (await RawClient.connect(bare)).handshake('/missing', {}, 'HEAD')).status).toBe(404);
    expect(logged).toEqual([]);
  });
});

/** The server has seen all its connections close. */
async function untilClosed(server: Running): Promise<void> {
  await Promise.all([...server.sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
}

describe('a plain HTTP request', () => {
  let app: Express;
  beforeEach(() => {
    app = express();
    app.use(websocketRoute('/ws', Echo));
    app.get('/page', (_req, res) => void res.send('a page'));
  });

  it('a plain request to the route gets 426, which says what would do', async () => {
    const response = await supertest(app).get('/ws').expect(426);
    expect(response.headers).toMatchObject({
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'content-type': 'text/plain; charset=utf-8',
    });
    expect(response.text).toMatch(/^426 Upgrade Required\n.*WebSocket/);
  });

  it.each(['post', 'put', 'delete', 'options', 'patch', 'head'] as const)(
    'a plain request by %s gets 405 with Allow',
    async (method) => {
      const response = await supertest(app)[method]('/ws').expect(405);
      expect(response.headers['allow']).toBe('GET');
    },
  );

  it('a plain request with a body gets 405, and the connection goes on', async () => {
    const server = await serve(app);
    const client = await RawClient.connect(server);
    client.send(`POST /ws HTTP/1.1\r\nHost: x\r\n${lines(UPGRADE)}Content-Length: 5\r\n\r\nhello`);
    await expect(client.response()).toBeRefusedWith(405);
    client.send('GET /page HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await client.response()).toMatchObject({ status: 200, body: 'a page' });
  });

  it('a request to another path is the app’s', async () => {
    await supertest(app).get('/page').expect(200, 'a page');
    await supertest(app).get('/missing').expect(404);
  });
});

function lines(headers: Record<string, string>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

describe.each(doors)('a refusal, by %s', (_door, open) => {
  const refusals: [what: string, headers: Record<string, string | undefined>, status: number][] = [
    ['without a key', { 'Sec-WebSocket-Key': undefined }, 400],
    ['with half a key', { 'Sec-WebSocket-Key': 'AAAA' }, 400],
    ['without a version', { 'Sec-WebSocket-Version': undefined }, 400],
    ['with version 7', { 'Sec-WebSocket-Version': '7' }, 426],
    ['with an empty Host', { Host: '' }, 400],
    ['with a malformed subprotocol', { 'Sec-WebSocket-Protocol': 'a,b c' }, 400],
    ['with a Content-Length', { 'Content-Length': '3' }, 400],
    ['of another origin', { Origin: 'http://evil.example' }, 403],
    ['of the origin null', { Origin: 'null' }, 403],
  ];

  it.each(refusals)('a refusal of a request %s is an ordinary response', async (_what, headers, status) => {
    const Handler = handshaking(() => true);
    const app = express().use(websocketRoute('/ws', Handler));
    const client = await RawClient.connect(await open(app));
    const response = await client.handshake('/ws', headers);
    expect(response.status).toBe(status);
    expect(response.headers['content-length']).toBe(String(response.body.length));
    expect(Handler.connected).toEqual([]);
  });

  it('a request in HTTP/1.0 is refused with 400', async () => {
    const client = await RawClient.connect(await open(express().use(websocketRoute('/ws', Echo))));
    client.sendHandshake('/ws', {}, 'GET', '1.0');
    await expect(client.response()).toBeRefusedWith(400);
  });

  it('has the status, headers and body that the hook says', async () => {
    const Handler = handshaking((_request, headers) => {
      headers['X-Hook'] = 'yes';
      return { status: 402, headers: { 'X-Own': ['a', 'b'] }, body: { error: 'no pizza' } };
    });
    const client = await RawClient.connect(await open(express().use(websocketRoute('/ws', Handler))));
    const response = await client.handshake('/ws');
    expect(response).toMatchObject({ status: 402, statusText: 'Payment Required', body: '{"error":"no pizza"}' });
    expect(response.headers).toMatchObject({
      'x-hook': 'yes',
      'x-own': ['a', 'b'],
      'content-type': 'application/json',
      'content-length': '20',
    });
    expect(response.headers['upgrade']).toBeUndefined();
  });

  it.each([
    ['false', (): unknown => false, 403],
    ['a promise of false', async (): Promise<unknown> => false, 403],
    ['nothing', (): unknown => undefined, 403],
    ['null', (): unknown => null, 403],
    ['0', (): unknown => 0, 403],
    ["''", (): unknown => '', 403],
    ['NaN', (): unknown => Number.NaN, 403],
    ['0n', (): unknown => 0n, 403],
    ["a promise of ''", async (): Promise<unknown> => '', 403],
  ] as const)('is what %s of the hook means, and its headers go out', async (_what, result, status) => {
    const Handler = handshaking((_request, headers) => {
      headers['X-Why'] = 'because';
      headers['Set-Cookie'] = 'seen=1';
      return result();
    });
    const client = await RawClient.connect(await open(express().use(websocketRoute('/ws', Handler))));
    const response = await client.handshake('/ws');
    expect(response.status).toBe(status);
    expect(response.headers).toMatchObject({ 'x-why': 'because', 'set-cookie': 'seen=1' });
    expect(Handler.errors).toEqual([]);
  });

  it.each([
    ['throws', (): never => raise(new RangeError('broken')), RangeError],
    ['rejects', async (): Promise<never> => raise(new RangeError('broken')), RangeError],
    ['returns a string', () => 'ok', TypeError],
    ['returns a number', () => 1, TypeError],
    ['returns a promise of a string', async () => 'ok', TypeError],
    ['returns an object that says nothing', () => ({}), TypeError],
    ['returns a function', () => () => true, TypeError],
    ['returns an array', () => [], TypeError],
    ['refuses with no status', () => ({ body: 'x' }), TypeError],
    ['refuses with status 101', () => ({ status: 101 }), TypeError],
    ['refuses with a status that is text', () => ({ status: '403' }), TypeError],
    ['refuses with a body that has no JSON', () => ({ status: 403, body: { big: 1n } }), TypeError],
    ['writes before the handshake is done', call((handler) => handler.write('early')), InvalidStateError],
    ['closes before the handshake is done', call((handler) => handler.close()), InvalidStateError],
    ['pings before the handshake is done', call((handler) => handler.ping()), InvalidStateError],
  ] as const)('is 500 when the hook %s, and onError hears of it', async (_what, hook, ErrorClass) => {
    const Handler = handshaking(hook);
    const server = await open(express().use(websocketRoute('/ws', Handler)));
    const response = await (await RawClient.connect(server)).handshake('/ws');
    expect([response.status, response.body]).toEqual([500, expect.not.stringContaining('broken')]);
    expect(Handler.errors).toEqual([[expect.any(ErrorClass), 'onHandshake']]);
    expect(Handler.connected).toEqual([]);
    expect(logged).toEqual([]);
  });

  it('fails closed where the hook returns what only counts as true, and says how to write it', async () => {
    const Handler = handshaking((request: Request) => request.headers['x-secure'] && request.headers['x-pizza']);
    const server = await open(express().use(websocketRoute('/ws', Handler)));
    const statusFor = async (headers: Record<string, string>) =>
      (await (await RawClient.connect(server)).handshake('/ws', headers)).status;
    expect(await statusFor({})).toBe(403);
    expect(await statusFor({ 'X-Secure': 'yes' })).toBe(403);
    expect(await statusFor({ 'X-Secure': 'yes', 'X-Pizza': '' })).toBe(403);
    expect(Handler.errors).toEqual([]);
    expect(await statusFor({ 'X-Secure': 'yes', 'X-Pizza': 'Margherita' })).toBe(500);
    expect(Handler.errors).toEqual([
      [expect.objectContaining({ message: expect.stringContaining('write Boolean(') }), 'onHandshake'],
    ]);
  });

  it('adds up the cookies of the middleware, of the headers and of the refusal, in any case of their name', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.cookie('m', '1');
      next();
    });
    const Handler = handshaking((_request, headers) => {
      headers['Set-Cookie'] = ['a=1', 'b=2'];
      headers['SET-COOKIE'] = 'c=3';
      headers['X-Both'] = 'headers';
      return { status: 401, headers: { 'set-cookie': 'd=4', 'sEt-cOoKiE': ['e=5', 'f=6'], 'x-both': 'refusal' } };
    });
    app.use(websocketRoute('/ws', Handler));
    const { status, headers } = await (await RawClient.connect(await open(app))).handshake('/ws');
    expect([status, headers['set-cookie'], headers['x-both']]).toEqual([
      401,
      ['m=1; Path=/', 'a=1', 'b=2', 'c=3', 'd=4', 'e=5', 'f=6'],
      'refusal',
    ]);
  });

  it('is 500 when onError fails as well, and both are logged', async () => {
    class Broken extends Echo {
      override onHandshake(): boolean {
        throw new Error('first');
      }

      override async onError(): Promise<void> {
        throw new Error('second');
      }
    }
    const server = await open(express().use(websocketRoute('/ws', Broken)));
    await expect((await RawClient.connect(server)).handshake('/ws')).toBeRefusedWith(500);
    expect(logged).toEqual([new Error('second')]);
  });

  it('is 500 when an option that is a function fails, and the error is logged', async () => {
    const failing: ConnectionOptions[] = [
      { origins: () => raise(new Error('origins')) },
      { origins: async () => raise(new Error('origins')) },
      { origins: '*', subprotocols: () => raise(new Error('subprotocols')) },
      { origins: '*', subprotocols: () => 'never-offered' },
    ];
    for (const options of failing) {
      const server = await open(express().use(websocketRoute('/ws', Echo, options)));
      const client = await RawClient.connect(server);
      await expect(client.handshake('/ws', { Origin: 'http://a.example' })).toBeRefusedWith(500);
    }
    expect(logged).toHaveLength(failing.length);
  });

  it('logs by default what the hook threw, with the route', async () => {
    class Broken extends Echo {
      override onHandshake(): boolean {
        throw new Error('broken');
      }
    }
    const server = await open(express().use(websocketRoute('/ws', Broken)));
    await expect((await RawClient.connect(server)).handshake('/ws')).toBeRefusedWith(500);
    expect(jest.mocked(console.error).mock.calls).toEqual([
      [expect.stringContaining('onHandshake of Broken at /ws'), new Error('broken')],
    ]);
  });
});

function raise(error: Error): never {
  throw error;
}

function call(act: (handler: WebSocketHandler) => void): OnHandshake {
  return function (this: WebSocketHandler) {
    act(this);
    return true;
  };
}

describe.each(doors)('headers of a hook, by %s', (_door, open) => {
  const forgeries: [what: string, name: string, value: unknown][] = [
    ['CR and LF in a value', 'X-A', 'b\r\nX-Forged: yes'],
    ['a bare LF in a value', 'X-A', 'b\nX-Forged: yes'],
    ['a bare CR in a value', 'X-A', 'b\rX-Forged: yes'],
    ['NUL in a value', 'X-A', 'b\0X-Forged: yes'],
    ['a value beyond latin1', 'X-A', 'b\u010d\u010aX-Forged: yes'],
    ['CR and LF in a name', 'X-A: b\r\nX-Forged', 'yes'],
    ['a space in a name', 'X-Forged X', 'yes'],
    ['a colon in a name', 'X-Forged:', 'yes'],
    ['an empty name', '', 'yes'],
    ['a name beyond ASCII', 'X-Forgéd', 'yes'],
    ['CR and LF in an element', 'X-A', ['fine', 'b\r\nX-Forged: yes']],
    ['an object as a value', 'X-Forged', {}],
    ['undefined as a value', 'X-Forged', undefined],
    ['a reserved name', 'Sec-WebSocket-Accept', 'X-Forged'],
    ['a reserved name in lower case', 'connection', 'X-Forged'],
    ['a length', 'Content-Length', '8'],
    ['a subprotocol that was not offered', 'Sec-WebSocket-Protocol', 'x-forged'],
    ['an extension', 'Sec-WebSocket-Extensions', 'x-forged'],
  ];

  it.each(forgeries)(
    'headers with %s are answered with 500, and nothing of them reaches the wire',
    async (_what, name, value) => {
      const Handler = handshaking((_request, headers) => {
        headers['X-Good'] = 'good';
        headers[name] = value as string;
        return true;
      });
      const server = await open(express().use(websocketRoute('/ws', Handler)));
      const client = await RawClient.connect(server);
      client.sendHandshake('/ws', { 'Sec-WebSocket-Protocol': 'chat', Connection: 'close, Upgrade' });
      const answer = (await client.rest()).toString('latin1');
      expect(answer).toMatch(/^HTTP\/1\.1 500 Internal Server Error\r\n/);
      expect(answer).not.toMatch(/forg/i);
      const [[error, hook]] = Handler.errors as [[HeaderError, string]];
      expect(error).toBeInstanceOf(HeaderError);
      expect([error.header, hook]).toEqual([name, 'onHandshake']);
      expect(Handler.connected).toEqual([]);
    },
  );

  it.each(forgeries.slice(0, 13))(
    'headers with %s on a refusal are answered with 500, too',
    async (_what, name, value) => {
      for (const where of ['headers', 'refusal'] as const) {
        const Handler = handshaking((_request, headers) => {
          if (where === 'refusal') return { status: 403, headers: { [name]: value } };
          headers[name] = value as string;
          return false;
        });
        const server = await open(express().use(websocketRoute('/ws', Handler)));
        const client = await RawClient.connect(server);
        client.sendHandshake('/ws', { Connection: 'close, Upgrade' });
        const answer = (await client.rest()).toString('latin1');
        expect(answer).toMatch(/^HTTP\/1\.1 500 /);
        expect(answer).not.toMatch(/forg/i);
        expect(Handler.errors).toEqual([[expect.any(HeaderError), 'onHandshake']]);
      }
    },
  );

  it('headers never come from a polluted prototype', async () => {
    Object.defineProperty(Object.prototype, 'X-Polluted', { value: 'yes', enumerable: true, configurable: true });
    try {
      const server = await open(express().use(websocketRoute('/ws', Echo)));
      const { headers } = await (await RawClient.connect(server)).handshake('/ws');
      expect(Object.keys(headers)).not.toContain('x-polluted');
    } finally {
      Reflect.deleteProperty(Object.prototype, 'X-Polluted');
    }
  });
});

describe.each(doors)('origins and subprotocols, by %s', (_door, open) => {
  async function status(options: ConnectionOptions, headers: Record<string, string>): Promise<number> {
    const server = await open(express().use(websocketRoute('/ws', Echo, options)));
    const client = await RawClient.connect(server);
    return (await client.handshake('/ws', headers)).status;
  }

  it('lets in the same origin, and who sends none', async () => {
    expect(await status({}, { Host: 'a.example', Origin: 'http://a.example' })).toBe(101);
    expect(await status({}, { Host: 'a.example:8080', Origin: 'http://a.example:8080' })).toBe(101);
    expect(await status({}, {})).toBe(101);
    expect(await status({}, { Host: 'a.example', Origin: 'http://evil-a.example' })).toBe(403);
    expect(await status({}, { Host: 'a.example', Origin: 'http://a.example.evil' })).toBe(403);
    expect(await status({}, { Host: 'a.example:8080', Origin: 'http://a.example:9090' })).toBe(403);
  });

  it('believes X-Forwarded-Host and X-Forwarded-Proto only where Express trusts the proxy', async () => {
    const headers = { Host: 'inside', 'X-Forwarded-Host': 'a.example', 'X-Forwarded-Proto': 'https' };
    for (const trust of [true, false]) {
      const app = express().set('trust proxy', trust);
      class Secure extends WebSocketHandler {
        override onConnect(): void {
          this.write(String(this.isSecure));
        }
      }
      app.use(websocketRoute('/ws', Secure));
      const client = await RawClient.connect(await open(app));
      const response = await client.handshake('/ws', { ...headers, Origin: 'https://a.example' });
      expect(response.status).toBe(trust ? 101 : 403);
      if (trust) expect(await client.nextText()).toBe('true');
    }
  });

  it.each([
    ['https', 'true', 403],
    ['wss', 'true', 403],
    ['WSS, ws', 'true', 403],
    [', wss', 'true', 403],
    ['http', 'false', 101],
    ['Ws', 'false', 101],
    // The proxy says what nobody knows: not secure for the handler, and nothing that a page of http: may rely on.
    ['quic', 'false', 403],
  ])('takes X-Forwarded-Proto: %s of a trusted proxy for isSecure: %s', async (proto, isSecure, statusOfPlainPage) => {
    const app = express().set('trust proxy', 'loopback');
    const told = new AsyncQueue<boolean>();
    const Handler = handshaking(function () {
      told.push(this.isSecure);
      return true;
    });
    app.use(websocketRoute('/ws', Handler));
    const server = await open(app);
    const headers = { Host: 'a.example', 'X-Forwarded-Proto': proto };
    await RawClient.open(server, '/ws', { ...headers, Origin: 'https://a.example' });
    expect(String(await told.next())).toBe(isSecure);
    const plain = await RawClient.connect(server);
    const { status } = await plain.handshake('/ws', { ...headers, Origin: 'http://a.example' });
    expect(status).toBe(statusOfPlainPage);
  });

  it('lets in apps beside the own pages, and nobody else', async () => {
    const options = { origins: ['same-origin', 'capacitor://localhost', 'file://'] };
    for (const Origin of ['capacitor://localhost', 'file://', 'http://a.example', 'ws://a.example']) {
      expect(await status(options, { Host: 'a.example', Origin })).toBe(101);
    }
    for (const Origin of ['ionic://localhost', 'null', 'http://b.example', 'ws://b.example']) {
      expect(await status(options, { Host: 'a.example', Origin })).toBe(403);
    }
  });

  it('says in the 403 how to allow the origin', async () => {
    const server = await open(express().use(websocketRoute('/ws', Echo)));
    const { body } = await (await RawClient.connect(server)).handshake('/ws', { Origin: 'http://b.example' });
    expect(body).toContain("origins: ['same-origin', 'http://b.example']");
  });

  it('lets in by a list, a function, or everybody', async () => {
    const Origin = 'http://b.example';
    expect(await status({ origins: ['http://b.example'] }, { Origin })).toBe(101);
    expect(await status({ origins: ['http://c.example'] }, { Origin })).toBe(403);
    expect(await status({ origins: async (origin) => origin === Origin }, { Origin })).toBe(101);
    expect(await status({ origins: () => false }, { Origin })).toBe(403);
    expect(await status({ origins: '*' }, { Origin: 'null' })).toBe(101);
  });

  it('agrees on the subprotocol that the server likes best, or on the one that the hook names', async () => {
    class Spoken extends WebSocketHandler {
      override onHandshake(request: Request, headers: ResponseHeaders): boolean {
        const wanted = request.get('x-wanted');
        if (wanted !== undefined) headers['Sec-WebSocket-Protocol'] = wanted;
        return true;
      }

      override onConnect(): void {
        this.write(this.subprotocol);
      }
    }
    const app = express().use(websocketRoute('/ws', Spoken, { subprotocols: ['v2', 'v1'] }));
    const server = await open(app);
    const offers: [offer: Record<string, string>, agreed: string | undefined][] = [
      [{ 'Sec-WebSocket-Protocol': 'v1, v2, v3' }, 'v2'],
      [{ 'Sec-WebSocket-Protocol': 'v3' }, undefined],
      [{}, undefined],
      [{ 'Sec-WebSocket-Protocol': 'v1, v2, v3', 'X-Wanted': 'v3' }, 'v3'],
    ];
    for (const [offer, agreed] of offers) {
      const client = await RawClient.connect(server);
      expect((await client.handshake('/ws', offer)).headers['sec-websocket-protocol']).toBe(agreed);
      expect(await client.nextText()).toBe(agreed ?? '');
    }
  });
});

describe.each(doors)('a client that does not wait, by %s', (_door, open) => {
  it('may vanish while the hook is thinking: nothing happens', async () => {
    const thinking = new AsyncQueue<{ settle: (verdict: boolean | Error) => void; socket: Request['socket'] }>();
    const Handler = handshaking((request: Request) => {
      const { promise, resolve, reject } = withResolvers<boolean>();
      const settle = (verdict: boolean | Error): void =>
        verdict instanceof Error ? reject(verdict) : resolve(verdict);
      thinking.push({ settle, socket: request.socket });
      return promise;
    });
    const server = await open(express().use(websocketRoute('/ws', Handler)));
    for (const verdict of [true, false, new Error('gone')]) {
      for (const vanish of ['destroy', 'resetAndDestroy', 'end'] as const) {
        const client = await RawClient.connect(server);
        client.sendHandshake('/ws');
        const { settle, socket } = await thinking.next();
        const gone = new Promise((resolve) => socket.once('close', resolve));
        client.socket[vanish]();
        // By the upgrade door nobody reads, so that nobody knows: the verdict comes first there.
        if (_door === 'the request door') await gone;
        settle(verdict);
        await gone;
      }
    }
    expect(Handler.connected.length).toBe(_door === 'the request door' ? 0 : Handler.connected.length);
    expect(Handler.errors.every(([error]) => (error as Error).message === 'gone')).toBe(true);
    expect(logged).toEqual([]);
    const { settle } = await openThen(server, thinking);
    settle(false);
  });
});

async function openThen<T>(server: Running, thinking: AsyncQueue<T>): Promise<T> {
  const client = await RawClient.connect(server);
  client.sendHandshake('/ws');
  return thinking.next();
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: Error) => void } {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe('a request behind the handshake request, by the request door', () => {
  const second = 'GET /page HTTP/1.1\r\nHost: x\r\n\r\n';

  function thinkingApp(): { app: Express; thinking: AsyncQueue<(verdict: boolean) => void>; pages: AsyncQueue<void> } {
    const thinking = new AsyncQueue<(verdict: boolean) => void>();
    const pages = new AsyncQueue<void>();
    const app = express();
    app.get('/page', (_req, res) => {
      res.send('a page');
      pages.push();
    });
    app.use(
      websocketRoute(
        '/ws',
        handshaking(() => new Promise<boolean>((resolve) => thinking.push(resolve))),
      ),
    );
    return { app, thinking, pages };
  }

  it('is answered after the refusal', async () => {
    const { app, thinking, pages } = thinkingApp();
    const client = await RawClient.connect(await serve(app));
    client.sendHandshake('/ws');
    const decide = await thinking.next();
    client.send(second);
    await pages.next();
    decide(false);
    await expect(client.response()).toBeRefusedWith(403);
    expect(await client.response()).toMatchObject({ status: 200, body: 'a page' });
  });

  it('a request behind the handshake request never has its answer written into a WebSocket: there will be none', async () => {
    const { app, thinking, pages } = thinkingApp();
    const client = await RawClient.connect(await serve(app));
    client.sendHandshake('/ws');
    const decide = await thinking.next();
    client.send(second);
    await pages.next();
    decide(true);
    const response = await client.response();
    expect(response.status).toBe(400);
    expect(response.body).toContain('pipelined');
    expect(await client.response()).toMatchObject({ status: 200, body: 'a page' });
  });

  it('a request behind the handshake request in the same segment is dropped: it can be no frame', async () => {
    const { app, thinking, pages } = thinkingApp();
    const client = await RawClient.connect(await serve(app));
    client.send(`GET /ws HTTP/1.1\r\nHost: x\r\n${lines(UPGRADE)}\r\n${second}`);
    (await thinking.next())(true);
    await expect(client.response()).toBeAccepted();
    await expectEcho(client);
    expect(pages.left).toEqual([]);
  });
});
