/** The upgrade door on its own; beside other listeners it is in `coexistence.spec.ts`. */
import { createServer, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import express, { type Express } from 'express';
import { type ConnectionOptions, upgradeListener, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { text } from '../support/frames.js';
import { KEY, RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';
import { usageErrorCode } from '../support/usage-error.js';

let closed: AsyncQueue<[code: number, wasClean: boolean]>;
let sockets: AsyncQueue<Socket>;
beforeEach(() => {
  closed = new AsyncQueue();
  sockets = new AsyncQueue();
});

class Echo extends WebSocketHandler {
  private readonly closed = closed;

  override onRead(data: string | Buffer): void {
    this.write(data);
  }

  override onClose(code: number, _reason: string, wasClean: boolean): void {
    this.closed.push([code, wasClean]);
  }
}

async function expectEcho(client: RawClient): Promise<void> {
  client.send(text('still here'));
  expect(await client.nextText()).toBe('still here');
}

function makeApp(): Express {
  const app = express();
  app.use('/ws/private', (_req, res) => void res.status(401).set('WWW-Authenticate', 'Basic').send('who are you?'));
  app.use(websocketRoute('/ws/:name', Echo));
  return app;
}

async function serveByUpgrade(app: RequestListener, options?: Parameters<typeof upgradeListener>[1]): Promise<Running> {
  const server = createServer(app);
  server.on('upgrade', upgradeListener(app, options));
  server.on('upgrade', (request) => sockets.push(request.socket));
  return serve(server);
}

describe('upgradeListener', () => {
  it('runs the request through the app, which accepts it', async () => {
    const client = await RawClient.open(await serveByUpgrade(makeApp()), '/ws/Ada');
    await expectEcho(client);
    await client.close();
    expect(await closed.next()).toEqual([1000, true]);
  });

  it('works on https', async () => {
    const app = makeApp();
    const server = await serve(app, { tls: true });
    server.server.on('upgrade', upgradeListener(app));
    await expectEcho(await RawClient.open(server, '/ws/Ada'));
  });

  it('takes Connect and bare listeners for apps', async () => {
    const route = websocketRoute('/ws/:name', Echo);
    const server = await serveByUpgrade((request, response) => route(request, response));
    await expectEcho(await RawClient.open(server, '/ws/Ada'));
    await expect((await RawClient.connect(server)).handshake('/other')).toBeRefusedWith(404);
  });

  it('answers what nobody claims with the app’s own 404, and ends the socket', async () => {
    const client = await RawClient.connect(await serveByUpgrade(makeApp(), { path: '/ws' }));
    const response = await client.handshake('/ws/Ada/deeper');
    expect(response).toMatchObject({ status: 404, headers: { connection: 'close' } });
    expect(response.body).toContain('Cannot GET /ws/Ada/deeper');
    expect((await client.rest()).length).toBe(0);
  });

  it('answers with the 401 of a middleware, and ends the socket', async () => {
    const client = await RawClient.connect(await serveByUpgrade(makeApp(), { path: '/ws' }));
    const response = await client.handshake('/ws/private');
    expect(response).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Basic' }, body: 'who are you?' });
    await client.ended;
  });

  it('answers with the refusal of the route, and ends the socket', async () => {
    const client = await RawClient.connect(await serveByUpgrade(makeApp()));
    await expect(client.handshake('/ws/Ada', { 'Sec-WebSocket-Version': '7' })).toBeRefusedWith(426);
    await client.ended;
  });

  it('sends a large answer whole before it ends the socket', async () => {
    const body = 'x'.repeat(4 * 1024 * 1024);
    const client = await RawClient.connect(await serveByUpgrade(express().use((_req, res) => void res.send(body))));
    expect((await client.handshake('/')).body.length).toBe(body.length);
    await client.ended;
  });

  it('answers what is outside of its path where nobody else listens, once', async () => {
    const server = createServer(makeApp());
    server.on('upgrade', upgradeListener(makeApp(), { path: '/ws' }));
    server.on('upgrade', upgradeListener(makeApp(), { path: '/live' }));
    const running = await serve(server);
    const client = await RawClient.connect(running);
    await expect(client.handshake('/other')).toBeRefusedWith(404);
    expect((await client.rest()).length).toBe(0);
    await expectEcho(await RawClient.open(running, '/ws/Ada'));
  });

  it('takes a request once, though two of it cover the path', async () => {
    const server = createServer(makeApp());
    for (const path of ['/ws', '/']) server.on('upgrade', upgradeListener(makeApp(), { path }));
    const client = await RawClient.open(await serve(server), '/ws/Ada');
    await expectEcho(client);
    await client.close();
    expect(await closed.next()).toEqual([1000, true]);
  });

  it('is harmed by no reset, in its path or outside', async () => {
    const running = await serveByUpgrade(makeApp(), { path: '/ws' });
    for (const path of ['/ws/Ada', '/other']) {
      const client = await RawClient.connect(running);
      client.sendHandshake(path);
      const socket = await sockets.next();
      const gone = new Promise((resolve) => socket.once('close', resolve));
      client.socket.resetAndDestroy();
      socket.resume();
      await gone;
    }
    await expectEcho(await RawClient.open(running, '/ws/Bob'));
  });

  it('answers a handshake behind another request when that one has been answered', async () => {
    const answers = new AsyncQueue<() => void>();
    const app = makeApp().get('/slow', (_req, res) => answers.push(() => res.send('at last')));
    const client = await RawClient.connect(await serveByUpgrade(app, { path: '/ws' }));
    client.socket.cork();
    client.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    client.sendHandshake('/ws/Ada');
    client.socket.uncork();
    await sockets.next();
    (await answers.next())();
    expect((await client.response()).body).toBe('at last');
    await expect(client.response()).toBeAccepted();
    await expectEcho(client);
  });

  it('tells a response that may be written to again', async () => {
    const pieces = 200;
    const app = express().get('/large', (_req, res) => {
      Readable.from(Array.from({ length: pieces }, () => Buffer.alloc(64 * 1024))).pipe(res);
    });
    const client = await RawClient.connect(await serveByUpgrade(app));
    client.sendHandshake('/large');
    expect((await client.rest()).length).toBeGreaterThan(pieces * 64 * 1024);
  });

  it('tells a response of its timeout, and destroys the socket where nobody hears of it', async () => {
    const timeouts = new AsyncQueue<string>();
    const app = express()
      .get('/heard', (_req, res) => {
        res.setTimeout(10, () => {
          timeouts.push('heard');
          res.status(504).end('too slow');
        });
      })
      .get('/unheard', (req) => void req.socket.setTimeout(10));
    const running = await serveByUpgrade(app);
    const client = await RawClient.connect(running);
    await expect(client.handshake('/heard')).toBeRefusedWith(504);
    expect(await timeouts.next()).toBe('heard');
    const unheard = await RawClient.connect(running);
    unheard.sendHandshake('/unheard');
    expect((await unheard.rest()).length).toBe(0);
  });

  it('leaves a path outside of its own to the other listeners', async () => {
    const server = await serveByUpgrade(makeApp(), { path: ['/ws', '/live/'] });
    const others = new AsyncQueue<string>();
    server.server.on('upgrade', ({ url, socket }) => {
      if (url?.startsWith('/ws/')) return;
      others.push(`${url} ${socket.bytesWritten} ${socket.listenerCount('error')}`);
      socket.end('HTTP/1.1 418 I am a teapot\r\n\r\n');
    });
    for (const path of ['/other', '/wsx', '/', '/live%2Fx', '//ws/x']) {
      await expect((await RawClient.connect(server)).handshake(path)).toBeRefusedWith(418);
      // All that is there of ours is a listener that keeps a reset from ending the process.
      expect(await others.next()).toBe(`${path} 0 1`);
    }
    await expectEcho(await RawClient.open(server, '/ws/Ada'));
  });

  it('delivers what came in the same segment as the request, and what comes while the hook is thinking', async () => {
    const thinking = new AsyncQueue<() => void>();
    class Slow extends Echo {
      override onHandshake(): Promise<boolean> {
        return new Promise((resolve) => thinking.push(() => resolve(true)));
      }
    }
    const server = await serveByUpgrade(websocketRoute(Slow));
    const client = await RawClient.connect(server);
    const big = text('b'.repeat(60_000));
    client.send(`${request(server, '/')}\r\n`, text('one'), big.subarray(0, 30_000));
    const accept = await thinking.next();
    client.send(big.subarray(30_000), text('two'));
    accept();
    await expect(client.response()).toBeAccepted();
    expect([await client.nextText(), (await client.nextText()).length, await client.nextText()]).toEqual([
      'one',
      60_000,
      'two',
    ]);
  });

  it('survives a client that resets before the answer, whoever answers', async () => {
    const asked = new AsyncQueue<() => void>();
    const app = express();
    app.get('/late', (_req, res) => asked.push(() => res.send('x'.repeat(1024 * 1024))));
    app.use(websocketRoute('/ws', Echo));
    const server = await serveByUpgrade(app);
    for (const vanish of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const client = await RawClient.connect(server);
      client.sendHandshake('/late');
      const answer = await asked.next();
      const socket = await sockets.next();
      const gone = new Promise((resolve) => socket.once('close', resolve));
      client.socket[vanish]();
      answer();
      client.socket.resume();
      await gone;
    }
    await expectEcho(await RawClient.open(server, '/ws'));
  });

  it.each([
    ['no app', [undefined]],
    ['a server for an app', [createServer()]],
    ['an unknown option', [makeApp(), { paht: '/ws' }]],
    ['a string for options', [makeApp(), '/ws']],
    ['null for options', [makeApp(), null]],
    ['a malformed path', [makeApp(), { path: '/ws/:' }]],
    ['no path in the array', [makeApp(), { path: [] }]],
    ['a path without a slash', [makeApp(), { path: 'ws' }]],
  ])('refuses %s with a TypeError that says so', (_what, args) => {
    expect(() => Reflect.apply(upgradeListener, undefined, args)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: usageErrorCode() }),
    );
  });
});

/** The head of a handshake request but for its last line. */
function request(server: Running, path: string, headers = ''): string {
  return (
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${headers}`
  );
}

describe('draft-76', () => {
  const KEY3 = '^n:ds[4U';
  /** MD5 over the two numbers and the eight bytes: the draft's own example. */
  const ANSWER = "8jKS'y:G*Co,Wxa-";

  function head(server: Running, extra = ''): string {
    return (
      `GET /ws/demo?x=1 HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n` +
      `Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nSec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n` +
      `Origin: http://127.0.0.1:${server.port}\r\n${extra}\r\n`
    );
  }

  function oldRoute(options: ConnectionOptions = {}) {
    return websocketRoute('/ws/:name', Old, { allowOldHandshake: true, ...options });
  }

  class Old extends Echo {
    override onConnect(): void {
      this.write(`version ${this.version}`);
    }

    override onRead(data: string | Buffer): void {
      if (data === 'close') this.close();
      else this.write(`<${data}>`);
    }
  }

  const frameOf = (payload: string): Buffer =>
    Buffer.concat([Buffer.from([0]), Buffer.from(payload), Buffer.from([255])]);

  async function open(server: Running): Promise<RawClient> {
    const client = await RawClient.connect(server);
    client.send(head(server), KEY3);
    await expect(client.response()).toBeAccepted();
    expect((await client.bytes(16)).toString('latin1')).toBe(ANSWER);
    expect(await client.bytes(11)).toEqual(frameOf('version 0'));
    return client;
  }

  it('opens with the draft’s own headers and answer, its body in the same segment', async () => {
    const server = await serveByUpgrade(oldRoute({ subprotocols: ['sample'] }));
    const client = await RawClient.connect(server);
    client.send(head(server, 'Sec-WebSocket-Protocol: sample\r\n'), KEY3);
    expect(await client.response()).toMatchObject({
      status: 101,
      headers: {
        upgrade: 'WebSocket',
        connection: 'Upgrade',
        'sec-websocket-origin': `http://127.0.0.1:${server.port}`,
        'sec-websocket-location': `ws://127.0.0.1:${server.port}/ws/demo?x=1`,
        'sec-websocket-protocol': 'sample',
      },
    });
    expect((await client.bytes(16)).toString('latin1')).toBe(ANSWER);
  });

  it('carries text both ways, also what came in the same segment as the handshake', async () => {
    const server = await serveByUpgrade(oldRoute());
    const client = await RawClient.connect(server);
    client.send(head(server), KEY3, frameOf('early €'), frameOf('and'));
    await client.response();
    await client.bytes(16);
    expect(await client.bytes(11)).toEqual(frameOf('version 0'));
    const expected = Buffer.concat([frameOf('<early €>'), frameOf('<and>')]);
    expect(await client.bytes(expected.length)).toEqual(expected);
    client.send(frameOf('later'));
    expect(await client.bytes(9)).toEqual(frameOf('<later>'));
  });

  it.each([1, 3, 7, 20])('opens however its bytes are cut, here every %i', async (size) => {
    const server = await serveByUpgrade(oldRoute());
    const client = await RawClient.connect(server);
    await client.trickle(Buffer.concat([Buffer.from(head(server) + KEY3), frameOf('x')]), size);
    await client.response();
    expect((await client.bytes(16)).toString('latin1')).toBe(ANSWER);
    expect(await client.bytes(16)).toEqual(Buffer.concat([frameOf('version 0'), frameOf('<x>')]));
  });

  it('opens when its body comes only after the headers of the answer', async () => {
    const server = await serveByUpgrade(oldRoute());
    const client = await RawClient.connect(server);
    client.send(head(server), KEY3.slice(0, 3));
    await expect(client.response()).toBeAccepted();
    client.send(KEY3.slice(3), frameOf('x'));
    expect((await client.bytes(16)).toString('latin1')).toBe(ANSWER);
    expect(await client.bytes(16)).toEqual(Buffer.concat([frameOf('version 0'), frameOf('<x>')]));
  });

  it('is given up in time when its body never comes', async () => {
    const server = await serveByUpgrade(oldRoute({ closeTimeout: 20 }));
    const client = await RawClient.connect(server);
    client.send(head(server), 'seven b');
    await expect(client.response()).toBeAccepted();
    expect((await client.rest()).length).toBe(0);
    expect(closed.left).toEqual([]);
  });

  it.each(['destroy', 'resetAndDestroy', 'end'] as const)(
    'does no harm when the client vanishes before its body, by %s',
    async (vanish) => {
      const server = await serveByUpgrade(oldRoute());
      const client = await RawClient.connect(server);
      client.send(head(server), 'some');
      await expect(client.response()).toBeAccepted();
      const socket = await sockets.next();
      const gone = new Promise((resolve) => socket.once('close', resolve));
      client.socket[vanish]();
      await gone;
      await open(server);
    },
  );

  it('is ended when a key has no number', async () => {
    const server = await serveByUpgrade(oldRoute());
    const client = await RawClient.connect(server);
    client.send(head(server).replace('12998 5 Y3 1  .P00', 'no-number'), KEY3);
    expect((await client.rest()).toString()).not.toContain('version 0');
    expect(closed.left).toEqual([]);
  });

  it('closes with 0xFF 0x00, the server first or the client', async () => {
    const server = await serveByUpgrade(oldRoute());
    const byServer = await open(server);
    byServer.send(frameOf('close'));
    expect(await byServer.rest()).toEqual(Buffer.from([0xff, 0]));
    byServer.socket.end();
    expect(await closed.next()).toEqual([1005, true]);
    const byClient = await open(server);
    byClient.send(Buffer.from([0xff, 0]));
    expect(await byClient.rest()).toEqual(Buffer.from([0xff, 0]));
    byClient.socket.end();
    expect(await closed.next()).toEqual([1005, true]);
  });

  it('is refused where it is not allowed, and by the request door, which never sees its body', async () => {
    for (const server of [
      await serveByUpgrade(websocketRoute('/ws/:name', Old)),
      await serve(express().use(oldRoute())),
      await serve(express().use(websocketRoute('/ws/:name', Old))),
    ]) {
      const client = await RawClient.connect(server);
      client.send(head(server), KEY3);
      expect(await client.response()).toMatchObject({
        status: 426,
        headers: { upgrade: 'websocket', 'sec-websocket-version': '13' },
      });
    }
  });

  it('obeys the origin policy', async () => {
    const server = await serveByUpgrade(oldRoute());
    const client = await RawClient.connect(server);
    client.send(head(server).replace(/Origin: .*/, 'Origin: http://evil.example'), KEY3);
    await expect(client.response()).toBeRefusedWith(403);
  });
});
