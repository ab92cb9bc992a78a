import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import {
  addressFromHandle,
  currentResponse,
  hasNativeHandle,
  hasNativeWrite,
  hasNoParser,
  latestRawHeaders,
  readInto,
  transmittedBytes,
  unsentBytes,
} from '../../lib/transport/node-internals.js';
import { turns } from '../connection/open.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';

/** A client, and the server's end of its connection. */
async function pair(server: Server = createServer()): Promise<{ client: RawClient; socket: Socket }> {
  const running = await serve(server);
  const connected = once(server, 'connection');
  const client = await RawClient.connect(running);
  const [socket] = (await connected) as [Socket];
  return { client, socket };
}

describe('Node’s internals', () => {
  it('tell how much of a large write the kernel has not taken', async () => {
    const { client, socket } = await pair();
    client.socket.pause();
    const size = 64 << 20;
    const written = new Promise((resolve) => socket.write(Buffer.alloc(size), resolve));
    await turns(5);
    // Documented is only that the write is not done.
    expect(socket.writableLength).toBe(size);
    expect(unsentBytes(socket)).toBeLessThan(size);
    expect(unsentBytes(socket)).toBeGreaterThan(0);
    const before = transmittedBytes(socket);
    client.socket.resume();
    await written;
    expect(unsentBytes(socket)).toBe(0);
    expect(transmittedBytes(socket)).toBeGreaterThan(before);
  });

  it('tell a socket whose writes are Node’s own from streams of other kinds', async () => {
    const { socket } = await pair();
    expect([hasNativeHandle(socket), hasNativeWrite(socket)]).toEqual([true, true]);
    const stream = new PassThrough();
    expect([hasNativeHandle(stream), hasNativeWrite(stream)]).toEqual([false, false]);
  });

  it('let a socket read into given memory, unless somebody else listens', async () => {
    const { client, socket } = await pair(createServer().on('upgrade', () => {}));
    client.sendHandshake();
    const [, upgraded] = (await once((socket as Socket & { server: Server }).server, 'upgrade')) as [unknown, Socket];
    const memory = Buffer.alloc(16);
    const reads = new AsyncQueue<string>();
    const onRead = (length: number): boolean => {
      reads.push(memory.toString('latin1', 0, length));
      return true;
    };
    const other = (): void => {};
    upgraded.on('data', other).on('data', other);
    expect(readInto(upgraded, memory, onRead, () => undefined)).toBe(false);
    upgraded.removeAllListeners('data');
    expect(readInto(upgraded, memory, onRead, () => undefined)).toBe(true);
    upgraded.resume();
    client.send('bytes');
    expect(await reads.next()).toBe('bytes');
    expect(readInto(new PassThrough(), memory, onRead, () => undefined)).toBe(false);
  });

  it('tell the addresses of a socket, and none of a stream', async () => {
    const { socket } = await pair();
    expect(addressFromHandle(socket, 'remoteAddress')).toBe('127.0.0.1');
    expect(addressFromHandle(new PassThrough(), 'remoteAddress')).toBeUndefined();
  });

  it('tell what the HTTP server knows of a socket: its parser, the latest request and the response', async () => {
    const told: unknown[] = [];
    const server = createServer((request, response) => {
      const { socket } = request;
      told.push(latestRawHeaders(socket) === request.rawHeaders, currentResponse(socket) === response);
      told.push(hasNoParser(socket));
      response.end();
    });
    const { client } = await pair(server);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.response()).status).toBe(200);
    expect(told).toEqual([true, true, false]);
    const stream = new PassThrough();
    expect([latestRawHeaders(stream), currentResponse(stream)]).toEqual([undefined, undefined]);
  });
});

describe('with WS_NO_NODE_INTERNALS=1, Node’s internals', () => {
  let off: typeof import('../../lib/transport/node-internals.js');
  beforeAll(() => {
    const before = process.env['WS_NO_NODE_INTERNALS'];
    process.env['WS_NO_NODE_INTERNALS'] = '1';
    jest.isolateModules(() => {
      off = require('../../lib/transport/node-internals.js');
    });
    if (before === undefined) delete process.env['WS_NO_NODE_INTERNALS'];
    else process.env['WS_NO_NODE_INTERNALS'] = before;
  });

  it('are not asked: what is documented does instead', async () => {
    const { client, socket } = await pair();
    expect(off.usesNodeInternals).toBe(false);
    expect([off.hasNativeHandle(socket), off.addressFromHandle(socket, 'remoteAddress')]).toEqual([false, undefined]);
    expect(
      off.readInto(
        socket,
        Buffer.alloc(16),
        () => true,
        () => undefined,
      ),
    ).toBe(false);
    expect([off.latestRawHeaders(socket), off.currentResponse(socket)]).toEqual([undefined, undefined]);
    expect(off.hasNoParser(socket)).toBe(true);
    client.socket.pause();
    socket.write(Buffer.alloc(64 << 20));
    await turns(5);
    expect(off.unsentBytes(socket)).toBe(64 << 20);
  });
});
