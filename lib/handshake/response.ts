/**
 * Sends the answers of a handshake through the response object, so that loggers and session stores see an ordinary
 * response.
 */
import type { ServerResponse } from 'node:http';
import type { PlainRefusal } from './refusal.js';
import { headersFor } from './request/connection-headers.js';

export function sendRefusal(response: ServerResponse, refusal: PlainRefusal): void {
  // The peer disconnected, or other code has answered meanwhile.
  if (response.headersSent || response.writableEnded || response.destroyed) return;
  removeHeaders(response, OF_A_BODY);
  response.statusCode = refusal.status;
  for (const [name, value] of headersFor(response, refusal.headers)) setHeader(response, name, value);
  // With `rejectNonStandardBodyWrites` Node throws if a response without a body gets one, even an empty one.
  if (refusal.body.length === 0 || response.req.method === 'HEAD') response.end();
  else response.end(refusal.body);
}

/**
 * Sends the 101.
 *
 * @param own headers added by `onHandshake`
 * @param protocol headers of the protocol, which replace all others with the same names
 * @param done called when its last byte has been handed to the operating system
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

/** Compression middleware checks `Accept-Encoding` when the head is written, but a 101 has nothing to compress. */
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
 * Headers that middleware may have set for its own body: a 101 has no body (RFC 9110 section 15.2), a refusal a
 * different one. Framing, representation metadata (RFC 9110 sections 8.3 to 8.8 and 14.4), file name (RFC 6266), and
 * digests (RFC 9530).
 */
const OF_A_BODY: ReadonlySet<string> = new Set([
  ...['content-length', 'transfer-encoding', 'trailer'],
  ...['content-type', 'content-encoding', 'content-language', 'content-location', 'content-range'],
  ...['etag', 'last-modified'],
  ...['content-disposition', 'content-digest', 'repr-digest', 'digest', 'content-md5'],
]);
/**
 * Headers that only the handshake may set (RFC 6455 section 4.2.2): the client would fail the connection for others.
 */
const NEGOTIATED = ['sec-websocket-protocol', 'sec-websocket-extensions'];
const NOT_ON_101: ReadonlySet<string> = new Set([...OF_A_BODY, ...NEGOTIATED]);

/** @param names in lower case */
function removeHeaders(response: ServerResponse, names: ReadonlySet<string>): void {
  for (const name of response.getHeaderNames()) if (names.has(name)) response.removeHeader(name);
}

/** Cookies accumulate, since session middleware has set its own. Other headers are replaced. */
function setHeader(response: ServerResponse, name: string, value: string | string[]): void {
  if (name.toLowerCase() === 'set-cookie') response.appendHeader(name, value);
  else response.setHeader(name, value);
}
