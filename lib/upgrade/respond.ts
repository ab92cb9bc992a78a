/** Answers of the handshake, through the response: whoever watches it (loggers, session stores) sees an ordinary one. */
import { channel } from 'node:diagnostics_channel';
import { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { PlainRefusal } from './refusal.js';
import { holdBack } from './release.js';

export function sendRefusal(response: ServerResponse, refusal: PlainRefusal): void {
  // The peer has gone, or somebody else has answered meanwhile.
  if (response.headersSent || response.writableEnded || response.destroyed) return;
  removeHeaders(response, FRAMING);
  response.statusCode = refusal.status;
  for (const [name, value] of Object.entries(refusal.headers)) setHeader(response, name, value);
  response.end(refusal.body);
}

/**
 * Sends the 101.
 *
 * @param own what `onHandshake` adds
 * @param protocol what the protocol wants: these replace what anybody else has set
 * @param done called when the last byte of it has been handed to the operating system
 */
export function sendSwitchingProtocols(
  response: ServerResponse,
  own: readonly (readonly [name: string, value: string | string[]])[],
  protocol: Readonly<Record<string, string>>,
  done: () => void,
): void {
  for (const [name, value] of own) setHeader(response, name, value);
  if (sendUnwatched(response, protocol)) {
    done();
    return;
  }
  removeHeaders(response, FRAMING);
  // What `onHandshake` has chosen is in `protocol` by now.
  removeHeaders(response, NEGOTIATED);
  for (const name of Object.keys(protocol)) response.setHeader(name, protocol[name]!);
  response.writeHead(101);
  response.once('finish', done);
  holdBack(response.req.socket);
  response.end();
}

/**
 * The same without a detour, where nobody would see the difference: Node's `writeHead` and `end` provide for a body, for what is
 * queued behind other responses and for the next request, which costs as much as all the rest of a handshake. The bytes go
 * straight to the socket, and its release does what is left to do. So nothing can arrive in between, and the socket need not be
 * held back. Each request and response of Express has a hidden class of its own, so that to look at a property of one is slow:
 * no more of them than needed are looked at here.
 *
 * @returns false, and nothing done, where somebody has replaced a method of the response or waits for its end, where the socket
 *   may not take it at once, and on a runtime that does not look as it is known
 */
function sendUnwatched(response: ServerResponse, protocol: Readonly<Record<string, string>>): boolean {
  const { req: request } = response;
  const { socket } = request;
  const { end, writeHead } = ServerResponse.prototype;
  if (
    // Draft-76 has more to say before the socket is anybody's.
    protocol['Sec-WebSocket-Accept'] === undefined ||
    !(socket instanceof Socket) ||
    'encrypted' in socket ||
    socket.writableLength > 0 ||
    !isExchangedBy(socket, response) ||
    finished.hasSubscribers ||
    isMeasured(response) ||
    response.writeHead !== writeHead ||
    response.end !== end ||
    !isUnwatched(request as object, response as object)
  ) {
    return false;
  }
  const head = headFor(response, protocol);
  Object.assign(response, { statusCode: 101, statusMessage: SWITCHING, finished: true, _header: head });
  // It has ended. What the server does to a request whose socket has gone is not for this one.
  request.destroyed = true;
  socket.write(head, 'latin1');
  response.detachSocket(socket);
  return true;
}

const finished = channel('http.server.response.finish');
const SWITCHING = 'Switching Protocols';

/** Whether the socket is at this exchange, by way of the request door, and `response` looks as it is known to. */
function isExchangedBy(
  socket: Socket & { _httpMessage?: unknown; parser?: unknown },
  response: ServerResponse,
): boolean {
  return socket._httpMessage === response && typeof socket.parser === 'object' && socket.parser !== null;
}

/** Whether a `PerformanceObserver` is told of it, for which it notes when it began. */
function isMeasured(response: ServerResponse): boolean {
  return Object.getOwnPropertySymbols(response).some(({ description }) => description === 'ServerResponseStatistics');
}

/** Of an emitter, what its listeners are: not documented, and much cheaper than to ask for them by name. */
interface Emitter {
  readonly _eventsCount?: unknown;
  readonly _events?: { readonly finish?: unknown };
}

/** Whether nobody but the server itself listens, once, for the end of the response. */
function isUnwatched({ _eventsCount: heard }: object & Emitter, response: object & Emitter): boolean {
  return heard === 0 && response._eventsCount === 1 && typeof response._events?.finish === 'function';
}

/** As `writeHead` writes it. Whatever is set on a response has been checked by then. */
function headFor(response: ServerResponse, protocol: Readonly<Record<string, string>>): string {
  let head = `HTTP/1.1 101 ${SWITCHING}\r\n`;
  let hasDate = false;
  for (const name of rawHeaderNames(response)) {
    const key = name.toLowerCase();
    if (REPLACED.has(key)) continue;
    if (key === 'date') hasDate = true;
    const value = response.getHeader(name);
    if (Array.isArray(value)) for (const one of value) head += `${name}: ${one}\r\n`;
    else head += `${name}: ${value}\r\n`;
  }
  for (const name of Object.keys(protocol)) head += `${name}: ${protocol[name]}\r\n`;
  if (response.sendDate && !hasDate) head += `Date: ${dateOf(Date.now())}\r\n`;
  return `${head}\r\n`;
}

/** It is documented, and missing in the types. */
function rawHeaderNames(response: ServerResponse & { getRawHeaderNames?(): string[] }): readonly string[] {
  return response.getRawHeaderNames?.() ?? response.getHeaderNames();
}

let second = 0;
let date = '';

/** Written once a second. */
function dateOf(now: number): string {
  const current = Math.floor(now / 1000);
  if (current !== second) {
    second = current;
    date = new Date(now).toUTCString();
  }
  return date;
}

/** What a middleware may have prepared for a body of its own: a 101 has none (RFC 9110 section 15.2), a refusal another. */
const FRAMING = ['Content-Length', 'Transfer-Encoding', 'Trailer'];
/** What only the handshake can agree on (RFC 6455 section 4.2.2): the client would fail the connection. */
const NEGOTIATED = ['Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions'];
/** All that, and what the protocol sets itself, in lower case. */
const REPLACED: ReadonlySet<string> = new Set(
  [...FRAMING, ...NEGOTIATED, 'Upgrade', 'Connection', 'Sec-WebSocket-Accept'].map((name) => name.toLowerCase()),
);

function removeHeaders(response: ServerResponse, names: readonly string[]): void {
  for (const name of names) response.removeHeader(name);
}

/** Cookies add up: the session's has been set by its middleware. Every other header is replaced. */
function setHeader(response: ServerResponse, name: string, value: string | string[]): void {
  if (name.toLowerCase() === 'set-cookie') response.appendHeader(name, value);
  else response.setHeader(name, value);
}
