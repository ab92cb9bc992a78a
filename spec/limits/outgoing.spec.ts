/** What waits for peers that do not read: in however small pieces it was written, it is bounded by `maxBufferedAmount`; pongs by less. */
import { frame } from '../support/frames.js';
import type { RawClient } from '../support/raw-client.js';
import { CHUNK, type Measuring, OFFER, Server, SLAB, STATE } from './pinning.js';

/** The `maxBufferedAmount` of `/write`. */
const MOST = 16 * 1024;
/** What waits stands in pieces of up to 64 KiB, and the last of them grows by doubling; one message may exceed the bound. */
const WAITING = 2;
/** So many messages may wait to be compressed, each by itself, and so much is an object for each. */
const JOBS = 1024;
const JOB = 256;
/** From so much on pongs are held back. */
const PONGS = 16 * 1024;
/** Two of them: one is read into while the other is being sent. */
const FILE_BUFFER = 128 * 1024;

let server: Server;
beforeAll(async () => {
  server = await Server.start();
});
afterEach(() => server.part());
afterAll(() => server.stop());

describe('a peer that never reads', () => {
  it.each(['letter', 'letter, flushed', 'sentence', 'page', 'bytes'])(
    `and is written a %s each turn pins at most ${WAITING} times maxBufferedAmount, and a slab`,
    async (what) => {
      const { each } = await server.unread('/write', what);
      expect(each).toBeGreaterThan(MOST / 2);
      expect(each).toBeLessThan(WAITING * MOST + SLAB + STATE);
    },
  );

  it.each(['letter', 'sentence', 'page'])(
    `and is written a %s each turn, to be compressed, pins ${JOBS} objects of ${JOB} bytes more`,
    async (what) => {
      const { each } = await server.unread('/write', what, OFFER);
      expect(each).toBeGreaterThan(MOST / 2);
      expect(each).toBeLessThan(WAITING * MOST + JOBS * JOB + SLAB + STATE);
    },
  );

  it(`and is pinged each turn pins at most ${WAITING} times maxBufferedAmount, and a slab`, async () => {
    const { each } = await server.unread('/write', 'ping');
    expect(each).toBeLessThan(WAITING * MOST + SLAB + STATE);
  });

  it('and is sent a file pins its two buffers', async () => {
    const { each } = await server.unread('/write', 'file');
    expect(each).toBeGreaterThan(FILE_BUFFER);
    expect(each).toBeLessThan(2 * FILE_BUFFER + 8 * STATE);
  });

  it('is closed with 1013, and pins no more until it has gone', async () => {
    const { each } = await server.unread('/write/close', 'sentence');
    expect(each).toBeLessThan(WAITING * MOST + SLAB + STATE);
    await server.part();
    expect((await server.figures()).closes[1013]).toBe(6);
  });
});

describe('a peer that pings, and never reads', () => {
  // All of the same length, so that what comes at the end can be foretold.
  const pingsOf = (length: number, count: number): Buffer[] =>
    Array.from({ length: count }, (_, i) =>
      frame({ opcode: 9, payload: String(i).padEnd(length).slice(0, length), mask: Buffer.alloc(4) }),
    );

  it.each([
    [125, 10_000],
    [8, 60_000],
    [0, 150_000],
  ])(`with %d bytes, %d times, pins at most 2 times ${PONGS} bytes, and a slab`, async (length, count) => {
    const pings = Buffer.concat(pingsOf(length, count));
    const act = (client: RawClient): void => {
      client.socket.pause();
      client.send(pings);
    };
    // All of them are read.
    let due = (await server.figures('/state')).bytesRead;
    const isSettled: Measuring['isSettled'] = ({ bytesRead }) => bytesRead > due;
    const counting = (client: RawClient): void => {
      due += pings.length;
      act(client);
    };
    const { each } = await server.pinned('/read/null/free', counting, { count: 2, isSettled });
    expect(each).toBeLessThan(2 * PONGS + SLAB + STATE);
  });

  it('is answered its latest ping when it reads again, and not all of them', async () => {
    const client = await server.open('/read/null/free');
    const pings = pingsOf(125, 10_000);
    client.socket.pause();
    const { bytesRead } = await server.figures('/state');
    const bytes = Buffer.concat(pings);
    client.send(bytes);
    await server.settled((now) => now.bytesRead > bytesRead + bytes.length);
    client.socket.resume();
    let answers = 0;
    for (let last = -1; last < pings.length - 1; answers++) {
      const { payload } = await client.next();
      expect(Number(payload)).toBeGreaterThan(last);
      last = Number(payload);
    }
    expect(answers).toBeLessThan(pings.length / 2);
  });
});

describe('a peer that sends requests and never reads the answers', () => {
  it(`is not asked for more: it pins at most ${WAITING} times maxBufferedAmount, a slab and two chunks`, async () => {
    const request = frame({ opcode: 1, payload: 'x'.repeat(100) });
    const requests = Buffer.concat(Array.from({ length: 20_000 }, () => request));
    const act = (client: RawClient): void => {
      client.socket.pause();
      client.send(requests);
    };
    const { each, figures } = await server.pinned('/echo', act, { count: 5, isSettled: () => true });
    expect(each).toBeGreaterThan(MOST / 2);
    expect(each).toBeLessThan(WAITING * MOST + SLAB + 2 * CHUNK + STATE);
    expect([figures.closes, figures.open]).toEqual([expect.anything(), 6]);
  });
});
