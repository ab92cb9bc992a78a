/** Answers of the handshake, through the response: whoever watches it (loggers, session stores) sees an ordinary one. */
import type { ServerResponse } from 'node:http';
import type { PlainRefusal } from './refusal.js';
import { headersFor } from './request/connection-headers.js';

export function sendRefusal(response: ServerResponse, refusal: PlainRefusal): void {
  // The peer has gone, or somebody else has answered meanwhile.
  if (response.headersSent || response.writableEnded || response.destroyed) return;
  removeHeaders(response, OF_A_BODY);
  response.statusCode = refusal.status;
  for (const [name, value] of headersFor(response, refusal.headers)) setHeader(response, name, value);
  // With `rejectNonStandardBodyWrites` Node throws where a response that has no body is given one, even an empty one.
  if (refusal.body.length === 0 || response.req.method === 'HEAD') response.end();
  else response.end(refusal.body);
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
  const withBody: ServerResponse & { _hasBody?: boolean } = response;
  for (const [name, value] of own) setHeader(response, name, value);
  // As Node's `writeHead` does for a 101. Deno's does not, and would end the socket of a body without a length.
  withBody._hasBody = false;
  // What `onHandshake` has chosen is in `protocol` by now.
  removeHeaders(response, NOT_ON_101);
  for (const name of Object.keys(protocol)) response.setHeader(name, protocol[name]!);
  writeHead(response);
  response.once('finish', done);
  response.end();
}

export function switchingHeaders(accept: string, subprotocol: string, extensions: string): Record<string, string> {
  const headers: Record<string, string> = {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Accept': accept,
  };
  if (subprotocol !== '') headers['Sec-WebSocket-Protocol'] = subprotocol;
  if (extensions !== '') headers['Sec-WebSocket-Extensions'] = extensions;
  return headers;
}

/** Compressing middleware goes by `Accept-Encoding`, and begins when the head is written. A 101 has nothing to compress. */
function writeHead(response: ServerResponse): void {
  const { headers } = response.req;
  const { 'accept-encoding': accepted } = headers;
  if (accepted !== undefined) headers['accept-encoding'] = undefined;
  try {
    response.writeHead(101);
  } finally {
    if (accepted !== undefined) headers['accept-encoding'] = accepted;
  }
}

/**
 * What middleware may have prepared for a body of its own: a 101 has no body (RFC 9110 section 15.2), a refusal another one. The
 * framing, the representation metadata (RFC 9110 sections 8.3 to 8.8 and 14.4), the name (RFC 6266), and digests (RFC 9530).
 */
const OF_A_BODY: ReadonlySet<string> = new Set([
  ...['content-length', 'transfer-encoding', 'trailer'],
  ...['content-type', 'content-encoding', 'content-language', 'content-location', 'content-range'],
  ...['etag', 'last-modified'],
  ...['content-disposition', 'content-digest', 'repr-digest', 'digest', 'content-md5'],
]);
/** What only the handshake can agree on (RFC 6455 section 4.2.2): the client would fail the connection. */
const NEGOTIATED = ['sec-websocket-protocol', 'sec-websocket-extensions'];
const NOT_ON_101: ReadonlySet<string> = new Set([...OF_A_BODY, ...NEGOTIATED]);

/** @param names in lower case */
function removeHeaders(response: ServerResponse, names: ReadonlySet<string>): void {
  for (const name of response.getHeaderNames()) if (names.has(name)) response.removeHeader(name);
}

/** Cookies add up: the session's has been set by its middleware. Every other header is replaced. */
function setHeader(response: ServerResponse, name: string, value: string | string[]): void {
  if (name.toLowerCase() === 'set-cookie') response.appendHeader(name, value);
  else response.setHeader(name, value);
}
