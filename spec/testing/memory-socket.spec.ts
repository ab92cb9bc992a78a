import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { connect } from '../../lib/testing/index.js';
import { MemorySocket } from '../../lib/testing/memory-socket.js';
import { turns } from '../connection/open.js';

/** What is the same for sockets of the system. */
type Counting = Duplex & Pick<Socket, 'bytesRead' | 'bytesWritten'>;

/** A pair of sockets of the system. */
async function systemPair(): Promise<{ client: Counting; server: Counting }> {
  const listening = createServer().listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const client = connectTcp((listening.address() as AddressInfo).port, '127.0.0.1');
  const [server] = (await once(listening, 'connection')) as [Socket];
  listening.close();
  return { client, server };
}

async function rest(socket: MemorySocket): Promise<string> {
  let got = '';
  for await (const chunk of socket) got += String(chunk);
  return got;
}

describe('a pair of MemorySockets', () => {
  it('carries bytes both ways, in order, in a later turn', async () => {
    const { client, server } = MemorySocket.pair();
    let got = '';
    server.on('data', (chunk) => {
      got += String(chunk);
      server.write(String(chunk).toUpperCase());
    });
    client.write('a');
    client.write('b');
    expect(got).toBe('');
    client.end('c');
    await once(server, 'end');
    expect(got).toBe('abc');
    server.end();
    expect(await rest(client)).toBe('ABC');
    expect([client.bytesWritten, client.bytesRead, server.bytesWritten, server.bytesRead]).toEqual([3, 3, 3, 3]);
    expect([client.destroyed, server.destroyed]).toEqual([true, true]);
  });

  it('hands over a copy', async () => {
    const { client, server } = MemorySocket.pair();
    const bytes = Buffer.from('mine');
    client.write(bytes);
    bytes.write('gone');
    const [chunk] = (await once(server, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('mine');
    chunk.fill(0);
    expect(bytes.toString()).toBe('gone');
  });

  it('makes the writer wait for a reader that does not read', async () => {
    const { client, server } = MemorySocket.pair();
    const sizes = [40_000, 40_000, 40_000, 40_000];
    for (const size of sizes) server.write(Buffer.alloc(size));
    await turns(10);
    expect(client.readableLength).toBe(80_000);
    expect(server.writableLength).toBe(120_000);
    client.resume();
    await once(server, 'drain');
    expect(server.writableLength).toBe(0);
  });

  it('lets one end go on writing when the other has ended', async () => {
    const { client, server } = MemorySocket.pair();
    client.end();
    server.resume();
    await once(server, 'end');
    server.end('still');
    expect(await rest(client)).toBe('still');
  });

  it('ends for the peer when an end is destroyed; what the peer writes then fails', async () => {
    const { client, server } = MemorySocket.pair();
    server.on('error', () => {});
    client.destroy();
    server.resume();
    await once(server, 'end');
    const failed = once(server, 'error').catch((error: unknown) => [error]);
    server.write('to nobody');
    expect(await failed).toMatchObject([{ code: 'EPIPE' }]);
  });

  it('fails a write that waits when the reader is destroyed', async () => {
    const { client, server } = MemorySocket.pair();
    const done = new Promise<Error | null | undefined>((resolve) => server.write(Buffer.alloc(100_000), resolve));
    server.on('error', () => {});
    await turns(3);
    client.destroy();
    expect(await done).toMatchObject({ code: 'EPIPE' });
  });

  it('resets', async () => {
    const { client, server } = MemorySocket.pair();
    client.resetAndDestroy();
    await expect(rest(server)).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('sends what was written before it is destroyed soon', async () => {
    const { client, server } = MemorySocket.pair();
    server.write(Buffer.alloc(100_000, 'x'));
    server.destroySoon();
    server.destroySoon();
    expect(await rest(client)).toHaveLength(100_000);
    expect(server.destroyed).toBe(true);
  });

  it('looks like a socket', () => {
    const { client, server } = MemorySocket.pair({ remoteAddress: '::1', secure: true });
    expect(server).toMatchObject({ remoteAddress: '::1', remoteFamily: 'IPv6', localPort: 443, encrypted: true });
    expect(client).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: 443, connecting: false });
    expect(MemorySocket.pair().server).toMatchObject({ remoteAddress: '127.0.0.1', localPort: 80, encrypted: false });
    expect(server.setTimeout().setNoDelay().setKeepAlive().ref().unref()).toBe(server);
  });
});

describe.each<[kind: string, open: () => Promise<{ client: Counting; server: Counting }>]>([
  ['in memory', async () => MemorySocket.pair()],
  ['of the system', systemPair],
])('bytesWritten of a socket %s', (_kind, open) => {
  it('counts what waits, too, from when it is written on', async () => {
    const { client, server } = await open();
    for (let i = 1; i <= 4; i++) {
      server.write(Buffer.alloc(40_000));
      expect(server.bytesWritten).toBe(i * 40_000);
    }
    await turns(10);
    expect(server.bytesWritten).toBe(160_000);
    server.end('the end');
    expect(server.bytesWritten).toBe(160_007);
    client.resume();
    await once(client, 'end');
    expect([server.bytesWritten, server.writableLength, client.bytesRead]).toEqual([160_007, 0, 160_007]);
    client.destroy();
  });

  it('bytesWritten less what waits stands still where the peer does not read', async () => {
    const { client, server } = await open();
    client.on('error', () => {});
    server.on('error', () => {});
    const taken = (): number => server.bytesWritten - server.writableLength;
    // More than the kernel takes.
    for (let i = 0; i < 16; i++) server.write(Buffer.alloc(1 << 20));
    let before = -1;
    for (; before !== taken(); await turns(50)) before = taken();
    server.write('and more');
    await turns(10);
    expect(taken()).toBe(before);
    expect(server.writableLength).toBeGreaterThan(1 << 20);
    client.destroy();
    server.destroy();
  });
});

describe('a connection in memory', () => {
  it('is given up where the peer takes nothing and says nothing, though it is written to all the time', async () => {
    const closes = new AsyncQueue<number>();
    const handlers = new AsyncQueue<WebSocketHandler>();
    const route = websocketRoute({
      onConnect() {
        handlers.push(this);
        this.write(Buffer.alloc(300_000));
      },
      onClose: (code) => closes.push(code),
    });
    const client = await connect(route, '/', { answerPings: false });
    client.pause();
    const handler = await handlers.next();
    for (let second = 0; second < 46 && closes.left.length === 0; second++) {
      handler.write('tick');
      await client.clock.advance(1000);
    }
    expect(closes.left).toEqual([1006]);
  });
});
