/** What `Limits` counts is what is really pinned: the cost of each part, whatever a peer does to have much pinned for little. */
import { frame, more } from '../support/frames.js';
import type { RawClient } from '../support/raw-client.js';
import { deflated, type Expected, MEBIBYTE, OFFER, Server, SIZE, SLAB, STATE, settle } from './pinning.js';

/** So much may be pinned for each byte that is counted: the objects around it. */
const TIMES = 1.25;
/** A window of 32 KiB, and some 7 KiB of tables. */
const ZLIB = 39 * 1024;

let server: Server;
beforeAll(async () => {
  server = await Server.start();
});
afterEach(() => server.part());
afterAll(() => server.stop());

const oneByteFrames = (count: number): Buffer =>
  Buffer.concat([frame({ opcode: 1, payload: 'x', fin: false }), ...Array.from({ length: count }, () => more('x'))]);
const isSettled = (): boolean => true;

const cases: [what: string, path: string, act: (client: RawClient) => unknown, how?: Partial<Expected>][] = [
  ['half a message', '/read/EntireMessage/free', (client) => settle(client, oneByteFrames(SIZE - 1))],
  ['a few bytes of one', '/read/EntireMessage/free', (client) => settle(client, oneByteFrames(10))],
  [
    'half a compressed message',
    '/read/EntireMessage/free',
    (client) => settle(client, frame({ opcode: 1, rsv: 4, payload: deflated('x'.repeat(4000)), fin: false })),
    { headers: OFFER },
  ],
  [
    'an inflater',
    '/keep/EntireMessage/free',
    (client) => settle(client, frame({ opcode: 1, rsv: 4, payload: deflated('x') })),
    { headers: OFFER },
  ],
  [
    'what waits for a hook',
    '/read/EntireMessage/pending',
    (client) =>
      client.send(Buffer.concat(Array.from({ length: 2000 }, () => frame({ opcode: 2, payload: 'x'.repeat(500) })))),
    { isSettled },
  ],
  [
    'what waits for a hook, in one message',
    '/read/null/pending',
    (client) => client.send(frame({ opcode: 2, payload: Buffer.alloc(MEBIBYTE) })),
    { isSettled },
  ],
  [
    'what waits for messages()',
    '/read/number/messages',
    (client) => client.send(frame({ opcode: 2, payload: Buffer.alloc(MEBIBYTE) })),
    { isSettled },
  ],
];

it.each(cases)('the count for %s agrees with what it pins', async (_what, path, act, how = {}) => {
  const pinned = await server.expectPinned(path, act, { most: (counted) => TIMES * counted + STATE, count: 8, ...how });
  // Of zlib's own memory the figures of the process say nothing.
  const beside = how.headers === OFFER ? ZLIB : 0;
  expect(pinned.counted).toBeLessThan(TIMES * pinned.each + STATE + beside);
});

describe('what waits for a peer that does not read', () => {
  const written: [what: string, how: string, headers: Record<string, string>, beside: number][] = [
    ['letters', 'plain', {}, SLAB],
    ['sentences', 'compressed', OFFER, SLAB],
    ['pages', 'plain', {}, SLAB],
    ['files', 'plain', {}, 0],
  ];
  it.each(written)(
    'the count for %s, %s, that wait for a slow peer agrees with what they pin',
    async (what, _how, headers, beside) => {
      const most = (counted: number): number => TIMES * counted + beside + STATE;
      await server.expectUnread('/write', what.slice(0, -1), { most, headers });
    },
  );
});
