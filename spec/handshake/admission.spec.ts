/** How many connections a route takes: in all, and per key. */
import { createServer, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import express, { type Express } from 'express';
import { Admission, networkOf } from '../../lib/handshake/admission.js';
import {
  type ConnectionOptions,
  metrics,
  type Refusal,
  upgradeListener,
  WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { setClock } from '../../lib/transport/clock.js';
import { deferred, turns } from '../connection/open.js';
import { CountingClock } from '../support/counting-clock.js';
import { closeBody, frame } from '../support/frames.js';
import { RawClient, type RawResponse } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

type Answer = boolean | Refusal;

interface Limited {
  server: Running;
  closes: AsyncQueue<number>;
  /** What `onHandshake` answers; accepts by default. */
  answer: { now: () => Answer | Promise<Answer> };
}

async function serveLimited(options: ConnectionOptions, mount?: (app: Express) => void): Promise<Limited> {
  const closes = new AsyncQueue<number>();
  const answer: Limited['answer'] = { now: () => true };
  class Limiting extends WebSocketHandler {
    override onHandshake(): Answer | Promise<Answer> {
      return answer.now();
    }

    override onClose(code: number): void {
      closes.push(code);
    }
  }
  const app = express();
  mount?.(app);
  app.use(websocketRoute('/ws', Limiting, options));
  return { server: await serve(app), closes, answer };
}

async function ask(server: Running, headers: Record<string, string> = {}, path = '/ws'): Promise<RawResponse> {
  return (await RawClient.connect(server)).handshake(path, headers);
}

const forwarded = (address: string): Record<string, string> => ({ 'X-Forwarded-For': address });

let log: jest.SpyInstance;
beforeEach(() => {
  log = jest.spyOn(console, 'error').mockImplementation();
});
afterEach(() => log.mockRestore());

describe('maxConnections', () => {
  it('refuses the next one with 503, and says when to come again', async () => {
    const { server } = await serveLimited({ maxConnections: 2 });
    const before = metrics().routes['/ws']?.refused['full'] ?? 0;
    for (let i = 0; i < 2; i++) await expect(ask(server)).toBeAccepted();
    const { status, headers, body } = await ask(server);
    expect([status, headers['retry-after']]).toEqual([503, '5']);
    expect(body).toBe(
      '503 Service Unavailable\nThis route has reached its maximum number of connections: try again later.\n',
    );
    expect(metrics().routes['/ws']?.refused['full']).toBe(before + 1);
  });

  it('is any number by default, and so is the number per key', async () => {
    const { server } = await serveLimited({});
    for (let i = 0; i < 50; i++) await expect(ask(server)).toBeAccepted();
  });

  it('counts each route for itself', async () => {
    const route = (path: string): ReturnType<typeof websocketRoute> =>
      websocketRoute(path, { onRead() {} }, { maxConnections: 1 });
    const server = await serve(express().use(route('/a'), route('/b')));
    await expect(ask(server, {}, '/a')).toBeAccepted();
    await expect(ask(server, {}, '/b')).toBeAccepted();
    await expect(ask(server, {}, '/a')).toBeRefusedWith(503);
  });

  it('counts handshakes that are going on: however many come at once, there are never more', async () => {
    const LIMIT = 7;
    let inside = 0;
    let most = 0;
    class Counted extends WebSocketHandler {
      override async onHandshake(): Promise<boolean> {
        most = Math.max(most, ++inside);
        await turns(1 + (inside % 5));
        return true;
      }

      override onClose(): void {
        inside--;
      }
    }
    const server = await serve(websocketRoute(Counted, { maxConnections: LIMIT }));
    for (let round = 0; round < 5; round++) {
      const clients = await Promise.all(Array.from({ length: 60 }, () => RawClient.connect(server)));
      const statuses = await Promise.all(clients.map(async (client) => (await client.handshake()).status));
      expect(statuses.filter((status) => status === 101)).toHaveLength(LIMIT);
      expect(statuses.filter((status) => status === 503)).toHaveLength(60 - LIMIT);
      for (const { socket } of clients) socket.destroy();
      while (server.sockets.size > 0) await turns();
    }
    expect(most).toBe(LIMIT);
  });
});

describe('maxConnectionsPerKey', () => {
  it('counts by the address, and refuses the next one with 429', async () => {
    const { server } = await serveLimited({ maxConnectionsPerKey: 2 });
    const before = metrics().routes['/ws']?.refused['full-for-key'] ?? 0;
    for (let i = 0; i < 2; i++) await expect(ask(server)).toBeAccepted();
    const { status, headers, body } = await ask(server);
    expect([status, headers['retry-after']]).toEqual([429, '5']);
    expect(body).toBe('429 Too Many Requests\nThis client has reached its maximum number of connections: close one.\n');
    expect(metrics().routes['/ws']?.refused['full-for-key']).toBe(before + 1);
  });

  it('believes no forged X-Forwarded-For', async () => {
    const { server } = await serveLimited({ maxConnectionsPerKey: 1 });
    await expect(ask(server, forwarded('10.0.0.1'))).toBeAccepted();
    await expect(ask(server, forwarded('10.0.0.2'))).toBeRefusedWith(429);
  });

  it('believes a proxy that Express trusts, and of what that says only what it has added', async () => {
    const { server } = await serveLimited({ maxConnectionsPerKey: 1 }, (app) => app.set('trust proxy', 1));
    await expect(ask(server, forwarded('10.0.0.1'))).toBeAccepted();
    await expect(ask(server, forwarded('10.0.0.2'))).toBeAccepted();
    await expect(ask(server, forwarded('10.0.0.2'))).toBeRefusedWith(429);
    await expect(ask(server, forwarded('10.0.0.3, 10.0.0.2'))).toBeRefusedWith(429);
  });

  it('takes the first 64 bits of an IPv6 address for one client, and IPv4 in IPv6 for IPv4', async () => {
    const { server } = await serveLimited({ maxConnectionsPerKey: 1 }, (app) => app.set('trust proxy', 'loopback'));
    const status = async (address: string): Promise<number> => (await ask(server, forwarded(address))).status;
    expect(await status('2001:db8:1:2::1')).toBe(101);
    expect(await status('2001:db8:1:2:ffff:ffff:ffff:ffff')).toBe(429);
    expect(await status('2001:db8:1:3::1')).toBe(101);
    expect(await status('192.0.2.1')).toBe(101);
    expect(await status('::ffff:192.0.2.1')).toBe(429);
    expect(await status('::ffff:192.0.2.2')).toBe(101);
  });

  it('works without Express, by the address of the socket', async () => {
    const server = await serve(websocketRoute({ onRead() {} }, { maxConnectionsPerKey: 1 }));
    await expect(ask(server, forwarded('10.0.0.1'))).toBeAccepted();
    await expect(ask(server, forwarded('10.0.0.2'))).toBeRefusedWith(429);
  });

  it('holds beside maxConnections, which is looked at first', async () => {
    const { server } = await serveLimited({ maxConnections: 2, maxConnectionsPerKey: 1 }, (app) =>
      app.set('trust proxy', 1),
    );
    await expect(ask(server, forwarded('10.0.0.1'))).toBeAccepted();
    await expect(ask(server, forwarded('10.0.0.1'))).toBeRefusedWith(429);
    await expect(ask(server, forwarded('10.0.0.2'))).toBeAccepted();
    await expect(ask(server, forwarded('10.0.0.1'))).toBeRefusedWith(503);
  });
});

describe('keyOf', () => {
  it('counts by what the function says, and not what it has no key for', async () => {
    const { server } = await serveLimited({
      maxConnectionsPerKey: 1,
      keyOf: (request) => request.headers['x-user']?.toString(),
    });
    const status = async (headers: Record<string, string>): Promise<number> => (await ask(server, headers)).status;
    expect(await status({ 'X-User': 'ada' })).toBe(101);
    expect(await status({ 'X-User': 'ada' })).toBe(429);
    expect(await status({ 'X-User': 'bob' })).toBe(101);
    for (let i = 0; i < 3; i++) expect(await status({})).toBe(101);
  });

  it('takes no name for a special one', async () => {
    const { server } = await serveLimited({
      maxConnectionsPerKey: 1,
      keyOf: (request) => String(request.headers['x-user']),
    });
    for (const user of ['__proto__', 'constructor', 'undefined']) {
      await expect(ask(server, { 'X-User': user })).toBeAccepted();
      await expect(ask(server, { 'X-User': user })).toBeRefusedWith(429);
    }
  });

  const failing: [what: string, keyOf: () => unknown, complaint: unknown][] = [
    [
      'throws',
      () => {
        throw new Error('no session');
      },
      expect.objectContaining({ message: 'no session' }),
    ],
    ['returns a number', () => 7, expect.objectContaining({ message: expect.stringContaining('the result of keyOf') })],
    ['returns null', () => null, expect.objectContaining({ code: 'ERR_WS_INVALID_RETURN_VALUE' })],
    [
      'returns a promise',
      () => Promise.reject(new Error('asynchronous')),
      expect.objectContaining({ code: 'ERR_WS_INVALID_RETURN_VALUE' }),
    ],
  ];
  it.each(failing)(
    'a keyOf that %s is answered with 500, logged, and takes no place',
    async (_what, keyOf, complaint) => {
      const rejections: unknown[] = [];
      const onRejection = (reason: unknown): void => void rejections.push(reason);
      process.on('unhandledRejection', onRejection);
      let isBroken = true;
      const { server } = await serveLimited({
        maxConnections: 1,
        maxConnectionsPerKey: 1,
        keyOf: () => (isBroken ? (keyOf() as string) : 'ada'),
      });
      for (let i = 0; i < 3; i++) await expect(ask(server)).toBeRefusedWith(500);
      expect(log.mock.calls[0]).toEqual(['websocket-route: handshake of Limiting at /ws:', complaint]);
      isBroken = false;
      await expect(ask(server)).toBeAccepted();
      await turns(5);
      process.off('unhandledRejection', onRejection);
      expect(rejections).toEqual([]);
    },
  );

  it('is not asked where nothing is counted by it', async () => {
    let asked = 0;
    const { server } = await serveLimited({
      maxConnections: 10,
      maxConnectionsPerKey: Infinity,
      keyOf: () => {
        asked++;
        return 'ada';
      },
    });
    await expect(ask(server)).toBeAccepted();
    expect(asked).toBe(0);
  });
});

describe('the place of a connection', () => {
  const one = { maxConnections: 1, maxConnectionsPerKey: 1 };

  async function expectFree(server: Running): Promise<void> {
    await expect(ask(server)).toBeAccepted();
    await expect(ask(server)).toBeRefusedWith(503);
  }

  it.each<[string, () => Answer | Promise<Answer>, number]>([
    ['false', () => false, 403],
    ['a refusal', () => ({ status: 401 }), 401],
    ['a promise of one', async () => ({ status: 401 }), 401],
    ['an error', () => Promise.reject(new Error('no database')), 500],
    ['nonsense', () => ({ status: 7 }), 500],
  ])('a place is given back when onHandshake answers %s', async (_what, now, status) => {
    const { server, answer } = await serveLimited(one);
    answer.now = now;
    for (let i = 0; i < 3; i++) expect((await ask(server)).status).toBe(status);
    answer.now = () => true;
    await expectFree(server);
  });

  it('a place is given back when the origin or the request is refused', async () => {
    const { server } = await serveLimited(one);
    for (let i = 0; i < 3; i++) {
      await expect(ask(server, { Origin: 'http://evil.example' })).toBeRefusedWith(403);
      await expect(ask(server, { 'Sec-WebSocket-Key': 'x' })).toBeRefusedWith(400);
    }
    await expectFree(server);
  });

  it('a place is given back when the handshake takes too long, whatever it answers later', async () => {
    const { server, answer } = await serveLimited({ ...one, handshakeTimeout: 1000 });
    const clock = new CountingClock();
    server.server.on('connection', (socket) => setClock(socket, clock));
    const late = deferred<boolean>();
    answer.now = () => late.promise;
    const client = await RawClient.connect(server);
    client.sendHandshake('/ws');
    while (clock.armed === 0) await turns();
    await clock.advance(1000);
    await expect(client.response()).toBeRefusedWith(503);
    answer.now = () => true;
    await expectFree(server);
    late.resolve(true);
    await turns(5);
    await expect(ask(server)).toBeRefusedWith(503);
  });

  it.each(['destroy', 'resetAndDestroy', 'end'] as const)(
    'a place is given back when the peer goes away during onHandshake, by %s',
    async (vanish) => {
      const { server, answer } = await serveLimited(one);
      const asked = new AsyncQueue<string>();
      answer.now = () => {
        asked.push('asked');
        return new Promise(() => {});
      };
      const client = await RawClient.connect(server);
      client.sendHandshake('/ws');
      await asked.next();
      client.socket[vanish]();
      while (server.sockets.size > 0) await turns();
      await turns(2);
      answer.now = () => true;
      await expectFree(server);
    },
  );

  it('a place is given back when other middleware has answered meanwhile, although the socket lives on and asks again', async () => {
    const late: ReturnType<typeof deferred<boolean>>[] = [];
    const { server, answer } = await serveLimited(one, (app) =>
      app.use((request, response, next) => {
        next();
        if (request.headers['x-impatient'] !== undefined) response.status(504).end('gone on');
      }),
    );
    answer.now = () => {
      late.push(deferred<boolean>());
      return late.at(-1)!.promise;
    };
    const client = await RawClient.connect(server);
    for (let i = 0; i < 3; i++) {
      await expect(client.handshake('/ws', { 'X-Impatient': '1' })).toBeRefusedWith(504);
      late.at(-1)?.resolve(true);
      await turns(2);
    }
    expect(client.socket.closed).toBe(false);
    answer.now = () => true;
    await expectFree(server);
  });

  it.each<[string, (client: RawClient) => void]>([
    ['a close frame', (client) => client.send(frame({ opcode: 8, payload: closeBody(1000) }))],
    ['the end of TCP', (client) => void client.socket.end()],
    ['a reset', (client) => void client.socket.resetAndDestroy()],
    ['a mistake', (client) => client.send(Buffer.from([0xff, 0xff]))],
  ])('a place is given back when the connection ends, by %s', async (_what, end) => {
    const { server, closes } = await serveLimited(one);
    for (let i = 0; i < 3; i++) {
      const client = await RawClient.open(server, '/ws');
      await expect(ask(server)).toBeRefusedWith(503);
      end(client);
      await client.ended;
      client.socket.end();
      await closes.next();
    }
    await expectFree(server);
  });

  it('the upgrade door gives a place back as well', async () => {
    const route = websocketRoute({ onRead() {} }, one);
    const http = createServer(route);
    http.on('upgrade', upgradeListener(route));
    const server = await serve(http);
    for (let i = 0; i < 3; i++) {
      const client = await RawClient.open(server);
      await expect(ask(server)).toBeRefusedWith(503);
      await client.close();
      while (server.sockets.size > 0) await turns();
    }
  });

  it('thousands of keys leave nothing behind', () => {
    const admission = new Admission({
      maxConnections: 100,
      maxConnectionsPerKey: 2,
      keyOf: (request) => request.url,
    });
    const request = new IncomingMessage(new Socket());
    for (let i = 0; i < 10_000; i++) {
      request.url = `/${i}`;
      const [one, other] = [admission.enter(request), admission.enter(request)];
      expect(admission.enter(request)).toMatchObject({ status: 429 });
      for (const leave of [one, other, one, one]) if (typeof leave === 'function') leave();
    }
    const byKey: unknown = Reflect.get(admission, 'byKey');
    expect(byKey).toEqual(new Map());
    expect(Reflect.get(admission, 'inside')).toBe(0);
  });
});

describe('networkOf', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['::1', '0:0:0:0::/64'],
    ['2001:DB8:0:1:2:3:4:5', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['unknown', 'unknown'],
    [undefined, undefined],
  ])('the network of %s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
