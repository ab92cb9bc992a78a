/** What many peers wait for in the same memory: the budget of the process counts it once. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Limits, prepare, ReadyState } from '../../../lib/index.js';
import { OFFER } from '../compressed.js';
import { turns } from '../open.js';
import { LARGE, type Slow, serveSlow } from '../slow.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const MEBIBYTE = 1024 * 1024;
const CLIENTS = 50;

/** More than the kernel takes, also once it is compressed. */
const noise = (seed: number): Buffer => {
  const bytes = Buffer.alloc(MEBIBYTE);
  let state = seed;
  for (let at = 0; at < bytes.length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE((state ^ (state >>> 13)) >>> 0, at);
  }
  return bytes;
};

async function openMany(limits: Limits, { compress = false, tls = false } = {}): Promise<Slow[]> {
  const { open } = await serveSlow({}, { compress, limits }, { tls });
  const all: Slow[] = [];
  while (all.length < CLIENTS) all.push(await open(compress ? { 'Sec-WebSocket-Extensions': OFFER } : {}));
  for (const { client } of all) client.socket.pause();
  return all;
}

const alive = (all: Slow[]): number => all.filter(({ handler }) => handler.readyState === ReadyState.OPEN).length;

/** When nobody has to be ended any more. */
async function relieved(limits: Limits): Promise<void> {
  do await turns(2);
  while (limits.bufferedBytes > limits.maxBufferedBytes);
}

describe.each([
  ['over TCP', {}],
  ['over TLS', { tls: true }],
])('%s', (_way, how) => {
  it.each([
    ['a prepared message', () => prepare(LARGE)],
    ['one buffer', () => LARGE],
    ['an ArrayBuffer', () => LARGE.buffer as ArrayBuffer],
  ])('%s that fifty peers wait for counts once, until the last of them has it', async (_what, make) => {
    const limits = new Limits({ maxBufferedBytes: 10 * MEBIBYTE });
    const all = await openMany(limits, how);
    const message = make();
    for (const { handler } of all) handler.write(message);
    await turns(4);
    expect(alive(all)).toBe(CLIENTS);
    expect(limits.bufferedBytes).toBeGreaterThanOrEqual(MEBIBYTE);
    expect(limits.bufferedBytes).toBeLessThan(2 * MEBIBYTE);
    // Again, behind what waits.
    for (const { handler } of all) handler.write(message);
    await turns(4);
    expect([alive(all), limits.evicted]).toEqual([CLIENTS, 0]);
    expect(limits.bufferedBytes).toBeLessThan(2 * MEBIBYTE);
    for (const { client } of all.slice(1)) client.socket.destroy();
    for (const { closes } of all.slice(1)) await closes.next();
    expect(limits.bufferedBytes).toBeGreaterThanOrEqual(MEBIBYTE);
    all[0]!.client.socket.resume();
    await all[0]!.handler.drained();
    await turns(2);
    expect(limits.bufferedBytes).toBe(0);
  });
});

it('a prepared message that waits to be compressed counts once, too', async () => {
  const limits = new Limits({ maxBufferedBytes: 30 * MEBIBYTE });
  const all = await openMany(limits, { compress: true });
  const message = prepare(noise(1));
  for (let i = 0; i < 5; i++) for (const { handler } of all) handler.write(message);
  await turns(4);
  expect([alive(all), limits.evicted]).toEqual([CLIENTS, 0]);
  for (const { client } of all) client.socket.destroy();
  for (const { closes } of all) await closes.next();
  expect(limits.bufferedBytes).toBe(0);
});

it('copies that each peer waits for by itself count for each', async () => {
  const limits = new Limits({ maxBufferedBytes: 10 * MEBIBYTE });
  const all = await openMany(limits);
  for (const { handler } of all) handler.write(Buffer.from(LARGE));
  await relieved(limits);
  expect(limits.evicted).toBeGreaterThanOrEqual(CLIENTS - 10);
  expect(alive(all)).toBeGreaterThanOrEqual(8);
});

it('parts of one buffer count by themselves', async () => {
  const limits = new Limits({ maxBufferedBytes: 10 * MEBIBYTE });
  const [one] = await openMany(limits);
  const whole = Buffer.alloc(4 * MEBIBYTE);
  one!.handler.write(whole.subarray(0, 3 * MEBIBYTE));
  one!.handler.write(whole.subarray(MEBIBYTE));
  await turns(2);
  expect(limits.bufferedBytes).toBeGreaterThanOrEqual(6 * MEBIBYTE);
  expect(limits.bufferedBytes).toBeLessThan(7 * MEBIBYTE);
});

it('a peer that waits alone for a message is ended before those that wait for one together', async () => {
  const limits = new Limits({ maxBufferedBytes: 3 * MEBIBYTE });
  const all = await openMany(limits);
  const [last, ...others] = all;
  const [shared, own] = [prepare(Buffer.alloc(2 * MEBIBYTE)), prepare(Buffer.alloc(2 * MEBIBYTE))];
  for (const { handler } of others) handler.write(shared);
  last!.handler.write(own);
  await relieved(limits);
  expect([limits.evicted, alive(others), last!.handler.readyState === ReadyState.OPEN]).toEqual([
    1,
    CLIENTS - 1,
    false,
  ]);
});

it('all are ended where what they wait for together exceeds the budget', async () => {
  const limits = new Limits({ maxBufferedBytes: MEBIBYTE });
  const all = await openMany(limits);
  const message = prepare(Buffer.alloc(2 * MEBIBYTE));
  for (const { handler } of all) handler.write(message);
  await relieved(limits);
  expect([alive(all), limits.bufferedBytes]).toEqual([0, 0]);
});

it('nothing is kept of what has been sent, although something always waits', async () => {
  const { open } = await serveSlow();
  const { client, handler } = await open();
  client.socket.resume();
  const sent: WeakRef<ArrayBufferLike>[] = [];
  let isAtAnEnd = false;
  const ended = (async () => {
    for (let i = 0; i < 40; i++) {
      const message = Buffer.alloc(MEBIBYTE / 2, i);
      sent.push(new WeakRef(message.buffer));
      handler.write(message, { flush: true });
      while (handler.bufferedAmount > 3 * MEBIBYTE) await turns();
      expect(handler.bufferedAmount).toBeGreaterThan(i < 8 ? 0 : 2 * MEBIBYTE);
    }
    isAtAnEnd = true;
  })();
  while (!isAtAnEnd) await Promise.race([ended, turns()]);
  expect(sent.length).toBe(40);
  collectGarbage();
  await turns();
  collectGarbage();
  expect(sent.filter((one) => one.deref() !== undefined).length).toBeLessThan(12);
});
