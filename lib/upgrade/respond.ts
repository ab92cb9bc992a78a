/** Answers of the handshake, through the response: whoever watches it (loggers, session stores) sees an ordinary one. */
import type { ServerResponse } from 'node:http';
import type { PlainRefusal } from './refusal.js';

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
  removeHeaders(response, FRAMING);
  // What `onHandshake` has chosen is in `protocol` by now.
  removeHeaders(response, NEGOTIATED);
  for (const name of Object.keys(protocol)) response.setHeader(name, protocol[name]!);
  response.writeHead(101);
  response.once('finish', done);
  response.end();
}

/** What a middleware may have prepared for a body of its own: a 101 has none (RFC 9110 section 15.2), a refusal another. */
const FRAMING = ['Content-Length', 'Transfer-Encoding', 'Trailer'];
/** What only the handshake can agree on (RFC 6455 section 4.2.2): the client would fail the connection. */
const NEGOTIATED = ['Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions'];

function removeHeaders(response: ServerResponse, names: readonly string[]): void {
  for (const name of names) response.removeHeader(name);
}

/** Cookies add up: the session's has been set by its middleware. Every other header is replaced. */
function setHeader(response: ServerResponse, name: string, value: string | string[]): void {
  if (name.toLowerCase() === 'set-cookie') response.appendHeader(name, value);
  else response.setHeader(name, value);
}
