/** RFC 6455 section 4.2 over a real socket, by both doors. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import express, { type Express } from 'express';
import { upgradeListener, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { frame, text } from '../support/frames.js';
import { KEY, RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';
import { type HandshakeCase, handshakes } from './handshake.js';
import { expectFrame } from './runner.js';
import { StrictClient } from './strict-client.js';

class Echo extends WebSocketHandler {
  override onRead(data: string | Buffer): void {
    this.write(data);
  }
}

function app(): Express {
  return express()
    .disable('x-powered-by')
    .use(websocketRoute('/chat', Echo, { subprotocols: ['chat.v2', 'chat.v1'] }))
    .use(
      websocketRoute('/private', {
        onHandshake: () => ({ status: 401, headers: { 'WWW-Authenticate': 'Basic realm="chat"' } }),
      }),
    )
    .use(websocketRoute('/moved', { onHandshake: () => ({ status: 307, headers: { Location: '/chat' } }) }));
}

/** Where Node itself gives the request to the app, and where `upgradeListener` does. */
const DOORS: Record<string, () => Promise<Running>> = {
  request: () => serve(app()),
  upgrade: () => {
    const one = app();
    const server = createServer(one);
    server.on('upgrade', upgradeListener(one));
    return serve(server);
  },
};

describe.each(Object.entries(DOORS))('0 the opening handshake, by the %s door', (_name, open) => {
  it.each(handshakes.map((one) => [one.id, one.section, one.does, one] as const))(
    '%s %s: %s',
    async (_id, _section, _does, one) => {
      await shake(await open(), one);
    },
  );
});

describe('10.6 "WebSocket implementations MUST support TLS"', () => {
  it('accepts and echoes', async () => {
    await shake(await serve(app(), { tls: true }), handshakes[0]!);
  });
});

async function shake(server: Running, { request, status, headers = {} }: HandshakeCase): Promise<void> {
  const client = await RawClient.connect(server);
  const { target = '/chat', method = 'GET', version = '1.1' } = request;
  client.sendHandshake(target, request.headers, method, version);
  const response = await client.response(method);
  expect(response).toMatchObject({ status, headers });
  if (status !== 101) {
    expect(response.headers['sec-websocket-accept']).toBeUndefined();
    client.socket.destroy();
    return;
  }
  // 4.2.2, 5: what a 101 has, each once. An extension is not agreed on here.
  expect(response.statusText).toBe('Switching Protocols');
  expect(response.headers).toEqual({
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-accept': acceptFor(String(request.headers?.['Sec-WebSocket-Key'] ?? KEY)),
    date: expect.any(String),
    ...headers,
  });
  await useAndLeave(new StrictClient(client));
}

/** "the server considers the WebSocket connection to be established [...] At this point, the server may begin sending (and receiving) data." */
async function useAndLeave(client: StrictClient): Promise<void> {
  await client.write(Buffer.concat([text('Hello'), frame({ opcode: 8 })]));
  expectFrame(await client.next(), { opcode: 1, payload: Buffer.from('Hello') });
  expectFrame(await client.next(), { opcode: 8, payload: Buffer.alloc(0) });
  await client.over();
}

/** "concatenating /key/ [...] with the string [...], taking the SHA-1 hash of this concatenated value [...] and base64-encoding" it. */
function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}
