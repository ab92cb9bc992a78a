import { MAX_JOBS } from '../../lib/deflate/zlib-jobs.js';
import { deflatersFor, inflaters, ZlibPool } from '../../lib/deflate/zlib-pool.js';
import { createDeflater, createInflater, type ZlibStream, type ZlibUser } from '../../lib/deflate/zlib-stream.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { ZlibWatch } from './zlib-watch.js';

const SETTINGS = { windowBits: 10, level: 6, memLevel: 3 };

const watch = new ZlibWatch();
afterAll(() => watch.stop());
beforeEach(() => {
  watch.begin();
});

async function compress(stream: ZlibStream, text: string): Promise<Buffer> {
  const output: Buffer[] = [];
  const done = new AsyncQueue<void>();
  const user: ZlibUser = {
    onOutput: (bytes) => void output.push(bytes),
    onDone: () => done.push(),
    onFailed: (error) => {
      throw error;
    },
  };
  stream.user = user;
  stream.write(Buffer.from(text));
  await done.next();
  return Buffer.concat(output);
}

describe('a pool of streams', () => {
  it('makes one where none is idle, and lends it again and again', () => {
    const pool = new ZlibPool(() => createInflater(15));
    const stream = pool.take();
    expect(watch.made).toBe(1);
    for (let i = 0; i < 10; i++) {
      pool.give(stream);
      expect(pool.take()).toBe(stream);
    }
    expect(watch.made).toBe(1);
    const other = pool.take();
    expect(watch.made).toBe(2);
    stream.close();
    other.close();
  });

  it('keeps as many as may be at work, and closes the rest', () => {
    const pool = new ZlibPool(() => createInflater(15));
    const lent = Array.from({ length: MAX_JOBS + 5 }, () => pool.take());
    expect(watch).toMatchObject({ made: 13, more: 13 });
    for (const stream of lent) pool.give(stream);
    expect(watch.more).toBe(8);
    const again = Array.from({ length: MAX_JOBS }, () => pool.take());
    expect(watch).toMatchObject({ made: 13, more: 8 });
    for (const stream of again) stream.close();
  });

  it('lends streams without a past and without a user', async () => {
    const pool = new ZlibPool(() => createDeflater(SETTINGS));
    const text = 'what was said before is not said again, it is only referred to: '.repeat(3);
    const stream = pool.take();
    const first = await compress(stream, text);
    expect((await compress(stream, text)).length).toBeLessThan(first.length / 2);
    pool.give(stream);
    expect(stream.user).toBeUndefined();
    expect(await compress(pool.take(), text)).toEqual(first);
    stream.close();
  });
});

describe('the pools of the process', () => {
  it('keep no more idle deflaters than may be at work, whatever window bits clients ask for', () => {
    const settings = [9, 10, 11, 12, 13, 14, 15].map((windowBits) => ({ ...SETTINGS, level: 1, windowBits }));
    const lent = settings.flatMap((one) =>
      Array.from({ length: MAX_JOBS }, () => ({ one, stream: deflatersFor(one).take() })),
    );
    const all = watch.more;
    for (const { one, stream } of lent) deflatersFor(one).give(stream);
    expect(watch.more).toBe(all - lent.length + MAX_JOBS);
    // Those that were at work last.
    const last = deflatersFor(settings.at(-1)!);
    const kept = Array.from({ length: MAX_JOBS }, () => last.take());
    expect(kept.every((stream) => lent.some((entry) => entry.stream === stream))).toBe(true);
    for (const stream of kept) stream.close();
  });

  it('have deflaters for each way to compress', () => {
    const pool = deflatersFor(SETTINGS);
    expect(deflatersFor({ ...SETTINGS })).toBe(pool);
    expect(deflatersFor({ ...SETTINGS, windowBits: 11 })).not.toBe(pool);
    expect(deflatersFor({ ...SETTINGS, level: 1 })).not.toBe(pool);
    expect(deflatersFor({ ...SETTINGS, memLevel: 4 })).not.toBe(pool);
    const stream = pool.take();
    expect(stream.memory).toBe(createdMemory());
    stream.close();
  });

  it('have inflaters with the largest window, for all', () => {
    const stream = inflaters.take();
    const own = createInflater(15);
    expect(stream.memory).toBe(own.memory);
    stream.close();
    own.close();
  });
});

function createdMemory(): number {
  const stream = createDeflater(SETTINGS);
  stream.close();
  return stream.memory;
}
