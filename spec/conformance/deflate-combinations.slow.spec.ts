/**
 * Families 12 and 13: every combination of context takeover and windows, times every size of message, echoed by a server that
 * compresses, to a client that refuses whatever goes beyond what was agreed on.
 */
import type { CompressOptions } from '../../lib/index.js';
import { frame } from '../support/frames.js';
import type { Running } from '../support/server.js';
import { OFFERS, OPEN, SHAPES, type Shape, SIZES, SUITE, WANTED } from './combinations.js';
import { compressedFrames, DeflateClient } from './deflate-client.js';
import { echoServer, expectFrame, expectGoodbye } from './runner.js';
import { binaryData, manyDistances } from './test-data.js';

// Many megabytes go through some of these, perhaps on a machine that is busy.
jest.setTimeout(60_000);

interface Sent {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** A compressor's output that nobody can tell from another's is made fast where there is much of it. */
const QUICK = { level: 1 };
const FRAGMENTS = [undefined, 256, undefined, 1024, undefined, 4096, undefined, 100];

/** Writes one message of each shape, beginning with some part of the data, and reads each again. */
async function echoAll(client: DeflateClient, shapes: readonly Shape[], from: number): Promise<void> {
  const sent: Sent[] = [];
  let at = from;
  for (const [i, { size, by }] of shapes.entries()) {
    const isText = (i + from) % 3 !== 0;
    const payload = (isText ? manyDistances : binaryData)(at, at + size);
    at += size;
    const opcode = isText ? 1 : 2;
    sent.push({ opcode, payload });
    const deflated = client.deflater.message(payload, size > 8192 ? QUICK : {});
    client.raw.socket.write(compressedFrames(opcode, deflated, by));
  }
  for (const one of sent) expectFrame(await client.next(), one);
  await goodbye(client);
}

async function goodbye(client: DeflateClient): Promise<void> {
  await client.write(frame({ opcode: 8 }));
  expectGoodbye(await client.next(), { code: 1005 });
  await client.over();
}

describe('13 each offer, with messages of every size', () => {
  it.each(OFFERS)('%s, and whatever the client has for its own window', async (_what, combinations) => {
    const server = await echoServer({ compress: OPEN });
    await Promise.all(
      combinations.map(async ({ offer, agreed }, i) => {
        const client = await DeflateClient.openWith(server, '/echo', offer);
        expect(client.agreed).toEqual(agreed);
        const shapes = SIZES.map((size, j) => ({ size, by: FRAGMENTS[(i + j) % FRAGMENTS.length] }));
        await echoAll(client, shapes, i * 1000);
        // Where later messages do not refer to them, the smallest go as they are if that is shorter.
        expect(client.compressed).toBeGreaterThanOrEqual(SIZES.length - (agreed.serverNoContextTakeover ? 3 : 0));
      }),
    );
  });
});

describe('13 whatever a server wants by itself', () => {
  it.each(
    WANTED.map((options) => {
      const { clientMaxWindowBits: _, ...common } = options[0]!;
      return [JSON.stringify(common), options] as const;
    }),
  )('%s, and each window of the client', async (_what, options) => {
    for (const compress of options) {
      const client = await DeflateClient.openWith(
        await echoServer({ compress }),
        '/echo',
        'permessage-deflate; client_max_window_bits',
      );
      const { threshold: _, ...agreed } = compress;
      expect(client.agreed).toEqual(agreed);
      await echoAll(client, [{ size: 64 }, { size: 1024 }, { size: 20_000, by: 999 }, { size: 1024 }], 5000);
    }
  });
});

/** Each sent when the one before has come back, as the suite does; it takes a thousand of each. */
async function roundTrips(
  server: Running,
  offer: string,
  { size, by }: Shape,
  isText: boolean,
): Promise<DeflateClient> {
  const client = await DeflateClient.openWith(server, '/echo', offer);
  const opcode = isText ? 1 : 2;
  const count = Math.min(16, 1 + Math.ceil((64 * 1024) / size));
  for (let i = 0; i < count; i++) {
    const payload = (isText ? manyDistances : binaryData)(i * size, (i + 1) * size);
    await client.write(compressedFrames(opcode, client.deflater.message(payload), by));
    expectFrame(await client.next(), { opcode, payload });
  }
  await goodbye(client);
  return client;
}

const named = SHAPES.map(
  (shape, i) => [i + 1, shape.size, shape.by === undefined ? 'one frame' : `fragments of ${shape.by}`, shape] as const,
);

/** What a client of the suite offers where nothing else is said. */
const DEFAULT = 'permessage-deflate; client_no_context_takeover; client_max_window_bits';

const SERVERS: readonly (readonly [what: string, compress: true | CompressOptions])[] = [
  ['all defaults', true],
  ['context takeover', OPEN],
];

describe.each(SERVERS)('12 the offer of the suite, %s', (_what, compress) => {
  it.each(named)('12.x.%i echoes messages of %i bytes in %s, text and binary', async (_i, _size, _how, shape) => {
    const server = await echoServer({ compress });
    const clients = await Promise.all([true, false].map((isText) => roundTrips(server, DEFAULT, shape, isText)));
    // The threshold of the default is 1,024.
    if (shape.size >= 1024) expect(clients[0]?.compressed).toBeGreaterThan(0);
  });
});

describe.each(SUITE.map((offer, i) => [i + 1, offer] as const))('13.%i %s', (_j, offer) => {
  it.each(named)('.%i echoes messages of %i bytes in %s', async (_i, _size, _how, shape) => {
    await roundTrips(await echoServer({ compress: OPEN }), offer, shape, true);
  });
});
