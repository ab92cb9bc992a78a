/** The option `handshakeTimeout`, and peers that do not wait for it. */
import { Socket } from 'node:net';
import { Deadline } from '../../lib/handshake/deadline.js';
import { type ConnectionOptions, metrics, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { setClock } from '../../lib/transport/clock.js';
import { deferred, turns } from '../connection/open.js';
import { CountingClock } from '../support/counting-clock.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

interface Asked {
  server: Running;
  clock: CountingClock;
  /** Each call of `onHandshake`: settles it. */
  asked: AsyncQueue<ReturnType<typeof deferred<boolean>>>;
  errors: AsyncQueue<unknown>;
}

/** A server whose `onHandshake` waits for the test, and whose time does, too. */
async function serveAsking(options: ConnectionOptions = {}): Promise<Asked> {
  const asked: Asked['asked'] = new AsyncQueue();
  const errors: Asked['errors'] = new AsyncQueue();
  class Asking extends WebSocketHandler {
    override onHandshake(): Promise<boolean> {
      const answer = deferred<boolean>();
      asked.push(answer);
      return answer.promise;
    }

    override onError(error: unknown): void {
      errors.push(error);
    }
  }
  const server = await serve(websocketRoute(Asking, options));
  const clock = new CountingClock();
  server.server.on('connection', (socket) => setClock(socket, clock));
  return { server, clock, asked, errors };
}

describe('handshakeTimeout', () => {
  it('refuses with 503 what onHandshake has not decided after 10 seconds', async () => {
    const { server, clock, asked } = await serveAsking();
    const before = metrics().refused['timeout'] ?? 0;
    const client = await RawClient.connect(server);
    client.sendHandshake();
    const answer = await asked.next();
    await clock.advance(9999);
    expect(client.socket.bytesRead).toBe(0);
    await clock.advance(1);
    const { status, body } = await client.response();
    expect([status, body]).toEqual([
      503,
      '503 Service Unavailable\nThe handshake timed out on the server: try again later.\n',
    ]);
    expect(metrics().refused['timeout']).toBe(before + 1);
    // Too late: nobody waits for it.
    answer.resolve(true);
    await turns(5);
    await expect(client.handshake('/', { Upgrade: 'h2c' })).toBeRefusedWith(426);
  });

  it('goes by its option, and is over when the answer is there', async () => {
    const { server, clock, asked } = await serveAsking({ handshakeTimeout: 200 });
    const client = await RawClient.connect(server);
    client.sendHandshake();
    (await asked.next()).resolve(true);
    await expect(client.response()).toBeAccepted();
    await clock.advance(1000);
    expect(client.socket.closed).toBe(false);

    const late = await RawClient.connect(server);
    late.sendHandshake();
    await asked.next();
    await clock.advance(200);
    await expect(late.response()).toBeRefusedWith(503);
  });

  it('is any time with 0, and sets no timer', async () => {
    const { server, clock, asked } = await serveAsking({ handshakeTimeout: 0, pingInterval: 0 });
    const client = await RawClient.connect(server);
    client.sendHandshake();
    const answer = await asked.next();
    expect(clock.armed).toBe(0);
    await clock.advance(1e9);
    answer.resolve(true);
    await expect(client.response()).toBeAccepted();
  });

  it('is for the functions of the user in all, not for each of them', async () => {
    const origins = new AsyncQueue<ReturnType<typeof deferred<boolean>>>();
    const { server, clock, asked } = await serveAsking({
      handshakeTimeout: 1000,
      origins: () => {
        const answer = deferred<boolean>();
        origins.push(answer);
        return answer.promise;
      },
    });
    const client = await RawClient.connect(server);
    client.sendHandshake('/', { Origin: 'http://a.example' });
    const origin = await origins.next();
    await clock.advance(600);
    origin.resolve(true);
    await asked.next();
    await clock.advance(400);
    await expect(client.response()).toBeRefusedWith(503);
  });

  it('holds for an onError that never settles, too', async () => {
    class Stuck extends WebSocketHandler {
      override onHandshake(): boolean {
        throw new Error('no database');
      }

      override onError(): Promise<void> {
        return new Promise(() => {});
      }
    }
    const server = await serve(websocketRoute(Stuck, { handshakeTimeout: 300 }));
    const clock = new CountingClock();
    server.server.on('connection', (socket) => setClock(socket, clock));
    const client = await RawClient.connect(server);
    client.sendHandshake();
    while (clock.armed === 0) await turns();
    await clock.advance(300);
    await expect(client.response()).toBeRefusedWith(503);
  });

  it('gives to onError what fails when nobody waits any more, and answers nothing for it', async () => {
    const { server, clock, asked, errors } = await serveAsking();
    const client = await RawClient.connect(server);
    client.sendHandshake();
    const answer = await asked.next();
    await clock.advance(10_000);
    await expect(client.response()).toBeRefusedWith(503);
    const error = new Error('the database is back, and says no');
    answer.reject(error);
    expect(await errors.next()).toBe(error);
  });

  it('sets no timer for what is decided at once, and leaves nothing behind', async () => {
    class Quick extends WebSocketHandler {
      override onHandshake(): boolean {
        return true;
      }
    }
    const server = await serve(websocketRoute(Quick, { pingInterval: 0 }));
    const clock = new CountingClock();
    server.server.on('connection', (socket) => setClock(socket, clock));
    const client = await RawClient.open(server);
    expect([clock.armed, clock.fired]).toEqual([0, 0]);
    client.socket.destroy();

    const slow = await serveAsking({ pingInterval: 0 });
    const waiting = await RawClient.connect(slow.server);
    waiting.sendHandshake();
    const answer = await slow.asked.next();
    expect(slow.clock.armed).toBe(1);
    const [socket] = slow.server.sockets;
    const listeners = socket?.listenerCount('close') ?? 0;
    answer.resolve(false);
    await expect(waiting.response()).toBeRefusedWith(403);
    expect(slow.clock.armed).toBe(0);
    expect(socket?.listenerCount('close')).toBeLessThan(listeners);
  });
});

describe('a peer that goes away during onHandshake', () => {
  it.each(['destroy', 'resetAndDestroy', 'end'] as const)(
    'a peer that goes away by %s is not waited for',
    async (vanish) => {
      const { server, clock, asked, errors } = await serveAsking();
      const client = await RawClient.connect(server);
      client.sendHandshake();
      const answer = await asked.next();
      expect(clock.armed).toBe(1);
      client.socket[vanish]();
      while (server.sockets.size > 0) await turns();
      await turns(2);
      expect(clock.armed).toBe(0);
      // What it decided, or how it failed, is the handler's alone to know.
      const error = new Error('aborted');
      answer.reject(error);
      expect(await errors.next()).toBe(error);
    },
  );
});

describe('Deadline', () => {
  it('hands on what is no promise as it is', () => {
    const result = { status: 401 };
    expect(new Deadline(new Socket(), 1000).meet(result)).toBe(result);
  });

  it('does not wait for a peer that had gone before', async () => {
    const socket = new Socket();
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.destroy();
    });
    const late: unknown[] = [];
    const answer = deferred<boolean>();
    const met = new Deadline(socket, 0).wait(answer.promise, (error) => late.push(error));
    await expect(met).rejects.toMatchObject({ name: 'HandshakeAborted', why: 'gone' });
    answer.reject('late');
    await turns();
    expect(late).toEqual(['late']);
    expect(socket.listenerCount('close')).toBe(0);
  });

  it('takes whatever has a `then`, also one that throws, and forgets its timer', async () => {
    const socket = new Socket();
    const clock = new CountingClock();
    setClock(socket, clock);
    const error = new Error('a broken promise');
    const broken = {
      // biome-ignore lint/suspicious/noThenProperty: this is what is tested
      then() {
        throw error;
      },
    } as PromiseLike<boolean>;
    await expect(new Deadline(socket, 1000).meet(broken)).rejects.toBe(error);
    expect([clock.armed, socket.listenerCount('close')]).toEqual([0, 0]);
  });
});
