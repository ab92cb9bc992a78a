import type { StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import type { Server } from 'node:http';
import express, { type Response } from 'express';
import { WebSocket } from 'ws';
import { drain, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { type Built, build, type Program, start } from '../support/built.js';
import { type Running, serve } from '../support/server.js';
import { type Block, blocksOf, namesTakenForGranted, readPage, recipe, run } from './blocks.js';
import { connect, refused } from './client.js';

const PAGE = 'docs/shutdown.md';

function block(words: string): Block {
  const found = blocksOf(PAGE).find(({ code }) => code.includes(words));
  if (found === undefined) throw new Error(`there is no ${words}`);
  return found;
}

/** The blocks listen to signals; these are given without one, as far as this process is concerned. */
function signalled(signal: NodeJS.Signals, before: readonly unknown[]): void {
  for (const listener of process.rawListeners(signal)) {
    if (!before.includes(listener)) (listener as (signal: NodeJS.Signals) => void)(signal);
  }
}

/** Runs a block whose servers serve a WebSocket and a page, and starts them. */
async function running(words: string, app = express()): Promise<{ servers: Running[]; signal: () => void }> {
  app.use(websocketRoute('/ws', {}));
  const before = process.rawListeners('SIGTERM');
  const { servers } = run(block(words), namesTakenForGranted(app));
  return {
    servers: await Promise.all(servers.map((server) => serve(server))),
    signal: () => signalled('SIGTERM', before),
  };
}

const closed = (server: Server): Promise<unknown> => once(server, 'close');

describe('docs/shutdown.md', () => {
  it('drains and closes in one line', async () => {
    const { servers, signal } = await running("['SIGTERM', 'SIGINT'], { timeout: 20_000, jitter: 5_000 }");
    const [{ server, url }] = servers as [Running];
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.01);
    const { socket } = await connect(`${url}/ws`);
    const gone = Promise.all([once(socket, 'close'), closed(server)]);
    signal();
    random.mockRestore();
    await expect(refused(`${url}/ws`)).toBeRefusedWith(503);
    expect((await gone)[0][0]).toBe(1001);
  });

  it('closes HTTP connections behind what is asked after the signal, and behind others when they are idle', async () => {
    const app = express();
    const asked = new Promise<Response>((resolve) => app.get('/slow', (_request, response) => resolve(response)));
    app.get('/quick', (_request, response) => void response.send('quick'));
    const { servers, signal } = await running("['SIGTERM', 'SIGINT'], { timeout: 20_000", app);
    const [{ server, url, httpUrl }] = servers as [Running];
    const { socket } = await connect(`${url}/ws`);
    const connectionOf = async (path: string): Promise<string | null> => {
      const response = await fetch(`${httpUrl}${path}`);
      await response.text();
      return response.headers.get('connection');
    };
    const before = connectionOf('/slow');
    const slow = await asked;
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.99); // it may stay for a while
    signal();
    random.mockRestore();
    expect(await connectionOf('/quick')).toBe('close');
    slow.send('slow');
    expect(await before).toBe('keep-alive');
    const end = closed(server);
    socket.close();
    await end;
  });

  it('ends a pool after the connections', async () => {
    const { servers, signal } = await running('pool.end');
    const [{ server, url }] = servers as [Running];
    const lines = new AsyncQueue<string>();
    const logged = jest.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line));
    const { socket } = await connect(`${url}/ws`);
    const gone = Promise.all([once(socket, 'close'), closed(server)]);
    signal();
    expect((await gone)[0][0]).toBe(1001);
    expect(await lines.take(2)).toEqual(['1 closed, 0 terminated', 'the pool has ended']);
    logged.mockRestore();
  });

  describe('in a process of its own', () => {
    let built: Built;
    beforeAll(async () => {
      built = await build();
    });
    afterAll(() => built.remove());

    /** Starts a block that listens to port 8080; this one listens to any, and says to which. */
    function program(name: string, words: string, stdio?: StdioOptions): Promise<Program> {
      const { code } = block(words);
      const head = `import express from 'express';
        import { drainOnSignal, websocketRoute } from 'websocket-route';
        const app = express().use(websocketRoute('/ws', {}));
        setInterval(() => {}, 1000);`;
      const text = code.includes("from 'websocket-route'") ? code : head + code;
      const any = text
        .replace('listen(8080)', "listen(0, '127.0.0.1', () => console.log(server.address().port))")
        .replace('listen(8080,', "listen(0, '127.0.0.1',");
      expect(any).not.toBe(text);
      return start(built, name, any, [], stdio);
    }

    it('closes a database at the end', async () => {
      const { process, line, ended } = await program('exit.mjs', 'database.end()');
      const { socket } = await connect(`ws://127.0.0.1:${await line()}/ws`);
      const gone = once(socket, 'close');
      process.kill('SIGINT');
      expect((await gone)[0]).toBe(1001);
      expect(await line()).toBe('the database is closed');
      expect(await ended).toBe(0);
    });

    it('ends a cluster: the workers say goodbye, and the primary ends behind them', async () => {
      const { process, line, ended, errors } = await program('cluster.mjs', "from 'node:cluster'");
      const { socket } = await connect(`ws://127.0.0.1:${await line()}/ws`);
      const gone = once(socket, 'close');
      process.kill('SIGTERM');
      expect((await gone)[0]).toBe(1001);
      expect([await ended, errors()]).toEqual([0, '']);
    });

    it('tells pm2 that it is ready, and ends by a message', async () => {
      const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', 'ipc'];
      const { process, ended, errors } = await program('pm2.mjs', "process.send?.('ready')", stdio);
      expect(await once(process, 'message')).toEqual(['ready', undefined]);
      process.send('shutdown');
      expect([await ended, errors()]).toEqual([0, '']);
    });
  });

  it('has a readiness probe that fails from the signal on', async () => {
    const server = await serve(recipe(PAGE, '/ready'));
    const status = async (): Promise<number> => (await fetch(`${server.httpUrl}/ready`)).status;
    expect(await status()).toBe(200);
    await drain(server.server);
    expect(await status()).toBe(503);
  });

  it('drains each of several servers in its own way', async () => {
    const { servers, signal } = await running('maintenance');
    const clients = await Promise.all(servers.map(({ url }) => connect(`${url}/ws`)));
    const gone = clients.map(async ({ socket }) => (await once(socket, 'close')).map(String));
    const ends = servers.map(({ server }) => closed(server));
    signal();
    expect(await Promise.all(gone)).toEqual([
      ['1001', ''],
      ['1001', 'maintenance'],
    ]);
    await Promise.all(ends);
  });

  describe('the client that sends again what was not acknowledged', () => {
    interface Outbox {
      waiting: Map<string, string>;
      attempt: number;
      socket: WebSocket;
      send(entry: string): void;
    }

    function load(): { app: express.Express; table: Map<string, string>; Outbox: new (url: string) => Outbox } {
      const app = express();
      const { table } = run(block('class Inbox'), namesTakenForGranted(app)).exports as { table: Map<string, string> };
      const { Outbox } = run(block('class Outbox'), { WebSocket }).exports as {
        Outbox: new (url: string) => Outbox;
      };
      return { app, table, Outbox };
    }

    it('has each entry recorded once, though its server goes away in the middle', async () => {
      const { app, table, Outbox } = load();
      const first = await serve(app);
      // Whoever comes back comes back at once.
      jest.spyOn(Math, 'random').mockReturnValue(0);
      const outbox = new Outbox(`${first.url}/inbox`);
      for (let i = 0; i < 50; i++) outbox.send(`entry ${i}`);
      while (outbox.waiting.size > 45) await new Promise((resolve) => setImmediate(resolve));
      const gone = once(outbox.socket, 'close');
      expect(await drain(first.server)).toEqual({ closed: 1, terminated: 0 });
      expect((await gone)[0]).toBe(1001);
      const acknowledged = 50 - outbox.waiting.size;
      expect(acknowledged).toBeLessThan(50);
      expect(table.size).toBe(acknowledged);
      // The next process has the same address, and takes over when the first one has ended.
      await first.close();
      const second = await serve(app);
      Reflect.set(outbox, 'url', `${second.url}/inbox`);
      while (outbox.waiting.size > 0) await new Promise((resolve) => setImmediate(resolve));
      expect([...table.values()].sort()).toEqual(Array.from({ length: 50 }, (_, i) => `entry ${i}`).sort());
      expect(outbox.attempt).toBe(0);
      outbox.socket.onclose = null;
      outbox.socket.close();
      jest.restoreAllMocks();
    });
  });

  it('shows that a client gets its answer before the goodbye', async () => {
    const { farewell } = run(block('farewell'), namesTakenForGranted(express())).exports as {
      farewell(server: Server, url: string, message: string, begun: Promise<unknown>): Promise<unknown[]>;
    };
    let begin: (value: unknown) => void = () => {};
    const begun = new Promise((resolve) => {
      begin = resolve;
    });
    const { server, url } = await serve(
      websocketRoute({
        async onRead(text: string | Buffer) {
          begin(undefined);
          await new Promise((resolve) => setTimeout(resolve, 20));
          this.write(`done: ${text}`);
        },
      }),
    );
    expect(await farewell(server, url, 'work', begun)).toEqual(['done: work', 1001]);
  });

  it('has the defaults', () => {
    for (const row of ['`timeout` | 8,000 ms', '`jitter` | 1,000 ms', '`code` | 1001', '`retryAfter` | 1 s']) {
      expect(readPage(PAGE)).toContain(`| ${row}`);
    }
  });
});
