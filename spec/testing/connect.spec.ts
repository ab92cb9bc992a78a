import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import connectFramework from 'connect';
import cookieParser from 'cookie-parser';
import express from 'express';
import session from 'express-session';
import { WebSocket, WebSocketServer } from 'ws';
import { acceptWebSocket, drain, metrics, upgradeListener, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { connect, memorySocket, TestClock } from '../../lib/testing/index.js';
import { turns } from '../connection/open.js';
import { certificate } from '../support/certificate.js';

const express4 = require('express4') as typeof express;

class Greeter extends WebSocketHandler {
  override onConnect({ name }: { name: string }): void {
    this.write(`Hello, ${name}!`);
  }

  override onRead(data: string | Buffer): void {
    this.write(data);
  }
}

describe('connect', () => {
  it('runs the whole chain of an Express app', async () => {
    const app = express();
    app.use(session({ secret: 'tested', resave: false, saveUninitialized: true }));
    app.use((request, _response, next) => {
      request.session.touch();
      next();
    });
    app.use(cookieParser(), websocketRoute('/ws/:name', Greeter));
    const client = await connect(app, '/ws/ada');
    expect(client.status).toBe(101);
    expect(client.headers['set-cookie']).toEqual([expect.stringContaining('connect.sid=')]);
    expect(await client.next()).toBe('Hello, ada!');
    client.send('hi');
    expect(await client.next()).toBe('hi');
    client.send(Buffer.from([0, 255]));
    expect(await client.next()).toEqual(Buffer.from([0, 255]));
    client.close(4000, 'enough');
    expect(await client.closed).toEqual({ code: 4000, reason: 'enough', wasClean: true });
  });

  it('brings refusals back with status, headers and body, whoever made them', async () => {
    const app = express();
    app.get('/page', (_request, response) => void response.set('X-Page', 'yes').send('a page'));
    const Private = {
      onHandshake: () => ({ status: 401, headers: { 'X-Why': 'stranger' }, body: { error: 'log in first' } }),
    };
    app.use(websocketRoute('/private', Private), websocketRoute('/open', {}));
    expect(await connect(app, '/private')).toMatchObject({
      status: 401,
      headers: { 'x-why': 'stranger' },
      body: '{"error":"log in first"}',
    });
    expect(await connect(app, '/nowhere')).toMatchObject({
      status: 404,
      body: expect.stringContaining('Cannot GET /nowhere'),
    });
    expect(await connect(app, '/page')).toMatchObject({ status: 200, headers: { 'x-page': 'yes' }, body: 'a page' });
    expect(await connect(app, '/open', { headers: { Origin: 'https://evil.example' } })).toMatchObject({ status: 403 });
    expect(await connect(app, '/open', { method: 'POST' })).toMatchObject({ status: 405, headers: { allow: 'GET' } });
    expect(await connect(app, '/open', { headers: { 'sec-websocket-version': '7' } })).toMatchObject({ status: 426 });
    expect(await connect(app, '/open', { headers: { 'Sec-WebSocket-Key': undefined } })).toMatchObject({ status: 400 });
  });

  it('sends what it is told: headers, subprotocols, the address and whether it is TLS', async () => {
    const app = express().set('trust proxy', false);
    const seen = {
      onConnect(_params: object, request: express.Request) {
        this.write(JSON.stringify([request.ip, request.secure, request.get('x-one'), request.url, this.isSecure]));
      },
    } as ThisType<WebSocketHandler> & object;
    app.use(websocketRoute('/ws', seen, { subprotocols: ['v2', 'v1'] }));
    const client = await connect(app, '/ws?a=1', {
      headers: { 'X-One': ['1', '2'] },
      subprotocols: ['v1', 'v2'],
      remoteAddress: '2001:db8::7',
      secure: true,
    });
    expect(client.subprotocol).toBe('v2');
    expect(await client.next()).toBe('["2001:db8::7",true,"1, 2","/ws?a=1",true]');
    const plain = await connect(app, '/ws', { subprotocols: 'v1' });
    expect(plain.subprotocol).toBe('v1');
    expect(await plain.next()).toContain('["127.0.0.1",false,null,');
    expect((await connect(app, '/ws')).subprotocol).toBe('');
  });

  it('takes Connect apps, routes, listeners and servers, of TLS too', async () => {
    const byHand = (request: express.Request, response: express.Response): void =>
      acceptWebSocket(request, response, Greeter, {}, { name: 'hand' });
    const door = express().use(websocketRoute('/ws/:name', Greeter));
    const behindDoor = createServer();
    behindDoor.on('upgrade', upgradeListener(door));
    const targets = [
      connectFramework().use(websocketRoute('/ws/:name', Greeter)),
      websocketRoute('/ws/:name', Greeter),
      byHand,
      createServer(door),
      behindDoor,
      createTlsServer(await certificate(), door),
    ];
    for (const target of targets) {
      const client = await connect(target as Parameters<typeof connect>[0], '/ws/ada');
      expect(await client.next()).toMatch(/^Hello, (ada|hand)!$/);
      client.close();
      expect((await client.closed).wasClean).toBe(true);
    }
  });

  it('connects to any WebSocket server that is given', async () => {
    const server = createServer();
    const other = new WebSocketServer({ server });
    other.on('connection', (socket) => socket.on('message', (data) => socket.send(`ws: ${data}`)));
    const client = await connect(server);
    client.send('hi');
    expect(await client.next()).toBe('ws: hi');
    client.close();
    expect(await client.closed).toEqual({ code: 1000, reason: '', wasClean: true });
  });

  it('keeps its connections apart, in order, and on one server', async () => {
    const app = express().use(websocketRoute('/apart/:name', Greeter));
    const clients = await Promise.all(['ada', 'bob', 'eve'].map((name) => connect(app, `/apart/${name}`)));
    for (const client of clients) for (let i = 0; i < 100; i++) client.send(`${i}`);
    for (const [index, client] of clients.entries()) {
      expect(await client.next()).toBe(`Hello, ${['ada', 'bob', 'eve'][index]}!`);
      for (let i = 0; i < 100; i++) expect(await client.next()).toBe(`${i}`);
    }
    expect(metrics().routes['/apart/:name']).toMatchObject({ open: 3, messagesReceived: 300, messagesSent: 303 });
    for (const client of clients) client.terminate();
  });

  it('has one server for an app', async () => {
    const servers = new Set<unknown>();
    const app = express().use((request, _response, next) => {
      servers.add(Reflect.get(request.socket, 'server'));
      next();
    });
    for (let i = 0; i < 3; i++) await connect(app);
    expect([...servers]).toEqual([expect.objectContaining({ listening: false })]);
  });

  it('lets drain() find them', async () => {
    const server = createServer(websocketRoute('/ws/:name', Greeter));
    const clock = new TestClock();
    const clients = await Promise.all(['a', 'b'].map((name) => connect(server, `/ws/${name}`, { clock })));
    const drained = drain(server, { jitter: 1000 });
    expect(await connect(server, '/ws/late')).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    await clock.advance(1000);
    expect(await drained).toEqual({ closed: 2, terminated: 0 });
    for (const client of clients) expect(await client.closed).toMatchObject({ code: 1001, wasClean: true });
  });

  it('rejects where there is no answer, and for a 101 that is none', async () => {
    const silent = createServer((request) => request.socket.destroy());
    await expect(connect(silent, '/ws')).rejects.toThrow('ended the connection without an answer to GET /ws');
    const lying = createServer();
    lying.on('upgrade', (_request, socket) =>
      socket.end('HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n'),
    );
    await expect(connect(lying)).rejects.toThrow('the 101 has the Sec-WebSocket-Accept x');
  });

  it('refuses what is no app, and options that there are not', async () => {
    await expect(connect({} as never)).rejects.toThrow('app is {}');
    await expect(connect(express(), '/', { header: {} } as never)).rejects.toThrow("option is 'header'");
    await expect(connect(express(), '/', new Map() as never)).rejects.toThrow('options is Map(0) {}');
  });

  it('refuses a router, and says how it becomes an app', async () => {
    const refused = /^app is \[Function: \w+\]: a router is not an app: wrap it, express\(\)\.use\(router\)$/;
    for (const router of [express.Router(), express4.Router()]) {
      router.use(websocketRoute('/ws/:name', Greeter));
      await expect(connect(router as never, '/ws/ada')).rejects.toThrow(refused);
      expect(await connect(express().use(router), '/ws/ada')).toMatchObject({ status: 101 });
    }
  });

  it.each(['a/x', '', 'http://localhost/a', undefined, { clock: new TestClock() }])(
    'refuses the path %p, unless it is left out',
    async (path) => {
      const connected = connect(websocketRoute({}), path as string);
      if (path === undefined) expect(await connected).toMatchObject({ status: 101 });
      else await expect(connected).rejects.toThrow(/^path is .*: it begins with a slash/);
    },
  );

  it('leaves the time to the test: the handshake, too', async () => {
    let accept: (value: boolean) => void = () => {};
    const route = websocketRoute({ onHandshake: () => new Promise<boolean>((resolve) => (accept = resolve)) });
    const clock = new TestClock();
    const late = connect(route, '/', { clock });
    await turns(20);
    await clock.advance(10_000);
    expect(await late).toMatchObject({ status: 503 });
    const intime = connect(route, '/', { clock });
    await turns(20);
    await clock.advance(9_999);
    accept(true);
    expect((await intime).status).toBe(101);
  });
});

describe('memorySocket', () => {
  it('carries any bytes, from the first of the request on', async () => {
    const socket = memorySocket(websocketRoute('/ws/:name', Greeter));
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
    });
    for (const byte of Buffer.from(
      'GET /ws/ada HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n',
    )) {
      socket.write(Buffer.from([byte]));
    }
    socket.write('Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
    while (!got.includes('Hello, ada!')) await turns();
    expect(got).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    socket.destroy();
  });

  it('serves the client of ws', async () => {
    const app = express().use(websocketRoute('/ws/:name', Greeter));
    const client = new WebSocket('ws://localhost/ws/ada', { createConnection: () => memorySocket(app) as never });
    const [greeting] = await once(client, 'message');
    expect(String(greeting)).toBe('Hello, ada!');
    client.send('hi');
    const [answer] = await once(client, 'message');
    expect(String(answer)).toBe('hi');
    client.close(1000);
    expect((await once(client, 'close'))[0]).toBe(1000);
  });
});
