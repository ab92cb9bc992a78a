/**
 * Takes a socket out of the hands of Node's HTTP server, once the 101 is out. A request that arrives by the `request` event
 * leaves the server's parser on the socket, and the server would in time write `408 Request Timeout` into the open WebSocket,
 * close it as an idle connection, or end the process's `close()` by killing it. So:
 *
 *  - the server's own listeners are taken off the socket, known by their names, and nobody else's;
 *  - its `close` listener is called once, as if the socket had closed: the server frees the parser and forgets the connection.
 *
 * The names are the same on Node 20 to 26, and a spec holds it on each. On a runtime where they are not found they stay where
 * they are. A socket from the `upgrade` event has been released by Node already; then nothing of the server's is found.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

const LISTENERS: readonly (readonly [event: string, name: string])[] = [
  ['data', 'bound socketOnData'],
  ['end', 'bound socketOnEnd'],
  // Of every socket: for one that may stay half open, as these do, it does nothing but take its place.
  ['end', 'onReadableStreamEnd'],
  ['drain', 'bound socketOnDrain'],
  ['error', 'socketOnError'],
  ['timeout', 'socketOnTimeout'],
];
const FLOW_LISTENERS: typeof LISTENERS = [
  ['pause', 'onSocketPause'],
  ['resume', 'onSocketResume'],
];
const CLOSE_LISTENER = 'bound socketOnClose';

/**
 * Whether the client has sent another request behind this one, without waiting for the answer: the server would write that
 * one's response into the open WebSocket.
 */
export function isPipelined(request: IncomingMessage): boolean {
  const parser: unknown = Reflect.get(request.socket, 'parser');
  const latest: unknown = typeof parser === 'object' && parser !== null && Reflect.get(parser, 'incoming');
  return typeof latest === 'object' && latest !== null && latest !== request;
}

/**
 * Keeps from the server's parser what arrives after the 101 is written and before it has finished. By TCP nothing does; by TLS
 * the client may have the 101 before, and have answered it: the server would answer that with `400 Bad Request`.
 */
export function holdBack(socket: Socket): void {
  // They would stop and start the handle itself, which nobody would do any more after the release.
  removeListeners(socket, FLOW_LISTENERS);
  socket.pause();
}

export function releaseFromServer(socket: Socket): void {
  const forget = socket.listeners('close').find((listener) => listener.name === CLOSE_LISTENER);
  if (forget !== undefined) {
    socket.removeListener('close', forget as () => void);
    // The parser must let go of the handle before its own listeners leave, or the stream would never be read again.
    withoutStack(() => forget.call(socket));
  }
  removeListeners(socket, LISTENERS);
  removeListeners(socket, FLOW_LISTENERS);
  // The server had set its keep-alive timeout when the response was finished.
  socket.setTimeout(0);
}

/** The server makes an error for each request that it believes to be aborted, and nobody gets it: its stack would cost most of all. */
function withoutStack(run: () => void): void {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    run();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function removeListeners(socket: Socket, listeners: typeof LISTENERS): void {
  for (const [event, name] of listeners) {
    for (const listener of socket.listeners(event)) {
      if (listener.name === name) socket.removeListener(event, listener as () => void);
    }
  }
}
