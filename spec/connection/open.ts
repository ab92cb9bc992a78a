/** One connection through a real server: both of its ends, and what its hooks were told. */
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { HookName } from '../../lib/connection/hooks.js';
import {
  type ConnectionOptions,
  type OverflowError,
  upgradeListener,
  WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { frame as clientFrame } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

export interface Hooks {
  onConnect?(): unknown;
  onRead?(data: string | Buffer): unknown;
  onWrite?(): unknown;
  onPong?(answer: number | Buffer): unknown;
  onClose?(code: number, reason: string, wasClean: boolean): unknown;
  onOverflowError?(error: OverflowError): unknown;
  onError?(error: unknown, hook: HookName): unknown;
}

export type Closed = [code: number, reason: string, wasClean: boolean];

export interface Opened {
  server: Running;
  client: RawClient;
  handler: WebSocketHandler;
  /** The server's end. */
  socket: Socket;
  /** Each call of `onClose`. */
  closes: AsyncQueue<Closed>;
}

export interface How {
  server?: Running;
  tls?: boolean;
  headers?: Record<string, string>;
}

/** A server whose connections have these hooks. */
export async function serveHooks(
  hooks: Hooks & ThisType<WebSocketHandler>,
  options: ConnectionOptions = {},
  { tls = false } = {},
): Promise<{ server: Running; open: (headers?: Record<string, string>) => Promise<Opened> }> {
  const { Tested, handlers, closes } = testedClass(hooks);
  const server = await serve(websocketRoute(Tested, options), { tls });
  return {
    server,
    async open(headers = {}) {
      const before = new Set(server.sockets);
      const client = await RawClient.open(server, '/', headers);
      const handler = await handlers.next();
      const own = closes.get(handler)!;
      // On TLS the server knows the socket underneath; what is written is seen on the handler's side only.
      const socket = [...server.sockets].find((one) => !before.has(one))!;
      return { server, client, handler, socket, closes: own };
    },
  };
}

export async function open(
  hooks: Hooks & ThisType<WebSocketHandler> = {},
  options: ConnectionOptions = {},
  how: { tls?: boolean; headers?: Record<string, string> } = {},
): Promise<Opened> {
  const { open: connect } = await serveHooks(hooks, options, how);
  return connect(how.headers);
}

/** The example of the draft's own handshake; its body is `^n:ds[4U`. */
export const DRAFT76_HEADERS = {
  Upgrade: 'WebSocket',
  Origin: 'http://example.com',
  'Sec-WebSocket-Version': undefined,
  'Sec-WebSocket-Key': undefined,
  'Sec-WebSocket-Key1': '4 @1  46546xW%0l 1 5',
  'Sec-WebSocket-Key2': '12998 5 Y3 1  .P00',
} as const;

/** A draft-76 connection, by the upgrade door, with the example of the draft's own handshake. */
export async function openDraft76(
  hooks: Hooks & ThisType<WebSocketHandler> = {},
  options: ConnectionOptions = {},
): Promise<Opened> {
  const { Tested, handlers, closes } = testedClass(hooks);
  const app = websocketRoute(Tested, { allowOldHandshake: true, origins: '*', ...options });
  const http = createServer(app);
  http.on('upgrade', upgradeListener(app));
  const server = await serve(http);
  const client = await RawClient.connect(server);
  client.sendHandshake('/demo', DRAFT76_HEADERS);
  client.send('^n:ds[4U');
  const { status } = await client.response();
  expect(status).toBe(101);
  expect((await client.bytes(16)).toString('latin1')).toBe("8jKS'y:G*Co,Wxa-");
  const handler = await handlers.next();
  return { server, client, handler, socket: [...server.sockets][0]!, closes: closes.get(handler)! };
}

function testedClass(hooks: Hooks): {
  Tested: new () => WebSocketHandler;
  handlers: AsyncQueue<WebSocketHandler>;
  closes: WeakMap<WebSocketHandler, AsyncQueue<Closed>>;
} {
  const handlers = new AsyncQueue<WebSocketHandler>();
  const closes = new WeakMap<WebSocketHandler, AsyncQueue<Closed>>();
  const { onConnect, onClose, ...others } = hooks;
  class Tested extends WebSocketHandler {
    override onConnect(): unknown {
      closes.set(this, new AsyncQueue());
      handlers.push(this);
      return onConnect?.call(this);
    }

    override onClose(...args: Closed): unknown {
      closes.get(this)?.push(args);
      return onClose?.call(this, ...args);
    }
  }
  Object.assign(Tested.prototype, others);
  return { Tested, handlers, closes };
}

/** Resolves at the end of this turn of the event loop, or of a few of them. */
export async function turns(count = 1): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Closes the connection, and resolves once `onClose` has been called: all messages that the client sent have been delivered. */
export async function closeAfterDelivery({ client, closes }: Pick<Opened, 'client' | 'closes'>): Promise<void> {
  client.send(clientFrame({ opcode: 8 }));
  await closes.next();
}

/** Resolves at the end of the turn in which the condition has become true. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turns();
}

/** A promise and its resolve. */
export function deferred<T = void>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Counts the calls of a socket's `_write` and `_writev`: each is one system call, as long as the peer keeps up. */
export function countWrites(socket: Socket): { readonly count: number } {
  const counter = { count: 0 };
  type Low = { _write: (...args: unknown[]) => void; _writev: (...args: unknown[]) => void };
  const low = socket as unknown as Low;
  const { _write, _writev } = low;
  low._write = function (...args) {
    counter.count++;
    _write.apply(this, args);
  };
  low._writev = function (...args) {
    counter.count++;
    _writev.apply(this, args);
  };
  return counter;
}

/** A ping and its pong: all that the client sent before it has been handled when this is fulfilled. */
export async function roundTrip(client: RawClient, ping: Buffer): Promise<void> {
  client.send(ping);
  for (;;) if ((await client.next()).opcode === 10) return;
}

/** Sends bytes and waits until the server's socket has read them all, and has passed them on. */
export async function sendAndSettle({ client, socket }: Opened, ...parts: Buffer[]): Promise<void> {
  const bytes = Buffer.concat(parts);
  const due = socket.bytesRead + bytes.length;
  client.send(bytes);
  while (socket.bytesRead < due) await turns();
  await turns();
}

/** Waits until a file is on its way to a peer that does not read. */
export async function begun(handler: WebSocketHandler): Promise<void> {
  while (handler.bufferedAmount < 10_000) await turns();
}
