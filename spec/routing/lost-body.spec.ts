/** Requests with an `Upgrade` header that ask for no WebSocket, at the upgrade door: their bodies are never lost in silence. */
import { createServer, type request as httpRequest, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import express, { type Express } from 'express';
import { isWebSocketHandshake, upgradeListener, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { setClock } from '../../lib/transport/clock.js';
import { certificate } from '../support/certificate.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

/** Where Node has the option. */
const HAS_CALLBACK = 'shouldUpgradeCallback' in createServer();

let bodies: AsyncQueue<unknown>;
beforeEach(() => {
  bodies = new AsyncQueue();
});

function makeApp(): Express {
  const app = express();
  app.use(express.json());
  app.all('/api', (req, res) => {
    bodies.push(req.body);
    res.json({ method: req.method, body: req.body ?? null });
  });
  app.use(websocketRoute('/ws', {}));
  return app;
}

interface Given {
  tls?: boolean;
  options?: Parameters<typeof upgradeListener>[1];
  asCallback?: typeof isWebSocketHandshake;
}

async function serveByUpgrade({ tls = false, options, asCallback }: Given = {}): Promise<Running> {
  const app: RequestListener = makeApp();
  const given = { shouldUpgradeCallback: asCallback };
  const server = tls
    ? createTlsServer({ ...(await certificate()), ...given }, app)
    : createServer(given as Parameters<typeof createServer>[0] & object, app);
  server.on('upgrade', upgradeListener(app, options));
  return serve(server, { tls });
}

const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n';
const JSON_BODY = '{"sold":7}';

function head(upgrade = H2C, framing = `Content-Length: ${JSON_BODY.length}\r\n`, method = 'POST'): string {
  return `${method} /api HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${upgrade}${framing}\r\n`;
}

async function expectRefusal(client: RawClient): Promise<void> {
  expect(await client.response()).toMatchObject({
    status: 501,
    headers: { connection: 'close' },
    body: expect.stringMatching(/body .* cannot be read.* Upgrade/),
  });
  expect(bodies.left).toEqual([]);
  client.socket.end();
  await client.ended;
}

describe.each([
  ['TCP', false],
  ['TLS', true],
])('a POST with an Upgrade header, over %s', (_name, tls) => {
  it.each([
    ['h2c', H2C],
    ['TLS/1.0', 'Connection: upgrade\r\nUpgrade: TLS/1.0\r\n'],
    ['several', 'Connection: keep-alive, Upgrade\r\nUpgrade: foo/2, h2c\r\n'],
    ['websocket', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'],
  ])('a POST with an Upgrade to %s is refused, as its body would not reach the app', async (_what, upgrade) => {
    const server = await serveByUpgrade({ tls });
    const together = await RawClient.connect(server);
    together.send(head(upgrade), JSON_BODY);
    await expectRefusal(together);

    const chunked = await RawClient.connect(server);
    chunked.send(head(upgrade, 'Transfer-Encoding: chunked\r\n'), `a\r\n${JSON_BODY}\r\n0\r\n\r\n`);
    await expectRefusal(chunked);

    const later = await RawClient.connect(server);
    later.send(head(upgrade));
    await expectRefusal(later);
  });

  it('may be large, and its client gets to read the answer', async () => {
    const { httpUrl } = await serveByUpgrade({ tls });
    const { request } = await import(tls ? 'node:https' : 'node:http');
    const answer = new AsyncQueue<number>();
    const posted: ReturnType<typeof httpRequest> = request(`${httpUrl}/api`, {
      method: 'POST',
      agent: false,
      rejectUnauthorized: false,
      headers: { Connection: 'Upgrade', Upgrade: 'h2c' },
    });
    posted.on('response', ({ statusCode }) => answer.push(statusCode ?? 0));
    posted.on('error', () => answer.push(-1));
    // More than the kernel takes for a reader who does not read.
    posted.end(Buffer.alloc(16 * 1024 * 1024));
    expect(await answer.next()).toBe(501);
    posted.destroy();
  });
});

describe('at the upgrade door', () => {
  it('a request without a body is answered as any other, and the connection ends', async () => {
    const server = await serveByUpgrade();
    for (const framing of ['', 'Content-Length: 0\r\n']) {
      const client = await RawClient.connect(server);
      client.send(head(H2C, framing, 'GET'));
      const { status, headers, body } = await client.response();
      expect({ status, connection: headers['connection'] }).toEqual({ status: 200, connection: 'close' });
      expect(JSON.parse(body)).toMatchObject({ method: 'GET' });
      expect((await client.rest()).length).toBe(0);
    }
  });

  it('a body that waits for 100 Continue is refused before it is sent', async () => {
    const client = await RawClient.connect(await serveByUpgrade());
    client.send(head(H2C, `Content-Length: ${JSON_BODY.length}\r\nExpect: 100-continue\r\n`));
    await expectRefusal(client);
  });

  it('a request pipelined behind a body is not answered, and not taken for anything', async () => {
    const client = await RawClient.connect(await serveByUpgrade());
    client.send(head(), JSON_BODY, head('', '', 'DELETE'));
    await expectRefusal(client);
    expect((await client.rest()).length).toBe(0);
    expect(bodies.left).toEqual([]);
  });

  it('a body behind another request is refused when that one was answered', async () => {
    const client = await RawClient.connect(await serveByUpgrade());
    client.send('GET /api HTTP/1.1\r\nHost: a\r\n\r\n', head(), JSON_BODY);
    await expect(client.response()).toBeRefusedWith(200);
    await bodies.next();
    await expectRefusal(client);
  });

  it('a request outside of its path is left to the others', async () => {
    const server = await serveByUpgrade({ options: { path: '/ws' } });
    server.server.on('upgrade', (_request, socket) =>
      socket.end('HTTP/1.1 418 I am a teapot\r\nContent-Length: 0\r\n\r\n'),
    );
    const client = await RawClient.connect(server);
    client.send(head(), JSON_BODY);
    await expect(client.response()).toBeRefusedWith(418);
  });

  it('a handshake with a body is for its route to refuse', async () => {
    const client = await RawClient.connect(await serveByUpgrade());
    expect(await client.handshake('/ws', { 'Content-Length': '7' })).toMatchObject({ status: 400 });
  });

  it('a client that does not end after the refusal is let go', async () => {
    const clock = new TestClock();
    const server = await serveByUpgrade();
    server.server.on('connection', (socket) => setClock(socket, clock));
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    const client = new RawClient(socket);
    client.send(head(), JSON_BODY);
    await client.ended;
    client.send('more of it');
    const [served] = server.sockets;
    expect(served?.destroyed).toBe(false);
    const gone = new Promise((resolve) => served?.once('close', resolve));
    clock.advance(2000);
    await gone;
    socket.destroy();
  });
});

describe('isWebSocketHandshake', () => {
  it.each([
    [true, 'GET', 'websocket'],
    [true, 'GET', 'h2c, WebSocket'],
    [false, 'POST', 'websocket'],
    [false, 'GET', 'h2c'],
    [false, 'GET', 'websocket/13'],
    [false, 'GET', undefined],
  ])('is %s for a %s with Upgrade: %s', (expected, method, upgrade) => {
    expect(isWebSocketHandshake({ method, headers: { upgrade } })).toBe(expected);
  });

  it('shouldUpgradeCallback: isWebSocketHandshake leaves all other requests to the app, with bodies and connection', async () => {
    const client = await RawClient.connect(await serveByUpgrade({ asCallback: isWebSocketHandshake }));
    for (let i = 0; i < 2; i++) {
      client.send(head(), JSON_BODY);
      if (!HAS_CALLBACK) return await expectRefusal(client);
      expect(JSON.parse((await client.response()).body)).toEqual({ method: 'POST', body: { sold: 7 } });
      await bodies.next();
    }
    await expect(client.handshake('/ws')).toBeAccepted();
  });
});
