/** The memory that all sockets read into: who reads there, that nobody is given what another one was sent, and what a pause is. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MAX_FRAMES } from '../../lib/framing/frame-scanner.js';
import type { WebSocketHandler } from '../../lib/index.js';
import { READ_BUFFER } from '../../lib/memory/shared-read-buffer.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { shareReads } from '../../lib/transport/shared-reads.js';
import { open, serveHooks } from '../connection/open.js';
import { binary, text } from '../support/frames.js';

const never = new Promise<void>(() => {});

/** Whether the next read of the socket goes to that memory. */
function readsShared(socket: Socket): boolean {
  const kBuffer = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'kBuffer');
  const memory: unknown = kBuffer && Reflect.get(socket, kBuffer);
  return memory instanceof Uint8Array && memory.buffer === READ_BUFFER.buffer;
}

it('is what the sockets of connections read into', async () => {
  const { socket } = await open();
  expect(readsShared(socket)).toBe(true);
});

it('is not what others read into: TLS, streams that are no sockets, sockets of a kind of their own', async () => {
  const { client, socket } = await open({}, {}, { tls: true });
  expect(readsShared(socket)).toBe(false);
  const stream = new PassThrough();
  expect(shareReads(stream, () => true)).toBe(false);
  expect(
    shareReads(Object.setPrototypeOf(client.socket, Object.create(Object.getPrototypeOf(client.socket))), () => true),
  ).toBe(false);
});

describe.each([
  ['a message in one piece', [40]],
  ['a message of 200 KB', [200_000]],
  ['many in one piece', new Array<number>(200).fill(20)],
  ['more than are looked at at once', new Array<number>(MAX_FRAMES + 10).fill(1)],
])('what is read: %s', (_what, lengths) => {
  it('is kept by whoever wants, whatever is read by others afterwards', async () => {
    const kept = new AsyncQueue<[self: object, data: string | Buffer]>();
    const hooks = {
      onRead(this: WebSocketHandler, data: string | Buffer) {
        kept.push([this, data]);
      },
    };
    const { open: openOne } = await serveHooks(hooks, { bufferSize: 200_000 });
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

it('is read on while a handler is at work, so that a reset is heard', async () => {
  const begun = new AsyncQueue<AbortSignal>();
  const { client } = await open({
    onRead() {
      begun.push(this.signal);
      return never;
    },
  });
  client.send(text('work'));
  const signal = await begun.next();
  client.socket.resetAndDestroy();
  if (!signal.aborted) await once(signal, 'abort');
  expect(signal.reason).toMatchObject({ code: 'ERR_WS_INVALID_STATE' });
});
