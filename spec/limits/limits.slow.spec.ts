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
afterEach(() => server.stop());

interface Attack {
  path: string;
  act(client: RawClient, index: number): void;
  headers?: Record<string, string>;
  /** How many are to be ended for it, at the least. */
  evicted: number;
  /** Whether a hook is at work until they part: `onClose` waits for it. */
  isBusy?: boolean;
  watches?: boolean;
}

/** Others speak while strangers attack. */
async function attack({ path, act, headers = {}, evicted: least, isBusy = false, watches = false }: Attack): Promise<{
  strangers: RawClient[];
  before: Figures;
  after: Figures;
}> {
  server = await Server.start(BUDGET, watches);
  const others = await Promise.all(Array.from({ length: 10 }, () => server.open('/echo')));
  const strangers = await Promise.all(Array.from({ length: ATTACKERS }, () => server.open(path, headers)));
  const before = await server.figures();
  const speaking = others.map(speak);
  strangers.forEach(act);
  await Promise.all(speaking);
  // Before anybody asks what is counted.
  await server.settled(({ closes, evicted }) => evicted >= least && (isBusy || closes[1013] === evicted));
  await Promise.all(others.map(speak));
  const after = await server.figures();
  expect(after.bufferedBytes).toBeLessThanOrEqual(BUDGET);
  expect(after.memory - before.memory).toBeLessThan(BUDGET + BESIDE);
  return { strangers, before, after };
}

/** When all have gone nothing is held any more. */
async function expectNothing(before: Figures): Promise<void> {
  await server.part();
  await server.until(({ bufferedBytes }) => bufferedBytes === 0, '/figures');
  expect((await server.figures()).memory - before.memory).toBeLessThan(BESIDE);
}

describe(`${ATTACKERS} connections`, () => {
  // The budget has room for all but the first twenty.
  const sizeOf = (index: number): number => (index < 20 ? 500_000 : index < 50 ? 30_000 : 3000);
  const halves = {
    path: '/large/EntireMessage/free',
    act: (client: RawClient, index: number): void =>
      client.send(frame({ opcode: 2, payload: Buffer.alloc(sizeOf(index)), fin: false })),
    evicted: 1,
  };

  it('the connections that hold the largest half messages are closed with 1013, and the others go on', async () => {
    const { strangers, before, after } = await attack(halves);
    // Nobody is ended for nothing: none of those that are left would have fitted once more.
    expect(after.bufferedBytes).toBeGreaterThan(BUDGET - MEBIBYTE);
    const survivors = strangers.filter(({ socket }) => !socket.readableEnded);
    expect(survivors.length).toBe(ATTACKERS - after.evicted);
    expect(survivors.slice(-180)).toEqual(strangers.slice(20));
    for (const client of strangers) {
      if (client.socket.readableEnded) await expect(client).toCloseWith(1013);
      else await settle(client, more('', true));
    }
    expect((await server.figures()).units).toBe(survivors.length);
    await expectNothing(before);
  });

  it('exceed the budget by no more than a chunk each, and only until the turn is over', async () => {
    const { after } = await attack({ ...halves, watches: true });
    expect(after.mostBuffered).toBeGreaterThan(BUDGET / 2);
    expect(after.mostBuffered).toBeLessThan(MOST);
  });

  it('connections that do not read what they asked for are ended, and their onClose is told 1013', async () => {
    const act = (client: RawClient): void => {
      client.socket.pause();
      client.send(frame({ opcode: 1, payload: 'page' }));
    };
    const { before } = await attack({ path: '/write/large', act, evicted: ATTACKERS / 2 });
    await expectNothing(before);
  });

  it('connections that send bombs are ended before these have gone off', async () => {
    const bomb = frame({ opcode: 2, rsv: 4, payload: deflated(Buffer.alloc(900_000)), fin: false });
    const act = (client: RawClient): void => client.send(bomb);
    const path = '/large/EntireMessage/free';
    const { before } = await attack({ path, act, headers: OFFER, evicted: ATTACKERS / 2 });
    await expectNothing(before);
  });

  it('connections that send more to busy handlers are ended, and their onClose is told 1013 when it is its turn', async () => {
    const bytes = frame({ opcode: 2, payload: Buffer.alloc(MEBIBYTE) });
    const act = (client: RawClient): void => client.send(bytes);
    // 64 KiB each, or twice that.
    const { before } = await attack({ path: '/busy/null/pending', act, evicted: ATTACKERS / 2, isBusy: true });
    await expectNothing(before);
    const { closes, evicted } = await server.figures();
    expect(closes[1013]).toBe(evicted);
  });

  it('connections that keep an inflater each are counted for it', async () => {
    const bytes = frame({ opcode: 1, rsv: 4, payload: deflated('x') });
    const act = (client: RawClient): void => client.send(bytes);
    // Some 56 KiB each.
    const { before } = await attack({ path: '/keep/string/free', act, headers: OFFER, evicted: ATTACKERS / 2 });
    await expectNothing(before);
  });
});
