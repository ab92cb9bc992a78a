import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Writer } from '../../lib/connection/outbound/writer.js';
import { Opcode, ReadyState, type WebSocketHandler } from '../../lib/index.js';
import { MAX_COPIED, mayLend, type Slab, slabFor } from '../../lib/memory/slab.js';
import { MemorySocket } from '../../lib/testing/memory-socket.js';
import { Transport } from '../../lib/transport/transport.js';
import { turns } from '../connection/open.js';
import { allFrames, LARGE, openSlow, type Slow, serveSlow, stall } from '../connection/slow.js';
import { closeBody, frame } from '../support/frames.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const KIBIBYTE = 1024;

async function bytesOfBuffers(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await turns();
    collectGarbage();
  }
  return process.memoryUsage().arrayBuffers;
}

/** Acquires the slab at hand, and fills it. */
function fill(): Slab {
  const slab = slabFor(MAX_COPIED);
  slab.acquire();
  slab.at = slab.bytes.length;
  return slab;
}

/** Writes more than a slab has, so that the one at hand is left, if it is in use. */
function writeOver(handler: WebSocketHandler): void {
  for (let i = 0; i < 9; i++) handler.write(Buffer.alloc(MAX_COPIED, i), { flush: true });
}

/** More than the kernel takes, and behind it a small frame in the slab: the socket still reads from there after that. */
function writeAndStall({ client, handler, socket }: Slow, text: string): void {
  client.socket.pause();
  handler.write(LARGE);
  handler.write(text, { flush: true });
  expect(socket.writableLength).toBeGreaterThan(0);
}

describe('the slab', () => {
  it('is filled from the beginning again when everything in it has been taken', () => {
    const slab = slabFor(100);
    const at = slab.at;
    slab.acquire();
    slab.at += 100;
    slab.acquire();
    slab.release();
    expect(slab.at).toBe(at + 100);
    slab.release();
    expect(slab.at).toBe(0);
  });

  it('has room for the largest frame that is copied, or is another one', () => {
    const full = slabFor(MAX_COPIED + 10);
    full.acquire();
    full.at = full.bytes.length - MAX_COPIED;
    expect(slabFor(MAX_COPIED)).toBe(full);
    const next = slabFor(MAX_COPIED + 1);
    expect(next).not.toBe(full);
    expect(next.at).toBe(0);
    expect(next.hasRoom(next.bytes.length)).toBe(true);
    expect(next.hasRoom(next.bytes.length + 1)).toBe(false);
    full.release();
  });
});

describe('slabs that were left while peers had not taken what is in them', () => {
  it('are lent no more where there are 64 of them, until one of them has been taken', () => {
    expect(mayLend()).toBe(true);
    const left = Array.from({ length: 65 }, fill);
    // The last is the one at hand.
    expect(mayLend()).toBe(false);
    left[0]!.release();
    expect(mayLend()).toBe(true);
    slabFor(1);
    expect(mayLend()).toBe(false);
    for (const slab of left.slice(1)) slab.release();
    expect(mayLend()).toBe(true);
  });

  it('count once, however many use them, and not where nobody does', () => {
    const shared = fill();
    shared.acquire();
    slabFor(1);
    shared.release();
    const left = Array.from({ length: 63 }, fill);
    slabFor(1);
    expect(mayLend()).toBe(false);
    shared.release();
    expect(mayLend()).toBe(true);
    for (const slab of left) slab.release();
    for (let i = 0; i < 100; i++) fill().release();
    expect(mayLend()).toBe(true);
  });
});

describe('what is in a slab', () => {
  it('is not overwritten before its peer has it, whatever the others write', async () => {
    const { open } = await serveSlow({}, {}, { watchesWrites: false });
    const busy = await open();
    const stalled: Slow[] = [];
    for (let i = 0; i < 40; i++) {
      const slow = await open();
      writeAndStall(slow, `first ${i}: ${'x'.repeat(i * 100)}`);
      stalled.push(slow);
      // Some share a slab, and some have one to themselves.
      if (i % 3 === 0) writeOver(busy.handler);
      for (let j = 0; j < 50; j++) slow.handler.write(`then ${j}`, { flush: j % 7 === 0 });
      await turns();
    }
    for (let i = 0; i < 70; i++) writeOver(busy.handler);
    await busy.handler.drained();
    for (const [i, { client, handler }] of stalled.entries()) {
      client.send(frame({ opcode: 8, payload: closeBody(1000) }));
      const [large, first, ...rest] = await allFrames(client);
      expect(first!.payload.toString()).toBe(`first ${i}: ${'x'.repeat(i * 100)}`);
      expect(large!.payload.equals(LARGE)).toBe(true);
      expect(rest.slice(0, -1).map(({ payload }) => payload.toString())).toEqual(
        Array.from({ length: 50 }, (_, j) => `then ${j}`),
      );
      expect(handler.bufferedAmount).toBe(0);
    }
  });

  it('is not overwritten where it was written to a peer that is behind at the last moment', async () => {
    const { open } = await serveSlow({}, {}, { watchesWrites: false });
    const [failed, busy] = [await open(), await open()];
    await stall(failed);
    // The slab that it was sent from when it fell behind is left.
    for (let i = 0; i < 2; i++) writeOver(busy.handler);
    // A mistake: nothing waited but the close frame, which is given to the socket at once.
    failed.client.send(frame({ opcode: 3 }));
    while (failed.handler.readyState === ReadyState.OPEN) await turns();
    expect(failed.log.ends).toBe(1);
    for (let i = 0; i < 20; i++) writeOver(busy.handler);
    await busy.handler.drained();
    const [large, close] = await allFrames(failed.client);
    expect(large!.payload.equals(LARGE)).toBe(true);
    expect([close!.opcode, close!.payload.readUInt16BE()]).toEqual([8, 1002]);
  });

  it('is given to the socket as it is, or as a copy where too many slabs were left', async () => {
    const { handler, socket } = await openSlow({}, {}, { watchesWrites: false });
    const handle = Reflect.get(socket, '_handle') as { writeBuffer(request: unknown, bytes: Buffer): unknown };
    const { writeBuffer } = handle;
    let last: Buffer | undefined;
    handle.writeBuffer = (request, bytes) => {
      last = bytes;
      return writeBuffer.call(handle, request, bytes);
    };
    const isLent = (): boolean => last?.buffer === slabFor(1).bytes.buffer;
    handler.write('lent', { flush: true });
    expect(isLent()).toBe(true);
    const left = Array.from({ length: 64 }, fill);
    slabFor(1);
    handler.write('copied', { flush: true });
    expect(isLent()).toBe(false);
    for (const slab of left) slab.release();
    handler.write('lent again', { flush: true });
    expect(isLent()).toBe(true);
  });
});

describe('three hundred peers that stop reading, one after the other', () => {
  const owner = { onFlush() {}, onHeld() {} };
  const folder = mkdtempSync(join(tmpdir(), 'websocket-route-'));
  const ends: Socket[] = [];
  const peers: Socket[] = [];
  const server = createServer((socket) => ends.push(socket));
  afterAll(() => {
    cutAll();
    server.close();
    rmSync(folder, { recursive: true });
  });

  function cutAll(): void {
    for (const socket of [...ends, ...peers]) socket.destroy();
  }

  it('pin 4 MiB of slabs, and what they are owed', async () => {
    // Without a handshake, so that no peer has ever read anything: what it had read would be in the same memory.
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
    while (peers.length < 300) peers.push(connect(join(folder, 'socket')).pause());
    while (ends.length < peers.length) await turns();
    const { client: reader, server: busy } = MemorySocket.pair();
    reader.resume();
    const other = new Writer(new Transport(busy), owner);
    const used = new Set<WeakRef<Slab>>();
    let last: Slab | undefined = slabFor(1);
    const before = await bytesOfBuffers();
    const writers: Writer[] = [];
    for (const socket of ends) {
      const writer = new Writer(new Transport(socket), owner);
      writer.binary(Opcode.Binary, LARGE);
      writer.text(Opcode.Text, 'tiny');
      writer.flush();
      expect(socket.writableLength).toBeGreaterThan(0);
      for (let i = 0; i < 20; i++) {
        writer.text(Opcode.Text, 'tiny');
        writer.flush();
        if (i % 5 === 0) await turns();
      }
      // Nobody else stops reading in the same slab.
      for (let i = 0; i < 9; i++) other.binary(Opcode.Binary, Buffer.alloc(MAX_COPIED));
      other.flush();
      writers.push(writer);
      const slab = slabFor(1);
      if (slab !== last) used.add(new WeakRef(slab));
      last = slab;
    }
    last = undefined;
    while (other.bufferedAmount > 0) await turns();
    // LARGE is one for all. Each is owed 120 bytes more, for which it has a piece of a kibibyte.
    const slabs = (await bytesOfBuffers()) - before - 300 * KIBIBYTE;
    expect(slabs / KIBIBYTE).toBeLessThan(4096 + 512);
    // 64, and the one at hand: the others were used in vain, and are garbage.
    expect(used.size).toBeGreaterThanOrEqual(300);
    expect([...used].filter((slab) => slab.deref() !== undefined).length).toBeLessThanOrEqual(65);
    expect(mayLend()).toBe(false);
    for (const writer of writers) writer.close();
    expect(mayLend()).toBe(true);
    cutAll();
    for (const socket of ends) if (!socket.closed) await once(socket, 'close');
    expect(((await bytesOfBuffers()) - before) / KIBIBYTE).toBeLessThan(512);
  });
});
