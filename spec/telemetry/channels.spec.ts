import { channel } from 'node:diagnostics_channel';
import { createServer, IncomingMessage, type RequestListener } from 'node:http';
import {
  acceptWebSocket,
  type ConnectionOptions,
  type DiagnosticMessages,
  drain,
  metrics,
  OverflowError,
  upgradeListener,
  WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { channels, publish } from '../../lib/telemetry/channels.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { setClock } from '../../lib/transport/clock.js';
import { deferred, turns } from '../connection/open.js';
import { closed, connect } from '../docs/client.js';
import { closeBody, frame, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';
import { listen } from './listening.js';

const NAMES = Object.keys(channels).map((name) => `websocket-route:${name}` as keyof DiagnosticMessages);

// What is published is logged as well, by default.
let log: jest.SpyInstance;
beforeEach(() => {
  log = jest.spyOn(console, 'error').mockImplementation();
});
afterEach(() => log.mockRestore());

function thrown(): never {
  throw new Error('broken');
}

/** Says back what it is told, and which handlers there are. */
function echo(): { Echo: new () => WebSocketHandler; handlers: AsyncQueue<WebSocketHandler> } {
  const handlers = new AsyncQueue<WebSocketHandler>();
  class Echo extends WebSocketHandler {
    override onConnect(): unknown {
      handlers.push(this);
      return undefined;
    }

    override onRead(data: string): unknown {
      this.write(data);
      return undefined;
    }
  }
  return { Echo, handlers };
}

async function serveEcho(options: ConnectionOptions = {}): Promise<{
  server: Running;
  handlers: AsyncQueue<WebSocketHandler>;
}> {
  const { Echo, handlers } = echo();
  return { server: await serve(websocketRoute('/echo/:name', Echo, options)), handlers };
}

describe('the channels', () => {
  it('are known to node:diagnostics_channel by the names that are documented', () => {
    expect(NAMES).toEqual([
      'websocket-route:accept',
      'websocket-route:refuse',
      'websocket-route:open',
      'websocket-route:close',
      'websocket-route:error',
      'websocket-route:overflow',
      'websocket-route:slow-consumer',
      'websocket-route:throttle',
      'websocket-route:drain',
    ]);
    for (const [name, one] of Object.entries(channels)) expect(channel(`websocket-route:${name}`)).toBe(one);
  });

  it('have no message made for them while nobody listens', () => {
    websocketRoute('/quiet', {});
    const message = jest.fn(() => ({ route: '/quiet', connection: {} }));
    publish('throttle', message);
    expect(message).not.toHaveBeenCalled();
    const throttles = listen('websocket-route:throttle');
    publish('throttle', message);
    expect(message).toHaveBeenCalledTimes(1);
    expect(throttles.left).toEqual([{ route: '/quiet', connection: {} }]);
  });

  it('hear nothing of messages, pings and pongs', async () => {
    const heard = NAMES.map((name) => ({ name, messages: listen(name) }));
    const { server } = await serveEcho();
    const client = await RawClient.open(server, '/echo/ada');
    for (let i = 0; i < 1000; i++) client.send(text(`${i}`));
    client.send(frame({ opcode: 9 }), frame({ opcode: 10 }));
    for (let i = 0; i < 1000; i++) expect(await client.nextText()).toBe(`${i}`);
    expect((await client.next()).opcode).toBe(10);
    const counts = heard.map(({ name, messages }) => [name, messages.left.length]);
    expect(counts.filter(([, count]) => count !== 0)).toEqual([
      ['websocket-route:accept', 1],
      ['websocket-route:open', 1],
    ]);
  });
});

describe('websocket-route:accept', () => {
  it('tells of a handshake whose 101 has been sent, with the request and the subprotocol', async () => {
    const accepts = listen('websocket-route:accept');
    const { server, handlers } = await serveEcho({ subprotocols: ['v2', 'v1'] });
    await RawClient.open(server, '/echo/ada?x=1', { 'Sec-WebSocket-Protocol': 'v1' });
    const { request, connection, ...rest } = await accepts.next();
    expect(rest).toStrictEqual({ route: '/echo/:name', subprotocol: 'v1' });
    expect(request).toBeInstanceOf(IncomingMessage);
    expect(request.url).toBe('/echo/ada?x=1');
    expect(connection).toBe(await handlers.next());
  });

  it('tells of a handler that was given by hand under the name of its class', async () => {
    const accepts = listen('websocket-route:accept');
    const { Echo } = echo();
    const server = await serve((request, response) => acceptWebSocket(request, response, Echo, {}));
    await RawClient.open(server);
    expect(await accepts.next()).toMatchObject({ route: 'Echo', subprotocol: '' });
  });
});

describe('a handshake is counted and published once', () => {
  const doors: [name: string, open: (app: RequestListener) => Promise<Running>][] = [
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
  let nth = 0;

  /** A route of its own, so that all that is counted for it is told apart. */
  function counted() {
    const route = `/counted/${++nth}`;
    const { Echo } = echo();
    const accepts = listen('websocket-route:accept');
    const refuses = listen('websocket-route:refuse');
    const told = () => ({
      accepted: metrics().routes[route]!.accepted,
      refused: metrics().routes[route]!.refused,
      published: [...accepts.left.map(() => 'accept'), ...refuses.left.map(({ reason }) => reason)],
    });
    return { route, app: websocketRoute(route, Echo), told };
  }

  describe.each(doors)('by %s', (_door, open) => {
    const ends: [what: string, replace: (end: () => void) => () => void][] = [
      ['throws', () => thrown],
      [
        'throws when it has ended',
        (end) => () => {
          end();
          thrown();
        },
      ],
    ];
    it.each(ends)('a handshake counts as refused where the end of its 101 %s', async (_what, replace) => {
      const { route, app, told } = counted();
      const server = await open((request, response) => {
        const { end } = response;
        response.end = replace(() => Reflect.apply(end, response, [])) as typeof end;
        app(request, response);
      });
      const client = await RawClient.connect(server);
      client.sendHandshake(route);
      await client.rest();
      await turns();
      expect(told()).toEqual({ accepted: 0, refused: { error: 1 }, published: ['error'] });
    });

    it('a handshake counts as accepted once the 101 has been sent', async () => {
      const { route, app, told } = counted();
      const ending = new AsyncQueue<() => void>();
      const server = await open((request, response) => {
        const { end } = response;
        // As a session store does that takes its time.
        response.end = () => {
          ending.push(() => Reflect.apply(end, response, []));
          return response;
        };
        app(request, response);
      });
      const client = await RawClient.connect(server);
      client.sendHandshake(route);
      const end = await ending.next();
      expect(told()).toEqual({ accepted: 0, refused: {}, published: [] });
      end();
      await expect(client.response()).toBeAccepted();
      client.send(text('open'));
      expect(await client.nextText()).toBe('open');
      expect(told()).toEqual({ accepted: 1, refused: {}, published: ['accept'] });
    });

    it('a handshake counts neither as accepted nor as refused where the client left before the 101 was sent', async () => {
      const { route, app, told } = counted();
      const ending = new AsyncQueue<() => void>();
      const server = await open((request, response) => {
        const { end } = response;
        response.end = () => {
          request.socket.once('close', () => ending.push(() => Reflect.apply(end, response, [])));
          request.socket.destroy();
          return response;
        };
        app(request, response);
      });
      const client = await RawClient.connect(server);
      client.sendHandshake(route);
      (await ending.next())();
      await turns();
      expect(told()).toEqual({ accepted: 0, refused: {}, published: [] });
    });

    it('a handshake counts as refused where the only route of a server does not match', async () => {
      const { app, told } = counted();
      const server = await open(app);
      const client = await RawClient.connect(server);
      await expect(client.handshake('/elsewhere')).toBeRefusedWith(404);
      expect(told()).toEqual({ accepted: 0, refused: { path: 1 }, published: ['path'] });
    });
  });
});

describe('websocket-route:refuse', () => {
  interface Refused {
    reason: string;
    status: number;
    options?: ConnectionOptions;
    headers?: Record<string, string | undefined>;
    method?: string;
  }
  const refusals: Refused[] = [
    { reason: 'method', status: 405, method: 'POST' },
    { reason: 'not-an-upgrade', status: 426, headers: { Upgrade: undefined } },
    { reason: 'body', status: 400, headers: { 'Content-Length': '1' } },
    { reason: 'version', status: 426, headers: { 'Sec-WebSocket-Version': '12' } },
    { reason: 'key', status: 400, headers: { 'Sec-WebSocket-Key': 'short' } },
    { reason: 'subprotocol', status: 400, headers: { 'Sec-WebSocket-Protocol': 'a,a' } },
    { reason: 'origin', status: 403, headers: { Origin: 'https://evil.example' } },
    { reason: 'error', status: 500, options: { origins: thrown }, headers: { Origin: 'https://a.example' } },
  ];

  it.each(refusals)('says "$reason" where that is why', async ({ reason, status, options, headers, method }) => {
    const refuses = listen('websocket-route:refuse');
    const accepts = listen('websocket-route:accept');
    const { server } = await serveEcho(options);
    const client = await RawClient.connect(server);
    client.sendHandshake('/echo/ada', headers, method);
    expect((await client.response(method)).status).toBe(status);
    const { request, ...rest } = await refuses.next();
    expect(rest).toStrictEqual({ route: '/echo/:name', status, reason });
    expect(request.url).toBe('/echo/ada');
    expect(accepts.left).toEqual([]);
  });

  it('says "full" and "full-for-key" where as many as may be are open', async () => {
    const refuses = listen('websocket-route:refuse');
    const { server } = await serveEcho({ maxConnections: 2, maxConnectionsPerKey: 1, keyOf: ({ url = '' }) => url });
    for (const name of ['ada', 'bob']) {
      await RawClient.open(server, `/echo/${name}`);
      const client = await RawClient.connect(server);
      const { status } = await client.handshake(`/echo/${name}`);
      const reason = name === 'ada' ? 'full-for-key' : 'full';
      expect(await refuses.next()).toMatchObject({ route: '/echo/:name', status, reason });
      expect(status).toBe(name === 'ada' ? 429 : 503);
    }
  });

  it.each([
    ['refuses', 'hook', 401, () => ({ status: 401 })],
    ['refuses after a while', 'hook', 403, async () => turns().then(() => false)],
    ['throws', 'error', 500, () => Promise.reject(new Error('broken'))],
  ])('says what became of it where onHandshake %s', async (_how, reason, status, onHandshake) => {
    const refuses = listen('websocket-route:refuse');
    const server = await serve(websocketRoute('/refused', { onHandshake, onError() {} }));
    const client = await RawClient.connect(server);
    expect((await client.handshake('/refused')).status).toBe(status);
    expect(await refuses.next()).toMatchObject({ route: '/refused', status, reason });
  });

  it('says "path" where what fits the path is not percent-encoded UTF-8', async () => {
    const refuses = listen('websocket-route:refuse');
    const { server } = await serveEcho();
    const client = await RawClient.connect(server);
    await expect(client.handshake('/echo/%ff')).toBeRefusedWith(400);
    expect(await refuses.next()).toMatchObject({ route: '/echo/:name', status: 400, reason: 'path' });
  });

  it('says "error" where a converter threw and there is no app', async () => {
    const refuses = listen('websocket-route:refuse');
    const server = await serve(websocketRoute('/converted/:id', {}, { convert: { id: thrown } }));
    const client = await RawClient.connect(server);
    await expect(client.handshake('/converted/1')).toBeRefusedWith(500);
    expect(await refuses.next()).toMatchObject({ route: '/converted/:id', status: 500, reason: 'error' });
  });

  it('says "timeout" where onHandshake takes too long', async () => {
    const refuses = listen('websocket-route:refuse');
    const clock = new TestClock();
    const asked = deferred();
    const http = createServer(
      websocketRoute(
        '/slow',
        { onHandshake: () => new Promise<true>(() => asked.resolve()) },
        { handshakeTimeout: 500 },
      ),
    );
    http.on('connection', (socket) => setClock(socket, clock));
    const client = await RawClient.connect(await serve(http));
    client.sendHandshake('/slow');
    await asked.promise;
    await clock.advance(500);
    await expect(client.response()).toBeRefusedWith(503);
    expect(await refuses.next()).toMatchObject({ route: '/slow', status: 503, reason: 'timeout' });
  });
});

describe('websocket-route:open', () => {
  it('tells of a connection before onConnect is called', async () => {
    const order: string[] = [];
    const opens = listen('websocket-route:open');
    const { Echo, handlers } = echo();
    class Ordered extends Echo {
      override onConnect(): unknown {
        order.push(`onConnect, ${opens.left.length} open`);
        return super.onConnect();
      }
    }
    const server = await serve(websocketRoute('/ordered', Ordered));
    await RawClient.open(server, '/ordered');
    const handler = await handlers.next();
    expect(order).toEqual(['onConnect, 1 open']);
    const message = await opens.next();
    expect(Object.keys(message)).toEqual(['route', 'connection']);
    expect(message.route).toBe('/ordered');
    expect(message.connection).toBe(handler);
  });

  it('tells nothing where the peer has left before the 101', async () => {
    const asked = deferred();
    const answer = deferred<true>();
    const heard = NAMES.map((name) => listen(name));
    const onHandshake = (): Promise<true> => {
      asked.resolve();
      return answer.promise;
    };
    const server = await serve(websocketRoute('/gone', { onHandshake }));
    const client = await RawClient.connect(server);
    client.sendHandshake('/gone');
    await asked.promise;
    client.socket.destroy();
    while (server.sockets.size > 0) await turns();
    answer.resolve(true);
    await turns(3);
    expect(heard.map(({ left }) => left.length)).toEqual(NAMES.map(() => 0));
  });
});

describe('websocket-route:close', () => {
  async function opened(options: ConnectionOptions = {}) {
    const closes = listen('websocket-route:close');
    const clock = new TestClock();
    const { Echo, handlers } = echo();
    const http = createServer(websocketRoute('/echo/:name', Echo, options));
    http.on('connection', (socket) => setClock(socket, clock));
    const server = await serve(http);
    const client = await RawClient.open(server, '/echo/ada');
    const handler = await handlers.next();
    return { closes, clock, server, client, handler };
  }

  it('tells how it ended, how long it took in milliseconds, and what has passed', async () => {
    const { closes, clock, server, client, handler } = await opened();
    const [socket] = server.sockets;
    client.send(text('one'), text('two'));
    expect([await client.nextText(), await client.nextText()]).toEqual(['one', 'two']);
    await clock.advance(12_345);
    await client.close(1000);
    const { connection, ...rest } = await closes.next();
    expect(connection).toBe(handler);
    expect(rest).toStrictEqual({
      route: '/echo/:name',
      code: 1000,
      reason: '',
      wasClean: true,
      duration: 12_345,
      messagesReceived: 2,
      messagesSent: 2,
      bytesReceived: socket?.bytesRead,
      bytesSent: socket?.bytesWritten,
    });
    // The handshake is among them, and the frames.
    expect(rest.bytesReceived).toBe(client.socket.bytesWritten);
    expect(rest.bytesSent).toBe(client.socket.bytesRead);
  });

  it('is there before onClose is called', async () => {
    const closes = listen('websocket-route:close');
    const seen = new AsyncQueue<number>();
    const server = await serve(websocketRoute('/ordered', { onClose: () => seen.push(closes.left.length) }));
    const client = await RawClient.open(server, '/ordered');
    await client.close();
    expect(await seen.next()).toBe(1);
  });

  it('tells how long the connection was open, and not how long its handler took after that', async () => {
    const closes = listen('websocket-route:close');
    const clock = new TestClock();
    const done = deferred();
    const asked = deferred();
    const onRead = (): Promise<void> => {
      asked.resolve();
      return done.promise;
    };
    const http = createServer(websocketRoute('/busy', { onRead }));
    http.on('connection', (socket) => setClock(socket, clock));
    const server = await serve(http);
    const client = await RawClient.open(server, '/busy');
    client.send(text('hello'));
    await asked.promise;
    await clock.advance(1000);
    client.socket.resetAndDestroy();
    // The socket is not read: that the peer has gone is known when it is destroyed.
    for (const socket of server.sockets) socket.destroy();
    while (server.sockets.size > 0) await turns();
    await clock.advance(60_000);
    done.resolve();
    expect(await closes.next()).toMatchObject({ code: 1006, duration: 1000 });
  });

  it('tells the code and the reason of the peer', async () => {
    const { closes, client } = await opened();
    client.send(frame({ opcode: 8, payload: closeBody(4321, 'tired') }));
    await client.ended;
    expect(await closes.next()).toMatchObject({ code: 4321, reason: 'tired', wasClean: true });
  });

  it('tells 1005 where the close frame had no code', async () => {
    const { closes, client } = await opened();
    client.send(frame({ opcode: 8 }));
    await client.ended;
    expect(await closes.next()).toMatchObject({ code: 1005, reason: '', wasClean: true });
  });

  it('tells 1006 where there was no close frame', async () => {
    const { closes, client } = await opened();
    client.socket.resetAndDestroy();
    expect(await closes.next()).toMatchObject({ code: 1006, reason: '', wasClean: false });
  });

  it('tells 1002 and the rule where the peer broke the protocol', async () => {
    const { closes, client } = await opened();
    client.send(frame({ opcode: 1, rsv: 4 }));
    const { code, reason } = await client.nextClose();
    expect(code).toBe(1002);
    expect(await closes.next()).toMatchObject({ code, reason, wasClean: false });
  });

  it('tells 1006 and why where the heartbeat gave the peer up', async () => {
    const { closes, clock } = await opened();
    for (let i = 0; i < 50; i++) await clock.advance(1000);
    const { duration, ...message } = await closes.next();
    expect(message).toMatchObject({ code: 1006, reason: 'no answer to a ping within 20000 ms', wasClean: false });
    expect(duration).toBeGreaterThanOrEqual(45_000);
    expect(duration).toBeLessThan(50_000);
  });
});

describe('websocket-route:error', () => {
  it.each(['onConnect', 'onRead', 'onPong', 'onClose', 'onOverflowError'] as const)(
    'tells what %s threw, before onError is called',
    async (hook) => {
      const errors = listen('websocket-route:error');
      const error = new Error('broken');
      const seen = new AsyncQueue<[WebSocketHandler, number]>();
      class Failing extends WebSocketHandler {
        override onConnect(): void {
          this.ping('hello');
        }

        override onError(): void {
          seen.push([this, errors.left.length]);
        }
      }
      Object.defineProperty(Failing.prototype, hook, { value: () => Promise.reject(error) });
      const server = await serve(websocketRoute('/failing', Failing, { bufferSize: 10 }));
      const client = await RawClient.open(server, '/failing');
      client.send(text('hello'), frame({ opcode: 10, payload: 'hello' }), text('more than ten'), frame({ opcode: 8 }));
      const [handler, count] = await seen.next();
      expect(count).toBe(1);
      const { connection, ...rest } = await errors.next();
      expect(connection).toBe(handler);
      expect(rest).toStrictEqual({ route: '/failing', error, hook });
    },
  );

  it('tells what onHandshake threw', async () => {
    const errors = listen('websocket-route:error');
    const onHandshake = (): never => {
      throw 'broken';
    };
    const server = await serve(websocketRoute('/failing', { onHandshake, onError() {} }));
    const client = await RawClient.connect(server);
    await expect(client.handshake('/failing')).toBeRefusedWith(500);
    const { connection, ...rest } = await errors.next();
    expect(connection).toBeInstanceOf(WebSocketHandler);
    expect(rest).toStrictEqual({ route: '/failing', error: 'broken', hook: 'onHandshake' });
  });
});

describe('websocket-route:overflow', () => {
  it('tells which limit was exceeded', async () => {
    const overflows = listen('websocket-route:overflow');
    const { server, handlers } = await serveEcho({ bufferSize: 10 });
    const client = await RawClient.open(server, '/echo/ada');
    client.send(text('more than ten'));
    await expect(client).toCloseWith(1009);
    const { connection, error, ...rest } = await overflows.next();
    expect(rest).toStrictEqual({ route: '/echo/:name' });
    expect(connection).toBe(await handlers.next());
    expect(error).toBeInstanceOf(OverflowError);
    expect(error).toMatchObject({ limit: 10, size: 13 });
  });
});

describe('websocket-route:slow-consumer', () => {
  it.each(['close', 'drop'] as const)('tells once of a peer that does not read, with the policy %s', async (policy) => {
    const slow = listen('websocket-route:slow-consumer');
    const { server, handlers } = await serveEcho({ maxBufferedAmount: 100_000, slowConsumer: policy });
    const client = await RawClient.open(server, '/echo/ada');
    client.socket.pause();
    const handler = await handlers.next();
    const message = Buffer.alloc(50_000);
    // Until one is not taken, and then some.
    for (; slow.left.length === 0; await turns()) handler.write(message);
    for (let i = 0; i < 5 && policy === 'drop'; i++, await turns()) handler.write(message);
    const { connection, bufferedAmount, ...rest } = await slow.next();
    expect(rest).toStrictEqual({ route: '/echo/:name', policy });
    expect(connection).toBe(handler);
    expect(bufferedAmount).toBeGreaterThan(100_000);
    expect(slow.left).toEqual([]);
    client.socket.destroy();
  });
});

describe('websocket-route:throttle', () => {
  it('tells once of a peer that sends faster than its rate', async () => {
    const throttles = listen('websocket-route:throttle');
    const clock = new TestClock();
    const { Echo, handlers } = echo();
    const http = createServer(websocketRoute('/echo/:name', Echo, { rate: { messages: 1 } }));
    http.on('connection', (socket) => setClock(socket, clock));
    const client = await RawClient.open(await serve(http), '/echo/ada');
    client.send(text('one'), text('two'), text('three'));
    const message = await throttles.next();
    expect(Object.keys(message)).toEqual(['route', 'connection']);
    expect(message.route).toBe('/echo/:name');
    expect(message.connection).toBe(await handlers.next());
    for (let i = 0; i < 3; i++) await clock.advance(1000);
    for (const word of ['one', 'two', 'three']) expect(await client.nextText()).toBe(word);
    expect(throttles.left).toEqual([]);
  });
});

describe('websocket-route:drain', () => {
  it('tells when a server begins to drain and when it has, and that newcomers are refused', async () => {
    const drains = listen('websocket-route:drain');
    const refuses = listen('websocket-route:refuse');
    const clock = new TestClock();
    const { Echo } = echo();
    const http = createServer(websocketRoute('/echo/:name', Echo));
    http.on('connection', (socket) => setClock(socket, clock));
    const server = await serve(http);
    const polite = await connect(`${server.url}/echo/ada`);
    // It answers nothing, and so is there until the deadline.
    await RawClient.open(server, '/echo/bob');
    const done = drain(http, { timeout: 5000, jitter: 0 });
    const { server: draining, ...start } = await drains.next();
    expect(draining).toBe(http);
    expect(start).toStrictEqual({ phase: 'start', connections: 2 });

    const late = await RawClient.connect(server);
    await expect(late.handshake('/echo/carl')).toBeRefusedWith(503);
    expect(await refuses.next()).toMatchObject({ route: '/echo/:name', status: 503, reason: 'draining' });

    const left = closed(polite);
    await clock.advance(0);
    expect(await left).toBe(1001);
    while (server.sockets.size > 2) await turns();
    await clock.advance(5000);
    await done;
    const { server: drained, ...end } = await drains.next();
    expect(drained).toBe(http);
    expect(end).toStrictEqual({ phase: 'end', closed: 1, terminated: 1 });
  });
});
