import { createServer, type IncomingMessage } from 'node:http';
import { type Metrics, metrics, type RouteMetrics, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { type OpenConnection, RouteCounters, unfinishedConnections } from '../../lib/telemetry/route-counters.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { setClock } from '../../lib/transport/clock.js';
import { deferred, turns } from '../connection/open.js';
import { closeBody, frame, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';
import { listen } from './listening.js';

const NOTHING: RouteMetrics = {
  open: 0,
  accepted: 0,
  refused: {},
  closed: {},
  errors: {},
  overflows: 0,
  slowConsumers: 0,
  dropped: 0,
  throttled: 0,
  lost: 0,
  messagesReceived: 0,
  messagesSent: 0,
  bytesReceived: 0,
  bytesSent: 0,
  bufferedAmount: 0,
};

class Echo extends WebSocketHandler {
  override onRead(data: string): unknown {
    this.write(data);
    return undefined;
  }
}

function of(path: string): RouteMetrics {
  const found = metrics().routes[path];
  if (found === undefined) throw new Error(`nothing is counted for ${path}`);
  return found;
}

describe('metrics()', () => {
  it('has a route from the moment it is made, with nothing counted', () => {
    websocketRoute('/tally/idle/:id', Echo);
    expect(of('/tally/idle/:id')).toStrictEqual(NOTHING);
  });

  it('has a route by its pattern, whatever the URL, and by its handler where there is no pattern', async () => {
    const server = await serve(websocketRoute('/tally/named/:id', Echo));
    for (const id of ['1', '2', '3']) await RawClient.open(server, `/tally/named/${id}?token=${id}`);
    expect(of('/tally/named/:id').open).toBe(3);
    class Nameless extends Echo {}
    await RawClient.open(await serve(websocketRoute(Nameless)), '/whatever');
    await RawClient.open(await serve(websocketRoute(class extends Echo {})), '/whatever');
    expect(of('(anonymous)').open).toBe(1);
    expect(of('Nameless').open).toBe(1);
    expect(Object.keys(metrics().routes).filter((name) => name.includes('token'))).toEqual([]);
  });

  it('adds up what is open and what has gone', async () => {
    const server = await serve(websocketRoute('/tally/echo', Echo));
    const closes = listen('websocket-route:close');
    const clients = [await RawClient.open(server, '/tally/echo'), await RawClient.open(server, '/tally/echo')];
    for (const client of clients) {
      client.send(text('hello'));
      await client.nextText();
    }
    const bytes = (side: 'bytesRead' | 'bytesWritten'): number =>
      clients.reduce((sum, { socket }) => sum + socket[side], 0);
    expect(of('/tally/echo')).toStrictEqual({
      ...NOTHING,
      open: 2,
      accepted: 2,
      messagesReceived: 2,
      messagesSent: 2,
      bytesReceived: bytes('bytesWritten'),
      bytesSent: bytes('bytesRead'),
    });
    await clients[0]?.close();
    await closes.next();
    expect(of('/tally/echo')).toStrictEqual({
      ...NOTHING,
      open: 1,
      accepted: 2,
      closed: { 1000: 1 },
      messagesReceived: 2,
      messagesSent: 2,
      bytesReceived: bytes('bytesWritten'),
      bytesSent: bytes('bytesRead'),
    });
  });

  it('counts what is delivered when the connection has gone already', async () => {
    const done = deferred();
    const asked = deferred();
    let calls = 0;
    const onRead = (): Promise<void> | undefined => {
      if (++calls > 1) return undefined;
      asked.resolve();
      return done.promise;
    };
    const server = await serve(websocketRoute('/tally/late', { onRead }));
    const closes = listen('websocket-route:close');
    const client = await RawClient.open(server, '/tally/late');
    const [socket] = server.sockets;
    client.send(text('one'), text('two'), text('three'));
    await asked.promise;
    client.socket.end();
    // The end is read, and then the connection breaks: what came before was sent in good faith.
    socket?.resume();
    while (socket?.readableEnded === false) await turns();
    socket?.destroy();
    while (server.sockets.size > 0) await turns();
    done.resolve();
    expect(await closes.next()).toMatchObject({ messagesReceived: 3 });
    expect(of('/tally/late')).toMatchObject({ open: 0, messagesReceived: 3 });
  });

  it('metrics() never counts fewer bytes than before, whatever is lost at the end', async () => {
    const handlers: WebSocketHandler[] = [];
    class Flood extends WebSocketHandler {
      override onConnect(): void {
        handlers.push(this);
        this.write(Buffer.alloc(10_000_000));
      }
    }
    const server = await serve(websocketRoute('/tally/flood', Flood));
    const closes = listen('websocket-route:close');
    const client = await RawClient.open(server, '/tally/flood');
    client.socket.pause();
    await turns(10);
    const { bytesSent, bufferedAmount } = of('/tally/flood');
    expect(bufferedAmount).toBeGreaterThan(1_000_000);
    expect(bytesSent + bufferedAmount).toBeGreaterThanOrEqual(10_000_000);
    expect(bytesSent + bufferedAmount).toBeLessThan(10_001_000);
    handlers[0]?.terminate();
    const close = await closes.next();
    expect(close.bytesSent).toBeGreaterThanOrEqual(bytesSent);
    expect(of('/tally/flood').bytesSent).toBe(close.bytesSent);
  });

  it('counts refusals by reason, also where there never was a connection', async () => {
    const onHandshake = ({ url }: IncomingMessage): boolean => {
      if (url?.endsWith('throw')) throw new Error('broken');
      return false;
    };
    const server = await serve(websocketRoute('/tally/refused/:how', { onHandshake, onError() {} }));
    const ask = async (path: string, headers: Record<string, string> = {}): Promise<unknown> =>
      (await RawClient.connect(server)).handshake(`/tally/refused/${path}`, headers);
    await ask('x');
    await ask('x');
    await ask('throw');
    await ask('x', { Origin: 'https://evil.example' });
    await ask('x', { 'Sec-WebSocket-Key': 'short' });
    expect(of('/tally/refused/:how')).toStrictEqual({
      ...NOTHING,
      refused: { hook: 2, error: 1, origin: 1, key: 1 },
      errors: { onHandshake: 1 },
    });
  });

  it('counts every code that onClose gets', async () => {
    const server = await serve(websocketRoute('/tally/codes', Echo));
    const closes = listen('websocket-route:close');
    for (const code of [1000, 1001, 1001, 3000, 4999]) {
      const client = await RawClient.open(server, '/tally/codes');
      await client.close(code);
    }
    (await RawClient.open(server, '/tally/codes')).send(frame({ opcode: 8 }));
    (await RawClient.open(server, '/tally/codes')).socket.resetAndDestroy();
    (await RawClient.open(server, '/tally/codes')).send(frame({ opcode: 3 }));
    // May not be sent: that is a mistake of the peer's.
    (await RawClient.open(server, '/tally/codes')).send(frame({ opcode: 8, payload: closeBody(2999) }));
    await closes.take(9);
    const closed = { 1000: 1, 1001: 2, 1002: 2, 1005: 1, 1006: 1, 3000: 1, 4999: 1 };
    expect(of('/tally/codes')).toMatchObject({ open: 0, accepted: 9, closed });
  });

  it('counts errors by hook, and overflows', async () => {
    class Failing extends WebSocketHandler {
      override onRead(): void {
        throw new Error('broken');
      }
      override onError(): void {}
      override onOverflowError(): void {}
    }
    const server = await serve(websocketRoute('/tally/failing', Failing, { bufferSize: 10 }));
    const errors = listen('websocket-route:error');
    const overflows = listen('websocket-route:overflow');
    const client = await RawClient.open(server, '/tally/failing');
    client.send(text('one'), text('two'), text('more than ten'));
    await errors.take(2);
    await overflows.next();
    expect(of('/tally/failing')).toMatchObject({ errors: { onRead: 2 }, overflows: 1 });
  });

  it('counts peers that are slow, what was dropped for them, and what waits for them now', async () => {
    let handler: WebSocketHandler | undefined;
    class Slow extends WebSocketHandler {
      override onConnect(): void {
        handler = this;
      }
    }
    const options = { maxBufferedAmount: 100_000, slowConsumer: 'drop' } as const;
    const server = await serve(websocketRoute('/tally/slow', Slow, options));
    const client = await RawClient.open(server, '/tally/slow');
    client.socket.pause();
    for (; of('/tally/slow').dropped < 2; await turns()) handler?.write(Buffer.alloc(50_000));
    const { slowConsumers, dropped, bufferedAmount } = of('/tally/slow');
    expect([slowConsumers, dropped]).toEqual([1, 2]);
    expect(bufferedAmount).toBe(handler?.bufferedAmount);
    expect(bufferedAmount).toBeGreaterThan(100_000);
  });

  it('counts peers that sent too fast, and peers that were lost', async () => {
    const clock = new TestClock();
    const http = createServer(websocketRoute('/tally/timed', Echo, { rate: { messages: 1 } }));
    http.on('connection', (socket) => setClock(socket, clock));
    const server = await serve(http);
    const throttles = listen('websocket-route:throttle');
    const client = await RawClient.open(server, '/tally/timed');
    client.send(text('one'), text('two'), text('three'));
    await throttles.next();
    expect(of('/tally/timed')).toMatchObject({ throttled: 1, lost: 0 });
    // It answers no ping.
    for (let i = 0; i < 60; i++) await clock.advance(1000);
    expect(of('/tally/timed')).toMatchObject({ throttled: 1, lost: 1, closed: { 1006: 1 }, open: 0 });
  });

  it('has the sums of all routes', async () => {
    const server = await serve(websocketRoute('/tally/one-more', Echo));
    const client = await RawClient.open(server, '/tally/one-more');
    client.send(text('hello'));
    await client.nextText();
    await (await RawClient.connect(server)).handshake('/tally/one-more', { 'Sec-WebSocket-Key': 'short' });
    const { routes, ...total } = metrics();
    expect(total).toStrictEqual(sumOf(routes));
    expect(total.open).toBeGreaterThanOrEqual(1);
    expect(total.refused['key']).toBeGreaterThanOrEqual(1);
  });

  it('is a snapshot: what happens later does not change it, and changing it changes nothing', async () => {
    const server = await serve(websocketRoute('/tally/snapshot', Echo));
    const before = of('/tally/snapshot');
    await RawClient.open(server, '/tally/snapshot');
    expect(before).toStrictEqual(NOTHING);
    Object.assign(of('/tally/snapshot').refused, { origin: 7 });
    expect(of('/tally/snapshot')).toMatchObject({ open: 1, accepted: 1, refused: {} });
  });

  it('can be sent as JSON', () => {
    websocketRoute('/tally/json', Echo);
    expect((JSON.parse(JSON.stringify(metrics())) as Metrics).routes['/tally/json']).toEqual(NOTHING);
  });
});

/** Counts added up, those in records too. */
function sumOf(routes: Metrics['routes']): RouteMetrics {
  const sum = structuredClone(NOTHING) as unknown as Record<string, number | Record<string, number>>;
  for (const [name, value] of Object.values(routes).flatMap((route) => Object.entries(route))) {
    const before = sum[name];
    if (typeof before === 'number') sum[name] = before + value;
    else for (const [word, count] of Object.entries<number>(value)) before![word] = (before![word] ?? 0) + count;
  }
  return sum as unknown as RouteMetrics;
}

describe('the connections that are not finished', () => {
  it('are known from the open to the end, with the server that accepted them', async () => {
    const server = await serve(websocketRoute('/tally/known', Echo));
    const mine = (): OpenConnection[] => [...unfinishedConnections()].filter((one) => one.server === server.server);
    expect(mine()).toEqual([]);
    const client = await RawClient.open(server, '/tally/known');
    const [connection, ...more] = mine();
    expect(more).toEqual([]);
    expect(server.sockets).toContain(connection?.socket);
    const over = connection?.whenFinished();
    client.socket.destroy();
    await over;
    expect(mine()).toEqual([]);
  });
});

describe('a tally', () => {
  it('begins with nothing', () => {
    expect(new RouteCounters().snapshot()).toStrictEqual(NOTHING);
  });
});
