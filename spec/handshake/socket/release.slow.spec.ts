/** By the request door the connection outlives Node's HTTP server, its timeouts and its bookkeeping: see `release.ts`. */
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import express, { type Request } from 'express';
import { upgradeListener, WebSocketHandler, websocketRoute } from '../../../lib/index.js';
import { AsyncQueue } from '../../../lib/testing/async-queue.js';
import { certificate } from '../../support/certificate.js';
import { binary, frame, text } from '../../support/frames.js';
import { RawClient } from '../../support/raw-client.js';
import { type Running, serve } from '../../support/server.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Each a few tens of milliseconds; the longest that the server can take to act on one of them is their sum. */
const IMPATIENT = {
  connectionsCheckingInterval: 20,
  headersTimeout: 60,
  requestTimeout: 80,
  keepAliveTimeout: 60,
  keepAliveTimeoutBuffer: 1,
};
const PATIENCE = 3 * (20 + 60 + 80 + 60 + 100);

let opened: AsyncQueue<Socket>;
let closed: AsyncQueue<number>;
beforeEach(() => {
  opened = new AsyncQueue();
  closed = new AsyncQueue();
});

class Echo extends WebSocketHandler {
  /** Of the test that this connection is part of. */
  private readonly closed = closed;

  override onConnect(_params: object, request: Request): void {
    opened.push(request.socket);
  }

  override onRead(data: string | Buffer): void {
    this.write(data);
  }

  override onClose(code: number): void {
    this.closed.push(code);
  }
}

/** A server that has no patience with HTTP connections. */
async function serveImpatiently(app: RequestListener, tls: boolean): Promise<Running> {
  const server = tls ? createTlsServer({ ...(await certificate()), ...IMPATIENT }, app) : createServer(IMPATIENT, app);
  server.timeout = 100;
  return serve(server, { tls });
}

async function expectEcho(client: RawClient): Promise<void> {
  client.send(text('still here'));
  expect(await client.nextText()).toBe('still here');
}

const route = websocketRoute('/ws', Echo, { bufferSize: 4 * 1024 * 1024 });
const apps: [name: string, app: RequestListener][] = [
  ['alone', route],
  ['in Express', express().use(route)],
  [
    'behind asynchronous middleware',
    express().use(async (_req, _res, next) => {
      await sleep(30);
      next();
    }, route),
  ],
];

describe.each([
  ['http', false],
  ['https', true],
])('on %s', (_protocol, tls) => {
  describe.each(apps)('a connection whose route is %s', (_name, app) => {
    it('lives past every timeout of the server, idle or in the middle of a frame', async () => {
      const server = await serveImpatiently(app, tls);
      const [idle, partial] = [await RawClient.open(server, '/ws'), await RawClient.open(server, '/ws')];
      const message = text('a frame in two halves');
      partial.send(message.subarray(0, 9));
      await sleep(PATIENCE);
      await expectEcho(idle);
      partial.send(message.subarray(9));
      expect(await partial.nextText()).toBe('a frame in two halves');
      await sleep(PATIENCE / 3);
      await expectEcho(idle);
      await idle.close();
      expect(await closed.next()).toBe(1000);
    });

    it('lives past closeIdleConnections, closeAllConnections and close, which waits for it', async () => {
      const server = await serveImpatiently(app, tls);
      const client = await RawClient.open(server, '/ws');
      await opened.next();
      server.server.closeIdleConnections();
      await expectEcho(client);
      // "does not destroy sockets upgraded to a different protocol", the documentation says.
      server.server.closeAllConnections();
      await expectEcho(client);
      const shut = new Promise<void>((resolve) => server.server.close(() => resolve()));
      await sleep(100);
      await expectEcho(client);
      expect(await Promise.race([shut.then(() => 'shut'), nextTurn('open')])).toBe('open');
      await client.close();
      await shut;
    });

    it('gets the first frames, large ones too, that leave together with the client’s first write', async () => {
      const server = await serveImpatiently(app, tls);
      const client = await RawClient.open(server, '/ws');
      const mebibyte = Buffer.alloc(1024 * 1024, 'websocket');
      client.send(text('first'), binary(mebibyte), text('second'), binary(mebibyte), text('last'));
      expect(await client.nextText()).toBe('first');
      expect((await client.next()).payload.equals(mebibyte)).toBe(true);
      expect(await client.nextText()).toBe('second');
      expect((await client.next()).payload.equals(mebibyte)).toBe(true);
      expect(await client.nextText()).toBe('last');
    });

    it('gets what arrives before the response has finished, as may happen in a storm of TLS handshakes', async () => {
      const early: RequestListener = (request, response) => {
        const { end } = response;
        response.end = (...args: unknown[]) => {
          Reflect.apply(end, response, args);
          // As if the socket had read it: the server's parser would answer 400 to it.
          if (tls) request.socket.push(text('early'));
          return response;
        };
        app(request, response);
      };
      const server = await serveImpatiently(early, tls);
      const client = await RawClient.open(server, '/ws');
      if (tls) expect(await client.nextText()).toBe('early');
      await expectEcho(client);
    });

    it('leaves the server no parser, no listener and no timeout on its socket', async () => {
      const server = await serveImpatiently(app, tls);
      const client = await RawClient.open(server, '/ws');
      const socket = await opened.next();
      await expectEcho(client);
      expect(Reflect.get(socket, 'parser')).toBeNull();
      expect(Reflect.get(socket, '_httpMessage')).toBeNull();
      expect(socket.timeout).toBe(0);
      const listeners = listenersOf(socket);
      for (const name of listeners) {
        expect(name).not.toMatch(HTTP_LISTENER);
      }
      // Nothing is there that is not there after Node's own release.
      const reference = await serve(app, { tls });
      reference.server.on('upgrade', upgradeListener(app));
      await RawClient.open(reference, '/ws');
      const ofNode = listenersOf(await opened.next());
      expect(listeners.filter((name) => !ofNode.includes(name))).toEqual([]);
    });
  });

  it('200 connections leave nothing behind', async () => {
    const server = await serveImpatiently(route, tls);
    const listenersBefore = listenersOf(server.server);
    const processBefore = listenersOf(process);
    const resources = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = resources();
    for (let batch = 0; batch < 20; batch++) {
      const clients = await Promise.all(Array.from({ length: 10 }, () => RawClient.open(server, '/ws')));
      await Promise.all(
        clients.map(async (client, i) => {
          await expectEcho(client);
          const gone = new Promise((resolve) => client.socket.once('close', resolve));
          if (i % 3 === 0) await client.close();
          else if (i % 3 === 1 || tls) client.socket.destroy();
          else client.socket.resetAndDestroy();
          await gone;
        }),
      );
    }
    await closed.take(200);
    expect(await new Promise((resolve) => server.server.getConnections((_error, count) => resolve(count)))).toBe(0);
    expect(listenersOf(server.server)).toEqual(listenersBefore);
    expect(listenersOf(process)).toEqual(processBefore);
    // The clients' handles take a turn longer than their events.
    for (let turn = 0; turn < 1000 && resources() > before; turn++) await nextTurn();
    expect(resources()).toBeLessThanOrEqual(before);
  });

  it('nothing of the request is kept', async () => {
    const kept: { name: string; ref: WeakRef<object> }[] = [];
    const app = express();
    app.use((req, res, next) => {
      const body = Buffer.alloc(1024);
      Object.assign(req, { body });
      for (const [name, object] of Object.entries({ req, res, body, headers: req.headers })) {
        kept.push({ name, ref: new WeakRef(object) });
      }
      next();
    });
    class Forgetful extends WebSocketHandler {
      override onRead(data: string): void {
        this.write(data);
      }
    }
    app.use(websocketRoute('/ws', Forgetful));
    const server = await serve(app, { tls });
    const clients = [await RawClient.open(server, '/ws'), await RawClient.open(server, '/ws')];
    for (const client of clients) await expectEcho(client);
    for (let turn = 0; turn < 100 && kept.some(({ ref }) => ref.deref()); turn++) {
      await nextTurn();
      collectGarbage();
    }
    expect(kept.filter(({ ref }) => ref.deref()).map(({ name }) => name)).toEqual([]);
    for (const client of clients) await expectEcho(client);
  });
});

/** What Node's HTTP server calls its listeners; a TLS socket has some of its own, such as onSocketCloseDestroySSL. */
const HTTP_LISTENER = /socketOn[A-Z]|onSocket(Pause|Resume)|onServerResponse|onParser|updateOutgoingData|abort/i;

/** Each listener as `event name`. */
function listenersOf(emitter: NodeJS.EventEmitter): string[] {
  return emitter
    .eventNames()
    .flatMap((event) => emitter.rawListeners(event).map((listener) => `${String(event)} ${listener.name}`));
}

describe('a connection by the request door', () => {
  it.each([
    ['ends', (client: RawClient) => client.socket.end()],
    ['is destroyed', (client: RawClient) => client.socket.destroy()],
    ['resets', (client: RawClient) => client.socket.resetAndDestroy()],
    ['ends in the middle of a frame', (client: RawClient) => client.socket.end(text('abc').subarray(0, 4))],
  ])('closes with 1006 when the client %s, and the process lives', async (_what, vanish) => {
    const server = await serveImpatiently(route, false);
    const client = await RawClient.open(server, '/ws');
    const socket = await opened.next();
    const gone = new Promise((resolve) => socket.once('close', resolve));
    vanish(client);
    await gone;
    expect(await closed.next()).toBe(1006);
    await expectEcho(await RawClient.open(server, '/ws'));
  });

  it('may be the last of many requests on its keep-alive connection', async () => {
    const app = express();
    app.get('/page', (_req, res) => void res.send('a page'));
    app.post('/form', express.text(), (req, res) => void res.send(req.body));
    app.use(route);
    const server = await serveImpatiently(app, false);
    const client = await RawClient.connect(server);
    client.send('GET /page HTTP/1.1\r\nHost: x\r\n\r\n');
    expect((await client.response()).body).toBe('a page');
    client.send('POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nform');
    expect((await client.response()).body).toBe('form');
    await expect(client.handshake('/ws', { 'Sec-WebSocket-Key': 'short' })).toBeRefusedWith(400);
    await expect(client.handshake('/ws')).toBeAccepted();
    await sleep(PATIENCE / 2);
    await expectEcho(client);
  });

  it('may be asked for before the request ahead of it is answered', async () => {
    const app = express();
    const asked = new AsyncQueue<() => void>();
    app.get('/slow', (_req, res) => asked.push(() => res.send('at last')));
    app.use(route);
    const server = await serveImpatiently(app, false);
    const client = await RawClient.connect(server);
    client.send('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
    const answer = await asked.next();
    client.sendHandshake('/ws');
    answer();
    expect((await client.response()).body).toBe('at last');
    await expect(client.response()).toBeAccepted();
    await expectEcho(client);
  });

  it('is no idle one for a server that allows one request a connection', async () => {
    const server = await serveImpatiently(route, false);
    server.server.maxRequestsPerSocket = 1;
    const client = await RawClient.open(server, '/ws', { Connection: 'keep-alive, Upgrade' });
    await sleep(PATIENCE / 2);
    await expectEcho(client);
  });

  it('opens although the client says that it wants no other request: Connection: close, Upgrade', async () => {
    const server = await serveImpatiently(route, false);
    const client = await RawClient.open(server, '/ws', { Connection: 'close, Upgrade' });
    await sleep(PATIENCE / 2);
    await expectEcho(client);
  });

  it('opens on a server that is closing', async () => {
    const thinking = new AsyncQueue<() => void>();
    class Slow extends Echo {
      override onHandshake(): Promise<boolean> {
        return new Promise((resolve) => thinking.push(() => resolve(true)));
      }
    }
    const server = await serveImpatiently(websocketRoute(Slow), false);
    const client = await RawClient.connect(server);
    client.sendHandshake();
    const accept = await thinking.next();
    const shut = new Promise((resolve) => server.server.close(resolve));
    accept();
    await expect(client.response()).toBeAccepted();
    await sleep(PATIENCE / 3);
    await expectEcho(client);
    client.send(frame({ opcode: 8 }));
    await shut;
  });

  it('has its slow reader waited for, however long', async () => {
    class Big extends WebSocketHandler {
      override onConnect(): void {
        this.write(Buffer.alloc(16 * 1024 * 1024, 7));
        this.write('after');
      }
    }
    const server = await serveImpatiently(websocketRoute(Big), false);
    const client = await RawClient.connect(server);
    client.socket.pause();
    client.sendHandshake();
    await sleep(PATIENCE);
    client.socket.resume();
    await expect(client.response()).toBeAccepted();
    expect((await client.next()).payload.length).toBe(16 * 1024 * 1024);
    expect(await client.nextText()).toBe('after');
  });
});
