import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open as openFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ConnectionOptions, ErrorCode, FileError, InvalidStateError, ReadyState } from '../../../lib/index.js';
import { AsyncQueue } from '../../../lib/testing/async-queue.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { setClock } from '../../../lib/transport/clock.js';
import { closeBody, frame, text } from '../../support/frames.js';
import { usageErrorCode } from '../../support/usage-error.js';
import { begun, deferred, type Opened, open, sendAndSettle, serveHooks, turns } from '../open.js';

const folder = mkdtempSync(join(tmpdir(), 'websocket-route-'));
afterAll(() => rmSync(folder, { recursive: true }));

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) & 0xff));
const file = join(folder, 'file');
writeFileSync(file, CONTENT);
const empty = join(folder, 'empty');
writeFileSync(empty, '');

/** A file of zeros that takes no room. */
function sparse(name: string, size: number): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, size);
  return path;
}

/** How many descriptors of this process are open on a file, where the system tells. */
function descriptors(path: string): number {
  if (!existsSync('/proc/self/fd')) return 0;
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false;
    }
  }).length;
}

/** Closing takes a turn or two of the event loop; a descriptor that leaks is never closed. */
async function closed(path: string): Promise<void> {
  while (descriptors(path) > 0) await turns();
}

/** A file whose reads wait until they are allowed. */
async function gated(path: string): Promise<{ handle: FileHandle; reading: Promise<void>; allow: () => void }> {
  const handle = await openFile(path);
  const gate = deferred();
  const reading = deferred();
  const read = handle.read.bind(handle) as (...args: unknown[]) => Promise<never>;
  handle.read = async (...args: unknown[]) => {
    reading.resolve();
    await gate.promise;
    return read(...args);
  };
  return { handle, reading: reading.promise, allow: gate.resolve };
}

async function nextBinary({ client }: Opened): Promise<Buffer> {
  const { opcode, payload, fin, masked } = await client.next();
  expect([opcode, fin, masked]).toEqual([2, true, false]);
  return payload;
}

describe('writeFile', () => {
  it.each([
    ['all of it', {}, 0, 300_000],
    ['all of it for length 0, as in Pants', { length: 0 }, 0, 300_000],
    ['what follows an offset', { offset: 299_999 }, 299_999, 300_000],
    ['so much of it', { length: 10 }, 0, 10],
    ['so much after an offset', { offset: 100_000, length: 150_000 }, 100_000, 250_000],
    ['exactly the rest', { offset: 5, length: 299_995 }, 5, 300_000],
    ['nothing after its end', { offset: 300_000 }, 300_000, 300_000],
  ])('sends %s in one binary frame', async (_what, options, from, to) => {
    const opened = await open();
    await opened.handler.writeFile(file, options);
    expect((await nextBinary(opened)).equals(CONTENT.subarray(from, to))).toBe(true);
    expect(descriptors(file)).toBe(0);
  });

  it('sends an empty file as an empty message', async () => {
    const opened = await open();
    await opened.handler.writeFile(empty);
    expect(await opened.client.bytes(2)).toEqual(Buffer.from([0x82, 0]));
  });

  it('takes a URL, and a path as bytes', async () => {
    const opened = await open();
    await opened.handler.writeFile(pathToFileURL(file), { length: 3 });
    await opened.handler.writeFile(Buffer.from(file), { length: 3, offset: 3 });
    expect(await nextBinary(opened)).toEqual(CONTENT.subarray(0, 3));
    expect(await nextBinary(opened)).toEqual(CONTENT.subarray(3, 6));
  });

  it('leaves a file open that was open, and its position where it was', async () => {
    const opened = await open();
    const handle = await openFile(file);
    await opened.handler.writeFile(handle, { offset: 10, length: 20 });
    await opened.handler.writeFile(handle, { length: 5 });
    expect(await nextBinary(opened)).toEqual(CONTENT.subarray(10, 30));
    expect(await nextBinary(opened)).toEqual(CONTENT.subarray(0, 5));
    expect((await handle.read(Buffer.alloc(4), 0, 4)).buffer).toEqual(CONTENT.subarray(0, 4));
    await handle.close();
  });

  it('lets what is written meanwhile come after it, in order', async () => {
    const opened = await open();
    const { handler, client } = opened;
    const { handle, reading, allow } = await gated(file);
    handler.write('before');
    const sent = handler.writeFile(handle, { flush: true });
    handler.write('behind');
    handler.ping('ping');
    void handler.writeFile(empty);
    handler.write(Buffer.alloc(100_000, 1), { flush: true });
    handler.close(1000, 'last');
    expect(await client.nextText()).toBe('before');
    await reading;
    allow();
    await sent;
    expect((await nextBinary(opened)).equals(CONTENT)).toBe(true);
    expect(await client.nextText()).toBe('behind');
    expect(await client.next()).toMatchObject({ opcode: 9, payload: Buffer.from('ping') });
    expect(await nextBinary(opened)).toHaveLength(0);
    expect(await nextBinary(opened)).toHaveLength(100_000);
    await expect(client).toCloseWith(1000, 'last');
    await client.close();
    expect(await opened.closes.next()).toEqual([1000, '', true]);
    await handle.close();
  });

  it('answers pings behind it, of many only the latest, and meanwhile leaves the process alone', async () => {
    const opened = await open();
    const { handler, client } = opened;
    const { handle, reading, allow } = await gated(file);
    const sent = handler.writeFile(handle);
    handler.write('x'.repeat(20_000));
    await reading;
    const pings = Array.from({ length: 300 }, (_, i) => frame({ opcode: 9, payload: `${i}` }));
    await sendAndSettle(opened, ...pings);
    // These would never end if the wait for the kernel were a busy one.
    await turns(50);
    allow();
    await sent;
    expect(await nextBinary(opened)).toHaveLength(CONTENT.length);
    expect(await client.nextText()).toHaveLength(20_000);
    expect(await client.next()).toMatchObject({ opcode: 10, payload: Buffer.from('299') });
    client.send(frame({ opcode: 9, payload: 'again' }));
    expect(await client.next()).toMatchObject({ opcode: 10, payload: Buffer.from('again') });
    await handle.close();
  });

  it('finishes for a peer that has said goodbye and writes no more', async () => {
    const opened = await open();
    const { handler, client, closes } = opened;
    client.socket.pause();
    const sent = handler.writeFile(sparse('goodbye', 12_000_000));
    await begun(handler);
    client.send(frame({ opcode: 8, payload: closeBody(1001, 'leaving') }));
    client.socket.end();
    await turns(20);
    client.socket.resume();
    await sent;
    expect(await nextBinary(opened)).toHaveLength(12_000_000);
    await expect(client).toCloseWith(1001, 'leaving');
    expect(await closes.next()).toEqual([1001, 'leaving', true]);
  });

  it('leaves a goodbye one-sided when the peer is gone before ours could leave', async () => {
    const { handler, client, closes } = await open();
    client.socket.pause();
    handler.writeFile(sparse('one-sided', 64 << 20));
    await begun(handler);
    client.send(frame({ opcode: 8, payload: closeBody(1001, 'leaving') }));
    while (handler.readyState === ReadyState.OPEN) await turns();
    client.socket.resetAndDestroy();
    expect(await closes.next()).toEqual([1001, 'leaving', false]);
  });

  it('sends a very large file in constant memory, however slowly the peer reads', async () => {
    const SIZE = 256 << 20;
    const { handler, client } = await open();
    client.socket.removeAllListeners('data');
    client.socket.pause();
    const before = process.memoryUsage();
    const sent = handler.writeFile(sparse('large', SIZE));
    await turns(50);
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(4 << 20);
    expect(handler.bufferedAmount).toBeLessThan(1 << 20);
    let received = 0;
    let most = 0;
    const all = deferred();
    client.socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      most = Math.max(most, process.memoryUsage.rss());
      if (received === SIZE + 10) all.resolve();
    });
    client.socket.resume();
    await Promise.all([sent, all.promise]);
    expect(most - before.rss).toBeLessThan(128 << 20);
  });
});

describe('writeFile of what is not there is rejected, and the connection goes on', () => {
  it.each([
    ['an offset beyond the end', { offset: 300_001 }],
    ['a length beyond the end', { length: 300_001 }],
    ['both beyond the end', { offset: 200_000, length: 100_001 }],
  ])('%s is refused', async (_what, options) => {
    const { handler, client } = await open();
    const sent = handler.writeFile(file, options);
    handler.write('goes on');
    await expect(sent).rejects.toThrow(FileError);
    await expect(sent).rejects.toMatchObject({ code: ErrorCode.FILE, message: expect.stringContaining('300000') });
    expect(await client.nextText()).toBe('goes on');
    expect(descriptors(file)).toBe(0);
  });

  it('a file that is missing is refused, and so is a value that is no path', async () => {
    const { handler, client } = await open();
    await expect(handler.writeFile(join(folder, 'missing'))).rejects.toMatchObject({ code: 'ENOENT' });
    for (const wrong of [5, null, undefined, {}, 'a\0b']) {
      await expect(handler.writeFile(wrong as string)).rejects.toMatchObject({ name: 'TypeError' });
    }
    handler.write('goes on');
    expect(await client.nextText()).toBe('goes on');
  });

  it.each([-1, 1.5, Number.NaN, Infinity, '1', 1n])('the offset or length %p is refused', async (value) => {
    const { handler } = await open();
    for (const name of ['offset', 'length']) {
      const sent = handler.writeFile(file, { [name]: value });
      await expect(sent).rejects.toMatchObject({ name: 'TypeError', code: usageErrorCode() });
      await expect(sent).rejects.toThrow(new RegExp(`writeFile ${name}`));
    }
  });
});

describe('writeFile of what is no regular file is rejected, and the connection goes on', () => {
  const fifo = join(folder, 'fifo');
  const socket = join(folder, 'socket');
  const link = join(folder, 'link');
  const listening = createServer();
  beforeAll(async () => {
    execFileSync('mkfifo', [fifo]);
    symlinkSync(fifo, link);
    await new Promise<void>((resolve) => listening.listen(socket, resolve));
  });
  afterAll(() => listening.close());

  const refusal = (what: string): object => ({
    name: 'FileError',
    code: ErrorCode.FILE,
    message:
      `this is ${what}, and writeFile sends regular files only: ` +
      'read it yourself and write() what comes, or pipe it into this.toDuplex()',
  });

  it.each([
    ['a FIFO that nobody writes to', fifo, 'a FIFO (a named pipe)'],
    ['a link to one', link, 'a FIFO (a named pipe)'],
    ['a directory', folder, 'a directory'],
    ['a socket', socket, 'a socket or a device'],
    ['a device', '/dev/zero', 'a device'],
  ])('%s is refused, whatever length is asked for', async (_what, path, kind) => {
    const { handler, client } = await open();
    for (const options of [{}, { length: 10 }, { length: 10, offset: 5 }]) {
      await expect(handler.writeFile(path, options)).rejects.toMatchObject(refusal(kind));
    }
    handler.write('goes on');
    expect(await client.nextText()).toBe('goes on');
    expect(descriptors(path)).toBe(0);
  });

  it('twenty refused FIFOs leave a thread for other files', async () => {
    const opened = await open();
    const refused = Array.from({ length: 20 }, () => opened.handler.writeFile(fifo).catch((error: unknown) => error));
    await opened.handler.writeFile(file, { length: 3 });
    expect(await nextBinary(opened)).toEqual(CONTENT.subarray(0, 3));
    for (const error of await Promise.all(refused)) expect(error).toMatchObject(refusal('a FIFO (a named pipe)'));
  });

  it.each([
    ['FIFO', fifo, 'a FIFO (a named pipe)'],
    ['device', '/dev/zero', 'a device'],
  ])('the FileHandle of a %s is refused and stays open', async (_what, path, kind) => {
    const { handler } = await open();
    const handle = await openFile(path, constants.O_RDONLY | constants.O_NONBLOCK);
    await expect(handler.writeFile(handle, { length: 10 })).rejects.toMatchObject(refusal(kind));
    expect((await handle.stat()).isFile()).toBe(false);
    await handle.close();
  });

  const madeUp = ['/proc/self/status', '/sys/kernel/mm/transparent_hugepage/enabled', '/sys/class/net/lo/mtu'];
  it.each(madeUp.filter((path) => existsSync(path)))(
    '%s is refused, as its length is not what it says',
    async (path) => {
      const { handler, client } = await open();
      await expect(handler.writeFile(path)).rejects.toMatchObject({
        name: 'FileError',
        message: expect.stringMatching(
          /^the file should have \d+ bytes from offset 0 on, and has .*: read it yourself/,
        ),
      });
      handler.write('goes on');
      expect(await client.nextText()).toBe('goes on');
      expect(descriptors(path)).toBe(0);
    },
  );
});

describe('a file that cannot be sent to its end', () => {
  it('a file that shrinks while it is sent ends the connection with 1006', async () => {
    const { handler, client, closes } = await open();
    client.socket.pause();
    const path = sparse('shrinking', 64 << 20);
    const sent = handler.writeFile(path);
    handler.write('never');
    await begun(handler);
    truncateSync(path, 1000);
    const rejected = expect(sent).rejects.toThrow(/the file ended after \d+ of the 67108864 bytes/);
    client.socket.removeAllListeners('data').resume();
    await rejected;
    expect(await closes.next()).toEqual([1006, '', false]);
    await closed(path);
  });

  it('a file that grows while it is sent is sent with the length that was announced', async () => {
    const path = join(folder, 'growing');
    writeFileSync(path, 'as announced');
    const opened = await open();
    const { handle, reading, allow } = await gated(path);
    const sent = opened.handler.writeFile(handle);
    await reading;
    appendFileSync(path, ', and more');
    allow();
    await sent;
    expect((await nextBinary(opened)).toString()).toBe('as announced');
    await handle.close();
  });

  it('a FileHandle that its user closes while it is sent ends the connection with 1006', async () => {
    const { handler, client, closes } = await open();
    client.socket.pause();
    const handle = await openFile(sparse('closed', 64 << 20));
    const sent = handler.writeFile(handle);
    await begun(handler);
    await handle.close();
    const rejected = expect(sent).rejects.toMatchObject({ code: 'EBADF' });
    client.socket.removeAllListeners('data').resume();
    await rejected;
    expect(await closes.next()).toEqual([1006, '', false]);
  });

  it('a peer that vanishes in the middle has all its files rejected and closed', async () => {
    const { handler, client, closes } = await open();
    client.socket.pause();
    const path = sparse('vanishing', 64 << 20);
    const sent = handler.writeFile(path);
    const behind = handler.writeFile(file);
    await begun(handler);
    client.socket.resetAndDestroy();
    await expect(sent).rejects.toThrow();
    await expect(behind).rejects.toThrow(InvalidStateError);
    expect(await closes.next()).toEqual([1006, '', false]);
    await closed(path);
    await closed(file);
    await expect(handler.writeFile(file)).rejects.toThrow(InvalidStateError);
  });

  it('terminate() in the middle rejects and closes the file', async () => {
    const { handler, client, closes } = await open();
    client.socket.pause();
    const path = sparse('terminated', 64 << 20);
    const sent = handler.writeFile(path);
    await begun(handler);
    handler.terminate();
    await expect(sent).rejects.toThrow();
    expect(await closes.next()).toEqual([1006, '', false]);
    await closed(path);
  });

  it('a mistake of the peer in the middle cuts the connection: nothing can be said inside a frame', async () => {
    const { handler, client, closes } = await open();
    client.socket.pause();
    const sent = handler.writeFile(sparse('broken', 64 << 20));
    await begun(handler);
    client.send(frame({ opcode: 3 }));
    await expect(sent).rejects.toThrow();
    expect(await closes.next()).toEqual([1002, 'reserved opcode 3', false]);
  });

  it('a mistake of the peer before the file has begun is told to the peer, after what was written before', async () => {
    const { client, closes } = await open({
      onRead() {
        this.write('before');
        this.writeFile(sparse('waiting', 64 << 20)).catch((error: unknown) => failures.push(error));
      },
    });
    const failures: unknown[] = [];
    client.send(text('go'), frame({ opcode: 3 }));
    expect(await client.nextText()).toBe('before');
    await expect(client).toCloseWith(1002, 'reserved opcode 3');
    client.socket.end();
    await closes.next();
    expect(failures).toEqual([expect.any(InvalidStateError)]);
  });

  it('a rejection that nobody waits for is no unhandled rejection', async () => {
    const { client, closes, handler } = await open({
      onRead() {
        this.writeFile(sparse('nobody', 64 << 20));
        this.writeFile(join(folder, 'missing'));
      },
    });
    client.socket.pause();
    client.send(text('go'));
    await begun(handler);
    client.socket.resetAndDestroy();
    await closes.next();
    handler.writeFile(file);
    // A rejection that nobody has handled by now fails this test.
    await turns(5);
  });
});

describe('a file that comes slowly, in the middle of which nothing else can be said,', () => {
  /** What is read before anything is sent, and what comes after that. */
  const FIRST = 128 * 1024;
  const REST = 40;
  interface Slow extends Opened {
    clock: TestClock;
    sent: Promise<void>;
    /** Gives some of it to whoever reads. */
    more(bytes: string): void;
    /** The same, and waits until the client has that. */
    give(bytes: string): Promise<void>;
  }

  const handles = new Set<FileHandle>();
  afterEach(async () => {
    for (const handle of handles) await handle.close();
    handles.clear();
  });

  /** A connection whose time passes when the test says so, with the beginning of such a file sent. */
  async function openSlow(options: ConnectionOptions): Promise<Slow> {
    const handle = await openFile(sparse('slow', FIRST + REST));
    handles.add(handle);
    const pieces = new AsyncQueue<string>();
    const read = handle.read.bind(handle) as (...args: unknown[]) => Promise<unknown>;
    handle.read = (async (buffer: Buffer, offset: number, length: number, position: number) => {
      if (position < FIRST) return read(buffer, offset, length, position);
      return { bytesRead: buffer.write(await pieces.next(), offset), buffer };
    }) as unknown as FileHandle['read'];
    const clock = new TestClock();
    const { server, open: openNext } = await serveHooks({}, options);
    server.server.on('connection', (socket) => setClock(socket, clock));
    const opened = await openNext();
    const { client, handler } = opened;
    const sent = handler.writeFile(handle);
    expect((await client.bytes(10 + FIRST)).readBigUInt64BE(2)).toBe(BigInt(FIRST + REST));
    const more = (bytes: string): void => pieces.push(bytes);
    const give = async (bytes: string): Promise<void> => {
      more(bytes);
      expect((await client.bytes(bytes.length)).toString()).toBe(bytes);
    };
    return { ...opened, clock, sent, more, give };
  }

  it('has no peer given up that cannot be asked meanwhile; who is silent afterwards is', async () => {
    const { client, clock, closes, give, sent } = await openSlow({ pingInterval: 1000, pongTimeout: 300 });
    for (let i = 0; i < REST / 2; i++) {
      await clock.advance(500);
      expect(closes.left).toEqual([]);
      await give('ab');
    }
    await sent;
    // What was to be said meanwhile: one each interval, for the proxies.
    for (let i = 0; i < 9; i++) expect((await client.next()).opcode).toBe(9);
    await clock.advance(1300);
    expect(await closes.next()).toEqual([1006, 'no answer to a ping within 300 ms', false]);
  });

  it('is sent to its end before the goodbye that stands behind it', async () => {
    const { client, handler, clock, closes, give, sent } = await openSlow({ closeTimeout: 1000, pingInterval: 0 });
    handler.close(4000, 'that was it');
    for (let i = 0; i < REST / 2; i++) {
      await clock.advance(700);
      expect(closes.left).toEqual([]);
      await give('ab');
    }
    await sent;
    await expect(client).toCloseWith(4000, 'that was it');
    await client.close(4000);
    expect(await closes.next()).toEqual([4000, '', true]);
  });

  it('does not keep a connection that closes for longer than closeTimeout when no more of it comes', async () => {
    const { handler, clock, closes, give, more, sent } = await openSlow({ closeTimeout: 1000, pingInterval: 0 });
    handler.close();
    await clock.advance(900);
    await give('ab');
    await clock.advance(1900);
    expect(await closes.next()).toEqual([1006, '', false]);
    await expect(sent).rejects.toThrow(InvalidStateError);
    more('cd');
  });
});
