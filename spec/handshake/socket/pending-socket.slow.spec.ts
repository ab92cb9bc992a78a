/** The time between the request and the connection: what arrives is kept, and a client that leaves is noticed. */
import { spawn } from 'node:child_process';
import type { RequestListener, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import express, { type Request, type Response } from 'express';
import session from 'express-session';
import { drain, type RouteOptions, type WebSocketHandler, websocketRoute } from '../../../lib/index.js';
import { AsyncQueue } from '../../../lib/testing/async-queue.js';
import { DOORS, serveAt } from '../../support/doors.js';
import { frame, text } from '../../support/frames.js';
import { RawClient } from '../../support/raw-client.js';
import type { Running } from '../../support/server.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const never = (): Promise<never> => new Promise(() => {});

/** The texts that came back on each of so many connections, one after the other, of a client in another process. */
async function eagerClient({ port }: Running, tls: boolean, connections: number): Promise<string[]> {
  const script = join(__dirname, '../../support/eager-client.mjs');
  const args = [script, String(port), tls ? '1' : '0', String(connections)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return JSON.parse(await textOf(child.stdout)) as string[];
}

const greet = {
  onConnect(this: WebSocketHandler): void {
    this.write('hello');
  },
  onRead(this: WebSocketHandler, data: string | Buffer): void {
    this.write(data);
  },
};

describe.each(DOORS)('at $name', (door) => {
  describe('the first message, sent as soon as the 101 has come', () => {
    it.each<[late: string, app: RequestListener]>([
      ['at once', express().use(websocketRoute('/ws', greet))],
      [
        'by a middleware that calls back from the check phase',
        express().use((_req, _res, next) => setImmediate(next), websocketRoute('/ws', greet)),
      ],
      [
        'by a middleware that calls back from a timer',
        express().use((_req, _res, next) => setTimeout(next, 1), websocketRoute('/ws', greet)),
      ],
      [
        'by a session, which is stored before the response ends',
        express().use(session({ secret: 'a', resave: false, saveUninitialized: true }), websocketRoute('/ws', greet)),
      ],
      [
        'by onHandshake from the check phase',
        express().use(
          websocketRoute('/ws', {
            ...greet,
            async onHandshake() {
              await turn();
              return true;
            },
          }),
        ),
      ],
      [
        'by onHandshake from a timer',
        express().use(
          websocketRoute('/ws', {
            ...greet,
            async onHandshake() {
              await new Promise((resolve) => setTimeout(resolve, 1));
              return true;
            },
          }),
        ),
      ],
    ])('a first message reaches onRead when the handshake is answered %s', async (_late, app) => {
      const running = await serveAt(door, app);
      const all = await eagerClient(running, door.tls, 60);
      expect(all).toEqual(Array.from({ length: 60 }, () => 'hello,first,last'));
    });

    it('a first message with more behind it than is kept, and FIN, reaches onRead', async () => {
      const read = new AsyncQueue<number>();
      // The end of the response is a turn later than its bytes, as if the system were slow to take them.
      const app = express().use(
        (_req, res, next) => {
          const { emit } = res;
          res.emit = (name: string, ...args: unknown[]): boolean =>
            name === 'finish'
              ? Boolean(fragments.next().then(() => Reflect.apply(emit, res, [name, ...args])))
              : Reflect.apply(emit, res, [name, ...args]);
          next();
        },
        websocketRoute('/ws', { onRead: (data) => read.push(data.length), onClose: (code) => read.push(code) }),
      );
      const fragments = new AsyncQueue<void>();
      const running = await serveAt(door, app);
      const client = await RawClient.open(running, '/ws');
      for (let i = 0; i < 8; i++) client.send(frame({ opcode: 2, payload: Buffer.alloc(30_000 + i) }));
      client.socket.end();
      await turn();
      fragments.push();
      expect(await read.take(8)).toEqual(Array.from({ length: 8 }, (_, i) => 30_000 + i));
      expect(await read.next()).toBe(1006);
    });
  });

  describe('a client that leaves', () => {
    /** Each makes the handshake wait for ever and says when it has come there. */
    const places: [place: string, make: (here: () => void, options: RouteOptions) => RequestListener][] = [
      [
        'a middleware',
        (here, options) => {
          let count = 0;
          return express().use(
            (_req, _res, next) => {
              if (++count > 3) return next();
              here();
            },
            websocketRoute('/ws', greet, options),
          );
        },
      ],
      [
        'origins',
        (here, options) => {
          let count = 0;
          const origins = (): boolean | Promise<boolean> => {
            if (++count > 3) return true;
            here();
            return never();
          };
          return express().use(websocketRoute('/ws', greet, { ...options, origins }));
        },
      ],
      [
        'onHandshake',
        (here, options) => {
          let count = 0;
          const onHandshake = (): boolean | Promise<boolean> => {
            if (++count > 3) return true;
            here();
            return never();
          };
          return express().use(websocketRoute('/ws', { ...greet, onHandshake }, options));
        },
      ],
      [
        'the end of the response',
        (here, options) => {
          let count = 0;
          return express().use(
            (_req, res, next) => {
              if (++count <= 3) {
                res.end = () => {
                  here();
                  return res;
                };
              }
              next();
            },
            websocketRoute('/ws', greet, options),
          );
        },
      ],
    ];

    describe.each(places)('while %s is pending', (_place, make) => {
      it.each(['end', 'destroy'] as const)(
        'a client that leaves by %s gives its place back, and drain does not wait for it',
        async (leave) => {
          const here = new AsyncQueue<void>();
          const app = make(() => here.push(), { maxConnections: 3, handshakeTimeout: 0, origins: '*' });
          const running = await serveAt(door, app);
          for (let i = 0; i < 3; i++) {
            const client = await RawClient.connect(running);
            client.sendHandshake('/ws', { Origin: 'http://127.0.0.1' });
            await here.next();
            client.socket[leave]();
            while (running.sockets.size > 0) await turn();
          }
          const client = await RawClient.open(running, '/ws', { Origin: `${running.httpUrl}` });
          expect(await client.nextText()).toBe('hello');
          const drained = drain(running.server, { jitter: 0 });
          await expect(client).toCloseWith(1001);
          await client.close();
          await drained;
        },
      );
    });

    it('a client that leaves while a middleware is pending does not reach onHandshake', async () => {
      const here = new AsyncQueue<() => void>();
      const onHandshake = jest.fn(() => true);
      const app = express().use(
        (_req, _res, next) => here.push(next),
        websocketRoute('/ws', { ...greet, onHandshake }),
      );
      const running = await serveAt(door, app);
      const client = await RawClient.connect(running);
      client.sendHandshake('/ws');
      const next = await here.next();
      client.socket.end();
      while (running.sockets.size > 0) await turn();
      next();
      await turn();
      expect(onHandshake).not.toHaveBeenCalled();
    });

    it('has sent something before, which is not unbounded', async () => {
      const here = new AsyncQueue<void>();
      const onHandshake = (): Promise<never> => {
        here.push();
        return never();
      };
      const stuck = express().use(websocketRoute('/ws', { onHandshake }, { handshakeTimeout: 0 }));
      const running = await serveAt(door, stuck);
      const [some, much] = [await RawClient.connect(running), await RawClient.connect(running)];
      some.sendHandshake('/ws');
      much.sendHandshake('/ws');
      await here.take(2);
      some.send(text('too early'));
      some.socket.end();
      await some.ended;
      if (!door.upgrade) return;
      much.socket.write(Buffer.alloc(256 * 1024));
      await much.ended;
    });
  });
});

describe.each(DOORS)('the request at $name', (door) => {
  it.each(['end', 'destroy'] as const)(
    'the request emits close when its client leaves by %s before the answer',
    async (leave) => {
      const events = new AsyncQueue<string>();
      const here = new AsyncQueue<void>();
      const app = express().use((req, _res) => {
        for (const name of ['aborted', 'close']) req.on(name, () => events.push(name));
        req.on('error', (error: Error & { code?: string }) => events.push(`error ${error.code}`));
        here.push();
      });
      const client = await RawClient.connect(await serveAt(door, app));
      client.sendHandshake('/ws');
      await here.next();
      client.socket[leave]();
      expect(await events.take(3)).toEqual(['aborted', 'error ECONNRESET', 'close']);
    },
  );

  it('the request emits close when it was answered, with 101 or otherwise', async () => {
    const closed = new AsyncQueue<string>();
    const app = express().use(
      (req, _res, next) => {
        req.on('close', () => closed.push(req.url));
        next();
      },
      websocketRoute('/ws', greet),
    );
    const running = await serveAt(door, app);
    await RawClient.open(running, '/ws');
    expect(await closed.next()).toBe('/ws');
    const client = await RawClient.connect(running);
    await client.handshake('/other');
    expect(await closed.next()).toBe('/other');
  });
});

describe('a handshake behind a request that takes its time', () => {
  it.each(DOORS)('leaves with its client, and that with it, at $name', async (door) => {
    const closed = new AsyncQueue<string>();
    const asked = new AsyncQueue<void>();
    const app = express();
    app.get('/events', (_req: Request, res: Response) => {
      res.on('close', () => closed.push('events'));
      res.type('text/event-stream').write('data: 1\n\n');
      asked.push();
    });
    app.use('/ws', (_req, res, next) => {
      res.on('close', () => closed.push('ws'));
      next();
    });
    app.use(websocketRoute('/ws', greet));
    const running = await serveAt(door, app);
    for (let i = 0; i < 3; i++) {
      const client = await RawClient.connect(running);
      client.send('GET /events HTTP/1.1\r\nHost: a\r\n\r\n');
      await asked.next();
      client.sendHandshake('/ws');
      await turn();
      client.socket.end();
      // Whether the one in line has a response that closes, too, depends on the door and on Node.
      while ((await closed.next()) !== 'events');
    }
    while (running.sockets.size > 0) await turn();
  });
});

describe('handshakes that are pipelined', () => {
  it('are looked at one at a time, and all but the last without a hook', async () => {
    const begun = new AsyncQueue<(answer: boolean) => void>();
    let hooks = 0;
    const onHandshake = (): Promise<boolean> => {
      hooks++;
      return new Promise((resolve) => begun.push(resolve));
    };
    const app = express().use(websocketRoute('/ws', { ...greet, onHandshake }));
    const responses: ServerResponse[] = [];
    const running = await serveAt(DOORS[0]!, (request, response) => {
      responses.push(response);
      app(request, response);
    });
    const client = await RawClient.connect(running);
    for (let i = 1; i <= 50; i++) {
      client.sendHandshake('/ws');
      while (responses.length < i) await turn();
    }
    expect(hooks).toBe(1);
    (await begun.next())(true);
    for (let i = 1; i < 50; i++) await expect(client.response()).toBeRefusedWith(400);
    (await begun.next())(true);
    await expect(client.response()).toBeAccepted();
    expect(await client.nextText()).toBe('hello');
    expect(hooks).toBe(2);
  });
});
