/** What peers pin in a server, in bytes of memory: `server.mjs`, and clients that do what no client should. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { constants, deflateRawSync } from 'node:zlib';
import { type Built, build } from '../support/built.js';
import { frame } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';

/** The `bufferSize` of `/read`: just above a power of two, where a buffer that grows by doubling has most room to spare. */
export const SIZE = 4 * 1024 + 1;
/** What the state of a connection may cost beside what it holds, in bytes: objects of the parser, of Node's stream. */
export const STATE = 1024;
/** What Node reads from a socket at a time. */
export const CHUNK = 64 * 1024;
/** What small frames are cut from, for all: the one that was being sent when a peer fell behind is kept for it. */
export const SLAB = 64 * 1024;
export const MEBIBYTE = 1024 * 1024;

export const OFFER = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };

export interface Figures {
  /** All that is in use, after a garbage collection. */
  memory: number;
  bytesRead: number;
  /** What `Limits` has counted: now, where that is asked, and, where it is watched, at the most when a turn was over. */
  bufferedBytes: number;
  mostBuffered: number;
  evicted: number;
  closes: Record<string, number>;
  /** Handlers that write, and for whom nothing more is sent. */
  full: number;
  /** Calls of `onRead`. */
  units: number;
  /** Sockets; one is that by which this was asked. */
  open: number;
  /** Handlers whose `onClose` has not been called. */
  unclosed: number;
}

export interface Pinned {
  /** Of each connection, in bytes. */
  each: number;
  /** What `Limits` counts for each. */
  counted: number;
  clients: RawClient[];
  figures: Figures;
}

/** As RFC 7692 section 7.2.1 has it. */
export function deflated(text: string | Buffer): Buffer {
  return deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

const ping = frame({ opcode: 9, payload: 'all?' });

/** Sends bytes; all of them have been handled when the ping behind them is answered. */
export async function settle(client: RawClient, ...bytes: Buffer[]): Promise<void> {
  client.send(...bytes, ping);
  while ((await client.next()).opcode !== 10);
}

// Where others use the processors as well, a thousand handshakes take their time.
jest.setTimeout(60_000);

let built: Built;
beforeAll(async () => {
  built = await build();
  await copyFile(join(__dirname, 'server.mjs'), join(built.folder, 'server.mjs'));
  await writeFile(join(built.folder, 'file'), Buffer.alloc(4 * 1024 * 1024));
});
afterAll(() => built.remove());

let started = 0;

/** The server, for as many tests as like. */
export class Server {
  private readonly address: string;
  private readonly process: ChildProcess;
  private errors = '';
  private clients: RawClient[] = [];

  private constructor(address: string, process: ChildProcess) {
    this.address = address;
    this.process = process;
    process.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.errors += chunk;
    });
  }

  /**
   * @param budget what all connections together may pin, in bytes
   * @param watches whether it asks in each turn what is counted: then that is counted anew, which it would not be otherwise
   */
  static async start(budget = Infinity, watches = false): Promise<Server> {
    const { folder } = built;
    const address = join(folder, `socket-${++started}`);
    const args = [join(folder, 'server.mjs'), address, String(budget), join(folder, 'file'), String(watches)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const server = new Server(address, child);
    // It says that it listens; or it ends, and says why.
    await Promise.race([once(child.stdout, 'data'), once(child, 'close').then(() => Promise.reject(server.errors))]);
    return server;
  }

  /** Ends all connections. What the server has said is a fault. */
  async part(): Promise<void> {
    for (const { socket } of this.clients.splice(0)) socket.destroy();
    // A server that waits for a handler of its own does not hear that the peer has gone.
    await this.figures('/part');
    await this.until(({ open, unclosed }) => open === 1 && unclosed === 0);
    expect(this.errors).toBe('');
  }

  async stop(): Promise<void> {
    this.process.kill('SIGKILL');
    await once(this.process, 'close');
  }

  async open(path: string, headers: Record<string, string> = {}): Promise<RawClient> {
    const socket = connect(this.address);
    await once(socket, 'connect');
    const client = new RawClient(socket);
    this.clients.push(client);
    const { status, body } = await client.handshake(path, headers);
    if (status !== 101) throw new Error(`${status}: ${body}`);
    return client;
  }

  /** What it holds. At `/state` nothing is collected before, and `Limits` is not asked. */
  figures(path = '/figures'): Promise<Figures> {
    return new Promise((resolve, reject) => {
      const request = get({ socketPath: this.address, path, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve(JSON.parse(body) as Figures));
      });
      request.on('error', reject);
    });
  }

  /** Waits until the server has read and done all that it will. */
  async settled(isSettled: (figures: Figures) => boolean = () => true): Promise<void> {
    let before = await this.figures('/state');
    for (let quiet = 0; quiet < 3; ) {
      const now = await this.figures('/state');
      // Its own requests are among what it reads.
      const isQuiet = now.bytesRead - before.bytesRead < 200 && now.units === before.units && isSettled(now);
      quiet = isQuiet ? quiet + 1 : 0;
      before = now;
    }
  }

  async until(isReached: (figures: Figures) => boolean, path = '/state'): Promise<void> {
    while (!isReached(await this.figures(path)));
  }

  /** Measures what each of so many connections pins, by what it does. */
  async expectPinned(path: string, act: Act, { least = -Infinity, most, ...how }: Expected): Promise<Pinned> {
    const mostOf = ({ counted }: Pinned): number => (typeof most === 'number' ? most : most(counted));
    // What is made once for all is made before.
    await this.perform(await this.openSome(path, { ...how, count: 1 }), act, how);
    await this.part();
    let pinned = await this.measure(path, act, how);
    // Code that had never run before, and was compiled just now, is pinned by nobody.
    if (pinned.each >= mostOf(pinned)) {
      await this.part();
      pinned = await this.measure(path, act, how);
    }
    expect(pinned.each).toBeGreaterThan(least);
    expect(pinned.each).toBeLessThan(mostOf(pinned));
    return pinned;
  }

  /** The same for peers that `/write` writes to, until nothing more is sent, and that do not read. */
  async expectUnread(path: string, what: string, expected: Expected): Promise<Pinned> {
    let { full } = await this.figures('/state');
    const act = (client: RawClient): void => {
      client.socket.pause();
      client.send(frame({ opcode: 1, payload: what }));
      full++;
    };
    return this.expectPinned(path, act, { count: 5, ...expected, isSettled: (now) => now.full === full });
  }

  private async measure(path: string, act: Act, how: Measuring): Promise<Pinned> {
    const clients = await this.openSome(path, how);
    const before = await this.figures();
    await this.perform(clients, act, how);
    const figures = await this.figures();
    return {
      each: (figures.memory - before.memory) / clients.length,
      counted: (figures.bufferedBytes - before.bufferedBytes) / clients.length,
      clients,
      figures,
    };
  }

  private async openSome(path: string, { count = 16, headers }: Measuring): Promise<RawClient[]> {
    const clients = await Promise.all(Array.from({ length: count }, () => this.open(path, headers)));
    // What comes with the first frame of each is not counted.
    await Promise.all(clients.map((client) => settle(client)));
    return clients;
  }

  private async perform(clients: readonly RawClient[], act: Act, { isSettled }: Measuring): Promise<void> {
    await Promise.all(clients.map(act));
    if (isSettled !== undefined) await this.settled(isSettled);
  }
}

export type Act = (client: RawClient) => unknown;

interface Measuring {
  count?: number;
  headers?: Record<string, string>;
  /** Whether what is measured has come about, where `act` does not wait for that. */
  isSettled?: (now: Figures) => boolean;
}

export interface Expected extends Measuring {
  /** In bytes for each connection. */
  least?: number;
  /** The same; may depend on what `Limits` counts for it. */
  most: number | ((counted: number) => number);
}
