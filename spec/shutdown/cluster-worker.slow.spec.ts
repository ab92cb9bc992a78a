/** A real cluster: a primary and two workers that serve one port, clients of both, and real signals. */
import { once } from 'node:events';
import { get } from 'node:http';
import { WebSocket } from 'ws';
import { type Built, build, type Program, start } from '../support/built.js';

let built: Built;
beforeAll(async () => {
  built = await build();
});
afterAll(() => built.remove());

/** As in `docs/shutdown.md`: it passes the signal on. */
const PASSES_ON = `
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      for (const worker of Object.values(cluster.workers)) worker.process.kill(signal);
    });
  }`;

const cluster = (primary: string, options: string): string => `
  import cluster from 'node:cluster';
  import { createServer } from 'node:http';
  import { drainOnSignal, websocketRoute } from 'websocket-route';
  if (cluster.isPrimary) {
    cluster.fork();
    cluster.fork();
    cluster.on('exit', ({ process, exitedAfterDisconnect }, code, signal) =>
      console.log(\`exit \${process.pid} \${signal ?? code} \${exitedAfterDisconnect}\`));
    ${primary}
  } else {
    const route = websocketRoute('/ws', {
      onConnect() { this.write(String(process.pid)); },
      onRead: () => new Promise((done) => setTimeout(done, 400)),
    });
    const server = createServer((request, response) => route(request, response, () => response.end(String(process.pid))));
    drainOnSignal(server, ['SIGTERM', 'SIGINT'], { jitter: 20, ${options} });
    server.listen(0, '127.0.0.1', () => console.log(server.address().port));
  }`;

interface Client {
  readonly socket: WebSocket;
  /** The worker that has accepted it. */
  readonly worker: number;
  readonly code: Promise<number>;
}

async function connect(port: string): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  const code = once(socket, 'close').then(([number]) => number as number);
  const [worker] = await once(socket, 'message');
  return { socket, worker: Number(String(worker)), code };
}

interface Running {
  readonly program: Program;
  readonly port: string;
  /** Two of each worker. */
  readonly clients: readonly Client[];
  readonly workers: readonly [number, number];
}

let clusters = 0;

async function run(primary: string, options = 'exit: true'): Promise<Running> {
  const program = await start(built, `cluster-${++clusters}.mjs`, cluster(primary, options));
  const port = await program.line();
  expect(await program.line()).toBe(port);
  const clients: Client[] = [];
  // A primary gives connections to its workers by turns.
  for (let i = 0; i < 4; i++) clients.push(await connect(port));
  const workers = [...new Set(clients.map(({ worker }) => worker))];
  expect(workers).toHaveLength(2);
  return { program, port, clients, workers: workers as [number, number] };
}

const codes = (clients: readonly Client[]): Promise<number[]> => Promise.all(clients.map(({ code }) => code));

describe('a worker that is told to end', () => {
  it('says goodbye and ends by itself, with code 0, and its primary knows that it left', async () => {
    const { program, clients, workers } = await run('');
    const [first, second] = workers;
    process.kill(first, 'SIGTERM');
    expect(await codes(clients.filter(({ worker }) => worker === first))).toEqual([1001, 1001]);
    expect(await program.line()).toBe(`exit ${first} 0 true`);
    const left = clients.filter(({ worker }) => worker === second);
    expect(left.map(({ socket }) => socket.readyState)).toEqual([WebSocket.OPEN, WebSocket.OPEN]);
    process.kill(second, 'SIGTERM');
    expect(await program.line()).toBe(`exit ${second} 0 true`);
    expect(await program.ended).toBe(0);
    expect(program.errors()).toBe('');
  });

  it('leaves newcomers to the other worker at once, while it waits for its handlers', async () => {
    const { program, port, clients, workers } = await run('');
    const [first, second] = workers;
    const [one] = clients.filter(({ worker }) => worker === first);
    one?.socket.send('work');
    await new Promise((resolve) => one?.socket.ping(resolve));
    process.kill(first, 'SIGTERM');
    // The other client of that worker is not at work: it has gone when the worker has begun to leave.
    await clients.filter(({ worker }) => worker === first)[1]?.code;
    for (let i = 0; i < 6; i++) {
      const newcomer = await connect(port);
      expect(newcomer.worker).toBe(second);
      newcomer.socket.terminate();
    }
    expect(one?.socket.readyState).toBe(WebSocket.OPEN);
    expect(await one?.code).toBe(1001);
    expect(await program.line()).toBe(`exit ${first} 0 true`);
    process.kill(second, 'SIGTERM');
    expect(await program.ended).toBe(0);
  });

  it('ends though HTTP connections are kept alive', async () => {
    const { program, port, workers } = await run('');
    await new Promise((resolve) => {
      get({ port, host: '127.0.0.1', headers: { connection: 'keep-alive' } }, (response) =>
        response.resume().on('end', resolve),
      );
    });
    for (const worker of workers) process.kill(worker, 'SIGTERM');
    expect(await program.ended).toBe(0);
  });

  it('ends in the time that pm2 gives it, by the signal that pm2 sends', async () => {
    const { program, clients, workers } = await run('', 'timeout: 1200, jitter: 300, exit: true');
    const [first] = workers;
    // 1,600 ms after SIGINT pm2 kills.
    process.kill(first, 'SIGINT');
    const kill = setTimeout(() => process.kill(first, 'SIGKILL'), 1600);
    clients.find(({ worker }) => worker === first)?.socket.pause();
    expect(await program.line()).toBe(`exit ${first} 0 true`);
    clearTimeout(kill);
  });
});

describe('a primary that is told to end', () => {
  it('passes the signal on, and ends behind its workers, with code 0', async () => {
    const { program, clients, workers } = await run(PASSES_ON);
    program.process.kill('SIGTERM');
    expect(await codes(clients)).toEqual([1001, 1001, 1001, 1001]);
    const exits = [await program.line(), await program.line()];
    expect(exits.toSorted()).toEqual(workers.map((worker) => `exit ${worker} 0 true`).toSorted());
    expect(await program.ended).toBe(0);
  });

  it('may do so with a signal that a terminal has sent to the workers, too', async () => {
    const { program, clients, workers } = await run(PASSES_ON);
    for (const pid of [program.process.pid ?? 0, ...workers]) process.kill(pid, 'SIGINT');
    expect(await codes(clients)).toEqual([1001, 1001, 1001, 1001]);
    expect(await program.ended).toBe(0);
  });

  it('may be ended at once: its workers say goodbye all the same', async () => {
    const { program, clients } = await run('');
    program.process.kill('SIGTERM');
    expect(await codes(clients)).toEqual([1001, 1001, 1001, 1001]);
    // Its output is theirs, too: it has ended when they have.
    expect(await program.ended).toBe('SIGTERM');
    expect(program.errors()).toBe('');
  });

  it('may end while its workers are saying goodbye', async () => {
    const { program, clients, workers } = await run('');
    for (const worker of workers) process.kill(worker, 'SIGTERM');
    program.process.kill('SIGKILL');
    expect(await codes(clients)).toEqual([1001, 1001, 1001, 1001]);
    expect(await program.ended).toBe('SIGKILL');
    expect(program.errors()).toBe('');
  });
});
