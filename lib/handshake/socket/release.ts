/**
 * Detaches a socket from Node's HTTP server once the 101 has been sent. A request from the `request` event leaves the
 * server's parser on the socket, and the server would eventually write `408 Request Timeout` into the open WebSocket,
 * close it as an idle connection, or destroy it in `close()`. So:
 *
 * - the server's own listeners are removed from the socket, identified by their names; all others stay;
 * - its `close` listener is called once, as if the socket had closed: the server frees the parser and forgets the
 *   connection.
 *
 * The names are the same on Node 20 to 26 and in Deno, and a spec verifies that on each. If they are missing, as in
 * Bun, handshakes are refused before the 101 (`runtime.ts`). Node itself has already released a socket from the
 * `upgrade` event; nothing is found then.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { dropTimer, hasNoParser, latestRawHeaders } from '../../transport/node-internals.js';

const READ_LISTENERS: readonly (readonly [event: string, ...names: string[]])[] = [
  ['data', 'bound socketOnData'],
  ['end', 'bound socketOnEnd'],
];
const LISTENERS: typeof READ_LISTENERS = [
  ['data', 'bound socketOnData'],
  // The second is of every socket: for one that may stay half open, as these do, it does nothing but take its place.
  ['end', 'bound socketOnEnd', 'onReadableStreamEnd'],
  ['drain', 'bound socketOnDrain'],
  ['error', 'socketOnError'],
  ['timeout', 'socketOnTimeout'],
  ['pause', 'onSocketPause'],
  ['resume', 'onSocketResume'],
];
const CLOSE_LISTENER = 'bound socketOnClose';

/**
 * Whether the client has pipelined another request behind this one: the server would write its response into the open
 * WebSocket.
 */
export function isPipelined(request: IncomingMessage): boolean {
  // Not by the request itself: a middleware may have wrapped it.
  const latest = latestRawHeaders(request.socket);
  return latest !== undefined && latest !== request.rawHeaders;
}

/**
 * Keeps further data away from the server's parser, which would silently drop it after an upgrade. The server's other
 * work for the socket continues.
 *
 * `socket.pause()` would not suffice: the parser reads from the handle itself, below the stream. Node returns the
 * handle to the stream when a `data` listener is added, as `PendingSocket` does next.
 */
export function takeFromParser(socket: Duplex): void {
  removeListeners(socket, READ_LISTENERS);
}

/**
 * Whether the server's listeners on the socket are known. After an `upgrade` event there are none, since Node removes
 * its parser.
 */
export function isReleasable(socket: Duplex): boolean {
  return hasNoParser(socket) || closeListenerOf(socket) !== undefined;
}

/** @param socket any duplex stream: Node's server accepts each one passed to its `connection` event */
export function releaseFromServer(socket: Duplex): void {
  const forget = closeListenerOf(socket);
  if (forget !== undefined) {
    socket.removeListener('close', forget);
    // The parser must let go of the handle before its own listeners leave, or the stream would never be read again.
    forget.call(socket);
  }
  removeListeners(socket, LISTENERS);
  // The server set its keep-alive timeout when the response finished.
  const setTimeout: unknown = Reflect.get(socket, 'setTimeout');
  if (typeof setTimeout !== 'function') return;
  Reflect.apply(setTimeout, socket, [0]);
  dropTimer(socket);
}

function closeListenerOf(socket: Duplex): (() => void) | undefined {
  for (const listener of socket.listeners('close')) {
    if (listener.name === CLOSE_LISTENER) return listener as () => void;
  }
  return undefined;
}

function removeListeners(socket: Duplex, listeners: typeof READ_LISTENERS): void {
  for (const [event, ...names] of listeners) {
    for (const listener of socket.listeners(event)) {
      if (names.includes(listener.name)) socket.removeListener(event, listener as () => void);
    }
  }
}
