/** What waits for peers that do not read: in however small pieces it was written, it is bounded by `maxBufferedAmount`; pongs by less. */
import { frame } from '../support/frames.js';
import type { RawClient } from '../support/raw-client.js';
import { CHUNK, OFFER, Server, SLAB, STATE } from './pinning.js';

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
  const most = WAITING * MOST + SLAB + STATE;

  it.each(['letter', 'letter, flushed', 'sentence', 'page', 'bytes'])(
    `a peer that is written a %s each turn pins at most ${WAITING} times maxBufferedAmount, and a slab`,
    (what) => server.expectUnread('/write', what, { least: MOST / 2, most }),
  );

  it.each(['letter', 'sentence', 'page'])(
    `a peer that is written a %s each turn, to be compressed, pins at most ${JOBS} objects of ${JOB} bytes more`,
    (what) => server.expectUnread('/write', what, { least: MOST / 2, most: most + JOBS * JOB, headers: OFFER }),
  );

  it(`a peer that is pinged each turn pins at most ${WAITING} times maxBufferedAmount, and a slab`, () =>
    server.expectUnread('/write', 'ping', { least: MOST / 2, most }));

  it('a peer that is sent a file pins its two buffers', () =>
    server.expectUnread('/write', 'file', { least: FILE_BUFFER, most: 2 * FILE_BUFFER + 8 * STATE }));

  it('is closed with 1013, and pins no more until it has gone', async () => {
    await server.expectUnread('/write/close', 'sentence', { most });
    await server.part();
    expect((await server.figures()).closes[1013]).toBeGreaterThanOrEqual(6);
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
  ])(
    `a peer that pings with %d bytes, %d times, pins at most 2 times ${PONGS} bytes, and a slab`,
    async (length, count) => {
      const pings = Buffer.concat(pingsOf(length, count));
      // All of them are read.
      let { bytesRead: due } = await server.figures('/state');
      const act = (client: RawClient): void => {
        due += pings.length;
        client.socket.pause();
        client.send(pings);
      };
      const isSettled = ({ bytesRead }: { bytesRead: number }): boolean => bytesRead > due;
      await server.expectPinned('/read/null/free', act, { most: 2 * PONGS + SLAB + STATE, count: 2, isSettled });
    },
  );

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
    const expected = { least: MOST / 2, most: WAITING * MOST + SLAB + 2 * CHUNK + STATE };
    const { figures } = await server.expectPinned('/echo', act, { ...expected, count: 5, isSettled: () => true });
    expect(figures.open).toBe(6);
  });
});
