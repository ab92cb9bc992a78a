/** The memory that all sockets read into: who reads there, that nobody is given what another one was sent, and what a pause is. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { MAX_FRAMES } from '../../lib/framing/scan/frame-scanner.js';
import type { WebSocketHandler } from '../../lib/index.js';
import { READ_BUFFER } from '../../lib/memory/shared-read-buffer.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { shareDecrypted, shareReads } from '../../lib/transport/shared-reads.js';
import { deferred, type Hooks, type Opened, open, serveHooks, until } from '../connection/open.js';
import { binary, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';

const never = new Promise<void>(() => {});

/** What the next read of the socket goes to, if that is memory of ours. */
function memoryOf(socket: object): Uint8Array | undefined {
  const kBuffer = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'kBuffer');
  const memory: unknown = kBuffer && Reflect.get(socket, kBuffer);
  return memory instanceof Uint8Array ? memory : undefined;
}

/** A connection over TLS, with the socket that decrypts at the server's end. */
async function openOverTls(hooks: Hooks & ThisType<WebSocketHandler> = {}): Promise<Opened & { decrypting: Socket }> {
  const { open: openOne, server } = await serveHooks(hooks, {}, { tls: true });
  const accepted = once(server.server, 'secureConnection');
  const opened = await openOne();
  const [decrypting] = (await accepted) as [Socket];
  return { ...opened, decrypting };
}

it('is what the sockets of connections read into', async () => {
  const { socket } = await open();
  expect(memoryOf(socket)?.buffer).toBe(READ_BUFFER.buffer);
});

it('is another one for what TLS decrypts, which all sockets of TLS share', async () => {
  const one = memoryOf((await openOverTls()).decrypting);
  const other = memoryOf((await openOverTls()).decrypting);
  expect(one).toBeDefined();
  expect(one?.buffer).toBe(other?.buffer);
  expect(one?.buffer).not.toBe(READ_BUFFER.buffer);
});

it('is not what others read into: streams that are no sockets, sockets of a kind of their own', async () => {
  const stream = new PassThrough();
  expect(shareReads(stream, () => true)).toBe(false);
  expect(shareDecrypted(stream, () => true)).toBe(false);
  for (const tls of [false, true]) {
    const { client } = await open({}, {}, { tls });
    const { socket } = client;
    Object.setPrototypeOf(socket, Object.create(Object.getPrototypeOf(socket)));
    expect((tls ? shareDecrypted : shareReads)(socket, () => true)).toBe(false);
  }
});

describe.each([
  ['a message in one piece', [40]],
  ['a message of 200 KB', [200_000]],
  ['many in one piece', new Array<number>(200).fill(20)],
  ['more than are looked at at once', new Array<number>(MAX_FRAMES + 10).fill(1)],
])('what is read: %s', (_what, lengths) => {
  it.each([
    ['TCP', false],
    ['TLS', true],
  ])('over %s is kept by whoever wants, whatever is read by others afterwards', async (_name, tls) => {
    const kept = new AsyncQueue<[self: object, data: string | Buffer]>();
    const hooks = {
      onRead(this: WebSocketHandler, data: string | Buffer) {
        kept.push([this, data]);
      },
    };
    const { open: openOne } = await serveHooks(hooks, { bufferSize: 200_000 }, { tls });
    const all = await Promise.all(['a', 'b', 'c'].map(async (letter) => ({ letter, opened: await openOne() })));
    const bytes = (letter: string): Buffer =>
      Buffer.concat(lengths.map((length) => binary(Buffer.alloc(length, letter))));
    for (const { letter, opened } of all) opened.client.send(bytes(letter));
    const units: [self: object, data: string | Buffer][] = [];
    while (units.length < 3 * lengths.length) units.push(await kept.next());
    for (const { opened } of all) opened.client.send(text('x'.repeat(60_000)));
    for (let i = 0; i < 3; i++) await kept.next();
    for (const { letter, opened } of all) {
      const own = units.filter(([self]) => self === opened.handler).map(([, data]) => data);
      expect(own).toHaveLength(lengths.length);
      expect(Buffer.concat(own as Buffer[]).equals(Buffer.alloc(Buffer.concat(own as Buffer[]).length, letter))).toBe(
        true,
      );
      expect(own.map((data) => data.length)).toEqual(lengths);
    }
  });
});

describe('bulk data', () => {
  const message = binary(Buffer.alloc(60_000, 1));

  /** How much the next read may take. */
  function room(socket: Socket): number {
    const kBuffer = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'kBuffer')!;
    return (Reflect.get(socket, kBuffer) as Buffer).length;
  }

  it('is read more at a time, until there is less of it', async () => {
    const rooms = new AsyncQueue<number>();
    const { client, socket } = await open({
      onRead() {
        rooms.push(room(socket));
      },
    });
    client.send(Buffer.concat(Array<Buffer>(60).fill(message)));
    const all = await Promise.all(Array.from({ length: 60 }, () => rooms.next()));
    expect(all[0]).toBe(64 * 1024);
    expect(all).toContain(512 * 1024);
    client.send(text('a little'));
    await rooms.next();
    expect(room(socket)).toBe(64 * 1024);
  });

  it('is read ahead by no more than 64 KiB while a handler is at work', async () => {
    const begun = new AsyncQueue<void>();
    const rooms: number[] = [];
    const { client, socket } = await open({
      onRead() {
        rooms.push(room(socket));
        if (!rooms.includes(512 * 1024)) return undefined;
        begun.push();
        return never;
      },
    });
    client.send(Buffer.concat(Array<Buffer>(60).fill(message)));
    await begun.next();
    while (!socket.isPaused()) await nextTurn();
    expect(room(socket)).toBeLessThanOrEqual(64 * 1024);
  });
});

it.each([
  ['TCP', false],
  ['TLS', true],
])('is read on over %s while a handler is at work, so that a reset is heard', async (_name, tls) => {
  const begun = new AsyncQueue<AbortSignal>();
  const reads: unknown[] = [];
  const gate = deferred();
  const hooks = {
    onRead(this: WebSocketHandler, data: string | Buffer) {
      if (reads.push(data) > 1) return undefined;
      begun.push(this.signal);
      return gate.promise;
    },
  };
  const { open: openOne, server } = await serveHooks(hooks, {}, { tls });
  const tcp = connect(server.port, '127.0.0.1');
  const client = new RawClient(tls ? connectTls({ socket: tcp, rejectUnauthorized: false }) : tcp);
  await client.handshake();
  client.send(text('work'), text('second'));
  const signal = await begun.next();
  tcp.resetAndDestroy();
  if (!signal.aborted) await once(signal, 'abort');
  expect(signal.reason).toMatchObject({ code: 'ERR_WS_INVALID_STATE' });
  gate.resolve();
  await until(() => reads.length === 2);
  expect(reads).toEqual(['work', 'second']);
  // It is not the others' end.
  const other = await openOne();
  await other.client.close();
});

describe('over TLS', () => {
  it('is read ahead by no more than the bound and a read, while a handler is at work, and nothing is lost', async () => {
    const begun = deferred();
    const gate = deferred();
    const reads: Buffer[] = [];
    const { client, decrypting, socket } = await openOverTls({
      onRead(data) {
        reads.push(data as Buffer);
        begun.resolve();
        return reads.length === 1 ? gate.promise : undefined;
      },
    });
    client.send(Buffer.concat(Array.from({ length: 500 }, (_, i) => binary(Buffer.alloc(10_000, i)))));
    await begun.promise;
    await until(() => decrypting.isPaused());
    const { bytesRead } = socket;
    for (let i = 0; i < 20; i++) await nextTurn();
    expect(socket.bytesRead).toBe(bytesRead);
    // What the stream holds would be a second bound.
    expect(decrypting.readableLength).toBe(0);
    gate.resolve();
    await until(() => reads.length === 500);
    expect(reads.map((data) => data.equals(Buffer.alloc(10_000, data[0]!)))).not.toContain(false);
    expect(reads.map((data) => data[0])).toEqual(reads.map((_, i) => i & 255));
    await client.close();
  });

  it('whoever begins to listen to `data` later is told, too', async () => {
    const { client, decrypting } = await openOverTls();
    const heard = new AsyncQueue<Buffer>();
    decrypting.on('data', (chunk: Buffer) => heard.push(chunk));
    const message = text('hello');
    client.send(message);
    expect(await heard.next()).toEqual(message);
  });

  it('FIN is heard, and what came before it is delivered', async () => {
    const reads: unknown[] = [];
    const { client, closes } = await open({ onRead: (data) => void reads.push(data) }, {}, { tls: true });
    client.send(text('first'), text('last'));
    client.socket.end();
    expect(await closes.next()).toEqual([1006, '', false]);
    expect(reads).toEqual(['first', 'last']);
  });
});

it('many connections at once, over TLS, are each sent back what they sent', async () => {
  const hooks = {
    onRead(this: WebSocketHandler, data: string | Buffer) {
      this.write(data);
    },
  };
  const { open: openOne } = await serveHooks(hooks, {}, { tls: true });
  const all = await Promise.all(Array.from({ length: 40 }, () => openOne()));
  const sizes = [1, 100, 1000, 16_000, 17_000, 60_000];
  for (const [i, { client }] of all.entries()) {
    for (const size of sizes) client.send(binary(Buffer.alloc(size, i)));
  }
  for (const [i, { client }] of all.entries()) {
    for (const size of sizes) expect((await client.next()).payload.equals(Buffer.alloc(size, i))).toBe(true);
  }
});

it('keeps its order over TLS when a hook makes its own socket decrypt more', async () => {
  const reads = new AsyncQueue<number>();
  const { client, decrypting } = await openOverTls({
    onRead(data) {
      // Node decrypts at once what has arrived, within this call.
      decrypting.write('');
      reads.push(Number(data[0]));
    },
  });
  client.send(Buffer.concat(Array.from({ length: 60 }, (_, i) => binary(Buffer.alloc(1000, i)))));
  expect(await reads.take(60)).toEqual(Array.from({ length: 60 }, (_, i) => i));
  await client.close();
});
