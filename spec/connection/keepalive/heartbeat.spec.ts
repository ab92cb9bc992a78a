/** Peers that say nothing: those that are well, those that are busy, and those that are gone. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { WebSocket } from 'ws';
import {
  type ConnectionOptions,
  metrics,
  upgradeListener,
  WebSocketHandler,
  websocketRoute,
} from '../../../lib/index.js';
import { AsyncQueue } from '../../../lib/testing/async-queue.js';
import { setClock } from '../../../lib/transport/clock.js';
import { CountingClock } from '../../support/counting-clock.js';
import { frame, more, text } from '../../support/frames.js';
import { proxyOf } from '../../support/proxy.js';
import { RawClient } from '../../support/raw-client.js';
import { type Running, serve } from '../../support/server.js';
import {
  type Closed,
  DRAFT76_HEADERS,
  deferred,
  type Hooks,
  type Opened,
  sendAndSettle,
  serveHooks,
  turns,
} from '../open.js';

const PING = { opcode: 9, fin: true, payload: Buffer.alloc(0) };
const pong = (payload: Uint8Array | string = ''): Buffer => frame({ opcode: 10, payload });

function tellTime(server: Running): CountingClock {
  const clock = new CountingClock();
  server.server.on('connection', (socket) => setClock(socket, clock));
  return clock;
}

interface Timed extends Opened {
  clock: CountingClock;
}

/** A connection whose time passes when the test says so. */
async function openTimed(hooks: Hooks & ThisType<WebSocketHandler> = {}, options?: ConnectionOptions): Promise<Timed> {
  const { server, open } = await serveHooks(hooks, options);
  const clock = tellTime(server);
  return { ...(await open()), clock };
}

/** Lets time pass until the server has written something. */
async function untilWritten({ clock, socket }: Timed, ms: number): Promise<number> {
  const before = socket.bytesWritten;
  const begin = clock.now();
  while (socket.bytesWritten === before && clock.now() - begin < ms) await clock.advance(100);
  return clock.now() - begin;
}

describe('the heartbeat', () => {
  it('is on: a peer that is silent for 25 seconds is sent a ping, at most a sixteenth of that earlier', async () => {
    const opened = await openTimed();
    const { clock, client, socket } = opened;
    const before = socket.bytesWritten;
    await clock.advance((25_000 * 15) / 16 - 1);
    expect(socket.bytesWritten).toBe(before);
    await clock.advance(25_000 / 16 + 1);
    expect(await client.next()).toMatchObject(PING);
  });

  it('gives up a peer that is silent for 20 seconds more: 1006, the reason says why, and it is counted', async () => {
    const { clock, client, closes } = await openTimed();
    const before = metrics().lost;
    await clock.advance(25_000);
    expect(await client.next()).toMatchObject(PING);
    await clock.advance(18_000);
    expect(closes.left).toEqual([]);
    await clock.advance(2000);
    expect(await closes.next()).toEqual([1006, 'no answer to a ping within 20000 ms', false]);
    await client.ended;
    expect(metrics().lost).toBe(before + 1);
  });

  it('goes by its options', async () => {
    const { clock, client, closes } = await openTimed({}, { pingInterval: 1000, pongTimeout: 300 });
    await clock.advance(1000);
    expect(await client.next()).toMatchObject(PING);
    await clock.advance(300);
    expect(await closes.next()).toEqual([1006, 'no answer to a ping within 300 ms', false]);
  });

  it('goes on for as long as the peer answers, and never calls onPong', async () => {
    const pongs: unknown[] = [];
    const { clock, client, socket, handler, closes } = await openTimed({ onPong: (answer) => pongs.push(answer) });
    for (let i = 0; i < 20; i++) {
      await clock.advance(25_000);
      expect(await client.next()).toMatchObject(PING);
      const due = socket.bytesRead + 6;
      client.send(pong());
      while (socket.bytesRead < due) await turns();
      await clock.advance(1600);
    }
    expect([pongs, closes.left]).toEqual([[], []]);
    // A ping of the user's own is another matter.
    handler.ping('mine');
    client.send(pong((await client.next()).payload));
    while (pongs.length === 0) await turns();
    expect(pongs).toEqual([Buffer.from('mine')]);
  });

  it('takes any byte for an answer, and for an end of the silence: a part of a header is one', async () => {
    const opened = await openTimed({
      onRead(data) {
        this.write(data);
      },
    });
    const { clock, client, closes } = opened;
    await clock.advance(25_000);
    expect(await client.next()).toMatchObject(PING);
    for (const byte of text('slow')) {
      await sendAndSettle(opened, Buffer.from([byte]));
      await clock.advance(20_000);
    }
    // Nothing else was sent meanwhile.
    expect(await client.nextText()).toBe('slow');
    expect(closes.left).toEqual([]);
  });

  it('begins anew after each byte, whenever it comes', async () => {
    const opened = await openTimed();
    for (const moment of [0, 777, 1563, 19_999]) {
      await sendAndSettle(opened, pong());
      await opened.clock.advance(moment);
      await sendAndSettle(opened, pong());
      const silence = await untilWritten(opened, 100_000);
      expect(silence).toBeGreaterThanOrEqual((25_000 * 14) / 16);
      expect(silence).toBeLessThanOrEqual(25_100);
      expect(await opened.client.next()).toMatchObject(PING);
    }
  });

  it('does not hold it against the peer that the handler is busy and nothing is read', async () => {
    const work = deferred();
    const opened = await openTimed({ onRead: () => work.promise });
    const { clock, client, handler, closes } = opened;
    await sendAndSettle(opened, text('work'));
    await clock.advance(200_000);
    expect(handler.readyState).toBe(1);
    work.resolve();
    await turns(2);
    await clock.advance(25_000);
    expect(await client.next()).toMatchObject(PING);
    await clock.advance(20_000);
    expect((await closes.next())[0]).toBe(1006);
  });

  it('is sent also while the handler is busy, for the proxies: once each interval', async () => {
    const work = deferred();
    const opened = await openTimed({ onRead: () => work.promise }, { pingInterval: 1000, pongTimeout: 300 });
    const { clock, client, handler, socket, closes } = opened;
    await sendAndSettle(opened, text('work'));
    const before = socket.bytesWritten;
    await clock.advance(10_000);
    // A ping has two bytes.
    expect(socket.bytesWritten - before).toBeGreaterThanOrEqual(2 * 9);
    expect(socket.bytesWritten - before).toBeLessThanOrEqual(2 * 11);
    expect(await client.next()).toMatchObject(PING);
    expect(handler.readyState).toBe(1);
    // From now on an answer would be heard.
    work.resolve();
    await turns(2);
    await clock.advance(1000);
    expect(closes.left).toEqual([]);
    await clock.advance(300);
    expect((await closes.next())[0]).toBe(1006);
  });

  it('finds a peer that has gone while the handler is busy', async () => {
    const work = deferred();
    const opened = await openTimed({ onRead: () => work.promise });
    await sendAndSettle(opened, text('work'), text('more'));
    opened.client.socket.destroy();
    await turns(5);
    while (!opened.socket.destroyed && opened.clock.now() < 1e6) {
      await opened.clock.advance(25_000);
      await turns(5);
    }
    expect(opened.socket.destroyed).toBe(true);
    work.resolve();
    expect((await opened.closes.next())[0]).toBe(1006);
  });

  it('does not hold it against the peer that nobody asks messages() for more', async () => {
    const opened = await openTimed({
      onConnect() {
        this.messages();
      },
    });
    await sendAndSettle(opened, text('nobody takes this'));
    await opened.clock.advance(200_000);
    expect(opened.handler.readyState).toBe(1);
  });

  it('is quiet with pingInterval 0: nothing is sent, nobody is given up, no timer is armed', async () => {
    const { clock, socket, closes } = await openTimed({}, { pingInterval: 0 });
    const before = socket.bytesWritten;
    expect(clock.armed).toBe(0);
    await clock.advance(1e9);
    expect([socket.bytesWritten, closes.left]).toEqual([before, []]);
  });

  it('ends with the connection: nothing is sent and nothing armed any more', async () => {
    const { clock, client, handler, closes } = await openTimed();
    handler.close();
    await client.nextClose();
    await client.close();
    await closes.next();
    await clock.advance(5000);
    expect(clock.armed).toBe(0);
  });

  it('has one timer for a thousand connections, and none for none', async () => {
    const { server, open } = await serveHooks({});
    const clock = tellTime(server);
    const all: Opened[] = [];
    for (let i = 0; i < 1000; i++) {
      all.push(await open());
      if (i % 100 === 0) await clock.advance(37);
      expect(clock.armed).toBe(1);
    }
    const before = clock.fired;
    await clock.advance(25_000);
    for (const { client } of all) expect(await client.next()).toMatchObject(PING);
    // Not one awakening for each of them, either.
    expect(clock.fired - before).toBeLessThan(300);
    expect(clock.armed).toBe(1);
    for (const { client } of all) client.socket.destroy();
    for (const { closes } of all) await closes.next();
    await clock.advance(25_000);
    expect(clock.armed).toBe(0);
  }, 60_000);

  it('keeps no process alive', async () => {
    const referenced = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = referenced();
    const { open } = await serveHooks({}, { idleTimeout: 60_000, closeTimeout: 60_000 });
    const { handler } = await open();
    expect(referenced()).toBe(before);
    handler.close();
    expect(referenced()).toBe(before);
  });

  it('takes an answer that came while the process was held up', async () => {
    const { open } = await serveHooks({}, { pingInterval: 50, pongTimeout: 150 });
    const { client, closes, handler } = await open();
    await client.next();
    // The pong is with the kernel, the loop is held up for longer than the timeout, and timers come first afterwards.
    client.send(pong());
    const begin = performance.now();
    while (performance.now() - begin < 250);
    // Whoever answers late is sent another ping; whoever is given up is not.
    expect(await client.next()).toMatchObject(PING);
    handler.close();
    await client.close();
    expect((await closes.next())[0]).toBe(1000);
  });

  it('does not ask a draft-76 peer, which has no pings, and does not give it up', async () => {
    const log = new AsyncQueue<Closed>();
    const route = websocketRoute(
      { onClose: (...args) => void log.push(args) },
      { allowOldHandshake: true, origins: '*' },
    );
    const http = createServer(route);
    http.on('upgrade', upgradeListener(route));
    const server = await serve(http);
    const clock = tellTime(server);
    const client = await RawClient.connect(server);
    client.sendHandshake('/demo', DRAFT76_HEADERS);
    client.send('^n:ds[4U');
    await expect(client.response()).toBeAccepted();
    await client.bytes(16);
    const [socket] = server.sockets;
    const before = socket?.bytesWritten;
    await clock.advance(1_000_000);
    expect([socket?.bytesWritten, log.left]).toEqual([before, []]);
    client.socket.destroy();
    expect((await log.next())[0]).toBe(1006);
  });
});

describe('a half-open peer', () => {
  it('is found: no byte passes the proxy any more, and nobody is told of that', async () => {
    const closes = new AsyncQueue<Closed>();
    const server = await serve(
      websocketRoute({ onClose: (...args) => void closes.push(args) }, { pingInterval: 50, pongTimeout: 50 }),
    );
    const proxy = await proxyOf(server);
    const client = new WebSocket(proxy.url);
    await once(client, 'ping');
    proxy.swallow();
    expect(await closes.next()).toEqual([1006, 'no answer to a ping within 50 ms', false]);
    client.terminate();
  });

  it('is found within 45 seconds by default, and its client had no chance to know', async () => {
    const closes = new AsyncQueue<Closed>();
    const server = await serve(websocketRoute({ onClose: (...args) => void closes.push(args) }));
    const clock = tellTime(server);
    const proxy = await proxyOf(server);
    const client = new WebSocket(proxy.url);
    const pings = new AsyncQueue<string>();
    client.on('ping', () => pings.push('ping'));
    await once(client, 'open');
    // While bytes pass, it lives.
    for (let i = 0; i < 10; i++) {
      await clock.advance(25_000);
      await pings.next();
      await turns(10);
      await clock.advance(1600);
    }
    expect(closes.left).toEqual([]);
    proxy.swallow();
    await clock.advance(45_000);
    expect((await closes.next())[0]).toBe(1006);
    expect(client.readyState).toBe(WebSocket.OPEN);
    client.terminate();
  });

  it('is found in time also where it took some of what it was sent, and then no more', async () => {
    const { clock, client, handler, socket, closes } = await openTimed();
    client.socket.pause();
    await clock.advance(30_000);
    // What the kernel takes, the peer has not taken. It takes some of this and then no more.
    handler.write(Buffer.alloc(16 << 20));
    for (let before = -1; before !== handler.bufferedAmount; await turns(50)) before = handler.bufferedAmount;
    expect(socket.writableLength).toBeGreaterThan(0);
    await clock.advance(15_000);
    expect((await closes.next())[0]).toBe(1006);
  });
});

/** From now on the client reads only what it is told to, and drops it. */
function readOnDemand({ socket }: RawClient): (count: number) => Promise<void> {
  let received = 0;
  let allowed = 0;
  socket.removeAllListeners('data').pause();
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received >= allowed) socket.pause();
  });
  return async (count) => {
    allowed += count;
    socket.resume();
    while (received < allowed) await turns();
    await turns(10);
  };
}

describe('a peer that reads slowly', () => {
  it('lives for as long as it takes what it is sent, and is given up when it takes no more', async () => {
    const { clock, client, handler, closes } = await openTimed();
    const read = readOnDemand(client);
    handler.write(Buffer.alloc(48 << 20));
    // It answers no ping: those stand behind what it has not read. Four minutes in all.
    for (let i = 0; i < 48; i++) {
      await read(1 << 19);
      await clock.advance(5000);
    }
    expect(closes.left).toEqual([]);
    await clock.advance(50_000);
    expect((await closes.next())[0]).toBe(1006);
  });

  it('is given up also when it has sent a close frame, which waits for that', async () => {
    const { clock, client, handler, socket, closes } = await openTimed();
    readOnDemand(client);
    handler.write(Buffer.alloc(48 << 20));
    await turns(10);
    const { signal } = handler;
    const before = socket.bytesRead;
    client.send(frame({ opcode: 8, payload: '' }));
    while (socket.bytesRead === before || !signal.aborted) await turns();
    expect(closes.left).toEqual([]);
    await clock.advance(50_000);
    expect((await closes.next())[0]).toBe(1006);
  });
});

describe('idleTimeout', () => {
  const options = { idleTimeout: 10_000, pingInterval: 0 };

  it('goes by the messages also where onConnect reads them in a loop, and is pending all the while', async () => {
    const opened = await openTimed(
      {
        async onConnect() {
          for await (const message of this.messages()) this.write(message as string);
        },
      },
      options,
    );
    await sendAndSettle(opened, text('a'));
    expect(await opened.client.nextText()).toBe('a');
    await opened.clock.advance(9999);
    expect(opened.handler.readyState).toBe(1);
    await opened.clock.advance(1);
    expect(opened.handler.readyState).toBe(2);
  });

  it.each([
    ['onHandshake', 'request'],
    ['onHandshake', 'upgrade'],
    ['origins', 'request'],
    ['origins', 'upgrade'],
    ['a middleware', 'request'],
  ])('begins when the connection is open, however long %s took by the %s door', async (slow, door) => {
    const clock = new CountingClock();
    // Longer than the handshake may take without this, and longer than a connection may be idle.
    const takeTime = async (): Promise<boolean> => {
      await clock.advance(11_000);
      return true;
    };
    const handlers = new AsyncQueue<WebSocketHandler>();
    class Slow extends WebSocketHandler {
      override onHandshake(): boolean | Promise<boolean> {
        return slow === 'onHandshake' ? takeTime() : true;
      }

      override onConnect(): void {
        handlers.push(this);
      }
    }
    const origins = slow === 'origins' ? takeTime : '*';
    const route = websocketRoute(Slow, { ...options, handshakeTimeout: 0, origins });
    const app: RequestListener = async (request, response) => {
      if (slow === 'a middleware') await takeTime();
      route(request, response);
    };
    const server = await serve(app);
    if (door === 'upgrade') server.server.on('upgrade', upgradeListener(app));
    server.server.on('connection', (socket) => setClock(socket, clock));
    const client = await RawClient.open(server, '/', { Origin: 'http://a.example' });
    const handler = await handlers.next();
    await clock.advance(9999);
    expect(handler.readyState).toBe(1);
    await clock.advance(1);
    await expect(client).toCloseWith(1001, 'idle for 10000 ms');
  });

  it('closes with 1001 what has had no message for so long, in either direction', async () => {
    const opened = await openTimed({}, options);
    const { clock, client, handler } = opened;
    for (let i = 0; i < 5; i++) {
      await clock.advance(9000);
      await sendAndSettle(opened, text('from the client'));
      await clock.advance(9000);
      handler.write('from the server');
      expect(await client.nextText()).toBe('from the server');
    }
    await clock.advance(9999);
    expect(handler.readyState).toBe(1);
    await clock.advance(1);
    await expect(client).toCloseWith(1001, 'idle for 10000 ms');
    await client.close(1001);
    expect(await opened.closes.next()).toEqual([1001, '', true]);
  });

  it('is off by default', async () => {
    const opened = await openTimed();
    for (let i = 0; i < 20; i++) {
      await opened.clock.advance(20_000);
      await sendAndSettle(opened, pong());
    }
    expect(opened.handler.readyState).toBe(1);
  });

  it('takes neither pings nor pongs for messages, whoever sends them', async () => {
    const opened = await openTimed({}, { ...options, pingInterval: 1000 });
    const { clock, client, handler } = opened;
    for (let i = 0; i < 9; i++) {
      await clock.advance(1000);
      await sendAndSettle(opened, frame({ opcode: 9, payload: 'x' }), pong());
    }
    handler.ping('y');
    await clock.advance(1000);
    let { opcode } = await client.next();
    while (opcode !== 8) ({ opcode } = await client.next());
    expect(handler.readyState).toBe(2);
  });

  it('waits while a handler is at work, and while a message is on its way', async () => {
    const work = deferred();
    const opened = await openTimed({ onRead: () => work.promise }, options);
    const { clock, handler } = opened;
    await sendAndSettle(opened, text('a', false));
    for (let i = 0; i < 10; i++) {
      await clock.advance(5000);
      await sendAndSettle(opened, more('b'));
    }
    expect(handler.readyState).toBe(1);
    await sendAndSettle(opened, more('c', true));
    await clock.advance(50_000);
    expect(handler.readyState).toBe(1);
    work.resolve();
    await turns();
    await clock.advance(9000);
    expect(handler.readyState).toBe(1);
    await clock.advance(1000);
    expect(handler.readyState).toBe(2);
  });

  it('waits while the peer takes of what it is sent', async () => {
    const { clock, client, handler } = await openTimed({}, options);
    const read = readOnDemand(client);
    handler.write(Buffer.alloc(32 << 20));
    for (let i = 0; i < 16; i++) {
      await read(1 << 20);
      await clock.advance(2500);
    }
    expect(handler.readyState).toBe(1);
    await clock.advance(12_500);
    expect(handler.readyState).toBeGreaterThan(1);
  });
});

describe('closeTimeout', () => {
  it('is 5 seconds, for a peer that does not answer our close frame', async () => {
    const { clock, client, handler, closes } = await openTimed();
    handler.close(1000, 'bye');
    await expect(client).toCloseWith(1000, 'bye');
    await clock.advance(4999);
    expect(closes.left).toEqual([]);
    await clock.advance(1);
    expect(await closes.next()).toEqual([1006, '', false]);
  });

  it('goes by its option', async () => {
    const { clock, handler, closes } = await openTimed({}, { closeTimeout: 60_000 });
    handler.close();
    await clock.advance(59_999);
    expect(closes.left).toEqual([]);
    await clock.advance(1);
    expect((await closes.next())[0]).toBe(1006);
  });
});
