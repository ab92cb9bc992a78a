/** The option `rate`: what a peer may send, and what becomes of one that sends more. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type ConnectionOptions, metrics, type RouteMetrics, type WebSocketHandler } from '../../../lib/index.js';
import { setClock } from '../../../lib/transport/clock.js';
import { CountingClock } from '../../support/counting-clock.js';
import { binary, closeBody, frame, text } from '../../support/frames.js';
import type { RawClient } from '../../support/raw-client.js';
import { deferred, type Hooks, type Opened, sendAndSettle, serveHooks, turns } from '../open.js';

interface Metered extends Opened {
  clock: CountingClock;
  /** What `onRead` got. */
  read: (string | Buffer)[];
}

async function openMetered(
  rate: ConnectionOptions['rate'],
  hooks: Hooks & ThisType<WebSocketHandler> = {},
): Promise<Metered> {
  const read: Metered['read'] = [];
  const { server, open } = await serveHooks(
    {
      onRead(data) {
        read.push(data);
      },
      ...hooks,
    },
    { rate, pingInterval: 0 },
  );
  const clock = new CountingClock();
  server.server.on('connection', (socket) => setClock(socket, clock));
  return { ...(await open()), clock, read };
}

/** So many messages, numbered from `first` on, as one piece. */
function numbered(count: number, first = 0): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, i) => text(String(first + i))));
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

/** Waits until what the client has sent so far is with the kernel. */
function flushed(client: RawClient): Promise<void> {
  return new Promise((resolve) => client.socket.write(Buffer.alloc(0), () => resolve()));
}

/** More than the kernel holds for a peer that does not read. */
const LARGE = Buffer.alloc(7 << 20);

describe('a rate of messages', () => {
  it('lets a second’s worth come at once, and then as many a second: nothing is lost, and order is kept', async () => {
    const opened = await openMetered({ messages: 10 });
    const { clock, read, socket, closes } = opened;
    await sendAndSettle(opened, numbered(50));
    // The one that is too many has come already: reading pauses after it.
    expect(read).toHaveLength(11);
    expect(socket.isPaused()).toBe(true);
    await clock.advance(1000);
    expect(read).toHaveLength(21);
    await clock.advance(2900);
    expect(read).toEqual(numbers(50));
    expect(socket.isPaused()).toBe(true);
    await clock.advance(100);
    expect(socket.isPaused()).toBe(false);
    expect(closes.left).toEqual([]);
  });

  it('lets `burst` seconds’ worth come at once', async () => {
    const opened = await openMetered({ messages: 10, burst: 3 });
    await sendAndSettle(opened, numbered(50));
    expect(opened.read).toHaveLength(31);
    await opened.clock.advance(1000);
    expect(opened.read).toHaveLength(41);
  });

  it('is none of the business of a peer that keeps to it', async () => {
    const before = metrics().throttled;
    const opened = await openMetered({ messages: 10, bytes: 1000, patience: 1 });
    for (let i = 0; i < 50; i++) {
      await sendAndSettle(opened, numbered(5, 5 * i));
      expect(opened.read).toHaveLength(5 * (i + 1));
      await opened.clock.advance(500);
    }
    expect(metrics().throttled).toBe(before);
  });

  it('may be less than one a second', async () => {
    const before = metrics().throttled;
    const opened = await openMetered({ messages: 0.5, patience: 1 });
    for (let i = 0; i < 10; i++) {
      await sendAndSettle(opened, text(String(i)));
      await opened.clock.advance(2000);
    }
    expect([opened.read, metrics().throttled]).toEqual([numbers(10), before]);
  });

  it('counts pings: they are answered as slowly', async () => {
    const opened = await openMetered({ messages: 5 });
    const { clock, client, socket } = opened;
    const before = socket.bytesWritten;
    const pings = numbers(20).map((payload) => frame({ opcode: 9, payload }));
    await sendAndSettle(opened, ...pings);
    for (let i = 0; i < 6; i++) expect(await client.next()).toMatchObject({ opcode: 10, payload: Buffer.from(`${i}`) });
    // A pong of one digit has three bytes.
    expect([socket.bytesWritten - before, socket.isPaused()]).toEqual([18, true]);
    await clock.advance(200);
    expect(socket.bytesWritten - before).toBe(21);
    expect(await client.next()).toMatchObject({ opcode: 10, payload: Buffer.from('6') });
  });

  it('keeps the order, and one at a time, with a handler that takes its time', async () => {
    const done: string[] = [];
    let inside = 0;
    const opened = await openMetered(
      { messages: 10 },
      {
        async onRead(data) {
          expect(++inside).toBe(1);
          await turns();
          inside--;
          done.push(String(data));
        },
      },
    );
    await sendAndSettle(opened, numbered(40));
    await turns(100);
    expect(done).toHaveLength(11);
    for (let i = 0; i < 40; i++) await opened.clock.advance(100);
    expect(done).toEqual(numbers(40));
  });

  it('counts pings whose answers are held back, because the peer does not read', async () => {
    const opened = await openMetered({ messages: 5 });
    opened.client.socket.pause();
    opened.handler.write(LARGE);
    await turns(20);
    await sendAndSettle(opened, ...numbers(100).map((payload) => frame({ opcode: 9, payload })));
    expect(opened.socket.isPaused()).toBe(true);
  });
});

describe('a rate of bytes', () => {
  it('holds the peer back by TCP: what is not read yet stays with it', async () => {
    const opened = await openMetered({ bytes: 100_000, patience: Infinity });
    const { client, clock, socket } = opened;
    const SIZE = 20 << 20;
    client.send(...Array.from({ length: SIZE / 10_240 }, () => binary(Buffer.alloc(10_232))));
    while (!socket.isPaused()) await turns();
    await turns(50);
    const before = socket.bytesRead;
    expect(before).toBeLessThan(100_000 + 2 * 65_536 + 1000);
    await clock.advance(3000);
    expect(socket.bytesRead - before).toBeLessThan(300_000 + 2 * 65_536);
    expect(socket.bytesRead - before).toBeGreaterThan(100_000);
    // Most of it is in the client's own memory.
    expect(client.socket.writableLength).toBeGreaterThan(1 << 20);
  });

  it('loses no byte of what it holds back', async () => {
    const opened = await openMetered({ bytes: 1 << 20, patience: Infinity });
    const { client, clock, read } = opened;
    const messages = Array.from({ length: 500 }, (_, i) => Buffer.alloc(10_000, i));
    client.send(...messages.map((message) => binary(message)));
    while (read.length < messages.length) await clock.advance(100);
    expect(Buffer.concat(read.map((data) => Buffer.from(data))).equals(Buffer.concat(messages))).toBe(true);
    expect(clock.now()).toBeGreaterThanOrEqual(3500);
  });
});

describe('a peer that keeps exceeding its rate', () => {
  it('is closed with 1008 when it has been slowed down for 10 seconds', async () => {
    const opened = await openMetered({ messages: 100 });
    const { client, clock, read, closes } = opened;
    await sendAndSettle(opened, numbered(3000));
    await clock.advance(9900);
    expect(opened.handler.readyState).toBe(1);
    await clock.advance(200);
    const reason = 'more than the rate allows, again and again';
    expect(await client.nextClose()).toEqual({ code: 1008, reason });
    expect(read).toEqual(numbers(read.length));
    expect(read.length).toBeGreaterThan(1080);
    expect(read.length).toBeLessThan(1120);
    client.socket.end();
    expect(await closes.next()).toEqual([1008, reason, false]);
  });

  it('is closed for bytes as well', async () => {
    const opened = await openMetered({ bytes: 1000, patience: 2000 });
    const { client, clock, closes } = opened;
    for (let i = 0; closes.left.length === 0 && i < 50; i++) {
      client.send(binary(Buffer.alloc(994)));
      await flushed(client);
      await clock.advance(500);
      if (opened.handler.readyState !== 1) client.socket.end();
      await turns(5);
    }
    expect((await closes.next())[0]).toBe(1008);
    expect(clock.now()).toBeGreaterThanOrEqual(2000);
    expect(clock.now()).toBeLessThan(6000);
  });

  it('is closed after `patience`, and never if that is Infinity', async () => {
    const opened = await openMetered({ messages: 10, patience: 500 });
    await sendAndSettle(opened, numbered(100));
    await opened.clock.advance(600);
    await expect(opened.client).toCloseWith(1008);

    const patient = await openMetered({ messages: 10, patience: Infinity });
    await sendAndSettle(patient, numbered(1000));
    await patient.clock.advance(99_000);
    expect(patient.read).toEqual(numbers(1000));
    expect(patient.handler.readyState).toBe(1);
  });

  it('is forgiven when it has kept to its rate for long enough to have saved up again', async () => {
    const opened = await openMetered({ messages: 10 });
    for (let i = 0; i < 20; i++) {
      await sendAndSettle(opened, numbered(30, 30 * i));
      await opened.clock.advance(3000);
    }
    expect(opened.read).toEqual(numbers(600));
    expect(opened.handler.readyState).toBe(1);
  });

  it('is closed only after what came before has been handled', async () => {
    const work = deferred();
    const opened = await openMetered({ messages: 10, patience: 500 }, { onRead: () => work.promise });
    await sendAndSettle(opened, numbered(100));
    await opened.clock.advance(10_000);
    expect(opened.handler.readyState).toBe(1);
    work.resolve();
    for (let i = 0; i < 20; i++) await opened.clock.advance(100);
    await expect(opened.client).toCloseWith(1008);
  });

  it('ends its connection and not the process when a pong that was held back leaves meanwhile', async () => {
    const opened = await openMetered({ messages: 5, patience: 500 });
    const { client, clock, handler, closes } = opened;
    client.socket.pause();
    handler.write(LARGE);
    await turns(20);
    await sendAndSettle(opened, frame({ opcode: 9, payload: 'x' }));
    await sendAndSettle(opened, numbered(40));
    // It has been slowed down for long enough, and nothing has been read since: the next to be counted is that ping.
    await clock.advance(599);
    client.socket.resume();
    await turns(200);
    await clock.advance(1000);
    client.socket.end();
    expect((await closes.next())[0]).toBe(1008);
  });
});

describe('a connection that ends while its peer is slowed down', () => {
  it('closes as any other: what the peer sends until it has our close frame is not held against it', async () => {
    const opened = await openMetered({ messages: 10, patience: 500 });
    const { client, clock, handler, read, closes } = opened;
    await sendAndSettle(opened, numbered(15));
    await clock.advance(499);
    const before = read.length;
    handler.close(1000, 'enough');
    await clock.advance(1000);
    await sendAndSettle(opened, numbered(500));
    await expect(client).toCloseWith(1000, 'enough');
    client.send(frame({ opcode: 8, payload: closeBody(1000) }));
    expect(await closes.next()).toEqual([1000, '', true]);
    expect(read).toHaveLength(before);
  });

  it('is not kept for the pause, however long that is', async () => {
    const opened = await openMetered({ messages: 0.001 });
    const { client, clock, closes } = opened;
    await sendAndSettle(opened, numbered(5));
    expect(clock.armed).toBe(1);
    opened.handler.terminate();
    await closes.next();
    // What is left is the close timer's.
    await clock.advance(5000);
    expect(clock.armed).toBe(0);
    client.socket.destroy();
  });

  it('delivers what had come before the end, as slowly', async () => {
    const opened = await openMetered({ messages: 10 });
    const { client, clock, read, closes } = opened;
    await sendAndSettle(opened, numbered(30));
    client.socket.end();
    await clock.advance(5000);
    expect(read).toEqual(numbers(30));
    expect((await closes.next())[0]).toBe(1006);
  });
});

describe('what is counted, and told', () => {
  it('is each time that a peer begins to exceed its rate, once until it has kept to it again', async () => {
    const told: unknown[] = [];
    const onMessage = (message: unknown): void => void told.push(message);
    subscribe('websocket-route:throttle', onMessage);
    const throttled = (): RouteMetrics['throttled'] => metrics().routes['Tested']?.throttled ?? 0;
    const before = throttled();
    const opened = await openMetered({ messages: 10 });
    await sendAndSettle(opened, numbered(25));
    await opened.clock.advance(1000);
    await sendAndSettle(opened, numbered(10, 25));
    await opened.clock.advance(1500);
    expect([throttled() - before, told]).toEqual([1, [{ route: 'Tested', connection: opened.handler }]]);
    await opened.clock.advance(2000);
    await sendAndSettle(opened, numbered(11, 35));
    expect([throttled() - before, told.length]).toEqual([2, 2]);
    unsubscribe('websocket-route:throttle', onMessage);
    expect(opened.read).toEqual(numbers(46));
  });

  it('is the close code of those that were closed for it', async () => {
    const closed = (): number => metrics().closed['1008'] ?? 0;
    const before = closed();
    const opened = await openMetered({ messages: 10, patience: 1 });
    await sendAndSettle(opened, numbered(100));
    await opened.clock.advance(1000);
    opened.client.socket.end();
    await opened.closes.next();
    expect(closed()).toBe(before + 1);
  });
});
