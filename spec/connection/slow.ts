/**
 * Peers that do not read for a while, and what their sockets are given meanwhile.
 *
 * Over Unix domain sockets: what the kernel takes there for a peer that does not read is fixed, some 200 KiB. On TCP it grows to
 * many megabytes, so that a server that is behind takes long to be had.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { type ConnectionOptions, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { certificate } from '../support/certificate.js';
import { parseFrame, type ServerFrame } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Closed, type Hooks, turns } from './open.js';

/** More than the kernel takes on a Unix domain socket. One for all: what is owed in it costs no memory of its own. */
export const LARGE = Buffer.alloc(1 << 20, 'large');

export interface Slow {
  client: RawClient;
  handler: WebSocketHandler;
  /** The server's end: on TLS, what is written to before it is encrypted. */
  socket: Socket;
  closes: AsyncQueue<Closed>;
  log: WriteLog;
}

export interface SlowServer {
  server: Server;
  open(headers?: Record<string, string>): Promise<Slow>;
}

const cleanUps: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

/**
 * Connections with these hooks. They have room for what tests write: no peer is too slow. Where writes are not watched, the sockets have
 * Node's own `write`.
 */
export async function serveSlow(
  hooks: Hooks & ThisType<WebSocketHandler> = {},
  options: ConnectionOptions = {},
  { tls = false, watchesWrites = true } = {},
): Promise<SlowServer> {
  const handlers = new AsyncQueue<{ handler: WebSocketHandler; closes: AsyncQueue<Closed> }>();
  const { onClose, ...others } = hooks;
  class Tested extends WebSocketHandler {
    private readonly closes = new AsyncQueue<Closed>();

    override onConnect(): unknown {
      handlers.push({ handler: this, closes: this.closes });
      return undefined;
    }

    override onClose(...args: Closed): unknown {
      this.closes.push(args);
      return onClose?.call(this, ...args);
    }
  }
  Object.assign(Tested.prototype, others);
  const app = websocketRoute(Tested, { maxBufferedAmount: 1 << 30, ...options });
  const { path, server, sockets } = await listenLocally(app, tls);
  return {
    server,
    async open(headers = {}) {
      const client = await connectLocally(path, tls);
      const response = await client.handshake('/', headers);
      expect(response.status).toBe(101);
      const socket = await sockets.next();
      return { client, socket, log: new WriteLog(socket, watchesWrites), ...(await handlers.next()) };
    },
  };
}

export async function openSlow(
  hooks: Hooks & ThisType<WebSocketHandler> = {},
  options: ConnectionOptions = {},
  { tls = false, headers = {}, watchesWrites = true } = {},
): Promise<Slow> {
  return (await serveSlow(hooks, options, { tls, watchesWrites })).open(headers);
}

async function listenLocally(
  app: RequestListener,
  tls: boolean,
): Promise<{ path: string; server: Server; sockets: AsyncQueue<Socket> }> {
  const folder = mkdtempSync(join(tmpdir(), 'websocket-route-'));
  const path = join(folder, 'socket');
  const server = tls ? createTlsServer(await certificate(), app) : createServer(app);
  const sockets = new AsyncQueue<Socket>();
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    if (!tls) sockets.push(socket);
  });
  server.on('secureConnection', (socket: Socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  cleanUps.push(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });
  return { path, server, sockets };
}

async function connectLocally(path: string, tls: boolean): Promise<RawClient> {
  const socket = tls ? connectTls({ path, rejectUnauthorized: false }) : connect(path);
  await new Promise((resolve, reject) => {
    socket.once(tls ? 'secureConnect' : 'connect', resolve);
    socket.once('error', reject);
  });
  cleanUps.push(() => void socket.destroy());
  return new RawClient(socket);
}

/** The client reads no more, and the server's socket has more than the kernel takes. */
export async function stall({ client, handler, socket }: Slow): Promise<void> {
  client.socket.pause();
  handler.write(LARGE, { flush: true });
  // On TLS also what was taken is only known a turn later.
  await turns(3);
  expect(socket.writableLength).toBeGreaterThan(0);
}

/** All frames that came until the connection was over. */
export async function allFrames(client: RawClient): Promise<ServerFrame[]> {
  client.socket.resume();
  return framesOf(await client.rest());
}

export function framesOf(bytes: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const parsed = parseFrame(rest);
    if (parsed === undefined) throw new Error(`the last frame is cut: ${rest.length} bytes of it came`);
    frames.push(parsed.frame);
    rest = rest.subarray(parsed.size);
  }
  return frames;
}

/** Watches what a socket is given. Empty buffers, which only ask when what stands before them has been taken, do not count. */
export class WriteLog {
  /** Buffers. */
  given = 0;
  /** Those that it was given while it had not taken what it had. */
  givenWhileBehind = 0;
  /** Writes after its end, empty ones too. */
  afterEnd = 0;
  /** How often it was ended. */
  ends = 0;
  readonly errors: unknown[] = [];
  private wasBehind = false;

  constructor(socket: Duplex, watchesWrites: boolean) {
    const { cork, end, write } = socket;
    const wrap = (
      name: string,
      method: typeof cork | typeof end | typeof write,
      note: (arg: unknown) => void,
    ): void => {
      Reflect.set(socket, name, (...args: unknown[]) => {
        note(args[0]);
        return Reflect.apply(method, socket, args) as unknown;
      });
    };
    // What is given by one system call counts as given at once.
    wrap('cork', cork, () => {
      if (socket.writableCorked === 0) this.wasBehind = socket.writableLength > 0;
    });
    if (watchesWrites)
      wrap('write', write, (chunk) => {
        if (socket.writableEnded) this.afterEnd++;
        if (socket.writableCorked === 0) this.wasBehind = socket.writableLength > 0;
        if (!(chunk instanceof Uint8Array) || chunk.length === 0) return;
        this.given++;
        if (this.wasBehind) this.givenWhileBehind++;
      });
    wrap('end', end, () => {
      this.ends++;
    });
    socket.on('error', (error) => this.errors.push(error));
  }
}
