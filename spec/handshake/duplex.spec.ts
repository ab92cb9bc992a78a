/** Node's `connection` event takes any duplex stream for a connection, and so does the library. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import express from 'express';
import { upgradeListener, type WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';

/** What a socket carries, in a stream that has nothing but what every duplex stream has. */
function wrap(socket: Socket): Duplex {
  const duplex = new Duplex({
    read: () => void socket.resume(),
    write: (chunk, _encoding, callback) => void socket.write(chunk, callback),
    final: (callback) => void socket.end(callback),
    destroy: (error, callback) => {
      socket.destroy();
      callback(error);
    },
  });
  socket.on('data', (chunk) => duplex.push(chunk) || socket.pause());
  socket.on('end', () => duplex.push(null));
  socket.on('error', (error) => duplex.destroy(error));
  return duplex;
}

describe.each([
  ['request', false],
  ['upgrade', true],
])('by the %s door', (_name, upgrade) => {
  async function open(): Promise<{ connect(): Promise<RawClient>; codes: AsyncQueue<number> }> {
    const codes = new AsyncQueue<number>();
    const app = express().use(
      websocketRoute('/ws', {
        onConnect(this: WebSocketHandler) {
          this.write(`${this.remoteAddress}`);
        },
        onRead(this: WebSocketHandler, data: string | Buffer) {
          this.write(data);
        },
        onClose: (code: number) => codes.push(code),
      }),
    );
    const http = createHttpServer(app);
    if (upgrade) http.on('upgrade', upgradeListener(app));
    const running = await serve(http);
    const net = createServer((socket) => http.emit('connection', wrap(socket))).listen(0, '127.0.0.1');
    await once(net, 'listening');
    const { port } = net.address() as AddressInfo;
    return {
      codes,
      async connect() {
        const client = await RawClient.connect({ ...running, port });
        // It takes no more than this one.
        net.close();
        return client;
      },
    };
  }

  it('messages pass both ways, and both ends say goodbye', async () => {
    const { connect, codes } = await open();
    const client = await connect();
    await expect(client.handshake('/ws')).toBeAccepted();
    expect(await client.nextText()).toBe('undefined');
    client.send(text('over a stream'));
    expect(await client.nextText()).toBe('over a stream');
    await client.close(1000);
    expect(await codes.next()).toBe(1000);
  });

  it('a handshake is refused with a response', async () => {
    const client = await (await open()).connect();
    await expect(client.handshake('/ws', { 'Sec-WebSocket-Version': '7' })).toBeRefusedWith(426);
    client.socket.destroy();
  });

  it('a client that vanishes is noticed', async () => {
    const { connect, codes } = await open();
    const client = await connect();
    await client.handshake('/ws');
    client.socket.resetAndDestroy();
    expect(await codes.next()).toBe(1006);
  });
});
