import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { type Chunk, SharedChunk } from '../../lib/memory/shared-read-buffer.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { MemorySocket } from '../../lib/testing/memory-socket.js';
import { Transport } from '../../lib/transport/transport.js';
import { turns } from '../connection/open.js';

const bytesOf = (chunk: Chunk): Buffer => (chunk instanceof SharedChunk ? chunk.bytes : chunk);

/** A transport, the peer of its socket, and what its listener, which has so much room, is told. */
function listening(room: (text: string) => number = () => Number.POSITIVE_INFINITY) {
  const { client, server } = MemorySocket.pair();
  const told = new AsyncQueue<string>();
  const transport = new Transport(server);
  transport.listen({
    onData(chunk) {
      const text = bytesOf(chunk).toString();
      told.push(text);
      return room(text);
    },
    onEnd: () => told.push('(end)'),
    onClose: () => told.push('(close)'),
  });
  return { client, socket: server, transport, told };
}

describe('reading', () => {
  it('begins with resume, and tells the listener of data, of the end and of the close', async () => {
    const { client, transport, told } = listening();
    client.write('early');
    await turns(5);
    expect(told.left).toEqual([]);
    transport.resume();
    expect(await told.next()).toBe('early');
    client.end('last');
    expect(await told.take(2)).toEqual(['last', '(end)']);
    expect(transport.readableEnded).toBe(true);
    transport.destroy();
    expect(await told.next()).toBe('(close)');
    expect(transport.destroyed).toBe(true);
  });

  it('waits after pause, and while the listener has no room, until resume', async () => {
    const { client, socket, transport, told } = listening((text) => (text === 'full' ? 0 : 100));
    transport.resume();
    client.write('full');
    expect(await told.next()).toBe('full');
    expect(socket.isPaused()).toBe(true);
    client.write('next');
    await turns(5);
    expect(told.left).toEqual([]);
    transport.resume();
    expect(await told.next()).toBe('next');
    transport.pause();
    client.write('later');
    await turns(5);
    expect([told.left, transport.readableLength]).toEqual([[], 5]);
    transport.resume();
    expect(await told.next()).toBe('later');
  });

  it('hears of a socket that failed as of one that was closed', async () => {
    const { client, transport, told } = listening();
    transport.resume();
    client.resetAndDestroy();
    expect(await told.next()).toBe('(close)');
    expect(told.left).toEqual([]);
  });

  it('gives the listener a copy of what others own', () => {
    const transport = new Transport(new PassThrough());
    transport.listen({ onData: (chunk) => bytesOf(chunk).fill(0).length, onEnd() {}, onClose() {} });
    const own = Buffer.from('theirs');
    expect(transport.deliver(own)).toBe(6);
    expect(own.toString()).toBe('theirs');
  });
});

describe('writing', () => {
  it('goes on after the peer’s end, also on a socket that would end by itself, until it ends with FIN', async () => {
    const { client, server } = MemorySocket.pair();
    server.allowHalfOpen = false;
    const transport = new Transport(server);
    const ended = new Promise<void>((resolve) => {
      transport.listen({ onData: () => 1, onEnd: resolve, onClose() {} });
    });
    transport.resume();
    client.end();
    await ended;
    await turns(2);
    expect(transport.writableEnded).toBe(false);
    transport.write(Buffer.from('late'));
    transport.end();
    expect(transport.writableEnded).toBe(true);
    expect((await client.toArray()).join('')).toBe('late');
  });

  it('tells when the peer has taken what was written, and counts what it has not', async () => {
    const { client, transport } = listening();
    const size = 200_000;
    let isTaken = false;
    transport.write(Buffer.alloc(size));
    const flushed = new Promise<void>((resolve) => transport.whenFlushed(resolve)).then(() => {
      isTaken = true;
    });
    await turns(5);
    expect([isTaken, transport.unsentBytes, transport.bytesSent]).toEqual([false, size, 0]);
    const before = transport.transmittedBytes;
    client.resume();
    await flushed;
    expect([transport.unsentBytes, transport.bytesSent]).toEqual([0, size]);
    expect(transport.transmittedBytes).not.toBe(before);
  });

  it('tells when the peer has taken what stands before FIN, and nothing where that is lost', async () => {
    const { client, transport } = listening();
    transport.write(Buffer.from('bye'));
    transport.end();
    const flushed = new Promise<void>((resolve) => transport.whenFlushed(resolve));
    client.resume();
    await flushed;

    const lost = listening();
    let isTaken = false;
    lost.transport.write(Buffer.alloc(200_000));
    lost.transport.whenFlushed(() => {
      isTaken = true;
    });
    lost.transport.destroy();
    await once(lost.socket, 'close');
    await turns(3);
    expect(isTaken).toBe(false);
  });

  it('never lends memory to a stream that is not a socket', () => {
    expect(new Transport(new PassThrough()).mayLend).toBe(false);
  });
});

it('a stream that counts nothing has received and sent nothing', () => {
  const { bytesReceived, bytesSent } = new Transport(new PassThrough());
  expect([bytesReceived, bytesSent]).toEqual([0, 0]);
});
