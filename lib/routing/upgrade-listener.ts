/**
 * Handles handshakes from a server's `upgrade` event: for servers with other `upgrade` listeners, and for draft-76.
 */
import { EventEmitter } from 'node:events';
import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { checkOptions } from '../argument-checks.js';
import { invalidArgument } from '../errors.js';
import { PendingSocket, pendingSocketOf } from '../handshake/socket/pending-socket.js';
import { clockOf } from '../transport/clock.js';
import { currentResponse } from '../transport/node-internals.js';
import { serverOf } from '../transport/server-of.js';
import { isOurs, rememberListener } from './foreign-listeners.js';
import { hasLostBody, refuseLostBody } from './lost-body.js';
import { pathnameOf } from './path.js';
import { compilePrefix } from './path-prefix.js';

/** Milliseconds that a client has to read its response while it may still be sending. */
const LINGER = 2000;

export interface UpgradeListenerOptions {
  /**
   * Handles requests for this path and for paths below it; those that no route matches get the app's own 404. All
   * other requests are left to the other listeners. Default: handles every request.
   */
  path?: string | readonly string[] | undefined;
}

/**
 * Creates a listener for a server's `upgrade` event that passes the request through the app like any other request,
 * with its own response. You need it only if another library listens to `upgrade` on the same server (socket.io,
 * Vite, a proxy), since Node then withholds upgrade requests from the app; and for draft-76 clients.
 *
 * @param app an Express or Connect app, or any request listener
 * @example
 * const server = app.listen(8080);
 * new Server(server); // socket.io
 * server.on('upgrade', upgradeListener(app, { path: '/ws' }));
 */
export function upgradeListener(
  app: (request: IncomingMessage, response: ServerResponse) => unknown,
  options: UpgradeListenerOptions = {},
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  if (typeof app !== 'function') throw invalidArgument('app', app, 'give an Express or Connect app');
  // A misspelt `path` would handle every request, and so break the other listeners.
  checkOptions('', options, ['path'], "{ path: '/ws' }");
  const isInside = compilePrefix(options.path);
  function listener(this: Server | undefined, request: IncomingMessage, _socket: Duplex, head: Buffer): void {
    const { socket } = request;
    // Node has removed its own listener: without this one a reset would end the process, even if the request is not
    // ours.
    if (!socket.listeners('error').includes(ignore)) socket.on('error', ignore);
    if (pendingSocketOf(socket) !== undefined) return;
    if (!isInside(pathnameOf(request) ?? '') && !isLastOfOurs(this, listener)) return;
    socket.on('drain', onDrain);
    socket.on('timeout', onTimeout);
    const pending = new PendingSocket(socket, head);
    const isLost = hasLostBody(request);
    if (isLost) pending.discard();
    whenAnswered(socket, () => run(isLost ? refuseLostBody : app, request, pending));
  }
  rememberListener(listener, app);
  return listener;
}

/**
 * Whether all listeners are ours and this is the last one. It must then also answer requests that no path covers,
 * which would otherwise hang.
 */
function isLastOfOurs(server: Server | undefined, listener: object): boolean {
  const listeners = server?.listeners('upgrade') ?? [];
  return listeners.at(-1) === listener && listeners.every(isOurs);
}

/** Calls back when the response to an earlier request, behind which this one was pipelined, has left the socket. */
function whenAnswered(socket: Duplex, callback: () => void): void {
  const earlier = responseOf(socket);
  if (earlier === undefined) callback();
  else earlier.once('close', () => (socket.writable ? whenAnswered(socket, callback) : socket.destroy()));
}

/** The current response of the socket, if any. */
function responseOf(socket: Duplex): ServerResponse | undefined {
  const response = currentResponse(socket);
  return response instanceof ServerResponse ? response : undefined;
}

function run(
  app: (request: IncomingMessage, response: ServerResponse) => unknown,
  request: IncomingMessage,
  pending: PendingSocket,
): void {
  const { socket } = request;
  const response = new ServerResponse(request);
  pending.response = response;
  // A refused client cannot continue with HTTP: the parser has left this socket.
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  const abort = (): void => {
    request.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
  };
  socket.once('close', abort);
  response.once('finish', () => {
    response.detachSocket(socket);
    socket.removeListener('close', abort);
    // A request emits `close` when it has been read, which the app may not have done.
    if (!request.readableDidRead) request.resume();
    socket.removeListener('drain', onDrain);
    socket.removeListener('timeout', onTimeout);
    if (response.statusCode !== 101) {
      pending.discard();
      linger(socket);
    }
    // As Node's server does with its own responses: code that measures a response, or cleans up after it, waits for
    // `close`, and later writes fail without an `error` event. `destroy()` would emit that event on some versions of
    // Node.
    process.nextTick(() => {
      Object.assign(response, { destroyed: true, _closed: true });
      response.emit('close');
    });
  });
  app(request, response);
}

// What Node's server does for a response that has to wait. Its own listeners are gone by now.

function onDrain(this: Duplex): void {
  const response = responseOf(this);
  if (response?.writableNeedDrain) response.emit('drain');
}

function onTimeout(this: Duplex): void {
  const response = responseOf(this);
  const server = serverOf(this);
  const isHeard = [
    response?.req.complete === false && response.req.emit('timeout', this),
    response?.emit('timeout', this),
    server instanceof EventEmitter && server.emit('timeout', this),
  ];
  if (!isHeard.includes(true)) this.destroy();
}

/**
 * Ends a socket after its last response. Closing it immediately while the client is still sending would reset the
 * connection, and the client would lose the response (RFC 9112 section 9.6).
 */
function linger(socket: Duplex): void {
  const cancel = clockOf(socket).after(LINGER, () => socket.destroy());
  socket.once('close', cancel);
  socket.end();
}

/** A reset or a broken pipe: `close` follows and is handled there. */
function ignore(): void {}
