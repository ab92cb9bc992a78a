/** The budget of a process: strangers who fill its memory are ended, those that pin most first, and others lose nothing. */
import { frame, more } from '../support/frames.js';
import type { RawClient } from '../support/raw-client.js';
import { CHUNK, deflated, type Figures, MEBIBYTE, OFFER, Server, settle } from './pinning.js';

const BUDGET = 4 * MEBIBYTE;
const ATTACKERS = 200;
/** The budget is looked at when a turn is over, and in one turn each connection can bring a chunk. */
const MOST = BUDGET + ATTACKERS * CHUNK;
/** What is in use beside what is counted: objects, slabs (at most 64 of 64 KiB), idle zlib streams (at most 8 of a kind). */
const BESIDE = 4 * MEBIBYTE;

/** Says so much, and expects each of it back. */
async function speak(client: RawClient): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const message = String(i).padEnd(200);
    client.send(frame({ opcode: 1, payload: message }));
    if ((await client.nextText()) !== message) throw new Error(`${message} was to come`);
  }
}

let server: Server;
beforeEach(async () => {
  server = await Server.start(BUDGET);
});
afterEach(() => server.stop());

/** Others speak while strangers attack. */
async function attack(
  path: string,
  act: (client: RawClient, index: number) => void,
  headers: Record<string, string> = {},
): Promise<{ strangers: RawClient[]; before: Figures; after: Figures }> {
  const others = await Promise.all(Array.from({ length: 10 }, () => server.open('/echo')));
  const strangers = await Promise.all(Array.from({ length: ATTACKERS }, () => server.open(path, headers)));
  const before = await server.figures();
  const speaking = others.map(speak);
  strangers.forEach(act);
  await Promise.all(speaking);
  await server.settled();
  await Promise.all(others.map(speak));
  const after = await server.figures();
  expect(after.evicted).toBeGreaterThan(0);
  expect(after.mostBuffered).toBeGreaterThan(BUDGET);
  expect(after.mostBuffered).toBeLessThan(MOST);
  expect(after.bufferedBytes).toBeLessThanOrEqual(BUDGET);
  expect(after.memory - before.memory).toBeLessThan(BUDGET + BESIDE);
  return { strangers, before, after };
}

/** When all have gone nothing is held any more. */
async function expectNothing(before: Figures): Promise<void> {
  await server.part();
  await server.until(({ bufferedBytes }) => bufferedBytes === 0);
  expect((await server.figures()).memory - before.memory).toBeLessThan(BESIDE);
}

describe(`${ATTACKERS} connections`, () => {
  it('that hold half a message: those that hold most are closed with 1013, and the others go on', async () => {
    // The budget has room for all but the first twenty.
    const sizeOf = (index: number): number => (index < 20 ? 500_000 : index < 50 ? 30_000 : 3000);
    const { strangers, before, after } = await attack('/large/EntireMessage/free', (client, index) =>
      client.send(frame({ opcode: 2, payload: Buffer.alloc(sizeOf(index)), fin: false })),
    );
    expect(after.evicted).toBe(after.closes[1013]);
    // Nobody is ended for nothing: none of those that are left would have fitted once more.
    expect(after.bufferedBytes).toBeGreaterThan(BUDGET - MEBIBYTE);
    const survivors = strangers.filter(({ socket }) => !socket.readableEnded);
    expect(survivors.length).toBe(ATTACKERS - after.evicted);
    expect(survivors.slice(-180)).toEqual(strangers.slice(20));
    for (const client of strangers) {
      if (client.socket.readableEnded) expect((await client.nextClose()).code).toBe(1013);
      else await settle(client, more('', true));
    }
    expect((await server.figures()).units).toBe(survivors.length);
    await expectNothing(before);
  });

  it('that do not read what they asked for are ended, and their onClose is told 1013', async () => {
    const { before, after } = await attack('/write/large', (client) => {
      client.socket.pause();
      client.send(frame({ opcode: 1, payload: 'page' }));
    });
    await server.until(({ closes, evicted }) => closes[1013] === evicted);
    expect(after.evicted).toBeGreaterThan(ATTACKERS / 2);
    await expectNothing(before);
  });

  it('that send bombs are ended before they have gone off', async () => {
    const bomb = deflated(Buffer.alloc(900_000));
    const { before, after } = await attack(
      '/large/EntireMessage/free',
      (client) => client.send(frame({ opcode: 2, rsv: 4, payload: bomb, fin: false })),
      OFFER,
    );
    await server.until(({ closes, evicted }) => closes[1013] === evicted);
    expect(after.evicted).toBeGreaterThan(ATTACKERS / 2);
    await expectNothing(before);
  });

  it('that send more to a handler that is busy are closed with 1013', async () => {
    const bytes = frame({ opcode: 2, payload: Buffer.alloc(MEBIBYTE) });
    const { before } = await attack('/read/null/pending', (client) => client.send(bytes));
    await expectNothing(before);
  });

  it('that keep an inflater each are counted for it', async () => {
    const bytes = frame({ opcode: 1, rsv: 4, payload: deflated('x') });
    const { before, after } = await attack('/keep/string/free', (client) => client.send(bytes), OFFER);
    // Some 56 KiB each.
    expect(ATTACKERS - after.evicted).toBeLessThan(BUDGET / (32 * 1024));
    await expectNothing(before);
  });
});
