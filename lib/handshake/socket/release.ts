/**
 * Takes a socket out of the hands of Node's HTTP server, once the 101 is out. A request that arrives by the `request` event
 * leaves the server's parser on the socket, and the server would in time write `408 Request Timeout` into the open WebSocket,
 * close it as an idle connection, or end the process's `close()` by killing it. So:
 *
 *  - the server's own listeners are taken off the socket, known by their names, and nobody else's;
 *  - its `close` listener is called once, as if the socket had closed: the server frees the parser and forgets the connection.
 *
 * The names are the same on Node 20 to 26 and in Deno, and a spec holds it on each. On a runtime where they are not found, such
 * as Bun, handshakes are refused before the 101 (`runtime.ts`). A socket from the `upgrade` event has been released by Node
 * already; then nothing of the server's is found.
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
 * Whether the client has sent another request behind this one, without waiting for the answer: the server would write that
 * one's response into the open WebSocket.
 */
export function isPipelined(request: IncomingMessage): boolean {
  // Not by the request itself: a middleware may have wrapped it.
  const latest = latestRawHeaders(request.socket);
  return latest !== undefined && latest !== request.rawHeaders;
}

/**
 * Keeps what arrives from now on from the server's parser, which would drop it without a word: it has been told of an upgrade. What
 * else the server does for the socket it goes on doing.
 *
 * `socket.pause()` would not do: the parser reads from the handle itself, below the stream. Node gives the handle back to the
 * stream when somebody listens to the socket's `data`, as `PendingSocket` is about to do.
 */
export function takeFromParser(socket: Duplex): void {
  removeListeners(socket, READ_LISTENERS);
}

/** Whether the server's hold on a socket is known here. After an `upgrade` event it has none: it has taken its parser off. */
export function isReleasable(socket: Duplex): boolean {
  return hasNoParser(socket) || closeListenerOf(socket) !== undefined;
}

/** @param socket any duplex stream: Node's server takes each that it is given by its `connection` event */
export function releaseFromServer(socket: Duplex): void {
  const forget = closeListenerOf(socket);
  if (forget !== undefined) {
    socket.removeListener('close', forget);
    // The parser must let go of the handle before its own listeners leave, or the stream would never be read again.
    forget.call(socket);
  }
  removeListeners(socket, LISTENERS);
  // The server had set its keep-alive timeout when the response was finished.
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
