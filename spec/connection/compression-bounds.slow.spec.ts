/** What compressed messages may cost, what is wrong with some, and what becomes of them when their connection ends. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync } from 'node:zlib';
import { enterQueue, releaseTurn, zlibJobs } from '../../lib/deflate/zlib-jobs.js';
import { type ConnectionOptions, drain, Limits, type OverflowError, type WebSocketHandler } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { setClock } from '../../lib/transport/clock.js';
import { compressedFrames } from '../conformance/deflate-client.js';
import { ZlibWatch } from '../deflate/zlib-watch.js';
import { pinned } from '../security/memory.js';
import { closeBody, frame, more, text } from '../support/frames.js';
import {
  type Compressed,
  deflated,
  hogTurns,
  openCompressed,
  packed,
  serveCompressed,
  TAKEOVER,
  zlibIdle,
} from './compressed.js';
import { closeAfterDelivery, deferred, type Hooks, roundTrip, sendAndSettle, turns } from './open.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const JSON_TEXT = JSON.stringify(
  Array.from({ length: 100 }, (_, i) => ({ id: i, symbol: `S${i % 7}`, bid: 1.17 + i })),
);
const ping = (payload = ''): Buffer => frame({ opcode: 9, payload });
const close = (code: number): Buffer => frame({ opcode: 8, payload: closeBody(code) });
/** 64 KiB that become 64 MiB. */
const BOMB = packed(Buffer.alloc(64 * MIB));
const NEVER = new Promise<never>(() => {});

const watch = new ZlibWatch();
afterAll(() => watch.stop());

let log: jest.SpyInstance;
beforeEach(() => {
  log = jest.spyOn(console, 'error').mockImplementation(() => {});
  watch.begin();
});
afterEach(() => {
  log.mockRestore();
});

/** Everything that a client can do is done: nothing is left of these connections but idle streams in the pools. */
async function expectNothingLeft(most = 16): Promise<void> {
  await zlibIdle();
  while (watch.atWork > 0) await turns();
  expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
  expect(watch.open).toBeLessThanOrEqual(most);
}

describe('a message that inflates to 64 MiB', () => {
  it('is refused at the limit with 1009, and no more of it is inflated', async () => {
    const { client, closes } = await openCompressed();
    client.send(BOMB);
    await expect(client).toCloseWith(1009, 'at most 65536 bytes');
    client.send(close(1009));
    expect(await closes.next()).toEqual([1009, '', true]);
    await expectNothingLeft();
    // The limit, the piece that is beyond it, and one that was in the making.
    expect(watch.pieces).toBeLessThanOrEqual(4 + 1 + 1);
  });

  it('is refused in fragments, too, with the size in the error', async () => {
    const sizes: [number, number][] = [];
    const hooks = {
      onOverflowError(this: WebSocketHandler, { size, limit }: OverflowError) {
        sizes.push([size, limit]);
        this.close(4009);
      },
    };
    const { client } = await openCompressed(hooks, { bufferSize: 10_000 });
    client.send(packed(Buffer.alloc(64 * MIB), 10));
    await expect(client).toCloseWith(4009);
    const [[size = 0, limit] = []] = sizes;
    expect(limit).toBe(10_000);
    expect(size).toBeGreaterThan(10_000);
    expect(size).toBeLessThanOrEqual(10_000 + 16 * KIB);
    expect(sizes).toHaveLength(1);
    await expectNothingLeft();
    expect(watch.pieces).toBeLessThanOrEqual(12);
  });

  it('is delivered to null as it is asked for: 16 KiB while the handler is pending, and one piece more in zlib', async () => {
    const pending = [deferred(), deferred()];
    let delivered = 0;
    let calls = 0;
    const hooks = {
      onRead(data: string | Buffer) {
        delivered += data.length;
        return pending[calls++]?.promise;
      },
    };
    const opened = await openCompressed(hooks, { readDelimiter: null });
    const before = await pinned();
    watch.begin();
    await sendAndSettle(opened, BOMB);
    await zlibIdle();
    await turns(50);
    expect(delivered).toBeLessThanOrEqual(16 * KIB);
    expect(watch.pieces).toBe(2);
    // What came from the network, zlib's window, two pieces, and the rest of a chunk; and what the process itself takes meanwhile.
    expect((await pinned()) - before).toBeLessThan(MIB);
    pending[0]!.resolve();
    while (calls < 2) await turns();
    await zlibIdle();
    await turns(50);
    expect(delivered).toBeLessThanOrEqual(32 * KIB);
    expect(watch.pieces).toBe(3);
    pending[1]!.resolve();
    await roundTrip(opened.client, ping());
    expect(delivered).toBe(64 * MIB);
    expect((await pinned()) - before).toBeLessThan(MIB);
  });

  it('is delivered by a number in units, with a handler that takes its time over each', async () => {
    let delivered = 0;
    let calls = 0;
    const hooks = {
      onRead(data: string | Buffer) {
        delivered += data.length;
        calls++;
        return turns();
      },
    };
    const opened = await openCompressed(hooks, { readDelimiter: 256 * KIB });
    opened.client.send(BOMB);
    await closeAfterDelivery(opened);
    expect([calls, delivered]).toEqual([256, 64 * MIB]);
  });

  it('is refused by a string that does not come, at the limit', async () => {
    const { client } = await openCompressed({}, { readDelimiter: '\n' });
    client.send(packed('x'.repeat(8 * MIB)));
    await expect(client).toCloseWith(1009);
    await expectNothingLeft();
    expect(watch.pieces).toBeLessThanOrEqual(6);
  });
});

describe('what is sent behind a message that waits to be inflated', () => {
  it('is not read: TCP holds it, and the connection pins no more than the chunk at hand', async () => {
    const limits = new Limits();
    let reads = 0;
    const opened = await openCompressed({ onRead: () => void reads++ }, { limits });
    const { client, socket } = opened;
    const release = hogTurns();
    await sendAndSettle(opened, packed('first'));
    const message = text('x'.repeat(16 * KIB));
    const before = socket.bytesRead;
    for (let i = 0; i < 512; i++) client.send(message);
    await turns(100);
    expect(socket.bytesRead - before).toBeLessThanOrEqual(128 * KIB);
    expect(limits.bufferedBytes).toBeLessThanOrEqual(256 * KIB);
    release();
    await roundTrip(client, ping());
    expect(reads).toBe(513);
  });
});

describe('the limit of a message', () => {
  it.each([
    [65_536, undefined],
    [65_537, 1009],
  ])('is met or exceeded by what it inflates to: %i bytes', async (length, code) => {
    const reads = new AsyncQueue<string | Buffer>();
    const { client } = await openCompressed({ onRead: (data) => reads.push(data) });
    client.send(packed(Buffer.alloc(length)));
    if (code !== undefined) await expect(client).toCloseWith(code);
    else expect(await reads.next()).toHaveLength(length);
  });

  it('may be raised when it is exceeded', async () => {
    const reads = new AsyncQueue<string | Buffer>();
    const hooks = {
      onRead: (data: string | Buffer) => reads.push(data),
      onOverflowError(this: WebSocketHandler) {
        this.bufferSize *= 4;
      },
    };
    const { client } = await openCompressed(hooks);
    client.send(packed('x'.repeat(500_000)));
    expect(await reads.next()).toHaveLength(500_000);
  });
});

describe('what is wrong with a compressed message', () => {
  it('a message that is no deflate stream ends the connection with 1007', async () => {
    const { client, closes } = await openCompressed();
    client.send(frame({ opcode: 1, rsv: 4, payload: 'hello' }));
    await expect(client).toCloseWith(1007, 'a compressed message cannot be inflated');
    client.socket.end();
    expect(await closes.next()).toMatchObject([1007, 'a compressed message cannot be inflated', false]);
    await expectNothingLeft();
  });

  it('a message that becomes wrong after some pieces ends the connection, and the null delimiter delivers the pieces before', async () => {
    const reads: (string | Buffer)[] = [];
    const { client } = await openCompressed({ onRead: (data) => void reads.push(data) }, { readDelimiter: null });
    const good = deflateRawSync(randomBytes(40_000), { finishFlush: constants.Z_SYNC_FLUSH });
    client.send(compressedFrames(2, Buffer.concat([good, Buffer.of(0xff)])), text('never'));
    await expect(client).toCloseWith(1007);
    const length = reads.reduce((sum, data) => sum + data.length, 0);
    expect(length).toBeLessThanOrEqual(40_000);
    expect(length).toBeGreaterThanOrEqual(32 * KIB);
  });

  it('text that is not UTF-8 ends the connection with 1007 before the rest of the message has come', async () => {
    const reads: unknown[] = [];
    const { client } = await openCompressed({ onRead: (data) => void reads.push(data) }, { readDelimiter: null });
    const part = deflateRawSync(Buffer.from('cebae1bdb9eda080', 'hex'), { finishFlush: constants.Z_SYNC_FLUSH });
    client.send(frame({ opcode: 1, rsv: 4, fin: false, payload: part }));
    await expect(client).toCloseWith(1007, 'text is not valid UTF-8');
    expect(reads).toEqual(['\u03ba\u1f79']);
  });

  it('a message with too many final blocks ends the connection with 1008', async () => {
    const { client } = await openCompressed();
    client.send(compressedFrames(1, Buffer.concat(Array.from({ length: 20 }, () => deflateRawSync('x')))));
    await expect(client).toCloseWith(1008, 'too many final blocks in one message');
    await expectNothingLeft();
  });

  it('waits for what came before it', async () => {
    const reads: unknown[] = [];
    const first = deferred();
    const hooks = {
      onRead(data: string | Buffer) {
        reads.push(data);
        return first.promise;
      },
    };
    const opened = await openCompressed(hooks);
    await sendAndSettle(opened, packed('one'), packed('two'), frame({ opcode: 3 }), packed('never'));
    while (reads.length === 0) await turns();
    await turns(20);
    expect(reads).toEqual(['one']);
    first.resolve();
    await expect(opened.client).toCloseWith(1002);
    expect(reads).toEqual(['one', 'two']);
  });

  it('waits for a handler that is at work on what came before it in the same message', async () => {
    const reads: unknown[] = [];
    const pending = [deferred(), deferred()];
    const hooks = {
      onRead(data: string | Buffer) {
        reads.push(data);
        return pending[reads.length - 1]?.promise;
      },
    };
    const { client, handler } = await openCompressed(hooks, { readDelimiter: '\n' });
    client.send(compressedFrames(1, deflated(Buffer.concat([Buffer.from('good\nmore\n'), Buffer.of(0xff)]))));
    for (const [i, one] of pending.entries()) {
      while (reads.length === i && handler.readyState === 1) await turns();
      await zlibIdle();
      await turns(20);
      expect(handler.readyState).toBe(1);
      expect(reads).toEqual(['good', 'more'].slice(0, i + 1));
      one.resolve();
    }
    await expect(client).toCloseWith(1007);
    expect(reads).toEqual(['good', 'more']);
  });

  it('is the mistake that counts, where another stands behind it', async () => {
    const { client } = await openCompressed();
    client.send(compressedFrames(1, deflated(Buffer.of(0xff))), frame({ opcode: 3 }));
    await expect(client).toCloseWith(1007);
  });

  it.each([
    ['a continuation', frame({ opcode: 0, rsv: 4, payload: 'x' })],
    ['a ping', frame({ opcode: 9, rsv: 4 })],
    ['a close frame', frame({ opcode: 8, rsv: 4, payload: closeBody(1000) })],
  ])('is RSV1 on %s: 1002, behind what came before', async (_what, bytes) => {
    const reads: unknown[] = [];
    const { client } = await openCompressed({ onRead: (data) => void reads.push(data) }, { readDelimiter: null });
    client.send(packed('first'), text('a', false), bytes);
    expect(await client.nextClose()).toMatchObject({ code: 1002, reason: 'a reserved bit is set' });
    expect(reads).toEqual(['first', 'a']);
  });
});

describe("zlib's turns", () => {
  it('are eight: of many messages in both directions no more are at work at a time', async () => {
    const hooks = {
      onRead(this: WebSocketHandler, data: string | Buffer) {
        this.write(data);
      },
    };
    const { openOne } = await serveCompressed(hooks, { bufferSize: MIB });
    const all = await Promise.all(Array.from({ length: 40 }, () => openOne()));
    const message = 'é🧀 and so on '.repeat(5000);
    const bytes = packed(message);
    watch.begin();
    for (const { client } of all) client.send(bytes, bytes, bytes);
    for (const { peer } of all) {
      for (let i = 0; i < 3; i++) expect((await peer.next()).payload.toString() === message).toBe(true);
    }
    expect(watch.mostAtWork).toBe(8);
    await expectNothingLeft();
  });

  it('are waited for in order, each connection with one message at a time', async () => {
    const order: string[] = [];
    const hooks = { onRead: (data: string | Buffer) => void order.push(String(data)) };
    const { openOne } = await serveCompressed(hooks);
    const [one, two, three] = [await openOne(), await openOne(), await openOne()];
    const release = hogTurns();
    await sendAndSettle(one, packed('1a'), packed('1b'));
    await sendAndSettle(two, packed('2a'));
    await sendAndSettle(three, packed('3a'));
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 3 });
    expect(order).toEqual([]);
    release();
    for (const { client } of [one, two, three]) await roundTrip(client, ping());
    expect(order).toHaveLength(4);
    expect(order.indexOf('1a')).toBeLessThan(order.indexOf('1b'));
    expect(order.filter((name) => name !== '1b')).toEqual(['1a', '2a', '3a']);
  });

  it('are not held by handlers: eight that never settle do not stop the ninth connection', async () => {
    const reads = new AsyncQueue<unknown>();
    const hooks = {
      onRead(data: string | Buffer) {
        if (data.length < 100) return void reads.push(data);
        held++;
        return NEVER;
      },
    };
    let held = 0;
    const { openOne } = await serveCompressed(hooks, { readDelimiter: null });
    const stuck = await Promise.all(Array.from({ length: 8 }, () => openOne()));
    for (const { client } of stuck) client.send(packed(Buffer.alloc(MIB)));
    while (held < stuck.length) await turns();
    const { client, handler, peer } = await openOne();
    client.send(packed('ninth'));
    expect(await reads.next()).toBe('ninth');
    handler.write(JSON_TEXT);
    expect((await peer.next()).payload.toString()).toBe(JSON_TEXT);
  });

  it('are not kept from others by messages that become very long', async () => {
    let delivered = 0;
    const reads = new AsyncQueue<unknown>();
    const hooks = {
      onRead(data: string | Buffer) {
        delivered += data.length;
        if (data.length < 100) reads.push(data);
      },
    };
    const { openOne } = await serveCompressed(hooks, { readDelimiter: null });
    const greedy = await Promise.all(Array.from({ length: 8 }, () => openOne()));
    for (const { client } of greedy) client.send(BOMB);
    const other = await openOne();
    while (zlibJobs().atWork < 8) await turns();
    other.client.send(packed('other'));
    expect(await reads.next()).toBe('other');
    // Of half a gigabyte; it would have to wait for one of them.
    expect(delivered).toBeLessThan(256 * MIB);
    for (const { client } of greedy) client.socket.destroy();
    await expectNothingLeft();
  });

  it("tell nobody of what is in others' AsyncLocalStorage", async () => {
    const storage = new AsyncLocalStorage<string>();
    const stores: unknown[] = [];
    const hooks = {
      onRead(data: string | Buffer) {
        stores.push([data, storage.getStore()]);
        // What is done then belongs to this connection.
        storage.enterWith(String(data));
      },
    };
    const { openOne } = await serveCompressed(hooks);
    const [one, other] = [await openOne(), await openOne()];
    const release = hogTurns(1);
    enterQueue({ onTurn() {} });
    storage.run('secret', () => one.handler.write(JSON_TEXT, { flush: true }));
    await sendAndSettle(other, packed('other'));
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 2 });
    // The one's turn comes, and after it the other's.
    releaseTurn();
    await roundTrip(other.client, ping());
    release();
    for (const { client } of [other, one, other]) {
      client.send(packed('later'));
      await roundTrip(client, ping());
    }
    expect(stores).toEqual([
      ['other', undefined],
      ['later', undefined],
      ['later', undefined],
      ['later', undefined],
    ]);
  });

  it('are forgotten by connections that have gone', async () => {
    const { openOne } = await serveCompressed();
    const release = hogTurns();
    const all: Compressed[] = [];
    for (let i = 0; i < 6; i++) {
      const one = await openOne();
      one.handler.write(JSON_TEXT, { flush: true });
      await sendAndSettle(one, packed(JSON_TEXT));
      all.push(one);
    }
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 12 });
    for (const { client, handler, closes } of all) {
      if (all.indexOf(all.find((one) => one.client === client)!) % 2 === 0) client.socket.resetAndDestroy();
      else handler.terminate();
      await closes.next();
    }
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 0 });
    release();
    await expectNothingLeft();
  });
});

describe('the streams of zlib', () => {
  type How = (one: Compressed) => unknown;
  /** When a handler at work has finished. */
  let work = deferred();
  const waitForWork = (): Promise<void> => work.promise;
  const write = ({ handler }: Compressed): boolean => handler.write(JSON_TEXT);
  const states: [state: string, prepare: How, areTurnsTaken?: boolean][] = [
    ['that is idle', () => {}],
    ['in the middle of a message', (one) => sendAndSettle(one, packed('x'.repeat(500), 3).subarray(0, 15))],
    ['whose message waits for its turn', (one) => sendAndSettle(one, packed('x')), true],
    ['whose answer waits for its turn', write, true],
    ['whose message is being inflated', ({ client }) => client.send(packed(Buffer.alloc(4 * MIB)))],
    ['whose answer is being compressed', ({ handler }) => handler.write(Buffer.alloc(4 * MIB))],
    ['whose handler is at work', (one) => sendAndSettle(one, packed(`work ${'x'.repeat(50_000)}`))],
    [
      'that closes, with messages on their way',
      (one) => {
        for (let i = 0; i < 5; i++) write(one);
        one.client.send(packed('x'));
        one.handler.close();
      },
    ],
    [
      'that failed',
      (one) => {
        write(one);
        one.client.send(packed('x'), frame({ opcode: 3 }));
      },
    ],
  ];
  const ends: [end: string, finish: How][] = [
    ['is reset by the client', ({ client }) => client.socket.resetAndDestroy()],
    ['is terminated', ({ handler }) => handler.terminate()],
    ['is left by the client without a word', ({ client }) => client.socket.end()],
    [
      'is closed by the client',
      ({ client }) => {
        client.send(close(1000));
        client.socket.end();
      },
    ],
  ];
  const hooks = { onRead: (data: string | Buffer) => (data.includes('work') ? waitForWork() : undefined) };

  describe.each(states)('of a connection %s', (_state, prepare, areTurnsTaken = false) => {
    it.each(ends)('are given back when it %s', async (_end, finish) => {
      for (const compress of [{}, TAKEOVER]) {
        const { openOne } = await serveCompressed(hooks, { compress, readDelimiter: null, closeTimeout: 50 });
        for (let i = 0; i < 3; i++) {
          work = deferred();
          const one = await openOne();
          const release = areTurnsTaken ? hogTurns() : () => {};
          await prepare(one);
          await turns(i * 2);
          await finish(one);
          await turns(i);
          release();
          work.resolve();
          while (!one.socket.destroyed) await turns();
        }
      }
      await expectNothingLeft();
    });
  });
});

describe('when the peer goes away while its messages are being inflated', () => {
  it('messages before a FIN are delivered, and onClose is called after them', async () => {
    const happened: string[] = [];
    const hooks = {
      async onRead(data: string | Buffer) {
        await turns(2);
        happened.push(`read ${data}`);
      },
      onClose: () => void happened.push('close'),
    };
    for (const compress of [{}, TAKEOVER]) {
      happened.length = 0;
      const opened = await openCompressed(hooks, { compress });
      const release = hogTurns();
      opened.client.send(packed('one'), packed('two'), text('three'), packed('four', 1));
      opened.client.socket.end();
      while (!opened.socket.readableEnded && zlibJobs().waiting === 0) await turns();
      await turns(10);
      expect(happened).toEqual([]);
      release();
      expect(await opened.closes.next()).toEqual([1006, '', false]);
      expect(happened).toEqual(['read one', 'read two', 'read three', 'read four', 'close']);
      await expectNothingLeft();
    }
  });

  it('a reset drops what waits to be inflated', async () => {
    const reads: unknown[] = [];
    const opened = await openCompressed({ onRead: (data) => void reads.push(data) });
    const release = hogTurns();
    await sendAndSettle(opened, packed('one'));
    opened.client.socket.resetAndDestroy();
    // The socket is paused: a reset is noticed when something is written.
    while (!opened.socket.destroyed) {
      if (opened.handler.readyState === 1) opened.handler.ping();
      await turns();
    }
    expect(await opened.closes.next()).toEqual([1006, '', false]);
    release();
    await expectNothingLeft();
    expect(reads).toEqual([]);
  });

  const good = deflateRawSync(Buffer.alloc(20_000, 'a'), { finishFlush: constants.Z_SYNC_FLUSH });
  const bad = Buffer.concat([Buffer.alloc(20_000, 'a'), Buffer.of(0xff), Buffer.alloc(100_000, 'b')]);
  it.each([
    ['text that is no UTF-8', 1, deflated(bad), 2],
    // Of the piece in which it finds that, zlib gives nothing.
    ['data that cannot be inflated', 2, Buffer.concat([good, Buffer.of(0xff)]), 1],
  ])(
    'messages before a FIN and a reset are delivered up to a mistake, %s, and no further',
    async (_what, opcode, payload, pieces) => {
      const reads: string[] = [];
      const first = deferred();
      const hooks = {
        onRead(data: string | Buffer) {
          reads.push(data.toString().slice(0, 1));
          return reads.length === 1 ? first.promise : undefined;
        },
      };
      const { client, handler, socket, closes } = await openCompressed(hooks, { readDelimiter: null });
      client.send(compressedFrames(opcode, payload));
      client.socket.end();
      while (reads.length === 0 || !socket.readableEnded) await turns();
      client.socket.resetAndDestroy();
      while (!socket.destroyed) {
        if (handler.readyState === 1) handler.write('x', { flush: true });
        await turns();
      }
      first.resolve();
      expect(await closes.next()).toEqual([1006, '', false]);
      expect(reads).toEqual(new Array<string>(pieces).fill('a'));
      await expectNothingLeft();
    },
  );
});

describe('close() in the midst of what is inflated', () => {
  it('close() in onRead delivers nothing more, and the close frame of the peer is still found', async () => {
    const reads: unknown[] = [];
    const hooks = {
      onRead(this: WebSocketHandler, data: string | Buffer) {
        reads.push(data.length);
        if (reads.length === 3) this.close(4000, 'enough');
      },
    };
    const { client, closes } = await openCompressed(hooks, { readDelimiter: null });
    client.send(packed(Buffer.alloc(MIB)), packed('never'), ping('never'), close(4001));
    await expect(client).toCloseWith(4000, 'enough');
    await client.ended;
    client.socket.end();
    expect(await closes.next()).toEqual([4001, '', true]);
    expect(reads).toHaveLength(3);
    await expectNothingLeft();
    expect(watch.pieces).toBeLessThanOrEqual(4);
  });

  it('close() does not wait for a message that waits for its turn to be inflated', async () => {
    const opened = await openCompressed({ onRead: () => expect(true).toBe(false) });
    const { client, handler, closes } = opened;
    const release = hogTurns();
    await sendAndSettle(opened, packed('never'), packed('neither'));
    handler.close(4000);
    await expect(client).toCloseWith(4000);
    client.send(packed('nor this'), close(4000));
    client.socket.end();
    expect(await closes.next()).toEqual([4000, '', true]);
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 0 });
    release();
    await expectNothingLeft();
  });
});

describe('while messages of ours are being compressed', () => {
  it('a mistake of the peer lets them leave, and then the close frame and FIN', async () => {
    const { client, handler, peer, closes } = await openCompressed();
    const release = hogTurns();
    for (let i = 0; i < 4; i++) handler.write(`${i}`.repeat(5000));
    client.send(frame({ opcode: 3 }));
    while (handler.readyState === 1) await turns();
    await turns(5);
    expect(client.socket.bytesRead).toBeLessThan(500);
    release();
    for (let i = 0; i < 4; i++) expect((await peer.next()).payload.toString()).toBe(`${i}`.repeat(5000));
    expect(peer.compressed).toBe(4);
    await expect(client).toCloseWith(1002);
    expect(await client.rest()).toHaveLength(0);
    client.socket.end();
    expect(await closes.next()).toMatchObject([1002, 'reserved opcode 3', false]);
  });

  it('the goodbye of the peer is answered behind them', async () => {
    const { client, handler, peer, closes } = await openCompressed({}, { compress: TAKEOVER });
    const release = hogTurns();
    for (let i = 0; i < 4; i++) handler.write(JSON_TEXT);
    client.send(close(4444));
    while (handler.readyState === 1) await turns();
    release();
    for (let i = 0; i < 4; i++) expect((await peer.next()).payload.toString()).toBe(JSON_TEXT);
    await expect(client).toCloseWith(4444);
    expect(await client.rest()).toHaveLength(0);
    client.socket.end();
    expect(await closes.next()).toEqual([4444, '', true]);
  });

  it('a FIN of the peer lets them leave', async () => {
    const { client, handler, peer, closes } = await openCompressed();
    const release = hogTurns();
    for (let i = 0; i < 4; i++) handler.write(JSON_TEXT);
    client.socket.end();
    while (handler.readyState === 1) await turns();
    release();
    for (let i = 0; i < 4; i++) expect((await peer.next()).payload.toString()).toBe(JSON_TEXT);
    expect(await closes.next()).toEqual([1006, '', false]);
  });

  it('terminate() drops them', async () => {
    const { client, handler, closes } = await openCompressed();
    const release = hogTurns();
    handler.write(JSON_TEXT, { flush: true });
    expect(zlibJobs().waiting).toBe(1);
    handler.terminate();
    expect(await closes.next()).toEqual([1006, '', false]);
    expect(zlibJobs().waiting).toBe(0);
    expect(await client.rest()).toHaveLength(0);
    release();
    await expectNothingLeft();
  });

  it('drain() lets them leave, and says goodbye behind them', async () => {
    const { server, openOne } = await serveCompressed();
    const all = [await openOne(), await openOne(), await openOne()];
    const release = hogTurns();
    for (const { handler } of all) for (let i = 0; i < 3; i++) handler.write(`${i}`.repeat(5000));
    const drained = drain(server.server, { jitter: 0 });
    for (const { handler } of all) while (handler.readyState === 1) await turns();
    release();
    for (const { client, peer } of all) {
      for (let i = 0; i < 3; i++) expect((await peer.next()).payload.toString()).toBe(`${i}`.repeat(5000));
      await expect(client).toCloseWith(1001);
      client.send(close(1001));
      client.socket.end();
    }
    expect(await drained).toEqual({ closed: 3, terminated: 0 });
    await expectNothingLeft();
  });

  it('drain() waits for a handler that is at work on an inflated message, and its answer leaves', async () => {
    const work = deferred();
    const hooks = {
      async onRead(this: WebSocketHandler) {
        await work.promise;
        this.write(JSON_TEXT);
      },
    };
    const { server, openOne } = await serveCompressed(hooks);
    const clock = new TestClock();
    server.server.on('connection', (socket) => setClock(socket, clock));
    const one = await openOne();
    await sendAndSettle(one, packed('question'), packed('never'));
    await zlibIdle();
    const drained = drain(server.server, { jitter: 0 });
    await clock.advance(1);
    work.resolve();
    expect((await one.peer.next()).payload.toString()).toBe(JSON_TEXT);
    await expect(one.client).toCloseWith(1001);
    await one.client.close(1001);
    expect(await drained).toEqual({ closed: 1, terminated: 0 });
  });
});

describe('time', () => {
  interface Timed extends Compressed {
    clock: TestClock;
  }
  async function openTimed(hooks: Hooks & ThisType<WebSocketHandler>, options: ConnectionOptions = {}): Promise<Timed> {
    const clock = new TestClock();
    const { server, openOne } = await serveCompressed(hooks, options);
    server.server.on('connection', (socket) => setClock(socket, clock));
    return { ...(await openOne()), clock };
  }

  it('passes with a heartbeat that is not compressed', async () => {
    const opened = await openTimed({}, { compress: { ...TAKEOVER, threshold: 0 } });
    for (let i = 0; i < 3; i++) {
      await opened.clock.advance(25_000);
      expect(await opened.peer.next()).toMatchObject({ opcode: 9, rsv: 0 });
      await sendAndSettle(opened, packed('still here'));
    }
  });

  it('is not held against a peer whose message waits for its turn', async () => {
    const reads = new AsyncQueue<unknown>();
    const opened = await openTimed({ onRead: (data) => reads.push(data) });
    const release = hogTurns();
    await sendAndSettle(opened, packed('patience'));
    for (let i = 0; i < 20; i++) await opened.clock.advance(10_000);
    expect(opened.handler.readyState).toBe(1);
    release();
    expect(await reads.next()).toBe('patience');
  });

  it('is not held against a peer to which a message is sent that waits for its turn', async () => {
    const { clock, handler, peer } = await openTimed({}, { idleTimeout: 60_000 });
    const release = hogTurns();
    handler.write(JSON_TEXT);
    for (let i = 0; i < 20; i++) await clock.advance(10_000);
    expect(handler.readyState).toBe(1);
    release();
    expect((await peer.next()).payload.toString()).toBe(JSON_TEXT);
  });

  it('does not make a connection idle whose message waits for its turn', async () => {
    const reads = new AsyncQueue<unknown>();
    const opened = await openTimed({ onRead: (data) => reads.push(data) }, { idleTimeout: 10_000, pingInterval: 0 });
    const release = hogTurns();
    await sendAndSettle(opened, packed('patience'));
    for (let i = 0; i < 10; i++) await opened.clock.advance(5000);
    expect(opened.handler.readyState).toBe(1);
    release();
    expect(await reads.next()).toBe('patience');
  });

  it('does not end a connection before the messages that are being compressed, and the close frame, have left', async () => {
    const { client, clock, handler, peer, closes } = await openTimed({}, { closeTimeout: 5000 });
    const release = hogTurns();
    for (let i = 0; i < 3; i++) handler.write(JSON_TEXT);
    handler.close();
    for (let i = 0; i < 10; i++) await clock.advance(2000);
    release();
    for (let i = 0; i < 3; i++) expect((await peer.next()).payload.toString()).toBe(JSON_TEXT);
    await expect(client).toCloseWith(1000);
    // From then on the peer has to do something.
    for (let i = 0; i < 10; i++) await clock.advance(2000);
    expect(await closes.next()).toEqual([1006, '', false]);
  });

  it('limits the rate of messages, compressed or not', async () => {
    const reads: unknown[] = [];
    const opened = await openTimed({ onRead: (data) => void reads.push(data) }, { rate: { messages: 2 } });
    await sendAndSettle(opened, packed('1'), packed('2', 1), packed('3'), text('4'), packed('5'));
    await zlibIdle();
    await turns(20);
    const counts = [reads.length];
    for (let i = 0; i < 3; i++) {
      await opened.clock.advance(500);
      await zlibIdle();
      await turns(20);
      counts.push(reads.length);
    }
    await opened.clock.advance(5000);
    await roundTrip(opened.client, ping());
    expect(counts[0]).toBeLessThanOrEqual(3);
    expect(counts.every((count, i) => i === 0 || count - counts[i - 1]! <= 1)).toBe(true);
    expect(reads).toEqual(['1', '2', '3', '4', '5']);
  });

  it('makes a connection idle only when no message has come or gone', async () => {
    const { clock, client, closes, socket } = await openTimed({}, { idleTimeout: 10_000, pingInterval: 0 });
    for (let i = 0; i < 5; i++) {
      const before = socket.bytesRead;
      client.send(packed('x'));
      while (socket.bytesRead === before) await turns();
      await zlibIdle();
      await turns(3);
      await clock.advance(6000);
    }
    await clock.advance(10_000);
    await expect(client).toCloseWith(1001);
    client.socket.destroy();
    await closes.next();
  });
});

describe('the budget of the process', () => {
  it('counts the state of zlib for as long as a connection holds it', async () => {
    const limits = new Limits();
    const hooks = {
      onRead(this: WebSocketHandler, data: string | Buffer) {
        this.write(data);
      },
    };
    const { openOne } = await serveCompressed(hooks, { compress: TAKEOVER, limits });
    const all = [await openOne(), await openOne()];
    expect(limits.bufferedBytes).toBe(0);
    let count = 0;
    for (const { client, peer } of all) {
      client.send(compressedFrames(1, peer.deflater.message(Buffer.from(JSON_TEXT))));
      expect((await peer.next()).payload.toString()).toBe(JSON_TEXT);
      await zlibIdle();
      expect(limits.bufferedBytes).toBe(++count * (272 + 55) * KIB);
    }
    for (const { client, closes } of all) {
      await client.close();
      await closes.next();
      expect(limits.bufferedBytes).toBe(--count * (272 + 55) * KIB);
    }
  });

  it('counts what is borrowed while it is, and nothing of a connection that is idle', async () => {
    const limits = new Limits();
    const hooks = {
      onRead(this: WebSocketHandler, data: string | Buffer) {
        this.write(data);
      },
    };
    const opened = await openCompressed(hooks, { limits });
    const { client, handler, peer } = opened;
    for (let i = 0; i < 3; i++) {
      client.send(packed(JSON_TEXT));
      expect((await peer.next()).payload.toString()).toBe(JSON_TEXT);
      await handler.drained();
      expect(limits.bufferedBytes).toBe(0);
    }
    const release = hogTurns();
    handler.write('x'.repeat(5000));
    await sendAndSettle(opened, packed('y'.repeat(5000)));
    expect(limits.bufferedBytes).toBeGreaterThan(5000);
    release();
    await peer.next();
    await peer.next();
    await handler.drained();
    expect(limits.bufferedBytes).toBe(0);
  });

  it('ends a connection whose handler does not take what is inflated, if that pins most', async () => {
    const limits = new Limits({ maxBufferedBytes: 400 * KIB });
    const { openOne } = await serveCompressed({ onRead: () => NEVER }, { readDelimiter: null, limits });
    const all: Compressed[] = [];
    for (let i = 0; i < 10; i++) all.push(await openOne());
    for (const one of all) await sendAndSettle(one, packed(Buffer.alloc(MIB)));
    await zlibIdle();
    await turns(5);
    expect(limits.evicted).toBeGreaterThan(0);
    expect(limits.bufferedBytes).toBeLessThanOrEqual(400 * KIB);
    for (const { handler, socket } of all) {
      handler.terminate();
      while (!socket.destroyed) await turns();
    }
    expect(limits.bufferedBytes).toBe(0);
    await expectNothingLeft();
  });
});

describe('memory', () => {
  it.each([{}, TAKEOVER])('is returned after many messages and connections: %j', async (compress) => {
    const hooks = {
      onRead(this: WebSocketHandler, data: string | Buffer) {
        this.write(data);
      },
    };
    const { openOne } = await serveCompressed(hooks, { compress });
    const message = randomBytes(3000).toString('hex');
    const round = async (): Promise<number> => {
      for (let connection = 0; connection < 20; connection++) {
        const { client, closes, peer } = await openOne();
        for (let i = 0; i < 5; i++) {
          client.send(compressedFrames(1, peer.deflater.message(Buffer.from(message))));
          expect((await peer.next()).payload.toString() === message).toBe(true);
        }
        await client.close();
        await closes.next();
      }
      await expectNothingLeft();
      return pinned();
    };
    await round();
    const before = await round();
    await round();
    // Forty connections' streams would be some megabytes.
    expect((await round()) - before).toBeLessThan(MIB);
  });
});

describe('a continuation', () => {
  it('a continuation of a compressed message may come much later', async () => {
    const reads = new AsyncQueue<unknown>();
    const { client } = await openCompressed({ onRead: (data) => reads.push(data) });
    const payload = deflated('first half, second half');
    client.send(frame({ opcode: 1, rsv: 4, fin: false, payload: payload.subarray(0, 10) }));
    await roundTrip(client, ping());
    await roundTrip(client, ping());
    client.send(more(payload.subarray(10), true), packed('next'));
    expect(await reads.take(2)).toEqual(['first half, second half', 'next']);
  });
});
