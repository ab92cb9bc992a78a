/** Answers of the handshake, through the response: whoever watches it (loggers, session stores) sees an ordinary one. */
import type { ServerResponse } from 'node:http';
import type { PlainRefusal } from './refusal.js';

export function sendRefusal(response: ServerResponse, refusal: PlainRefusal): void {
  // The peer has gone, or somebody else has answered meanwhile.
  if (response.headersSent || response.writableEnded || response.destroyed) return;
  response.statusCode = refusal.status;
  for (const [name, value] of Object.entries(refusal.headers)) setHeader(response, name, value);
  response.end(refusal.body);
}

/**
 * Sends the 101.
 *
 * @param done called when the last byte of it has been handed to the operating system
 */
export function sendSwitchingProtocols(
  response: ServerResponse,
  headers: readonly (readonly [name: string, value: string | string[]])[],
  done: () => void,
): void {
  // A middleware may have prepared for a body; a 101 has none (RFC 9110 section 15.2).
  response.removeHeader('Content-Length');
  response.removeHeader('Transfer-Encoding');
  for (const [name, value] of headers) setHeader(response, name, value);
  response.writeHead(101);
  response.once('finish', done);
  response.end();
}

/** Cookies add up: the session's has been set by its middleware. Every other header is replaced. */
function setHeader(response: ServerResponse, name: string, value: string | string[]): void {
  if (name.toLowerCase() === 'set-cookie') response.appendHeader(name, value);
  else response.setHeader(name, value);
}
