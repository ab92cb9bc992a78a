import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { type Job, Writer, withoutMore } from '../../../lib/connection/outbound/writer.js';
import { Opcode, WebSocketHandler, websocketRoute } from '../../../lib/index.js';
import { AsyncQueue } from '../../../lib/testing/async-queue.js';
import { memorySocket } from '../../../lib/testing/connect.js';
import { MemorySocket } from '../../../lib/testing/memory-socket.js';
import { Transport } from '../../../lib/transport/transport.js';
import { pinned } from '../../security/memory.js';
import { closeBody, frame } from '../../support/frames.js';
import { countWrites, deferred, open, roundTrip, serveHooks, turns } from '../open.js';
import { allFrames, framesOf, LARGE, openSlow, stall, WriteLog } from '../slow.js';

const folder = mkdtempSync(join(tmpdir(), 'websocket-route-'));
const file = join(folder, 'file');
writeFileSync(file, 'FILE');
afterAll(() => rmSync(folder, { recursive: true }));

describe('what one turn of the event loop writes', () => {
  it('leaves in one system call, and arrives in order', async () => {
    const { client, handler, socket } = await open();
    await turns(2);
    const writes = countWrites(socket);
    const chunks: number[] = [];
    client.socket.on('data', (chunk: Buffer) => chunks.push(chunk.length));
    for (let i = 0; i < 100; i++) handler.write(`message ${i}`);
    expect(writes.count).toBe(0);
    for (let i = 0; i < 100; i++) expect(await client.nextText()).toBe(`message ${i}`);
    expect(writes.count).toBe(1);
    expect(chunks).toHaveLength(1);
  });

  it('leaves in one system call from onRead, too, with the pongs in their place', async () => {
    const { client, socket } = await open({
      onRead(data) {
        this.write(data);
      },
    });
    await turns(2);
    const writes = countWrites(socket);
    const bytes: Buffer[] = [];
    for (let i = 0; i < 50; i++)
      bytes.push(frame({ opcode: 1, payload: `${i}` }), frame({ opcode: 9, payload: `${i}` }));
    client.send(...bytes);
    for (let i = 0; i < 50; i++) {
      expect(await client.nextText()).toBe(`${i}`);
      expect(await client.next()).toMatchObject({ opcode: 10, payload: Buffer.from(`${i}`) });
    }
    expect(writes.count).toBe(1);
  });

  it('leaves at once with flush, after what was written before it', async () => {
    const { client, handler, socket } = await open();
    await turns(2);
    const writes = countWrites(socket);
    handler.write('a');
    handler.write('b', { flush: true });
    expect(writes.count).toBe(1);
    handler.write('c');
    handler.flush();
    expect(writes.count).toBe(2);
    handler.write('d');
    expect(await client.bytes(12)).toEqual(Buffer.from('810161810162810163810164', 'hex'));
    expect(writes.count).toBe(3);
  });

  it('leaves with flush from within onRead', async () => {
    const counted: number[] = [];
    const { client, socket } = await open({
      onRead(data) {
        this.write(data, { flush: true });
        counted.push(writes.count);
      },
    });
    const writes = countWrites(socket);
    client.send(frame({ opcode: 1, payload: 'a' }), frame({ opcode: 1, payload: 'b' }));
    expect([await client.nextText(), await client.nextText()]).toEqual(['a', 'b']);
    expect(counted).toEqual([1, 2]);
  });

  it('is not written when there is nothing', async () => {
    const { client, handler, socket } = await open();
    await turns(2);
    const writes = countWrites(socket);
    handler.flush();
    await turns(2);
    expect(writes.count).toBe(0);
    await roundTrip(client, frame({ opcode: 9 }));
  });
});

describe('payloads on their way out', () => {
  it('text, bytes and files of all sizes keep their order', async () => {
    const { client, handler } = await open();
    const sizes = [0, 1, 125, 126, 127, 8190, 8191, 8192, 8193, 65534, 65535, 65536, 70_000, 1_000_000];
    const expected: [number, Buffer][] = [];
    for (let round = 0; round < 3; round++) {
      for (const size of sizes) {
        const letters = 'abcdefghijk'.repeat(Math.ceil(size / 11)).slice(0, size);
        handler.write(letters);
        expected.push([1, Buffer.from(letters)]);
        handler.write(Buffer.alloc(size, round + 1), { flush: size === 127 });
        expected.push([2, Buffer.alloc(size, round + 1)]);
        if (size % 2 === 1) {
          void handler.writeFile(file);
          expected.push([2, Buffer.from('FILE')]);
        }
      }
      await turns();
    }
    for (const [opcode, payload] of expected) {
      const got = await client.next();
      expect([got.opcode, got.fin, got.masked, got.rsv]).toEqual([opcode, true, false, 0]);
      expect(got.payload.equals(payload)).toBe(true);
    }
  });

  it('are framed by their octets, whatever characters they have, where that changes the header', async () => {
    const { client, handler } = await open();
    const texts = ['x', 'é', '€', '😀'].flatMap((character) =>
      [0, 1, 19, 20, 21, 40, 41, 42, 43, 59, 60, 61, 62, 63, 124, 125, 126].map((length) => character.repeat(length)),
    );
    for (const text of texts) handler.write(text);
    for (const text of texts) expect(await client.nextText()).toBe(text);
  });

  it('are taken as they are when they are written, up to 8 KiB', async () => {
    const { client, handler } = await open();
    const mine = Buffer.alloc(8192, 1);
    handler.write(mine);
    mine.fill(2);
    expect((await client.next()).payload.equals(Buffer.alloc(8192, 1))).toBe(true);
  });

  it('are not copied above that', async () => {
    const { client, handler } = await open();
    const large = Buffer.alloc(8193, 1);
    handler.write(large);
    large.fill(2);
    expect((await client.next()).payload.equals(large)).toBe(true);
  });

  it('do not mix with those of other connections in one turn', async () => {
    const { open: connect } = await serveHooks({});
    const all = await Promise.all(Array.from({ length: 20 }, () => connect()));
    for (let i = 0; i < 300; i++) all.forEach(({ handler }, who) => void handler.write(`${who}: ${'x'.repeat(i)}${i}`));
    await Promise.all(
      all.map(async ({ client }, who) => {
        for (let i = 0; i < 300; i++) expect(await client.nextText()).toBe(`${who}: ${'x'.repeat(i)}${i}`);
      }),
    );
  });

  it('stay as they are behind a file while other connections write', async () => {
    const { open: connect } = await serveHooks({});
    const [waiting, other] = [await connect(), await connect()];
    waiting.handler.write('before');
    const sent = waiting.handler.writeFile(file);
    waiting.handler.write('behind the file');
    waiting.handler.flush();
    for (let i = 0; i < 5000; i++) other.handler.write('not for your eyes');
    other.handler.flush();
    await sent;
    expect(await waiting.client.nextText()).toBe('before');
    expect((await waiting.client.next()).payload.toString()).toBe('FILE');
    expect(await waiting.client.nextText()).toBe('behind the file');
  });

  it('stay as they are for a peer that reads late', async () => {
    const { open: connect } = await serveHooks({});
    const [late, other] = [await connect(), await connect()];
    late.client.socket.pause();
    late.handler.write(Buffer.alloc(8_000_000, 1), { flush: true });
    for (let i = 0; i < 500; i++) {
      late.handler.write(`late ${i}`, { flush: true });
      other.handler.write(`other ${i}`, { flush: true });
    }
    for (let i = 0; i < 500; i++) expect(await other.client.nextText()).toBe(`other ${i}`);
    late.client.socket.resume();
    expect((await late.client.next()).payload).toHaveLength(8_000_000);
    for (let i = 0; i < 500; i++) expect(await late.client.nextText()).toBe(`late ${i}`);
  });

  it('arrive over TLS', async () => {
    const { client, handler } = await open({}, {}, { tls: true });
    expect(handler.isSecure).toBe(true);
    handler.write('small');
    handler.write(Buffer.alloc(300_000, 7));
    handler.write('small again');
    expect(await client.nextText()).toBe('small');
    expect((await client.next()).payload.equals(Buffer.alloc(300_000, 7))).toBe(true);
    expect(await client.nextText()).toBe('small again');
  });

  it.each([
    ['Text', Opcode.Text],
    ['Binary', Opcode.Binary],
    ['Ping', Opcode.Ping],
    ['Pong', Opcode.Pong],
  ])('have the opcode that was asked for, %s', async (_name, opcode) => {
    const { client, handler } = await open();
    handler.write(Buffer.from('abc'), { opcode: opcode });
    expect(await client.bytes(5)).toEqual(Buffer.from([0x80 | opcode, 3, 97, 98, 99]));
  });
});

describe.each([
  ['a socket', false],
  ['TLS', true],
])('what is written to a peer that is behind, over %s', (_name, tls) => {
  it('is given to the socket in few large pieces, when that has taken what it had', async () => {
    const slow = await openSlow({}, {}, { tls });
    await stall(slow);
    const { client, handler, log, socket } = slow;
    const { given } = log;
    let bytes = 0;
    for (let i = 0; i < 20_000; i++) {
      handler.write(`message ${i}`, { flush: true });
      bytes += 2 + `message ${i}`.length;
      if (i % 1000 === 0) await turns();
    }
    expect(log.given).toBe(given);
    const waits = handler.bufferedAmount;
    // Of the large one the kernel has taken some, which only a socket without TLS tells.
    expect(waits).toBeGreaterThan(bytes);
    expect(waits).toBeLessThanOrEqual(bytes + socket.writableLength);
    client.send(frame({ opcode: 8, payload: closeBody(1000) }));
    const frames = await allFrames(client);
    expect(frames.slice(1, -1).map(({ payload }) => payload.toString())).toEqual(
      Array.from({ length: 20_000 }, (_, i) => `message ${i}`),
    );
    // Each but the last has at least half of 64 KiB.
    expect(log.given - given).toBeLessThanOrEqual(1 + Math.ceil(bytes / 32_768));
    expect(handler.bufferedAmount).toBe(0);
  });

  it('costs what is owed, and hardly more', async () => {
    const slow = await openSlow({}, {}, { tls });
    await stall(slow);
    const { handler } = slow;
    const [memory, buffered] = [await pinned(), handler.bufferedAmount];
    for (let i = 0; i < 200_000; i++) handler.write('a few bytes', { flush: true });
    const owed = handler.bufferedAmount - buffered;
    expect(owed).toBe(200_000 * 13);
    expect(((await pinned()) - memory) / owed).toBeLessThan(1.25);
  });

  it('keeps its order, with payloads that are not copied, pings and files in between', async () => {
    const slow = await openSlow({}, {}, { tls });
    await stall(slow);
    const { client, handler } = slow;
    const expected: [number, string][] = [[2, `${LARGE.length}`]];
    for (let i = 0; i < 50; i++) {
      handler.write(`small ${i}`, { flush: i % 3 === 0 });
      handler.write(Buffer.alloc(9000 + i, i), { flush: i % 4 === 0 });
      handler.ping(`ping ${i}`);
      expected.push([1, `small ${i}`], [2, `${9000 + i}`], [9, `ping ${i}`]);
      if (i % 5 > 0) continue;
      void handler.writeFile(file);
      expected.push([2, 'FILE']);
      await turns();
    }
    handler.close();
    client.send(frame({ opcode: 8, payload: closeBody(1000) }));
    const frames = await allFrames(client);
    expect(frames.pop()!.opcode).toBe(8);
    const brief = frames.map(({ opcode, payload }) => [opcode, `${payload.length > 100 ? payload.length : payload}`]);
    expect(brief).toEqual(expected);
  });

  it('leaves as soon as the peer has taken what was before it, and then drained() and onWrite say so', async () => {
    const written = deferred();
    const slow = await openSlow({ onWrite: () => written.resolve() }, {}, { tls });
    await stall(slow);
    const { client, handler, socket } = slow;
    for (let i = 0; i < 1000; i++) handler.write(`waits ${i}`, { flush: true });
    const said: string[] = [];
    const all = Promise.all([
      written.promise.then(() => said.push('onWrite')),
      handler.drained().then(() => said.push('drained')),
    ]);
    await turns(20);
    expect(said).toEqual([]);
    client.socket.resume();
    await all;
    expect(said.sort()).toEqual(['drained', 'onWrite']);
    expect([handler.bufferedAmount, socket.writableLength]).toEqual([0, 0]);
    expect((await client.next()).payload.equals(LARGE)).toBe(true);
    for (let i = 0; i < 1000; i++) expect(await client.nextText()).toBe(`waits ${i}`);
    // Nothing waits any more: what is written now leaves as ever.
    handler.write('prompt', { flush: true });
    expect(await client.nextText()).toBe('prompt');
  });
});

/** Done when the test says so. */
class Waiting implements Job {
  readonly size = 3;
  readonly memory = 0;
  readonly ownsSocket = false;
  readonly done = deferred<Buffer | undefined>();

  run(): Promise<Buffer | undefined> {
    return this.done.promise;
  }

  cancel(): void {}
}

const owner = { onFlush() {}, onHeld() {} };

describe('what is written behind a job', () => {
  /** A writer, and what has come out of it. */
  function written(): { writer: Writer; came: () => Promise<string> } {
    const { client, server } = MemorySocket.pair();
    const chunks: Buffer[] = [];
    client.on('data', (chunk: Buffer) => chunks.push(chunk));
    const came = async (): Promise<string> => {
      await turns(10);
      return Buffer.concat(chunks).toString('latin1');
    };
    return { writer: new Writer(new Transport(server), owner), came };
  }

  it('data that is not flushed when the job before it is done is not lost', async () => {
    const { came, writer } = written();
    const job = new Waiting();
    writer.enqueue(job);
    writer.flush();
    writer.text(Opcode.Text, 'flushed');
    writer.flush();
    writer.text(Opcode.Text, 'not flushed');
    expect(writer.bufferedAmount).toBe(3 + 9 + 13);
    job.done.resolve(Buffer.from('job'));
    expect(await came()).toBe('job\x81\x07flushed\x81\x0bnot flushed');
    expect(writer.bufferedAmount).toBe(0);
    expect(writer.waiting).toBe(false);
  });

  it('waits on where the job sends nothing, and is dropped where the connection has gone meanwhile', async () => {
    const { came, writer } = written();
    const jobs = [new Waiting(), new Waiting()] as const;
    for (const job of jobs) {
      writer.enqueue(job);
      writer.text(Opcode.Text, 'behind');
    }
    writer.flush();
    jobs[0].done.resolve(undefined);
    expect(await came()).toBe('\x81\x06behind');
    expect([writer.bufferedAmount, writer.waiting]).toEqual([3 + 8, true]);
    writer.close();
    jobs[1].done.resolve(Buffer.from('job'));
    expect(await came()).toBe('\x81\x06behind');
    expect([writer.bufferedAmount, writer.pinned]).toEqual([0, 0]);
  });
});

describe('what is written to a socket in memory', () => {
  it('the last flush to a peer that is behind leaves before FIN, and nothing is written after that', async () => {
    const { client, server } = MemorySocket.pair();
    const log = new WriteLog(server, true);
    const writer = new Writer(new Transport(server), { onFlush() {}, onHeld() {} });
    writer.binary(Opcode.Binary, LARGE);
    writer.flush();
    await turns(3);
    let expected = '';
    for (let i = 0; i < 20; i++) {
      writer.text(Opcode.Text, `waits ${i}`);
      writer.flush();
      writer.binary(Opcode.Binary, Buffer.alloc(9000, 'a'));
      expected += `waits ${i}${'a'.repeat(9000)}`;
    }
    writer.flushAll();
    expect(writer.waiting).toBe(false);
    server.end();
    const chunks: Buffer[] = [];
    client.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(client, 'end');
    const frames = framesOf(Buffer.concat(chunks)).slice(1);
    expect(frames.map(({ payload }) => payload.toString()).join('')).toBe(expected);
    expect([log.afterEnd, writer.bufferedAmount, log.errors]).toEqual([0, 0, []]);
    client.destroy();
  });

  it('waits in few pieces while the peer does not read, and arrives in order', async () => {
    const handlers = new AsyncQueue<WebSocketHandler>();
    class Tested extends WebSocketHandler {
      override onConnect(): void {
        handlers.push(this);
      }
    }
    const pair = memorySocket(websocketRoute(Tested, { maxBufferedAmount: 1 << 30 }));
    const client = new WebSocket('ws://localhost/', { createConnection: () => pair });
    await once(client, 'open');
    const handler = await handlers.next();
    const received: string[] = [];
    client.on('message', (data) => received.push(String(data)));
    client.pause();
    handler.write(LARGE);
    await turns(5);
    const before = handler.bufferedAmount;
    expect(before).toBeGreaterThan(0);
    for (let i = 0; i < 5000; i++) handler.write(`waits ${i}`, { flush: true });
    expect(handler.bufferedAmount).toBe(before + 5000 * 8 + 10 + 90 * 2 + 900 * 3 + 4000 * 4);
    client.resume();
    await handler.drained();
    expect(handler.bufferedAmount).toBe(0);
    while (received.length < 5001) await once(client, 'message');
    expect(received[0]).toHaveLength(LARGE.length);
    expect(received.slice(1)).toEqual(Array.from({ length: 5000 }, (_, i) => `waits ${i}`));
    client.close();
    await once(client, 'close');
  });
});

describe('a payload that is sent from where it is', () => {
  it('is forgotten once the socket has it, also while jobs wait behind it', async () => {
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const writer = new Writer(new Transport(socket), owner);
    const first = new Waiting();
    const write = (): WeakRef<ArrayBufferLike> => {
      const payload = Buffer.alloc(100_000);
      writer.binary(Opcode.Binary, payload);
      return new WeakRef(payload.buffer);
    };
    writer.enqueue(first);
    const memory = write();
    for (let i = 0; i < 2; i++) writer.enqueue(new Waiting());
    writer.flush();
    first.done.resolve(undefined);
    await turns(5);
    await pinned();
    expect(memory.deref()).toBeUndefined();
  });

  it('waits as a copy where it is a small part of its memory', async () => {
    const slow = await openSlow();
    await stall(slow);
    const chunk = Buffer.alloc(64 * 1024, 'chunk');
    slow.handler.write(chunk.subarray(100, 9000), { flush: true });
    const written = Buffer.from(chunk.subarray(100, 9000));
    chunk.fill(0);
    slow.client.socket.resume();
    await slow.client.next();
    expect((await slow.client.next()).payload.equals(written)).toBe(true);
  });

  it('is copied where it is a small part of its memory, which would be pinned with it', () => {
    const chunk = Buffer.alloc(64 * 1024, 'chunk');
    const small = withoutMore(chunk.subarray(100, 9000));
    expect(small.buffer.byteLength).toBe(8900);
    expect(small.equals(chunk.subarray(100, 9000))).toBe(true);
    expect(withoutMore(chunk).buffer).toBe(chunk.buffer);
  });
});
