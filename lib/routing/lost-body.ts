/**
 * Refuses requests with a body that arrive by the `upgrade` event but are not WebSocket handshakes, such as those
 * with `Upgrade: h2c` that Java's HttpClient sends over plain TCP. Node takes the data after the headers for another
 * protocol, and body parsers skip upgrade requests, so the app would act on an empty body.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isWebSocketHandshake } from '../handshake/negotiate.js';
import { refuse } from '../handshake/refusal.js';
import { sendRefusal } from '../handshake/response.js';

const EXPLANATION =
  'The body of this request cannot be read because of its Upgrade header: send it without that header (or run the ' +
  'server on Node 22.21, 24.9 or later, with createServer({ shouldUpgradeCallback: isWebSocketHandshake }, app)).';

/** The route itself refuses handshakes with a body. */
export function hasLostBody(request: IncomingMessage): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
  const hasBody = encoding !== undefined || Number(length) !== 0;
  return hasBody && !isWebSocketHandshake(request);
}

export function refuseLostBody(request: IncomingMessage, response: ServerResponse): void {
  // Node 26 reads the body and would wait for a consumer.
  request.resume();
  sendRefusal(response, refuse(501, 'body', EXPLANATION));
}
