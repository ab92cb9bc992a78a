import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { createDeflater, createInflater, type ZlibStream, type ZlibUser } from '../../lib/deflate/zlib-stream.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { turns } from '../connection/open.js';
import { pinned } from '../security/memory.js';
import { ZlibWatch } from './zlib-watch.js';

const SETTINGS = { windowBits: 15, level: 6, memLevel: 8 };
const KIB = 1024;
const flushed = (data: string | Buffer): Buffer => deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH });
/** Zeros, of which zlib makes a thousandth. */
const bomb = flushed(Buffer.alloc(1024 * KIB));

class User implements ZlibUser {
  readonly output: Buffer[] = [];
  /** What came of each write: how many bytes were consumed, or what was wrong. */
  readonly ends = new AsyncQueue<number | string>();
  whenOutput: () => void = () => {};

  onOutput(bytes: Buffer): void {
    this.output.push(bytes);
    this.whenOutput();
  }

  onDone(consumed: number): void {
    this.ends.push(consumed);
  }

  onFailed(error: Error): void {
    this.ends.push(error.message);
  }

  get length(): number {
    return this.output.reduce((sum, { length }) => sum + length, 0);
  }

  text(): string {
    return Buffer.concat(this.output.splice(0)).toString();
  }
}

const watch = new ZlibWatch();
afterAll(() => watch.stop());
const streams: ZlibStream[] = [];
beforeEach(() => {
  watch.begin();
});
afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});

function used(stream: ZlibStream): { stream: ZlibStream; user: User } {
  streams.push(stream);
  const user = new User();
  stream.user = user;
  return { stream, user };
}

describe('a deflater', () => {
  it('gives all that was written, flushed to a byte, before it says that it is done', async () => {
    const { stream, user } = used(createDeflater(SETTINGS));
    for (const message of ['first', 'second', 'x'.repeat(100_000)]) {
      stream.write(Buffer.from(message));
      expect(await user.ends.next()).toBe(message.length);
      expect(user.output.at(-1)!.subarray(-4).toString('hex')).toBe('0000ffff');
    }
    const all = Buffer.concat(user.output);
    expect(inflateRawSync(all, { finishFlush: constants.Z_SYNC_FLUSH })).toHaveLength(5 + 6 + 100_000);
  });

  it('brings its output in pieces of at most 16 KiB', async () => {
    const { stream, user } = used(createDeflater(SETTINGS));
    const noise = randomBytes(100 * KIB);
    stream.write(noise);
    expect(await user.ends.next()).toBe(noise.length);
    expect(Math.max(...user.output.map(({ length }) => length))).toBe(16 * KIB);
    expect(user.output).toHaveLength(7);
  });

  it.each([
    [15, 8, 256 + 16],
    [12, 5, 32 + 16],
    [9, 1, 3 + 16],
  ])('a deflater with %i window bits and memLevel %i pins %i KiB', (windowBits, memLevel, kib) => {
    expect(used(createDeflater({ windowBits, level: 6, memLevel })).stream.memory).toBe(kib * KIB);
  });
});

describe('an inflater', () => {
  it('reads what refers to what it read before', async () => {
    const { stream, user } = used(createInflater(15));
    const message = randomBytes(1000).toString('hex');
    const deflater = used(createDeflater(SETTINGS));
    for (let i = 0; i < 3; i++) {
      deflater.stream.write(Buffer.from(message));
      await deflater.user.ends.next();
      const compressed = Buffer.concat(deflater.user.output.splice(0));
      if (i > 0) expect(compressed.length).toBeLessThan(50);
      stream.write(compressed);
      expect(await user.ends.next()).toBe(compressed.length);
      expect(user.text()).toBe(message);
    }
  });

  it('refuses what refers further back than its window', async () => {
    const { stream, user } = used(createInflater(9));
    const noise = randomBytes(1000);
    stream.write(flushed(Buffer.concat([noise, Buffer.alloc(20_000), noise])));
    expect(await user.ends.next()).toMatch('too far back');
  });

  it('says how much it has consumed where the deflate stream has ended before', async () => {
    const { stream, user } = used(createInflater(15));
    const ended = deflateRawSync('ended');
    stream.write(Buffer.concat([ended, Buffer.from('more')]));
    expect(await user.ends.next()).toBe(ended.length);
    expect(user.text()).toBe('ended');
  });

  it('consumes nothing more of what is written behind that', async () => {
    const { stream, user } = used(createInflater(15));
    const ended = deflateRawSync('ended');
    stream.write(ended);
    expect(await user.ends.next()).toBe(ended.length);
    stream.write(Buffer.from('more'));
    expect(await user.ends.next()).toBe(0);
  });

  it('fails on what is no deflate stream', async () => {
    const { stream, user } = used(createInflater(15));
    stream.write(Buffer.from('ffff', 'hex'));
    expect(await user.ends.next()).toBe('invalid block type');
  });

  it('waits, paused, with one piece more at the most', async () => {
    const { stream, user } = used(createInflater(15));
    user.whenOutput = () => {
      if (user.length >= 48 * KIB) stream.pause();
    };
    stream.write(bomb);
    while (watch.pieces < 4 || watch.atWork > 0) await turns();
    await turns(20);
    expect(user.length).toBe(48 * KIB);
    expect(watch.pieces).toBe(4);
    expect(stream.hasOutput).toBe(true);
    expect(user.ends.left).toHaveLength(0);
    user.whenOutput = () => {};
    stream.resume();
    expect(await user.ends.next()).toBe(bomb.length);
    expect(user.length).toBe(1024 * KIB);
    expect(stream.hasOutput).toBe(false);
  });

  it('is as new when it has been reset', async () => {
    const { stream, user } = used(createInflater(15));
    const compressed = flushed('hello, hello, hello');
    // Cut in the middle of a block.
    for (const part of [compressed.subarray(0, 5), flushed('one'), compressed.subarray(0, 7), flushed('two')]) {
      stream.reset();
      user.text();
      stream.write(part);
      await user.ends.next();
    }
    expect(user.text()).toBe('two');
  });

  it('tells nothing any more when it is closed in the middle of its work, and is gone when that is done', async () => {
    const { stream, user } = used(createInflater(15));
    stream.write(bomb);
    stream.close();
    stream.close();
    expect(watch.more).toBe(0);
    while (watch.atWork > 0) await turns();
    await turns(5);
    expect(user.output).toHaveLength(0);
    expect(user.ends.left).toHaveLength(0);
  });

  it('tells nothing of a mistake when it is closed before', async () => {
    const { stream, user } = used(createInflater(15));
    stream.write(Buffer.from('ffff', 'hex'));
    stream.close();
    await turns(20);
    expect(user.ends.left).toHaveLength(0);
  });

  it.each([
    [15, 32 + 23],
    [8, 0.25 + 23],
  ])('an inflater with %i window bits pins %p KiB', (windowBits, kib) => {
    expect(used(createInflater(windowBits)).stream.memory).toBe(kib * KIB);
  });
});

describe('what AsyncLocalStorage holds for its users', () => {
  it('is that of whoever wrote, and not that of whoever made the stream, or resumes it', async () => {
    const storage = new AsyncLocalStorage<string>();
    const made = storage.run('maker', () => used(createInflater(15)));
    const { stream, user } = made;
    const seen: unknown[] = [];
    user.whenOutput = () => {
      seen.push(storage.getStore());
      if (seen.length === 1) stream.pause();
    };
    const onDone = user.onDone.bind(user);
    user.onDone = (consumed) => {
      seen.push(storage.getStore());
      onDone(consumed);
    };
    storage.run('first', () => stream.write(flushed(Buffer.alloc(40 * KIB))));
    while (seen.length === 0) await turns();
    storage.run('somebody', () => stream.resume());
    await user.ends.next();
    expect(new Set(seen)).toEqual(new Set(['first']));
    seen.push('second');
    storage.run('second', () => stream.write(Buffer.from('ffff', 'hex')));
    user.onFailed = () => user.ends.push(String(storage.getStore()));
    expect(await user.ends.next()).toBe('second');
  });

  it('is not held by a stream that is as new', async () => {
    const storage = new AsyncLocalStorage<object>();
    let held: object | undefined = { large: 'request' };
    const left = new WeakRef(held);
    const { stream, user } = storage.run(held, () => {
      const made = used(createInflater(15));
      made.stream.write(flushed('hello'));
      return made;
    });
    await user.ends.next();
    stream.reset();
    held = undefined;
    await pinned();
    expect(left.deref()).toBeUndefined();
  });
});
