/** Leaving: 503 for who comes, 1001 for who is there, and an end in time. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { IncomingMessage, RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import express from 'express';
import {
  type DrainOptions,
  drain,
  ReadyState,
  upgradeListener,
  type WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { setClock } from '../../lib/transport/clock.js';
import { deferred, type Hooks, type Opened, open, openDraft76, serveHooks, turns } from '../connection/open.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

/** A server whose time passes by `clock` alone. */
async function serveByClock(
  hooks: Hooks & ThisType<WebSocketHandler> = {},
  options: Parameters<typeof serveHooks>[1] = {},
  how: { tls?: boolean } = {},
): Promise<{ server: Running; clock: TestClock; open: () => Promise<Opened> }> {
  const clock = new TestClock();
  const { server, open } = await serveHooks(hooks, options, how);
  server.server.on(how.tls ? 'secureConnection' : 'connection', (socket: Socket) => setClock(socket, clock));
  return { server, clock, open };
}

/** Takes the server's goodbye, and answers it. */
async function leave(client: RawClient): Promise<number> {
  const { code } = await client.nextClose();
  await client.close(code);
  return code;
}

const isSettled = async (promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, 'pending'))])) !== 'pending';

describe('a server that drains', () => {
  const doors: [door: string, open: (options?: DrainOptions) => Promise<Running>][] = [
    ['the request door', () => serve(appWithPage())],
    ['TLS', () => serve(appWithPage(), { tls: true })],
    [
      'the upgrade door',
      async () => {
        const app = appWithPage();
        const running = await serve(app);
        running.server.on('upgrade', upgradeListener(app));
        return running;
      },
    ],
  ];

  function appWithPage(): express.Express {
    const app = express();
    app.use(websocketRoute('/ws', {}));
    app.get('/page', (_request, response) => void response.send('a page'));
    return app;
  }

  it.each(doors)(
    'refuses new handshakes with 503 and Retry-After, by %s, and closes what is open',
    async (_door, go) => {
      const server = await go();
      const open = await RawClient.open(server, '/ws');
      const result = drain(server.server, { jitter: 0 });
      const client = await RawClient.connect(server);
      expect(await client.handshake('/ws')).toMatchObject({
        status: 503,
        headers: { 'retry-after': '1', connection: 'close' },
        body: expect.stringContaining('shutting down'),
      });
      await client.ended;
      expect(await leave(open)).toBe(1001);
      expect(await result).toEqual({ closed: 1, terminated: 0 });
      // And so it remains.
      await expect((await RawClient.connect(server)).handshake('/ws')).toBeRefusedWith(503);
    },
  );

  it('a server that drains still serves ordinary HTTP', async () => {
    const server = await serve(appWithPage());
    await drain(server.server);
    expect(await (await fetch(`${server.httpUrl}/page`)).text()).toBe('a page');
  });

  it('says in Retry-After what it is told', async () => {
    const server = await serve(websocketRoute({}));
    await drain(server.server, { retryAfter: 30 });
    const { headers } = await (await RawClient.connect(server)).handshake();
    expect(headers['retry-after']).toBe('30');
  });

  it('refuses the handshake whose onHandshake is pending when it begins', async () => {
    const asked = new AsyncQueue<string>();
    const answer = deferred<boolean>();
    let connected = 0;
    const server = await serve(
      websocketRoute({
        onHandshake() {
          asked.push('asked');
          return answer.promise;
        },
        onConnect() {
          connected++;
        },
      }),
    );
    const client = await RawClient.connect(server);
    client.sendHandshake();
    await asked.next();
    let isDrained = false;
    const drained = drain(server.server).finally(() => {
      isDrained = true;
    });
    await turns(20);
    // The hook may need what is closed after that.
    expect(isDrained).toBe(false);
    answer.resolve(true);
    expect(await client.response()).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(await drained).toEqual({ closed: 0, terminated: 0 });
    expect(connected).toBe(0);
  });

  it('gives to a connection that opens while it drains what is left of the time, and no more', async () => {
    const clock = new TestClock();
    const held = new AsyncQueue<() => void>();
    const opens = new AsyncQueue<void>();
    const hooks = { onConnect: () => opens.push() };
    const route = websocketRoute(hooks, { closeTimeout: 60_000 });
    const server = await serve((request, response) => {
      const { end } = response;
      // As a session store does: the 101 leaves when it has answered.
      response.end = () => {
        held.push(() => end.call(response, '', 'utf8'));
        return response;
      };
      route(request, response);
    });
    server.server.on('connection', (socket) => setClock(socket, clock));
    const opening = RawClient.open(server);
    const answer = await held.next();
    const drained = drain(server.server, { jitter: 0, timeout: 10_000 });
    await clock.advance(9000);
    answer();
    const client = await opening;
    await opens.next();
    await clock.advance(1);
    // It does not answer.
    await expect(client).toCloseWith(1001);
    await clock.advance(998);
    expect(await isSettled(drained)).toBe(false);
    await clock.advance(1);
    expect(await drained).toEqual({ closed: 0, terminated: 1 });
  });

  it('does not wait for handshakes that are over, however they ended, nor beyond the deadline', async () => {
    const asked = new AsyncQueue<string>();
    const vanished = new AsyncQueue<string>();
    const route = websocketRoute({
      async onHandshake({ url, socket }: IncomingMessage) {
        asked.push('asked');
        if (url === '/refused') return false;
        if (url === '/throwing') throw new Error('a test');
        if (url === '/vanishing') socket.once('close', () => vanished.push('vanished'));
        return url === '/accepted' || new Promise<boolean>(() => {});
      },
      onError() {},
    });
    const server = await serve(route);
    for (const path of ['/refused', '/throwing', '/accepted', '/vanishing']) {
      const client = await RawClient.connect(server);
      client.sendHandshake(path);
      await asked.next();
      if (path === '/vanishing') client.socket.resetAndDestroy();
      else await client.response();
      if (path === '/accepted') await client.close();
    }
    await vanished.next();
    await turns(5);
    expect(await drain(server.server)).toEqual({ closed: 0, terminated: 0 });

    const other = await serve(route);
    (await RawClient.connect(other)).sendHandshake('/for-ever');
    await asked.next();
    expect(await drain(other.server, { timeout: 50 })).toEqual({ closed: 0, terminated: 0 });
  });

  it('closes the connection whose 101 is on its way when it begins', async () => {
    const { server, open } = await serveHooks({});
    const began = new AsyncQueue<ReturnType<typeof drain>>();
    const begin = (): void => began.push(drain(server.server, { jitter: 0 }));
    subscribe('websocket-route:accept', begin);
    const { client, closes } = await open().finally(() => unsubscribe('websocket-route:accept', begin));
    // A promise in a promise would be unwrapped.
    const [drained] = began.left;
    expect(await leave(client)).toBe(1001);
    expect(await closes.next()).toEqual([1001, '', true]);
    expect(await drained).toEqual({ closed: 1, terminated: 0 });
  });

  /** In front of the route, a middleware that ends responses only when `held` says so. */
  function holdingBack(held: AsyncQueue<() => void>, route: RequestListener): RequestListener {
    return (request, response) => {
      const { end } = response;
      Reflect.set(response, 'end', (...args: unknown[]) => {
        held.push(() => void Reflect.apply(end, response, args));
        return response;
      });
      route(request, response);
    };
  }

  it('waits for the 101 that a middleware holds back, as express-session does until its store has answered', async () => {
    const held = new AsyncQueue<() => void>();
    const closes = new AsyncQueue<number>();
    const server = await serve(holdingBack(held, websocketRoute({ onClose: (code) => void closes.push(code) })));
    const client = await RawClient.connect(server);
    client.sendHandshake();
    const release = await held.next();
    const drained = drain(server.server, { jitter: 0 });
    await turns(20);
    expect(await isSettled(drained)).toBe(false);
    release();
    await expect(client.response()).toBeAccepted();
    expect(await leave(client)).toBe(1001);
    expect(await closes.next()).toBe(1001);
    expect(await drained).toEqual({ closed: 1, terminated: 0 });
  });

  it('does not wait any longer for a 101 that is held back when its client has gone', async () => {
    const held = new AsyncQueue<() => void>();
    const server = await serve(holdingBack(held, websocketRoute({})));
    const client = await RawClient.connect(server);
    client.sendHandshake();
    await held.next();
    const drained = drain(server.server, { timeout: 600_000, jitter: 0 });
    await turns(5);
    expect(await isSettled(drained)).toBe(false);
    client.socket.resetAndDestroy();
    expect(await drained).toEqual({ closed: 0, terminated: 0 });
  });

  it('leaves other servers of the process alone', async () => {
    const route = websocketRoute({
      onRead(data: string | Buffer) {
        this.write(data);
      },
    });
    const [one, other] = [await serve(route), await serve(route)];
    const client = await RawClient.open(other);
    expect(await drain(one.server)).toEqual({ closed: 0, terminated: 0 });
    client.send(text('still there'));
    expect(await client.nextText()).toBe('still there');
    expect((await (await RawClient.connect(other)).handshake()).status).toBe(101);
  });

  it('gives the same result to whoever asks again', async () => {
    const { server, open } = await serveHooks({});
    const { client } = await open();
    const first = drain(server.server, { jitter: 0 });
    const second = drain(server.server, { timeout: 1 });
    expect(await leave(client)).toBe(1001);
    expect(await first).toEqual({ closed: 1, terminated: 0 });
    expect(await second).toBe(await first);
    expect(await drain(server.server)).toBe(await first);
  });

  it('accepts again when it listens anew, and may be drained again', async () => {
    const { server } = await serveHooks({});
    await drain(server.server);
    await new Promise((resolve) => server.server.close(resolve));
    await serve(server.server);
    const { port } = server.server.address() as { port: number };
    const again = { ...server, port };
    const client = await RawClient.open(again);
    const result = drain(server.server, { jitter: 0 });
    expect(await leave(client)).toBe(1001);
    expect(await result).toEqual({ closed: 1, terminated: 0 });
    expect((await (await RawClient.connect(again)).handshake()).status).toBe(503);
  });

  it('tells the channel', async () => {
    const told: unknown[] = [];
    const tell = (message: unknown): void => void told.push(message);
    subscribe('websocket-route:drain', tell);
    const { server, open } = await serveHooks({});
    const { client } = await open();
    const result = drain(server.server, { jitter: 0 });
    await leave(client);
    await result;
    unsubscribe('websocket-route:drain', tell);
    expect(told).toEqual([
      { server: server.server, phase: 'start', connections: 1 },
      { server: server.server, phase: 'end', closed: 1, terminated: 0 },
    ]);
  });
});

describe('the goodbyes', () => {
  const isOpen = ({ handler }: Opened): boolean => handler.readyState === ReadyState.OPEN;

  it('are spread over jitter', async () => {
    const { server, clock, open } = await serveByClock();
    const all: Opened[] = [];
    for (let i = 0; i < 64; i++) all.push(await open());
    const result = drain(server.server, { timeout: 10_000, jitter: 2000 });
    // That none of them goes in a given quarter has a probability of 1 to 100 million.
    let before = 64;
    for (let quarter = 0; quarter < 4; quarter++) {
      await clock.advance(500);
      const left = all.filter(isOpen).length;
      expect(left).toBeLessThan(before);
      before = left;
      expect(left > 0).toBe(quarter < 3);
    }
    const codes = await Promise.all(all.map(({ client }) => leave(client)));
    expect(new Set(codes)).toEqual(new Set([1001]));
    expect(await result).toEqual({ closed: 64, terminated: 0 });
  });

  it.each([
    [{}, 1000],
    [{ timeout: 1500 }, 750],
    [{ timeout: 1 }, 0],
    [{ timeout: 500, jitter: 400 }, 400],
  ])('the goodbyes with %p are said within %d ms', async (options: DrainOptions, jitter) => {
    const { server, clock, open } = await serveByClock();
    const all = await Promise.all(Array.from({ length: 16 }, open));
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.99999);
    const result = drain(server.server, options);
    random.mockRestore();
    if (jitter > 0) {
      await clock.advance(jitter * 0.98);
      expect(all.every(isOpen)).toBe(true);
    }
    await clock.advance(jitter * 0.02);
    expect(all.some(isOpen)).toBe(false);
    await Promise.all(all.map(({ client }) => leave(client)));
    expect(await result).toEqual({ closed: 16, terminated: 0 });
  });

  it('have the code and reason that are asked for', async () => {
    const { server, clock, open } = await serveByClock();
    const { client, closes } = await open();
    void drain(server.server, { jitter: 0, code: 1012, reason: 'a new version' });
    await clock.advance(0);
    await expect(client).toCloseWith(1012, 'a new version');
    await client.close(1012);
    expect(await closes.next()).toEqual([1012, '', true]);
  });

  it('reach a draft-76 client, too', async () => {
    const { server, client, closes } = await openDraft76();
    const result = drain(server.server, { jitter: 0 });
    expect((await client.rest()).toString('hex')).toBe('ff00');
    client.socket.end();
    expect((await closes.next())[0]).toBe(1005);
    expect(await result).toEqual({ closed: 1, terminated: 0 });
  });
});

describe('a handler that is at work when its server drains', () => {
  it('finishes the message at hand; its answer goes out before the close frame, and nothing more is delivered', async () => {
    const begun = new AsyncQueue<string | Buffer>();
    const work = deferred();
    const { server, clock, open } = await serveByClock({
      async onRead(data) {
        begun.push(data);
        await work.promise;
        this.write(`done: ${data}`);
      },
    });
    const { client, handler, closes } = await open();
    client.send(text('one'), text('two'));
    expect(await begun.next()).toBe('one');
    const result = drain(server.server, { jitter: 0, timeout: 1000 });
    await clock.advance(999);
    expect(handler.readyState).toBe(ReadyState.OPEN);
    client.send(text('three'));
    work.resolve();
    expect(await client.nextText()).toBe('done: one');
    expect(await leave(client)).toBe(1001);
    expect(await closes.next()).toEqual([1001, '', true]);
    expect(await result).toEqual({ closed: 1, terminated: 0 });
    expect(begun.left).toEqual([]);
  });

  it('finishes onConnect', async () => {
    const work = deferred();
    const read: unknown[] = [];
    const { server, clock, open } = await serveByClock({
      async onConnect() {
        await work.promise;
        this.write('welcome');
      },
      onRead: (data) => read.push(data),
    });
    const { client } = await open();
    client.send(text('one'));
    const result = drain(server.server, { jitter: 0 });
    await clock.advance(0);
    work.resolve();
    expect(await client.nextText()).toBe('welcome');
    expect(await leave(client)).toBe(1001);
    expect(await result).toEqual({ closed: 1, terminated: 0 });
    expect(read).toEqual([]);
  });

  it('finishes with the message that it took from messages(), and its loop ends', async () => {
    const begun = new AsyncQueue<unknown>();
    const work = deferred();
    const { server, clock, open } = await serveByClock({
      async onConnect() {
        for await (const data of this.messages()) {
          begun.push(data);
          await work.promise;
          this.write(`done: ${data}`);
        }
        begun.push('the loop has ended');
      },
    });
    const [busy, waiting] = [await open(), await open()];
    busy.client.send(text('one'), text('two'));
    expect(await begun.next()).toBe('one');
    const result = drain(server.server, { jitter: 0 });
    await clock.advance(0);
    expect(await leave(waiting.client)).toBe(1001);
    expect(await begun.next()).toBe('the loop has ended');
    expect(busy.handler.readyState).toBe(ReadyState.OPEN);
    work.resolve();
    expect(await busy.client.nextText()).toBe('done: one');
    expect(await leave(busy.client)).toBe(1001);
    expect(await begun.next()).toBe('the loop has ended');
    expect(await result).toEqual({ closed: 2, terminated: 0 });
    expect(begun.left).toEqual([]);
  });

  it('is waited for when its client has gone', async () => {
    const begun = new AsyncQueue<unknown>();
    const work = deferred();
    const { server, clock, open } = await serveByClock({
      onRead(data) {
        begun.push(data);
        return work.promise;
      },
    });
    const { client, socket, closes } = await open();
    client.send(text('one'));
    await begun.next();
    const result = drain(server.server, { jitter: 0 });
    socket.destroy();
    await once(socket, 'close');
    await clock.advance(500);
    expect(await isSettled(result)).toBe(false);
    work.resolve();
    expect(await closes.next()).toEqual([1006, '', false]);
    expect(await result).toEqual({ closed: 1, terminated: 0 });
  });

  it('is waited for in onClose', async () => {
    const work = deferred();
    const { server, clock, open } = await serveByClock({ onClose: () => work.promise });
    const { client, closes } = await open();
    const result = drain(server.server, { jitter: 0 });
    await clock.advance(0);
    await leave(client);
    await closes.next();
    expect(await isSettled(result)).toBe(false);
    work.resolve();
    expect(await result).toEqual({ closed: 1, terminated: 0 });
  });

  it('is not waited for any longer when its onClose fails', async () => {
    const errors: unknown[] = [];
    const { server, clock, open } = await serveByClock({
      onClose: () => Promise.reject(new Error('no')),
      onError: (error) => errors.push(error),
    });
    const { client } = await open();
    const result = drain(server.server, { jitter: 0 });
    await clock.advance(0);
    await leave(client);
    expect(await result).toEqual({ closed: 1, terminated: 0 });
    expect(errors).toEqual([new Error('no')]);
  });
});

describe('at the deadline', () => {
  it('a connection still open at the deadline is terminated, and told so before the promise is fulfilled', async () => {
    const begun = new AsyncQueue<unknown>();
    const { server, clock, open } = await serveByClock({
      onRead(data) {
        begun.push(data);
        return new Promise(() => {});
      },
    });
    const [polite, silent, busy] = [await open(), await open(), await open()];
    busy.client.send(text('for ever'));
    await begun.next();
    const result = drain(server.server, { timeout: 3000, jitter: 0 });
    await clock.advance(0);
    await leave(polite.client);
    await expect(silent.client).toCloseWith(1001, '');
    await clock.advance(2999);
    expect(await isSettled(result)).toBe(false);
    await clock.advance(1);
    expect(await result).toEqual({ closed: 1, terminated: 2 });
    expect(silent.closes.left).toEqual([[1006, '', false]]);
    // There onClose waits for onRead, as it always does.
    expect(busy.closes.left).toEqual([]);
    await Promise.all([silent.client.ended, busy.client.ended]);
  });

  it('the promise is fulfilled when onClose has been called', async () => {
    const order: unknown[] = [];
    const { server, open } = await serveHooks({ onClose: (code) => order.push(code) });
    await open();
    await drain(server.server, { timeout: 20 });
    order.push('drained');
    expect(order).toEqual([1006, 'drained']);
  });

  it('a handler that settles later gets its onClose then', async () => {
    const begun = new AsyncQueue<unknown>();
    const work = deferred();
    const { server, clock, open } = await serveByClock({
      onRead(data) {
        begun.push(data);
        return work.promise;
      },
    });
    const { client, closes } = await open();
    client.send(text('one'), text('two'));
    await begun.next();
    const result = drain(server.server, { timeout: 3000 });
    await clock.advance(3000);
    expect(await result).toEqual({ closed: 0, terminated: 1 });
    work.resolve();
    expect(await closes.next()).toEqual([1006, '', false]);
    expect(begun.left).toEqual([]);
  });

  it('an onClose that never settles is not waited for', async () => {
    const { server, clock, open } = await serveByClock({ onClose: () => new Promise(() => {}) });
    const { client, closes } = await open();
    const result = drain(server.server, { timeout: 3000, jitter: 0 });
    await clock.advance(0);
    await leave(client);
    expect(await closes.next()).toEqual([1001, '', true]);
    await clock.advance(3000);
    expect(await result).toEqual({ closed: 0, terminated: 1 });
  });

  it('a client that did not answer the goodbye within closeTimeout has gone already', async () => {
    const { server, clock, open } = await serveByClock({}, { closeTimeout: 1000 });
    const { client, closes } = await open();
    const result = drain(server.server, { timeout: 10_000, jitter: 0 });
    await clock.advance(0);
    await expect(client).toCloseWith(1001, '');
    await clock.advance(2000);
    expect(await closes.next()).toEqual([1006, '', false]);
    expect(await result).toEqual({ closed: 1, terminated: 0 });
  });

  it.each([false, true])('the client sees the end of the connection (TLS: %p)', async (tls) => {
    const { server, clock, open } = await serveByClock({ onConnect: () => new Promise(() => {}) }, {}, { tls });
    const { client } = await open();
    const result = drain(server.server, { timeout: 100 });
    await clock.advance(100);
    await client.ended;
    expect(await result).toEqual({ closed: 0, terminated: 1 });
  });
});

describe('a handler whose client had gone before its server began to drain', () => {
  it('is waited for in onRead', async () => {
    const begun = new AsyncQueue<unknown>();
    const work = deferred();
    const { server, client, socket, closes } = await open({
      onRead(data) {
        begun.push(data);
        return work.promise;
      },
    });
    client.send(text('one'));
    await begun.next();
    socket.destroy();
    await once(socket, 'close');
    const result = drain(server.server);
    await turns(5);
    expect(await isSettled(result)).toBe(false);
    work.resolve();
    expect(await closes.next()).toEqual([1006, '', false]);
    expect(await result).toEqual({ closed: 1, terminated: 0 });
  });

  it('is waited for in onClose', async () => {
    const work = deferred();
    const { server, client, closes } = await open({ onClose: () => work.promise });
    client.socket.destroy();
    await closes.next();
    const result = drain(server.server);
    await turns(5);
    expect(await isSettled(result)).toBe(false);
    work.resolve();
    expect(await result).toEqual({ closed: 1, terminated: 0 });
  });
});
