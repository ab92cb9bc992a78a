/**
 * One process is told to end while its clients are at work, and they go on with another:
 *
 *     clients ── 1, 2, 3 … ──▶ first: record, acknowledge ── SIGTERM ─▶ 1001 ─▶ exit
 *        └── what was not acknowledged, once more ──▶ second: record, acknowledge
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { type Built, build, type Program, start } from '../support/built.js';

const CLIENTS = 40;
const MESSAGES = 80;
const IN_FLIGHT = 8;

interface Server {
  readonly program: Program;
  readonly url: string;
  /** What it has recorded, in this order. */
  records(): Promise<string[]>;
}

/** Sends numbered messages, several at a time, and knows which of them were acknowledged, and by whom. */
class Client {
  readonly acknowledged = new Map<string, Server>();
  /** How its connections ended. */
  readonly closes: number[] = [];
  private readonly unsent: string[];
  private unacknowledged: string[] = [];
  private socket: WebSocket | undefined;
  private readonly told: AsyncQueue<string>;

  constructor(name: string, told: AsyncQueue<string>) {
    this.unsent = Array.from({ length: MESSAGES }, (_, i) => `${name}-${i}`);
    this.told = told;
  }

  /** @param next whom it turns to when this one goes away */
  async connect(server: Server, next?: Server): Promise<void> {
    const socket = new WebSocket(server.url);
    this.socket = socket;
    // What was in flight when the last connection ended comes first, so that the order is kept.
    this.unsent.unshift(...this.unacknowledged.splice(0));
    socket.on('message', (data) => {
      const entry = String(data);
      this.unacknowledged = this.unacknowledged.filter((one) => one !== entry);
      this.acknowledged.set(entry, server);
      this.told.push('acknowledged');
      this.send();
    });
    socket.on('close', (code) => {
      this.closes.push(code);
      this.told.push('closed');
      if (next !== undefined) this.connect(next).catch(() => this.told.push('failed'));
    });
    await once(socket, 'open');
    this.send();
  }

  get isDone(): boolean {
    return this.acknowledged.size === MESSAGES;
  }

  async close(): Promise<void> {
    this.socket?.close();
    if (this.socket !== undefined) await once(this.socket, 'close');
  }

  private send(): void {
    const { socket, unsent, unacknowledged } = this;
    while (socket?.readyState === WebSocket.OPEN && unacknowledged.length < IN_FLIGHT) {
      const entry = unsent.shift();
      if (entry === undefined) return;
      unacknowledged.push(entry);
      socket.send(entry);
    }
  }
}

let built: Built;
beforeAll(async () => {
  built = await build();
});
afterAll(() => built.remove());

async function startServer(name: string, style: string): Promise<Server> {
  const text = await readFile(join(__dirname, '../support/ledger.mjs'), 'utf8');
  const file = join(built.folder, `${name}-${style}.txt`);
  const program = await start(built, 'ledger.mjs', text, [file, style]);
  const url = `ws://127.0.0.1:${await program.line()}/ledger`;
  return { program, url, records: async () => (await readFile(file, 'utf8')).trimEnd().split('\n') };
}

/** The answer to a handshake that is refused. */
async function refusal(url: string): Promise<IncomingMessage> {
  const socket = new WebSocket(url).on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  socket.terminate();
  return response;
}

describe.each(['onRead', 'messages'])('when a process is told to end under load, its handlers using %s,', (style) => {
  it('no acknowledged message is lost, and everybody goes on with the next process', async () => {
    const [first, second] = await Promise.all([startServer('first', style), startServer('second', style)]);
    const told = new AsyncQueue<string>();
    const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(`client-${i}`, told));
    await Promise.all(clients.map((client) => client.connect(first, second)));
    // This one takes its time over the goodbye, so that the first process is still there for those who come too late.
    const slow = new WebSocket(first.url);
    await once(slow, 'open');
    slow.pause();
    const slowClose = once(slow, 'close');

    await told.take((CLIENTS * MESSAGES) / 4);
    first.program.process.kill('SIGTERM');
    expect(await first.program.line()).toBe('start');
    const late = await refusal(first.url);
    expect([late.statusCode, late.headers['retry-after']]).toEqual([503, '1']);
    slow.resume();
    expect((await slowClose)[0]).toBe(1001);

    // The first process has ended by itself, and everybody was told.
    expect([await first.program.ended, first.program.errors()]).toEqual([0, '']);
    while (clients.some((client) => client.closes.length === 0 || !client.isDone)) {
      expect(await told.next()).not.toBe('failed');
    }
    expect(clients.map(({ closes }) => closes)).toEqual(clients.map(() => [1001]));

    await Promise.all(clients.map((client) => client.close()));
    second.program.process.kill('SIGTERM');
    expect([await second.program.ended, second.program.errors()]).toEqual([0, '']);

    // What a process has acknowledged stands in its own record.
    const records = new Map([
      [first, await first.records()],
      [second, await second.records()],
    ]);
    const acknowledged = clients.flatMap((client) => [...client.acknowledged]);
    expect(acknowledged.length).toBe(CLIENTS * MESSAGES);
    const lost = acknowledged.filter(([entry, server]) => !records.get(server)?.includes(entry));
    expect(lost).toEqual([]);
    // And what it has recorded it has acknowledged before its goodbye: nothing was done twice.
    const recorded = [...records.values()].flat();
    expect(recorded.length).toBe(CLIENTS * MESSAGES);
    expect(new Set(recorded).size).toBe(CLIENTS * MESSAGES);
    // Both had something to do.
    for (const record of records.values()) expect(record.length).toBeGreaterThan(CLIENTS);
    // Each client's messages kept their order.
    const numbers = (name: string): number[] =>
      recorded.filter((entry) => entry.startsWith(`${name}-`)).map((entry) => Number(entry.split('-')[2]));
    for (let i = 0; i < CLIENTS; i++)
      expect(numbers(`client-${i}`)).toEqual(Array.from({ length: MESSAGES }, (_, n) => n));
  }, 60_000);
});
