/**
 * Connects to an app that does not listen on a port: its server gets one end of a pair of in-memory sockets, and runs
 * as it does behind a port, from parsing the request on.
 */
import { randomBytes } from 'node:crypto';
import { createServer, request as httpRequest, type IncomingMessage, type RequestListener, Server } from 'node:http';
import { Server as TlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { checkBoolean, checkOptions, nameOnly } from '../argument-checks.js';
import { invalidArgument, invalidOption } from '../errors.js';
import { acceptFor } from '../handshake/negotiate.js';
import { setClock } from '../transport/clock.js';
import { MemorySocket, type MemorySocketOptions } from './memory-socket.js';
import { type AutoReplies, TestClient } from './test-client.js';
import { TestClock } from './test-clock.js';
import { CallSite, timeoutOf, Wait } from './wait.js';

/** An Express or Connect app, a route, any request listener, or a server, which need not listen. */
export type Target = RequestListener | Server | TlsServer;

export interface SocketOptions extends MemorySocketOptions {
  /** The clock of the connection. Default: its own clock; several connections may share one. */
  clock?: TestClock | undefined;
}

export interface ConnectOptions extends SocketOptions, AutoReplies {
  /**
   * Sent with the handshake; they replace the defaults (`Host: localhost`, `Upgrade`, `Connection`,
   * `Sec-WebSocket-Version: 13` and a random `Sec-WebSocket-Key`); `undefined` omits a default. An array is sent as
   * one header per element.
   */
  headers?: Readonly<Record<string, string | number | readonly string[] | undefined>> | undefined;
  /** The subprotocols to offer, in order of preference. Default none. */
  subprotocols?: string | readonly string[] | undefined;
  /** The request method. Default `GET`. */
  method?: string | undefined;
}

/**
 * Opens a WebSocket through the whole middleware chain of the app, in memory: it opens no port, and leaves nothing
 * open for the test runner to wait for.
 *
 * @param path including the query, if any
 * @returns the client, also for a refusal: it then has `status`, `headers` and `body`, and cannot do anything else.
 *   Rejects if the server closes the connection without a response, does not respond within `timeout`, or sends a 101
 *   that violates RFC 6455
 * @throws TypeError (rejects) for an invalid app, for a path that does not begin with a slash, and for an unknown
 *   option
 * @example
 * const client = await connect(app, '/ws/ada', { headers: { Cookie: 'session=1' } });
 * expect(await client.next()).toBe('Hello, ada!');
 * @example
 * expect(await connect(app, '/private')).toMatchObject({ status: 401, body: 'log in first' });
 */
export async function connect(app: Target, path = '/', options: ConnectOptions = {}): Promise<TestClient> {
  const site = new CallSite(connect);
  checkPath(path);
  checkConnectOptions(options);
  const { headers, subprotocols, method = 'GET', clock = new TestClock() } = options;
  const timeout = timeoutOf({ timeout: options.timeout });
  const socket = openSocket(app, { ...options, clock });
  const key = randomBytes(16).toString('base64');
  const all = mergeHeaders(defaultHeaders(key, subprotocols), headers);
  const request = httpRequest({ method, path, headers: all, createConnection: () => socket, setHost: false });
  const answered = new Wait<TestClient>(site, timeout, () => {
    socket.destroy();
    return `no answer to ${method} ${path} came within ${timeout} ms`;
  });
  request.on('upgrade', (response: IncomingMessage, _socket: Duplex, head: Buffer) => {
    const expected = acceptFor(String(all['sec-websocket-key']));
    const actual = response.headers['sec-websocket-accept'];
    // RFC 6455 section 4.1: the client fails the connection unless the value matches its key.
    if (actual !== expected) {
      socket.destroy();
      answered.reject(`the 101 has the Sec-WebSocket-Accept ${actual}: ${expected} answers the key`);
      return;
    }
    if (head.length > 0) socket.unshift(head);
    answered.resolve(new TestClient(answerOf(response, ''), clock, options, socket));
  });
  request.on('response', (response) => {
    bodyOf(response).then(
      (body) => {
        socket.destroy();
        answered.resolve(new TestClient(answerOf(response, body), clock, options));
      },
      (cause: unknown) => answered.reject(`the answer to ${method} ${path} is incomplete`, { cause }),
    );
  });
  request.on('error', (cause) => {
    socket.destroy();
    answered.reject(`the server ended the connection without an answer to ${method} ${path}`, { cause });
  });
  request.end();
  return answered.promise;
}

/**
 * Returns the client's end of an in-memory connection on which nothing has been sent: for handshakes written by hand,
 * byte by byte, and for clients that accept a connection, such as `ws`.
 *
 * @throws TypeError for an invalid app
 * @example
 * const client = new WebSocket('ws://localhost/ws/ada', { createConnection: () => memorySocket(app) });
 */
export function memorySocket(app: Target, options: SocketOptions = {}): MemorySocket {
  checkOptions('memorySocket', options, SOCKET_OPTIONS, "{ remoteAddress: '192.0.2.1' }");
  checkSocketOptions(options);
  return openSocket(app, options);
}

function openSocket(app: Target, options: SocketOptions): MemorySocket {
  const target = serverOf(app);
  const isTls = target instanceof TlsServer;
  const { client, server } = MemorySocket.pair({ ...options, secure: options.secure ?? isTls });
  setClock(server, options.clock ?? new TestClock());
  // Over TLS, HTTP begins after the TLS handshake.
  target.emit(isTls ? 'secureConnection' : 'connection', server);
  return client;
}

const servers = new WeakMap<RequestListener, Server>();

/** One server per app, so that all of its connections share it. */
function serverOf(app: Target): Server | TlsServer {
  if (app instanceof Server || app instanceof TlsServer) return app;
  if (typeof app !== 'function') {
    throw invalidArgument('app', app, 'give an Express or Connect app, a listener of requests, or an http.Server');
  }
  // A router works only inside an app, which calls it with `next`.
  if (typeof Reflect.get(app, 'handle') === 'function' && typeof Reflect.get(app, 'listen') !== 'function') {
    throw invalidArgument('app', nameOnly(app), 'a router is not an app: wrap it, express().use(router)');
  }
  let server = servers.get(app);
  if (server === undefined) {
    server = createServer(app);
    servers.set(app, server);
  }
  return server;
}

type Headers = Record<string, string | number | readonly string[] | undefined>;

function defaultHeaders(key: string, subprotocols: ConnectOptions['subprotocols']): Headers {
  return {
    host: 'localhost',
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': key,
    'sec-websocket-protocol': typeof subprotocols === 'string' ? subprotocols : subprotocols?.join(', '),
  };
}

/** Uses lower-case names, so that the user's headers replace the defaults. */
function mergeHeaders(defaults: Headers, own: ConnectOptions['headers'] = {}): Record<string, string | string[]> {
  const merged = { ...defaults };
  for (const [name, value] of Object.entries(own)) merged[name.toLowerCase()] = value;
  const sent: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(merged)) {
    if (value === undefined) continue;
    sent[name] = typeof value === 'object' ? [...value] : String(value);
  }
  return sent;
}

function answerOf(
  { statusCode = 0, headers }: IncomingMessage,
  body: string,
): ConstructorParameters<typeof TestClient>[0] {
  return { status: statusCode, headers, body };
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const SOCKET_OPTIONS = ['clock', 'remoteAddress', 'secure'] satisfies (keyof SocketOptions)[];
const AUTO_REPLIES = ['answerPings', 'answerClose'] satisfies (keyof AutoReplies)[];
const OPTIONS = [
  'headers',
  'subprotocols',
  'method',
  ...SOCKET_OPTIONS,
  ...AUTO_REPLIES,
  'timeout',
] satisfies (keyof ConnectOptions)[];

function checkPath(path: unknown): void {
  if (typeof path === 'string' && path.startsWith('/')) return;
  throw invalidArgument('path', path, "it begins with a slash, such as '/ws/ada'; options come third");
}

function checkConnectOptions(options: ConnectOptions): void {
  checkOptions('', options, OPTIONS, "{ headers: { Cookie: 'session=1' } }");
  const { headers, subprotocols, method } = options;
  if (headers !== undefined && (typeof headers !== 'object' || headers === null || Symbol.iterator in headers)) {
    throw invalidOption('headers', headers, "it must be an object of names to values, such as { Cookie: 'session=1' }");
  }
  if (subprotocols !== undefined && typeof subprotocols !== 'string' && !Array.isArray(subprotocols)) {
    throw invalidOption('subprotocols', subprotocols, "it must be a name or a list of names, such as ['chat.v1']");
  }
  if (method !== undefined && typeof method !== 'string') {
    throw invalidOption('method', method, "it must be a string, such as 'POST'");
  }
  checkSocketOptions(options);
  for (const name of AUTO_REPLIES) if (options[name] !== undefined) checkBoolean(name, options[name]);
}

function checkSocketOptions({ clock, remoteAddress, secure }: SocketOptions): void {
  if (clock !== undefined && typeof clock?.advance !== 'function') {
    throw invalidOption('clock', clock, 'it must be a TestClock: new TestClock()');
  }
  if (remoteAddress !== undefined && typeof remoteAddress !== 'string') {
    throw invalidOption('remoteAddress', remoteAddress, "it must be a string, such as '192.0.2.1'");
  }
  if (secure !== undefined) checkBoolean('secure', secure);
}
