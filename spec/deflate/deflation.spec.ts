import { randomBytes } from 'node:crypto';
import { constants, inflateRawSync } from 'node:zlib';
import type { CompressSettings } from '../../lib/deflate/agreement.js';
import { Deflation } from '../../lib/deflate/deflation.js';
import { enterQueue, releaseTurn, zlibJobs } from '../../lib/deflate/zlib-jobs.js';
import { type MessageKind, Opcode } from '../../lib/framing/opcode.js';
import { Inflater } from '../conformance/deflate-client.js';
import { turns } from '../connection/open.js';
import { parseFrame, type ServerFrame } from '../support/frames.js';
import { ZlibWatch } from './zlib-watch.js';

const KIB = 1024;
const SETTINGS: CompressSettings = {
  threshold: 1024,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
  level: -1,
  memLevel: 8,
};
const KEEPS_CONTEXT = { serverNoContextTakeover: false };
const JSON_TEXT = JSON.stringify(
  Array.from({ length: 100 }, (_, i) => ({ id: i, symbol: `S${i % 7}`, bid: 1.17 + i })),
);

const watch = new ZlibWatch();
afterAll(() => watch.stop());
const made: Deflation[] = [];
beforeEach(() => {
  watch.begin();
});
afterEach(() => {
  for (const deflation of made.splice(0)) deflation.stop();
  expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
});

function deflating(settings: Partial<CompressSettings> = {}): Deflation {
  const all = { ...SETTINGS, ...settings };
  const deflation = new Deflation(all, all);
  made.push(deflation);
  return deflation;
}

/** Compresses a message, and reads its frame. */
async function framed(
  deflation: Deflation,
  message: Buffer | string,
  kind: MessageKind = Opcode.Text,
): Promise<ServerFrame> {
  const bytes = await deflation.frame(kind, Buffer.from(message as string));
  if (bytes === undefined) throw new Error('there is no frame');
  const parsed = parseFrame(bytes);
  expect(parsed?.size).toBe(bytes.length);
  return parsed!.frame;
}

describe('a message', () => {
  it.each([Opcode.Text, Opcode.Binary])(
    'a message of kind %i becomes one frame that is marked as compressed',
    async (kind) => {
      const { payload, ...header } = await framed(deflating(), JSON_TEXT, kind);
      expect(header).toEqual({ opcode: kind, fin: true, rsv: 4, masked: false });
      expect(payload.length).toBeLessThan(JSON_TEXT.length / 3);
      expect(new Inflater(15, false).message(payload).toString()).toBe(JSON_TEXT);
    },
  );

  it('a message that would become longer goes as it is, where no other will refer to it', async () => {
    const noise = randomBytes(100 * KIB);
    const { rsv, payload } = await framed(deflating(), noise);
    expect(rsv).toBe(0);
    expect(payload.equals(noise)).toBe(true);
  });

  it('a message that becomes longer is compressed all the same where others will refer to it', async () => {
    const deflation = deflating(KEEPS_CONTEXT);
    const noise = randomBytes(10 * KIB);
    const inflater = new Inflater(15, true);
    const first = await framed(deflation, noise);
    const second = await framed(deflation, noise);
    expect([first.rsv, second.rsv]).toEqual([4, 4]);
    expect(first.payload.length).toBeGreaterThanOrEqual(noise.length);
    expect(second.payload.length).toBeLessThan(200);
    for (const { payload } of [first, second]) expect(inflater.message(payload).equals(noise)).toBe(true);
  });

  it('ends without the tail, wherever the pieces of the output are cut', async () => {
    // Stored blocks: how long the output is follows from the input, and the tail stands on each side of 16 KiB, and across it.
    const deflation = deflating({ ...KEEPS_CONTEXT, level: 0 });
    const inflater = new Inflater(15, true);
    const noise = randomBytes(20_000);
    for (let length = 16 * KIB - 20; length < 16 * KIB + 10; length++) {
      const message = noise.subarray(0, length);
      const { rsv, payload } = await framed(deflation, message);
      expect(rsv).toBe(4);
      expect(payload.subarray(-4).toString('hex')).not.toBe('0000ffff');
      expect(inflater.message(payload).equals(message)).toBe(true);
    }
  });
});

describe.each([8, 9, 10, 11, 12, 13, 14, 15])('with %i window bits', (serverMaxWindowBits) => {
  // Of all distances, the window and more of it between two copies of the same.
  const noise = randomBytes(300);
  const messages = Array.from({ length: 60 }, (_, i) => {
    const padding = 'z'.repeat(Math.floor(1.13 ** (i * 1.5)) % 40_000);
    return Buffer.concat([
      noise.subarray(i, i + 200),
      Buffer.from(padding),
      noise.subarray(0, 150),
      Buffer.from(JSON_TEXT),
    ]);
  });

  it.each([false, true])('nothing refers further back than that; context kept: %p', async (keepsContext) => {
    const deflation = deflating({ serverMaxWindowBits, serverNoContextTakeover: !keepsContext });
    const inflater = new Inflater(serverMaxWindowBits, keepsContext);
    for (const message of messages) {
      const { rsv, payload } = await framed(deflation, message);
      expect((rsv === 4 ? inflater.message(payload) : payload).equals(message)).toBe(true);
    }
  });
});

describe('without context takeover', () => {
  it('a message is as small as if there had been none before', async () => {
    const deflation = deflating();
    const first = await framed(deflation, JSON_TEXT);
    expect(await framed(deflation, JSON_TEXT)).toEqual(first);
  });

  it('a stream is lent for each message, and none is held in between', async () => {
    const connections = Array.from({ length: 50 }, () => deflating({ memLevel: 7 }));
    for (const deflation of connections) {
      expect(deflation.pinned).toBe(0);
      const frame = deflation.frame(Opcode.Text, Buffer.from(JSON_TEXT));
      expect(deflation.pinned).toBe((128 + 64 + 16) * KIB);
      await frame;
      expect(deflation.pinned).toBe(0);
    }
    expect(watch.made).toBe(1);
  });

  it('many messages at once take eight streams', async () => {
    const connections = Array.from({ length: 50 }, () => deflating({ memLevel: 6 }));
    const frames = await Promise.all(connections.map((deflation) => framed(deflation, JSON_TEXT.repeat(10))));
    for (const frame of frames) expect(frame).toEqual(frames[0]);
    expect(watch).toMatchObject({ made: 8, mostAtWork: 8 });
  });
});

describe('with context takeover', () => {
  it('a message refers to those before it', async () => {
    const deflation = deflating(KEEPS_CONTEXT);
    const inflater = new Inflater(15, true);
    const sizes: number[] = [];
    for (let i = 0; i < 5; i++) {
      const { payload } = await framed(deflation, JSON_TEXT);
      expect(inflater.message(payload).toString()).toBe(JSON_TEXT);
      sizes.push(payload.length);
    }
    expect(Math.max(...sizes.slice(1))).toBeLessThan(sizes[0]! / 5);
  });

  it('a stream of its own is held until it is stopped', async () => {
    const deflation = deflating(KEEPS_CONTEXT);
    expect(deflation.pinned).toBe(0);
    await framed(deflation, JSON_TEXT);
    expect(deflation.pinned).toBe((128 + 128 + 16) * KIB);
    expect(watch.more).toBe(1);
    deflation.stop();
    expect(deflation.pinned).toBe(0);
    expect(watch.more).toBe(0);
  });
});

describe('when its connection has gone', () => {
  beforeEach(() => {
    for (let i = 0; i < 7; i++) enterQueue({ onTurn() {} });
  });
  afterEach(() => {
    for (let i = 0; i < 7; i++) releaseTurn();
  });

  it.each([true, false])(
    'a message that is being compressed is dropped, its turn passed on, and its stream closed; context kept: %p',
    async (keepsContext) => {
      const memLevel = keepsContext ? 5 : 4;
      const deflation = deflating({ serverNoContextTakeover: !keepsContext, memLevel });
      const other = deflating({ memLevel });
      const frame = deflation.frame(Opcode.Text, Buffer.from(JSON_TEXT.repeat(100)));
      const next = other.frame(Opcode.Text, Buffer.from(JSON_TEXT));
      expect(zlibJobs()).toEqual({ atWork: 8, waiting: 1 });
      deflation.stop();
      expect(await frame).toBeUndefined();
      expect(await next).toBeDefined();
      // What has been lent to the other is idle, perhaps in the place of an older one.
      expect(watch.made).toBe(2);
      expect(watch.more).toBeLessThanOrEqual(1);
    },
  );

  it('a message that waits for its turn never gets it', async () => {
    enterQueue({ onTurn() {} });
    const deflation = deflating();
    const frame = deflation.frame(Opcode.Text, Buffer.from(JSON_TEXT));
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 1 });
    deflation.stop();
    expect(await frame).toBeUndefined();
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 0 });
    releaseTurn();
    await turns(3);
    expect(watch.made).toBe(0);
  });
});

describe('when zlib cannot be had', () => {
  it('messages go as they are', async () => {
    // Node refuses to make such a stream, as it does where there is no memory for one.
    const deflation = deflating({ ...KEEPS_CONTEXT, level: 99 });
    for (let i = 0; i < 10; i++) {
      expect(await framed(deflation, JSON_TEXT)).toMatchObject({ rsv: 0, payload: Buffer.from(JSON_TEXT) });
    }
    expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
  });
});

describe('a message whose memory was transferred before its turn', () => {
  it('is not there any more, and keeps nobody waiting', async () => {
    for (let i = 0; i < 8; i++) enterQueue({ onTurn() {} });
    const memory = new ArrayBuffer(100_000);
    const deflation = deflating();
    const frame = deflation.frame(Opcode.Binary, Buffer.from(memory));
    structuredClone(memory, { transfer: [memory] });
    for (let i = 0; i < 8; i++) releaseTurn();
    expect(await frame).toBeUndefined();
    expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
    expect((await framed(deflation, JSON_TEXT)).rsv).toBe(4);
  });
});

it('a message that is not ours is compressed as it was when its turn came, whatever becomes of its memory', async () => {
  const deflation = deflating();
  const message = Buffer.concat(Array.from({ length: 30 }, () => Buffer.from(JSON_TEXT)));
  const memory = new ArrayBuffer(message.length);
  Buffer.from(memory).set(message);
  const frame = deflation.frame(Opcode.Text, Buffer.from(memory), false);
  const pinned = deflation.pinned;
  // zlib reads it in another thread at this moment.
  new Uint8Array(structuredClone(memory, { transfer: [memory] })).fill(0);
  const { payload } = parseFrame((await frame)!)!.frame;
  expect(inflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).equals(message)).toBe(true);
  expect(pinned - deflation.pinned).toBeGreaterThanOrEqual(message.length);
});
