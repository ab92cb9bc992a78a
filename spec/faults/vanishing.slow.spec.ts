/** Clients that vanish at every byte: the process lives, other connections are unharmed, and onClose comes once or not at all. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readlink, realpath, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { upgradeListener, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { binary, frame, more, text } from '../support/frames.js';
import { KEY, RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

let connected: number;
let closes: AsyncQueue<number>;
let logged: jest.SpyInstance;
let warned: jest.SpyInstance;
beforeEach(() => {
  connected = 0;
  closes = new AsyncQueue();
  logged = jest.spyOn(console, 'error').mockImplementation();
  warned = jest.spyOn(console, 'warn').mockImplementation();
});
afterEach(() => {
  // A client that goes away is no error of ours.
  expect([...logged.mock.calls, ...warned.mock.calls]).toEqual([]);
  logged.mockRestore();
  warned.mockRestore();
});

class Echo extends WebSocketHandler {
  override onConnect(): void {
    connected += 1;
  }

  override onRead(data: string | Buffer): void {
    this.write(data);
  }

  override onClose(code: number): void {
    closes.push(code);
  }
}

/** The server's end of the next connection. */
function nextSocket(server: Running): Promise<Socket> {
  return new Promise((resolve) => server.server.once('connection', resolve));
}

function closed(socket: Socket): Promise<void> {
  return socket.closed ? Promise.resolve() : new Promise((resolve) => socket.once('close', () => resolve()));
}

async function expectAlive(server: Running, path = '/'): Promise<void> {
  const client = await RawClient.open(server, path);
  client.send(text('alive'));
  expect(await client.nextText()).toBe('alive');
  client.socket.destroy();
}

const ways = ['destroy', 'resetAndDestroy', 'end'] as const;
const doors: [name: string, open: () => Promise<Running>][] = [
  ['the request door', () => serve(websocketRoute(Echo))],
  [
    'the upgrade door',
    async () => {
      const app = websocketRoute(Echo, { allowOldHandshake: true, closeTimeout: 50 });
      const running = await serve(app);
      running.server.on('upgrade', upgradeListener(app));
      return running;
    },
  ],
];

describe.each(doors)('a client that vanishes, by %s', (door, open) => {
  const handshake = Buffer.from(
    `GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
  );
  const old = Buffer.from(
    'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n' +
      'Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n\r\n^n:ds[4U',
  );
  const requests: [name: string, bytes: Buffer][] = [['the handshake', handshake]];
  if (door === 'the upgrade door') requests.push(['the draft-76 handshake', old]);

  describe.each(requests)('in %s', (_what, bytes) => {
    it.each(ways)('a client that vanishes at any byte, by %s, does no harm', async (vanish) => {
      const server = await open();
      const sockets: Promise<void>[] = [];
      for (let at = 0; at <= bytes.length; at++) {
        const accepted = nextSocket(server);
        const client = await RawClient.connect(server);
        const socket = await accepted;
        sockets.push(closed(socket));
        await client.trickle(bytes.subarray(0, at), Math.max(at, 1));
        client.socket[vanish]();
      }
      await Promise.all(sockets);
      await expectAlive(server);
      // Whoever connected was told of its end, once.
      const codes = await closes.take(connected);
      expect(codes.every((code) => code === 1006 || code === 1005)).toBe(true);
      expect(closes.left).toEqual([]);
    });
  });

  it.each(ways)('a client that vanishes at any byte of its frames, by %s, closes with 1006', async (vanish) => {
    const server = await open();
    const bytes = Buffer.concat([
      text('one'),
      frame({ opcode: 9, payload: 'ping' }),
      text('be', false),
      more('tween', true),
      binary(Buffer.alloc(130, 1)),
      frame({ opcode: 8, payload: Buffer.from([3, 232, 0x62]) }).subarray(0, -1),
    ]);
    for (let at = 0; at <= bytes.length; at++) {
      const client = await RawClient.open(server);
      await client.trickle(bytes.subarray(0, at), Math.max(at, 1));
      client.socket[vanish]();
    }
    const codes = await closes.take(bytes.length + 1);
    expect(new Set(codes)).toEqual(new Set([1006]));
    await expectAlive(server);
    expect(await closes.next()).toBe(1006);
    expect([closes.left, connected]).toEqual([[], bytes.length + 2]);
  });
});

/** How many descriptors of this process are open on the file; elsewhere than on Linux nobody can tell. */
async function timesOpen(path: string): Promise<number> {
  const descriptors = await readdir('/proc/self/fd').catch(() => []);
  const targets = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return targets.filter((target) => target === path).length;
}

describe('a client that vanishes in the middle of a file', () => {
  let folder: string;
  let path: string;
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'websocket-route-')));
    path = join(folder, 'file');
    await writeFile(path, randomBytes(4 * 1024 * 1024));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each(ways.slice(0, 2))(
    'a client that vanishes by %s has writeFile rejected and the connection closed',
    async (vanish) => {
      const sent = new AsyncQueue<unknown>();
      class Files extends Echo {
        override async onRead(): Promise<void> {
          await this.writeFile(path).then(
            () => sent.push('sent'),
            (error: unknown) => sent.push(error),
          );
        }
      }
      const server = await serve(websocketRoute(Files));
      for (const received of [0, 1, 2, 9, 10, 11, 1000, 65_536, 131_082, 1024 * 1024]) {
        const client = await RawClient.open(server);
        client.send(text('file, please'));
        if (received > 0) await client.bytes(received);
        client.socket.pause();
        client.socket[vanish]();
        const outcome = await sent.next();
        // The kernel may have taken all of it before it noticed.
        if (outcome !== 'sent') expect(outcome).toBeInstanceOf(Error);
        expect(await closes.next()).toBe(1006);
      }
      expect(closes.left).toEqual([]);
      const client = await RawClient.open(server);
      client.send(text('file, please'));
      expect((await client.next()).payload.length).toBe(4 * 1024 * 1024);
      expect(await sent.next()).toBe('sent');
    },
  );

  it('leaves no file open', async () => {
    const outcomes = new AsyncQueue<void>();
    class Files extends Echo {
      override onConnect(): void {
        void this.writeFile(path).then(
          () => outcomes.push(),
          () => outcomes.push(),
        );
      }
    }
    const server = await serve(websocketRoute(Files));
    for (let i = 0; i < 30; i++) {
      const client = await RawClient.open(server);
      client.socket.pause();
      client.socket.resetAndDestroy();
      await closes.next();
      await outcomes.next();
    }
    // A read that was under way when the promise was rejected takes a little longer.
    for (let turn = 0; turn < 1000 && (await timesOpen(path)) > 0; turn++) await nextTurn();
    expect(await timesOpen(path)).toBe(0);
  });
});
