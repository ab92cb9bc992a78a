/**
 * Requests with a body that came by the `upgrade` event although they ask for no WebSocket: `Upgrade: h2c`, say, which Java's
 * HttpClient sends with all it asks over plain TCP. Node takes what follows the headers for another protocol, and parsers of
 * bodies pass over a request that is an upgrade. The app would act on an empty body, so such a request is refused instead.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isWebSocketHandshake } from '../handshake/negotiate.js';
import { refuse } from '../handshake/refusal.js';
import { sendRefusal } from '../handshake/response.js';

const EXPLANATION =
  'The body of this request cannot be read, because of its Upgrade header: send it without that header (or run the server on ' +
  'Node 22.21, 24.9 or later, with createServer({ shouldUpgradeCallback: isWebSocketHandshake }, app)).';

/** A handshake with a body is for the route to refuse. */
export function hasLostBody(request: IncomingMessage): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
  const hasBody = encoding !== undefined || Number(length) !== 0;
  return hasBody && !isWebSocketHandshake(request);
}

export function refuseLostBody(request: IncomingMessage, response: ServerResponse): void {
  // Node 26 reads the body, and would wait for a reader.
  request.resume();
  sendRefusal(response, refuse(501, 'body', EXPLANATION));
}
