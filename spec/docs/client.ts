/** A `ws` client that keeps what it is told. */
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type ClientOptions, WebSocket } from 'ws';
import { AsyncQueue } from '../../lib/testing/async-queue.js';

export interface Client {
  readonly socket: WebSocket;
  /** Text as strings, binary data as buffers. */
  readonly messages: AsyncQueue<string | Buffer>;
  /** The headers of the 101. */
  readonly headers: IncomingHttpHeaders;
}

export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const socket = new WebSocket(url, options);
  const messages = new AsyncQueue<string | Buffer>();
  socket.on('message', (data, isBinary) => messages.push(isBinary ? (data as Buffer) : String(data)));
  let headers: IncomingHttpHeaders = {};
  socket.on('upgrade', (response: IncomingMessage) => {
    headers = response.headers;
  });
  await once(socket, 'open');
  return { socket, messages, headers };
}

/** The status and body of a handshake that is refused. */
export async function refused(url: string, options: ClientOptions = {}): Promise<{ status: number; body: string }> {
  const socket = new WebSocket(url, options);
  socket.on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode ?? 0, body };
}

export async function closed(client: Client): Promise<number> {
  const [code] = (await once(client.socket, 'close')) as [number];
  return code;
}
