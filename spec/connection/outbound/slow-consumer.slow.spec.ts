import { randomBytes } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { metrics, type WebSocketHandler } from '../../../lib/index.js';
import { AsyncQueue } from '../../../lib/testing/async-queue.js';
import { binary, frame, text } from '../../support/frames.js';
import { deferred, type Opened, open, serveHooks, turns } from '../open.js';
import { openSlow, stall } from '../slow.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Writes once a turn, as a broadcast does, until `write` says that nothing more is taken. */
async function broadcastUntilFull({ handler }: Opened, limit: number): Promise<number> {
  let sent = 0;
  while (handler.bufferedAmount <= limit) {
    handler.write(Buffer.alloc(100 * KIB, sent++));
    await turns();
  }
  return sent;
}

describe('more than half of maxBufferedAmount', () => {
  it('holds what the peer asks, and no longer than that, also where it is written to all the time', async () => {
    const reads = new AsyncQueue<unknown>();
    const opened = await open({ onRead: (data) => void reads.push(data) }, { maxBufferedAmount: 32 * MIB });
    const { client, handler } = opened;
    client.socket.pause();
    await broadcastUntilFull(opened, 20 * MIB);
    client.send(text('asked'));
    await turns(20);
    expect(reads.left).toEqual([]);
    client.socket.resume();
    // From here on something always waits for the peer: more is written than it has taken.
    while (reads.left.length === 0) {
      if (handler.bufferedAmount < 28 * MIB) handler.write(Buffer.alloc(MIB));
      await turns();
    }
    expect(handler.bufferedAmount).toBeGreaterThan(0);
  });
});

describe('more than maxBufferedAmount', () => {
  it('closes with 1013 a peer that does not read, at the next message', async () => {
    const opened = await open({}, { maxBufferedAmount: 2 * MIB });
    const { client, handler, closes } = opened;
    client.socket.pause();
    const sent = await broadcastUntilFull(opened, 2 * MIB);
    expect(handler.bufferedAmount).toBeLessThan(2 * MIB + 200 * KIB);
    expect(handler.write('one too many')).toBe(false);
    expect([handler.write('another'), handler.dropped]).toEqual([false, 1]);
    client.socket.resume();
    for (let i = 0; i < sent; i++) expect((await client.next()).payload[0]).toBe(i & 0xff);
    await expect(client).toCloseWith(1013, 'the peer reads too slowly');
    client.socket.end();
    expect(await closes.next()).toEqual([1013, 'the peer reads too slowly', false]);
  });

  it("drops messages under the policy 'drop', whole ones only, and goes on when the peer has caught up", async () => {
    const opened = await open({}, { maxBufferedAmount: 2 * MIB, slowConsumer: 'drop' });
    const { client, handler } = opened;
    client.socket.pause();
    const sent = await broadcastUntilFull(opened, 2 * MIB);
    const before = handler.bufferedAmount;
    for (let i = 0; i < 1000; i++) {
      expect(handler.write(i % 2 === 0 ? 'dropped' : Buffer.alloc(10 * KIB))).toBe(false);
      if (i % 100 === 0) await turns();
    }
    expect(handler.bufferedAmount).toBe(before);
    expect(handler.dropped).toBe(1000);
    client.socket.resume();
    for (let i = 0; i < sent; i++) expect((await client.next()).payload[0]).toBe(i & 0xff);
    expect(handler.write('caught up')).toBe(true);
    expect(await client.nextText()).toBe('caught up');
    expect(handler.dropped).toBe(1000);
  });

  it('is told once for as long as it lasts, with the policy, and counted', async () => {
    const told: unknown[] = [];
    const listener = (message: unknown): void => void told.push(message);
    subscribe('websocket-route:slow-consumer', listener);
    const opened = await open({}, { maxBufferedAmount: MIB, slowConsumer: 'drop' });
    const { client, handler } = opened;
    const { slowConsumers, dropped } = metrics();
    for (const round of [1, 2]) {
      client.socket.pause();
      await broadcastUntilFull(opened, MIB);
      for (let i = 0; i < 3; i++) handler.write('dropped');
      expect(metrics()).toMatchObject({ slowConsumers: slowConsumers + round, dropped: dropped + 3 * round });
      client.socket.resume();
      await handler.drained();
      handler.write('noticed');
    }
    unsubscribe('websocket-route:slow-consumer', listener);
    const message = { connection: handler, policy: 'drop', bufferedAmount: expect.any(Number) };
    expect(told).toEqual([expect.objectContaining(message), expect.objectContaining(message)]);
  });

  it('is no fault of the peer within one turn of the event loop', async () => {
    const { client, handler } = await open({}, { maxBufferedAmount: 64 * KIB });
    for (let i = 0; i < 100; i++) handler.write(Buffer.alloc(100 * KIB, i));
    for (let i = 0; i < 100; i++) expect((await client.next()).payload[0]).toBe(i);
    expect(handler.write('and on')).toBe(true);
  });

  it('does not matter to other connections', async () => {
    const { open: connect } = await serveHooks({}, { maxBufferedAmount: MIB });
    const [slow, fast] = [await connect(), await connect()];
    slow.client.socket.pause();
    for (let i = 0; i < 200; i++) {
      const news = Buffer.alloc(100 * KIB, i);
      for (const { handler } of [slow, fast]) if (handler.readyState === 1) handler.write(news);
      expect((await fast.client.next()).payload.equals(news)).toBe(true);
    }
    expect(slow.handler.readyState).not.toBe(1);
    expect(fast.handler.bufferedAmount).toBe(0);
  });

  it('is what each of many peers that do not read costs at most, and a turn’s worth', async () => {
    const { open: connect } = await serveHooks({}, { maxBufferedAmount: MIB, slowConsumer: 'drop' });
    const stuck: Opened[] = [];
    for (let i = 0; i < 20; i++) stuck.push(await connect());
    for (const { client } of stuck) client.socket.pause();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 400; i++) {
      for (const { handler } of stuck) handler.write(Buffer.alloc(100 * KIB, i));
      await turns();
    }
    for (const { handler } of stuck) expect(handler.dropped).toBeGreaterThan(0);
    // 800 MiB were written; some of what was dropped the collector may not have seen yet.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(stuck.length * 3 * MIB);
  });

  it('may be as much as it likes where there is no limit', async () => {
    const opened = await open({}, { maxBufferedAmount: Infinity });
    opened.client.socket.pause();
    await broadcastUntilFull(opened, 40 * MIB);
    expect(opened.handler.readyState).toBe(1);
    expect(opened.handler.dropped).toBe(0);
  });
});

describe('a peer that does not take its answers', () => {
  it('is asked nothing more, costs no more than the limit, and misses nothing', async () => {
    let answered = 0;
    const { client, handler, socket } = await open(
      {
        onRead(this: WebSocketHandler, data) {
          answered++;
          this.write(data);
        },
      },
      { maxBufferedAmount: 4 * MIB },
    );
    client.socket.pause();
    const COUNT = 1000;
    for (let i = 0; i < COUNT; i++) client.socket.write(binary(Buffer.alloc(60 * KIB, i)));
    let before = -1;
    while (before !== socket.bytesRead || answered === 0) {
      before = socket.bytesRead;
      await turns(100);
    }
    expect(answered).toBeLessThan(COUNT / 2);
    expect(handler.bufferedAmount).toBeGreaterThan(2 * MIB);
    expect(handler.bufferedAmount).toBeLessThan(2 * MIB + 200 * KIB);
    client.socket.resume();
    for (let i = 0; i < COUNT; i++) expect((await client.next()).payload[0]).toBe(i & 0xff);
    expect(answered).toBe(COUNT);
  });

  it('can still be closed', async () => {
    const { client, handler, closes } = await open(
      {
        onRead(this: WebSocketHandler, data) {
          this.write(data);
        },
      },
      { maxBufferedAmount: 2 * MIB },
    );
    client.socket.pause();
    for (let i = 0; i < 400; i++) client.socket.write(binary(Buffer.alloc(60 * KIB, i)));
    while (handler.bufferedAmount < MIB) await turns();
    await turns(20);
    handler.close(4000);
    client.socket.resume();
    let last = await client.next();
    while (last.opcode === 2) last = await client.next();
    expect(last).toMatchObject({ opcode: 8, payload: Buffer.from([0x0f, 0xa0]) });
    client.send(text('dropped'), Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa0]));
    expect(await closes.next()).toEqual([4000, '', true]);
  });
});

describe('files that nobody waits for', () => {
  it('are not asked for without end by a peer that does not read', async () => {
    let asked = 0;
    const hooks = {
      onRead(this: WebSocketHandler) {
        asked++;
        this.writeFile(__filename).catch(() => {});
      },
    };
    const slow = await openSlow(hooks);
    await stall(slow);
    slow.client.send(...Array.from({ length: 5000 }, () => frame({ opcode: 1, payload: 'x' })));
    await turns(50);
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(100);
    // They come all the same, once it reads.
    slow.client.socket.resume();
    while (asked < 5000) await turns();
  });
});

describe('a connection for which there is always something to compress', () => {
  it('reads on when what waits is little enough', async () => {
    const pending = deferred();
    const hooks = {
      onRead: () => pending.resolve(),
    };
    const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
    const slow = await openSlow(hooks, { compress: { threshold: 0 }, maxBufferedAmount: 1 << 20 }, { headers });
    const { handler, client } = slow;
    const message = randomBytes(20_000);
    while (handler.bufferedAmount < 900_000) handler.write(message);
    let isDone = false;
    const pump = (): void => {
      while (!isDone && handler.bufferedAmount < 300_000) handler.write(message);
      if (!isDone) setImmediate(pump);
    };
    pump();
    client.send(frame({ opcode: 1, payload: 'read this' }));
    await pending.promise;
    isDone = true;
  });
});
