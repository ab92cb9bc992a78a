/** The upgrade door: for servers on which something else listens to `upgrade`, and for draft-76. */
import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { invalidArgument } from '../errors.js';
import { headOf, rememberHead } from './heads.js';
import { pathnameOf } from './path.js';
import { compilePrefix } from './prefix.js';

export interface UpgradeListenerOptions {
  /**
   * Requests for this path, and for paths below it, are answered here: what no route claims gets the app's own 404. All others
   * are left to the other listeners. Default: every request is answered here.
   */
  path?: string | readonly string[] | undefined;
}

/**
 * A listener for a server's `upgrade` event that lets the request run through the app, with a response of its own, as if it
 * were any other. Needed only where another library listens to `upgrade` on the same server (socket.io, Vite, a proxy), since
 * Node then takes upgrade requests away from the app; and for clients that speak draft-76.
 *
 * @param app an Express or Connect app, or any listener of requests
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
  checkOptions(options);
  const isInside = compilePrefix(options.path);
  function listener(this: Server | undefined, request: IncomingMessage, _socket: Duplex, head: Buffer): void {
    const { socket } = request;
    // Node has taken its own listener off: a reset would end the process, whoever the request belongs to.
    if (!socket.listeners('error').includes(ignore)) socket.on('error', ignore);
    if (headOf(request) !== undefined) return;
    if (!isInside(pathnameOf(request) ?? '') && !isLastOfOurs(this, listener)) return;
    rememberHead(request, head);
    whenAnswered(socket, () => run(app, request));
  }
  ours.add(listener);
  return listener;
}

/** Every listener that was made here. */
const ours = new WeakSet<object>();

/** Whether nobody else listens, and no other of ours comes after: then what no path covers is answered, too, or hangs. */
function isLastOfOurs(server: Server | undefined, listener: object): boolean {
  const listeners = server?.listeners('upgrade') ?? [];
  return listeners.at(-1) === listener && listeners.every((other) => ours.has(other));
}

/** Calls back when the response to an earlier request, which this one was pipelined behind, has left the socket. */
function whenAnswered(socket: Socket, callback: () => void): void {
  const earlier: unknown = Reflect.get(socket, '_httpMessage');
  if (!(earlier instanceof ServerResponse)) callback();
  else earlier.once('close', () => (socket.writable ? whenAnswered(socket, callback) : socket.destroy()));
}

function run(app: (request: IncomingMessage, response: ServerResponse) => unknown, request: IncomingMessage): void {
  const { socket } = request;
  const response = new ServerResponse(request);
  // Whoever is not accepted cannot go on with HTTP: the parser has left this socket.
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once('finish', () => {
    response.detachSocket(socket);
    if (response.statusCode !== 101) socket.destroySoon();
    // As a server does with its own: who measures a response, or cleans up behind it, waits for that.
    process.nextTick(() => response.emit('close'));
  });
  app(request, response);
}

/** A reset or a broken pipe: `close` follows, and tells all there is to tell. */
function ignore(): void {}

/** A misspelt `path` would answer every request, and so break the other listeners. */
function checkOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null)
    throw invalidArgument('options', options, 'it must be an object');
  for (const name of Object.keys(options)) {
    if (name !== 'path') throw invalidArgument('option', name, 'it is unknown; the only option is path');
  }
}
