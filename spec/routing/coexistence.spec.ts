/** The upgrade door beside others that listen to `upgrade` on the same server: neither disturbs the other. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, runInThisContext } from 'node:vm';
import express, { type Express } from 'express';
import { Server as SocketIoServer } from 'socket.io';
import { type Socket as IoSocket, io } from 'socket.io-client';
import type { createServer as createViteServer } from 'vite';
import { WebSocketServer, WebSocket as WsClient } from 'ws';
import { upgradeListener, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';

class Echo extends WebSocketHandler {
  override onConnect({ name }: { name: string }): void {
    this.write(`Hello, ${name}!`);
  }

  override onRead(data: string | Buffer): void {
    this.write(`ours ${data}`);
  }
}

function makeApp(): Express {
  return express().use(websocketRoute('/ws/:name', Echo));
}

async function expectOurs(server: { url: string; port: number }): Promise<RawClient> {
  const client = await RawClient.open(server as Parameters<typeof RawClient.open>[0], '/ws/Ada');
  expect(await client.nextText()).toBe('Hello, Ada!');
  client.send(text('echo'));
  expect(await client.nextText()).toBe('ours echo');
  return client;
}

/** What a `ws` client hears first. */
async function firstMessage(client: WsClient): Promise<string> {
  return new Promise((resolve, reject) => {
    client.once('message', (data) => resolve(String(data)));
    client.once('error', reject);
    client.once('unexpected-response', (_request, response) => reject(new Error(String(response.statusCode))));
  });
}

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

describe.each([
  ['before', true],
  ['after', false],
])('an upgrade listener that was added %s the other one', (_when, oursFirst) => {
  /** Adds both listeners in the order that is tested. */
  function attach(server: Server, app: Express, others: () => void): void {
    if (oursFirst) server.on('upgrade', upgradeListener(app, { path: '/ws' }));
    others();
    if (!oursFirst) server.on('upgrade', upgradeListener(app, { path: '/ws' }));
  }

  it('works next to socket.io, both at the same time', async () => {
    const app = makeApp();
    const server = createServer(app);
    attach(server, app, () => {
      // It ends upgrades it does not know after a second, unless told not to.
      const sockets = new SocketIoServer(server, { destroyUpgrade: false });
      sockets.on('connection', (socket) => socket.on('say', (what, answer) => answer(`theirs ${what}`)));
      open.push(() => sockets.close());
    });
    const running = await serve(server);
    const ours = await expectOurs(running);
    for (const transports of [['websocket'], ['polling', 'websocket']]) {
      const theirs: IoSocket = io(running.httpUrl, { transports, reconnection: false });
      open.push(() => theirs.close());
      await new Promise<void>((resolve, reject) => {
        theirs.once('connect', resolve);
        theirs.once('connect_error', reject);
      });
      expect(await theirs.emitWithAck('say', 'hello')).toBe('theirs hello');
      if (theirs.io.engine.transport.name !== 'websocket') {
        await new Promise((resolve) => theirs.io.engine.once('upgrade', resolve));
      }
      expect(await theirs.emitWithAck('say', 'again')).toBe('theirs again');
    }
    ours.send(text('still'));
    expect(await ours.nextText()).toBe('ours still');
  });

  it('works next to a WebSocketServer of ws with a path of its own, and one without a server', async () => {
    const app = makeApp();
    const server = createServer(app);
    attach(server, app, () => {
      const noServer = new WebSocketServer({ noServer: true });
      server.on('upgrade', (request, socket, head) => {
        if (!request.url?.startsWith('/theirs')) return;
        noServer.handleUpgrade(request, socket, head, (client) => client.send('theirs'));
      });
    });
    const running = await serve(server);
    const ours = await expectOurs(running);
    const theirs = new WsClient(`${running.url}/theirs`);
    open.push(() => theirs.terminate());
    expect(await firstMessage(theirs)).toBe('theirs');
    ours.send(text('still'));
    expect(await ours.nextText()).toBe('ours still');
  });
});

describe('an upgrade listener', () => {
  it('works next to Vite’s dev server, whose hot module replacement is on the same server', async () => {
    const root = await mkdtemp(join(tmpdir(), 'websocket-route-vite-'));
    open.push(() => rm(root, { recursive: true }));
    await writeFile(join(root, 'index.html'), '<!doctype html><title>Vite</title>');
    const { createServer: createVite } = await importVite();
    const app = makeApp();
    const server = createServer(app);
    const vite = await createVite({
      root,
      configFile: false,
      logLevel: 'silent',
      cacheDir: join(root, '.vite'),
      server: { middlewareMode: true, hmr: { server } },
    });
    open.push(() => vite.close());
    app.use(vite.middlewares);
    server.on('upgrade', upgradeListener(app, { path: '/ws' }));
    const running = await serve(server);
    const page = await fetch(`${running.httpUrl}/`);
    expect(await page.text()).toContain('/@vite/client');

    const ours = await expectOurs(running);
    const token = vite.config.webSocketToken;
    const theirs = new WsClient(`${running.url}/?token=${token}`, 'vite-hmr', { origin: running.httpUrl });
    open.push(() => theirs.terminate());
    expect(JSON.parse(await firstMessage(theirs))).toEqual({ type: 'connected' });
    const reloaded = firstMessage(theirs);
    vite.ws.send({ type: 'full-reload' });
    expect(JSON.parse(await reloaded)).toMatchObject({ type: 'full-reload' });
    ours.send(text('still'));
    expect(await ours.nextText()).toBe('ours still');
  });

  it('leaves plain requests and refusals to the app, as without it', async () => {
    const app = makeApp().get('/page', (_req, res) => void res.send('a page'));
    const running = await serve(app);
    running.server.on('upgrade', upgradeListener(app, { path: '/ws' }));
    expect(await (await fetch(`${running.httpUrl}/page`)).text()).toBe('a page');
    expect((await fetch(`${running.httpUrl}/ws/Ada`)).status).toBe(426);
  });
});

/** Vite is an ES module with native parts: Node itself must load it, not jest. */
function importVite(): Promise<{ createServer: typeof createViteServer }> {
  return runInThisContext("import('vite')", {
    filename: __filename,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}
