/** A route warns where its server's handshakes go to others, who listen to `upgrade`. */
import { createServer, type Server as HttpServer, type RequestListener, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import connect from 'connect';
import express from 'express';
import { Server as SocketIoServer } from 'socket.io';
import { WebSocketServer } from 'ws';
import {
  acceptWebSocket,
  isWebSocketHandshake,
  type Middleware,
  upgradeListener,
  websocketRoute,
} from '../../lib/index.js';
import { certificate } from '../support/certificate.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';

let warned: jest.SpyInstance;
beforeEach(() => {
  warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
});
afterEach(() => jest.restoreAllMocks());

const ONE = [
  [
    expect.stringMatching(/upgradeListener\(app, \{ path: /),
    { type: 'WebSocketRouteWarning', code: 'WS_UPGRADE_LISTENER' },
  ],
];

/** An app with a route that the requests of these tests pass by. */
function makeApp() {
  const app = express();
  app.use(websocketRoute('/ws/:name', {}));
  app.get('/', (_req, res) => void res.send('home'));
  return app;
}

/** Asks twice for what is no WebSocket. */
async function visit(server: HttpServer, tls = false, path = '/'): Promise<void> {
  const running = await serve(server, { tls });
  const client = await RawClient.connect(running);
  for (let i = 0; i < 2; i++) {
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.response();
  }
}

const others: [name: string, listen: (server: HttpServer) => unknown][] = [
  ['socket.io', (server) => new SocketIoServer(server)],
  ['ws', (server) => new WebSocketServer({ server, path: '/theirs' })],
  ['a listener of any kind', (server) => server.on('upgrade', () => {})],
];

describe.each(others)('where %s listens to upgrade, too', (_name, listen) => {
  it('an ordinary request makes the route warn, once for a server', async () => {
    for (let i = 1; i <= 2; i++) {
      const server = createServer(makeApp());
      listen(server);
      await visit(server);
      expect(warned.mock.calls).toEqual([...ONE, ...ONE].slice(0, i));
    }
  });

  it('a route does not warn where one of our listeners is there, too, in whatever order they came', async () => {
    for (const oursFirst of [true, false]) {
      const app = makeApp();
      const server = createServer((request, response) => app(request, response));
      if (oursFirst) server.on('upgrade', upgradeListener(app, { path: '/ws' }));
      listen(server);
      if (!oursFirst) server.on('upgrade', upgradeListener(app, { path: '/ws' }));
      await visit(server);
    }
    expect(warned).not.toHaveBeenCalled();
  });
});

describe('a route', () => {
  const route = websocketRoute('/ws/:name', {});
  it.each<[name: string, app: RequestListener, path: string]>([
    ['in Connect', connect().use(route), '/'],
    ['alone, that is asked for another path', route, '/'],
    ['alone, that is asked for its own', route, '/ws/Ada'],
    ['without a path', websocketRoute({}), '/'],
    ['by hand', (request, response) => acceptWebSocket(request, response, {}), '/'],
  ])('a route %s warns, too', async (_name, app, path) => {
    await visit(
      createServer(app).on('upgrade', () => {}),
      false,
      path,
    );
    expect(warned.mock.calls).toEqual(ONE);
  });

  it('warns over TLS, too', async () => {
    await visit(
      createTlsServer(await certificate(), makeApp()).on('upgrade', () => {}),
      true,
    );
    expect(warned.mock.calls).toEqual(ONE);
  });

  it('sees a listener that is added by a request, as a proxy’s is', async () => {
    const app = express();
    const server = createServer(app);
    app.use((_req, _res, next) => {
      if (server.listenerCount('upgrade') === 0) setImmediate(() => server.on('upgrade', () => {}));
      next();
    }, makeApp());
    await visit(server);
    expect(warned.mock.calls).toEqual(ONE);
  });

  it('does not warn where nobody listens to upgrade', async () => {
    await visit(createServer(makeApp()));
    expect(warned).not.toHaveBeenCalled();
  });

  it('does not warn where a listener of the user’s own calls ours', async () => {
    const app = makeApp();
    const ours = upgradeListener(app);
    const server = createServer(app).on('upgrade', (request, socket, head) => {
      if (request.url !== '/other') ours(request, socket, head);
    });
    await visit(server);
    expect(warned).not.toHaveBeenCalled();
  });

  it('does not warn where such a listener was made for the app, and the server’s own listener calls that', async () => {
    const app = makeApp();
    const outer = express().use('/inner', app);
    for (const ours of [upgradeListener(app), upgradeListener(outer)]) {
      const server = createServer((request, response) => outer(request, response));
      server.on('upgrade', (request, socket, head) => ours(request, socket, head));
      await visit(server, false, '/inner/');
    }
    expect(warned).not.toHaveBeenCalled();
  });

  it('does not warn where the server leaves handshakes to the app', async () => {
    const byPath = { shouldUpgradeCallback: (request: { url?: string }) => request.url === '/other' };
    const never = { shouldUpgradeCallback: () => false };
    for (const { shouldUpgradeCallback } of [byPath, never]) {
      const server = createServer(makeApp()).on('upgrade', () => {});
      // As the constructor of newer versions of Node sets it.
      await visit(Object.assign(server, { shouldUpgradeCallback }));
    }
    expect(warned).not.toHaveBeenCalled();
    const shouldUpgradeCallback = isWebSocketHandshake;
    await visit(
      Object.assign(
        createServer(makeApp()).on('upgrade', () => {}),
        { shouldUpgradeCallback },
      ),
    );
    expect(warned.mock.calls).toEqual(ONE);
  });

  it('takes a request that came from no server', () => {
    const next = jest.fn();
    const request = { url: '/', httpVersionMajor: 1 } as Parameters<Middleware>[0];
    for (const socket of [undefined, {}, { server: null }, { server: {} }]) {
      route(Object.assign(request, { socket }), new ServerResponse(request), next);
    }
    expect(next).toHaveBeenCalledTimes(4);
  });
});
