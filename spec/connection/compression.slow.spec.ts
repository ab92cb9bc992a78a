/** Messages that are compressed: with whom, which of them, in which order, and how they reach a handler. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket as Undici } from 'undici';
import { WebSocket as Ws } from 'ws';
import {
  BinaryPattern,
  type CompressOptions,
  type Delimiter,
  EntireMessage,
  NetStruct,
  Opcode,
  Struct,
  WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { compressedFrames } from '../conformance/deflate-client.js';
import { closeBody, frame, more, type ServerFrame, text } from '../support/frames.js';
import { serve } from '../support/server.js';
import { hogTurns, OFFER, openCompressed, packed, TAKEOVER, zlibIdle } from './compressed.js';
import { closeAfterDelivery, deferred, open, roundTrip, turns, until } from './open.js';

const JSON_TEXT = JSON.stringify(
  Array.from({ length: 100 }, (_, i) => ({ id: i, symbol: `S${i % 7}`, bid: 1.17 + i })),
);
const ping = (payload = ''): Buffer => frame({ opcode: 9, payload });
const folder = mkdtempSync(join(tmpdir(), 'websocket-route-'));
const FILE = Buffer.alloc(300_000, 'file');
writeFileSync(join(folder, 'file'), FILE);
afterAll(() => rmSync(folder, { recursive: true }));

/** A message as the client got it: its kind, what it says, and whether it came compressed. */
async function received(peer: { next(): Promise<ServerFrame>; compressed: number }): Promise<[string, boolean]> {
  const before = peer.compressed;
  const { opcode, payload } = await peer.next();
  const kind = { 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' }[opcode];
  return [`${kind} ${payload.length > 40 ? payload.length : payload.toString('latin1')}`, peer.compressed > before];
}

describe('what is agreed on', () => {
  it.each<[CompressOptions | boolean, string, string]>([
    [true, OFFER, 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
    [{}, OFFER, 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
    [TAKEOVER, OFFER, 'permessage-deflate'],
    [
      { ...TAKEOVER, serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
      OFFER,
      'permessage-deflate; server_max_window_bits=9; client_max_window_bits=10',
    ],
    [
      TAKEOVER,
      'permessage-deflate; server_no_context_takeover; server_max_window_bits=12',
      'permessage-deflate; server_no_context_takeover; server_max_window_bits=12',
    ],
    [{ clientMaxWindowBits: 10 }, 'permessage-deflate', ''],
    [true, 'x-webkit-deflate-frame', ''],
    [false, OFFER, ''],
  ])('compress: %j and the offer %s agree on %p', async (compress, offer, extensions) => {
    const { client, handler } = await open({}, { compress }, { headers: { 'Sec-WebSocket-Extensions': offer } });
    expect(handler.extensions).toBe(extensions);
    handler.write(JSON_TEXT);
    expect((await client.next()).rsv).toBe(extensions === '' ? 0 : 4);
  });

  it('is nothing where nothing is offered', async () => {
    const { client, handler } = await open({}, { compress: true });
    expect(handler.extensions).toBe('');
    handler.write(JSON_TEXT);
    expect((await client.next()).rsv).toBe(0);
    client.send(packed('hello'));
    await expect(client).toCloseWith(1002);
  });
});

const MESSAGES = [JSON_TEXT, 'é🧀'.repeat(20_000), '', 'short', randomBytes(70_000), Buffer.alloc(200_000), JSON_TEXT];

function isSame(answer: unknown, message: string | Buffer): boolean {
  if (typeof message === 'string') return answer === message;
  return typeof answer === 'object' && Buffer.from(answer as ArrayBuffer).equals(message);
}

class Echo extends WebSocketHandler {
  override onRead(data: string | Buffer): void {
    this.write(data);
  }
}
const ECHO = { bufferSize: 1024 * 1024 };

describe('a client', () => {
  const TAKEOVERS = [false, true].flatMap((serverNoContextTakeover) =>
    [false, true].map((clientNoContextTakeover) => ({ serverNoContextTakeover, clientNoContextTakeover })),
  );

  describe.each(TAKEOVERS)('with %j', (takeover) => {
    it.each([8, 9, 10, 11, 12, 13, 14, 15])(
      'a ws client reads and writes, with %i window bits on both sides',
      async (bits) => {
        const compress = { ...takeover, serverMaxWindowBits: bits, clientMaxWindowBits: bits, threshold: 0 };
        const { url } = await serve(websocketRoute(Echo, { ...ECHO, compress }));
        const socket = new Ws(url, { perMessageDeflate: { threshold: 0 } });
        const messages = new AsyncQueue<string | Buffer>();
        socket.on('message', (data, isBinary) => messages.push(isBinary ? (data as Buffer) : String(data)));
        await new Promise((resolve) => socket.once('open', resolve));
        expect(socket.extensions).toBe('permessage-deflate');
        for (const message of MESSAGES) socket.send(message);
        for (const message of MESSAGES) expect(isSame(await messages.next(), message)).toBe(true);
        socket.close();
      },
    );

    it.each([8, 9, 10, 11, 12, 13, 14, 15])(
      'a client that asks for %i window bits gets nothing that refers further back, and is read',
      async (bits) => {
        const compress = { ...takeover, threshold: 0 };
        const offer = `permessage-deflate; server_max_window_bits=${bits}; client_max_window_bits=${bits}`;
        const hooks = { onRead: Echo.prototype.onRead };
        const { client, peer } = await openCompressed(hooks, { ...ECHO, compress }, offer);
        expect(peer.agreed).toEqual({ ...takeover, serverMaxWindowBits: bits, clientMaxWindowBits: bits });
        for (const message of MESSAGES) {
          const opcode = typeof message === 'string' ? 1 : 2;
          client.send(compressedFrames(opcode, peer.deflater.message(Buffer.from(message as string)), 3000));
          const { payload } = await peer.next();
          expect(payload.equals(Buffer.from(message as string))).toBe(true);
        }
        // All but the empty one; where none refers to another not those that would become longer either.
        expect(peer.compressed).toBe(takeover.serverNoContextTakeover ? 4 : 6);
      },
    );
  });

  it('an undici client, which only reads compressed messages, is answered', async () => {
    const { url } = await serve(websocketRoute(Echo, { ...ECHO, compress: true }));
    const socket = new Undici(url);
    socket.binaryType = 'arraybuffer';
    const messages = new AsyncQueue<unknown>();
    socket.addEventListener('message', ({ data }) => messages.push(data));
    await new Promise((resolve) => socket.addEventListener('open', resolve));
    expect(socket.extensions).toBe('permessage-deflate; server_no_context_takeover; client_no_context_takeover');
    for (const message of MESSAGES) socket.send(message);
    for (const message of MESSAGES) {
      expect(isSame(await messages.next(), message)).toBe(true);
    }
    socket.close();
  });
});

describe('with context takeover', () => {
  it('a message refers to those before it, also over one that is not compressed', async () => {
    const { client, handler, peer } = await openCompressed({}, { compress: TAKEOVER });
    const sizes: number[] = [];
    for (let i = 0; i < 4; i++) {
      handler.write(JSON_TEXT);
      handler.write(`plain ${i}`);
      const before = client.socket.bytesRead;
      expect(await received(peer)).toEqual([`text ${JSON_TEXT.length}`, true]);
      expect(await received(peer)).toEqual([`text plain ${i}`, false]);
      sizes.push(client.socket.bytesRead - before);
    }
    expect(sizes.at(-1)).toBeLessThan(100);
  });

  it('the messages of the client do, too', async () => {
    const reads = new AsyncQueue<unknown>();
    const { client, peer } = await openCompressed({ onRead: (data) => reads.push(data) }, { compress: TAKEOVER });
    for (let i = 0; i < 4; i++) {
      const payload = peer.deflater.message(Buffer.from(JSON_TEXT));
      if (i > 0) expect(payload.length).toBeLessThan(100);
      client.send(compressedFrames(1, payload), text('plain'), ping());
      expect(await reads.take(2)).toEqual([JSON_TEXT, 'plain']);
    }
  });

  it('the context of one client is unknown to another', async () => {
    const [one, other] = [
      await openCompressed({}, { compress: TAKEOVER }),
      await openCompressed({}, { compress: TAKEOVER }),
    ];
    one.peer.deflater.message(Buffer.from(JSON_TEXT));
    other.client.send(compressedFrames(1, one.peer.deflater.message(Buffer.from(JSON_TEXT))));
    await expect(other.client).toCloseWith(1007);
  });
});

describe('which messages are compressed', () => {
  it.each([
    [undefined, 1024],
    [0, 1],
    [1, 1],
    [100, 100],
    [8192, 8192],
    [8193, 8193],
    [100_000, 100_000],
  ])('the threshold %p compresses messages of %i bytes or more', async (threshold, length) => {
    const { handler, peer } = await openCompressed({}, { compress: threshold === undefined ? {} : { threshold } });
    // Of one byte nothing shorter can be made, unless it is referred to.
    handler.write('x'.repeat(length));
    handler.write(Buffer.alloc(length - 1));
    // Characters are not bytes.
    handler.write('é'.repeat(Math.ceil(length / 2)));
    const isSmaller = length >= 10;
    expect(await received(peer)).toEqual([expect.stringMatching('^text'), isSmaller]);
    expect((await received(peer))[1]).toBe(false);
    expect(await received(peer)).toEqual([expect.stringMatching('^text'), isSmaller]);
  });

  it('empty messages are not compressed', async () => {
    const { handler, peer } = await openCompressed({}, { compress: { ...TAKEOVER, threshold: 0 } });
    handler.write('');
    handler.write(Buffer.alloc(0));
    handler.write('x');
    expect(await received(peer)).toEqual(['text ', false]);
    expect(await received(peer)).toEqual(['binary ', false]);
    expect(await received(peer)).toEqual(['text x', true]);
  });

  it('messages written with compress: false are not compressed', async () => {
    const { handler, peer } = await openCompressed();
    for (const compress of [false, true, undefined]) {
      handler.write(JSON_TEXT, { compress });
      handler.write(Buffer.alloc(100_000), { compress });
      expect(await received(peer)).toEqual([`text ${JSON_TEXT.length}`, compress !== false]);
      expect(await received(peer)).toEqual(['binary 100000', compress !== false]);
    }
  });

  it('pings, pongs and files are not compressed', async () => {
    const { client, handler, peer } = await openCompressed({}, { compress: { threshold: 0 } });
    handler.write(Buffer.alloc(100), { opcode: Opcode.Ping });
    handler.write(Buffer.alloc(100), { opcode: Opcode.Pong });
    handler.ping('p'.repeat(100));
    await handler.writeFile(join(folder, 'file'));
    client.send(ping('q'.repeat(125)));
    expect(await received(peer)).toEqual(['ping 100', false]);
    expect(await received(peer)).toEqual(['pong 100', false]);
    expect(await received(peer)).toEqual(['ping 100', false]);
    expect(await received(peer)).toEqual(['binary 300000', false]);
    expect(await received(peer)).toEqual(['pong 125', false]);
  });

  it('text written as bytes, and packed values, are compressed', async () => {
    const { handler, peer } = await openCompressed();
    handler.write(Buffer.from(JSON_TEXT), { opcode: Opcode.Text });
    handler.writePackedAs('2000s', Buffer.alloc(2000));
    handler.write(new DataView(new ArrayBuffer(2000), 100, 1900));
    handler.write(new ArrayBuffer(2000));
    expect(await received(peer)).toEqual([`text ${JSON_TEXT.length}`, true]);
    expect(await received(peer)).toEqual(['binary 2000', true]);
    expect(await received(peer)).toEqual(['binary 1900', true]);
    expect(await received(peer)).toEqual(['binary 2000', true]);
  });

  it('small messages are not compressed where a thousand wait already, and all arrive in order', async () => {
    const { handler, peer } = await openCompressed();
    const release = hogTurns();
    for (let i = 0; i < 1100; i++) handler.write(`${i} `.padEnd(2000, 'x'));
    // A large one is worth it all the same.
    handler.write('large'.padEnd(20_000, 'x'));
    release();
    for (let i = 0; i < 1100; i++) expect((await peer.next()).payload.toString()).toBe(`${i} `.padEnd(2000, 'x'));
    expect(peer.compressed).toBe(1025 - 1);
    expect(await received(peer)).toEqual(['text 20000', true]);
  });

  it('small messages are sent as they were when they were written', async () => {
    const { handler, peer } = await openCompressed();
    const release = hogTurns();
    const bytes = Buffer.alloc(8192, 'a');
    handler.write(bytes);
    bytes.fill('b');
    handler.write(bytes.subarray(0, 2000), { compress: false });
    bytes.fill('c');
    release();
    expect((await peer.next()).payload.equals(Buffer.alloc(8192, 'a'))).toBe(true);
    expect((await peer.next()).payload.equals(Buffer.alloc(2000, 'b'))).toBe(true);
  });
});

describe('order', () => {
  it('holds when some messages are compressed and some are not, with pings, pongs, files and a close frame between', async () => {
    const { client, handler, peer } = await openCompressed({}, { maxBufferedAmount: 1 << 30 });
    const release = hogTurns();
    handler.write('a'.repeat(5000));
    handler.write('small');
    client.send(ping('first'));
    while (handler.bufferedAmount < 5000 + 7 + 7) await turns();
    handler.write('b'.repeat(5000), { compress: false });
    const file = handler.writeFile(join(folder, 'file'));
    handler.write(Buffer.alloc(100_000));
    handler.ping('ours');
    handler.write('c'.repeat(5000), { flush: true });
    handler.write('small too');
    handler.close(4000, 'bye');
    await turns(3);
    expect(client.socket.bytesRead).toBeLessThan(1000);
    release();
    expect(await received(peer)).toEqual(['text 5000', true]);
    expect(await received(peer)).toEqual(['text small', false]);
    expect(await received(peer)).toEqual(['pong first', false]);
    expect(await received(peer)).toEqual(['text 5000', false]);
    expect(await received(peer)).toEqual(['binary 300000', false]);
    expect(await received(peer)).toEqual(['binary 100000', true]);
    expect(await received(peer)).toEqual(['ping ours', false]);
    expect(await received(peer)).toEqual(['text 5000', true]);
    expect(await received(peer)).toEqual(['text small too', false]);
    await file;
    await expect(client).toCloseWith(4000, 'bye');
    client.send(frame({ opcode: 8, payload: closeBody(4000) }));
    expect(await client.rest()).toHaveLength(0);
  });

  it('holds for what comes in, with pings, pongs and a close frame behind compressed messages', async () => {
    const happened: string[] = [];
    const hooks = {
      onRead: (data: string | Buffer) => void happened.push(`read ${data.length > 9 ? data.length : data}`),
      onPong: (answer: number | Buffer) => void happened.push(`pong ${answer}`),
    };
    const { client, handler, closes } = await openCompressed(hooks);
    handler.ping('1');
    handler.ping('2');
    client.send(
      packed('one'),
      text('two'),
      packed('x'.repeat(50_000), 10),
      frame({ opcode: 10, payload: '1' }),
      packed('three'),
      text('', false),
      frame({ opcode: 10, payload: '2' }),
      more('four', true),
      packed(''),
      text(''),
      packed('five', 1),
      frame({ opcode: 8, payload: closeBody(1000) }),
      packed('never'),
    );
    await closes.next();
    expect(happened).toEqual([
      'read one',
      'read two',
      'read 50000',
      'pong 1',
      'read three',
      'pong 2',
      'read four',
      'read ',
      'read ',
      'read five',
    ]);
  });

  it('holds while a handler takes its time', async () => {
    const reads: string[] = [];
    const hooks = {
      async onRead(data: string | Buffer) {
        await turns(1 + (reads.length % 3));
        reads.push(String(data));
      },
    };
    const { client } = await openCompressed(hooks);
    const bytes = Array.from({ length: 60 }, (_, i) => (i % 3 === 2 ? text(`${i}`) : packed(`${i}`, 1 + (i % 4))));
    client.send(...bytes);
    await until(() => reads.length === 60);
    expect(reads).toEqual(Array.from({ length: 60 }, (_, i) => `${i}`));
  });

  it('holds when a handler sets another delimiter in the midst of what is inflated', async () => {
    const reads: unknown[] = [];
    const { client } = await openCompressed(
      {
        onRead(data) {
          reads.push(data);
          this.readDelimiter = typeof this.readDelimiter === 'number' ? '\n' : Number(data);
        },
      },
      { readDelimiter: '\n' },
    );
    const large = 'é'.repeat(30_000);
    client.send(packed(`3\nabc5\n123`), packed('45'), packed(`30000\n${large}1\n.`, 100));
    await roundTrip(client, ping());
    expect(reads).toEqual(['3', 'abc', '5', '12345', '30000', large, '1', '.']);
  });
});

describe('a delimiter', () => {
  const words = (i: number): string => `line ${i} é🧀 ${'x'.repeat((i * 37) % 300)}`;
  const lines = Array.from({ length: 3000 }, (_, i) => words(i));
  const numbers = new Struct('!ILH');
  const records = new NetStruct('!H$B');
  const noise = randomBytes(50_000);
  const texts = [lines.join('\n'), '\n', 'x', '', lines.slice(0, 50).join('\n'), '\n'];
  const binary = [noise, Buffer.alloc(0), noise.subarray(0, 5), noise.subarray(5)];
  const cases: [string, Delimiter, readonly (string | Buffer)[]][] = [
    ['EntireMessage', EntireMessage, [...texts, ...binary]],
    ['a string', '\n', texts],
    ['a Buffer', Buffer.of(7), binary],
    ['a number, of characters', 1000, texts],
    ['a number, of bytes', 4099, binary],
    ['a pattern', /\r?\n/, texts],
    ['a binary pattern', new BinaryPattern(/[a-f]/), binary],
    [
      'a Struct',
      numbers,
      Array.from({ length: 30 }, (_, i) => numbers.pack(i, i + 1, i + 2)).concat(noise.subarray(0, 49_990)),
    ],
    [
      'a NetStruct',
      records,
      [Buffer.concat(Array.from({ length: 1000 }, (_, i) => records.pack(Buffer.alloc(i % 90, `${i}`), i & 255)))],
    ],
  ];

  async function unitsOf(
    readDelimiter: Delimiter,
    frames: readonly Buffer[],
    isAsync: boolean,
    piece = Infinity,
  ): Promise<unknown[]> {
    const units: unknown[] = [];
    const hooks = {
      onRead(...unit: unknown[]) {
        // Long buffers take the test runner long to compare.
        units.push(unit.map((value) => (Buffer.isBuffer(value) ? value.toString('latin1') : value)));
        return isAsync && units.length % 100 === 1 ? turns() : undefined;
      },
    };
    const opened = await openCompressed(hooks, { readDelimiter, bufferSize: 1024 * 1024 });
    if (piece < Infinity) await opened.client.trickle(Buffer.concat(frames), piece);
    else opened.client.send(...frames);
    await closeAfterDelivery(opened);
    return units;
  }

  describe.each(cases)('that is %s', (_name, delimiter, messages) => {
    const plain = (message: string | Buffer): Buffer =>
      frame({ opcode: typeof message === 'string' ? 1 : 2, payload: message });

    it.each([false, true])('makes the same units of compressed messages; asynchronous handler: %p', async (isAsync) => {
      const expected = await unitsOf(delimiter, messages.map(plain), false);
      expect(expected.length).toBeGreaterThan(5);
      const compressed = messages.map((message) => packed(message));
      expect(await unitsOf(delimiter, compressed, isAsync)).toEqual(expected);
      const inFragments = messages.map((message) => packed(message, 777));
      expect(await unitsOf(delimiter, inFragments, isAsync, 5000)).toEqual(expected);
      const mixed = messages.map((message, i) => (i % 2 === 0 ? packed(message) : plain(message)));
      expect(await unitsOf(delimiter, mixed, isAsync)).toEqual(expected);
    });
  });

  it('null gets what comes as it is inflated, whole characters, and waits for the handler', async () => {
    const pieces: (string | Buffer)[] = [];
    const hooks = {
      onRead(data: string | Buffer) {
        pieces.push(data);
        return turns();
      },
    };
    const opened = await openCompressed(hooks, { readDelimiter: null });
    const message = `a${'é🧀'.repeat(30_000)}`;
    opened.client.send(packed(message), packed(''), packed(noise));
    await closeAfterDelivery(opened);
    const strings = pieces.filter((piece) => typeof piece === 'string');
    expect(strings.join('') === message).toBe(true);
    expect(strings.length).toBeGreaterThan(10);
    const buffers = pieces.filter((piece) => typeof piece !== 'string');
    expect(Buffer.concat(buffers).equals(noise)).toBe(true);
    expect(pieces.every((piece) => piece.length > 0 && piece.length <= 16 * 1024)).toBe(true);
  });

  it('gets the beginning of a message before its end has come', async () => {
    const reads = new AsyncQueue<unknown>();
    const { client } = await openCompressed({ onRead: (line) => reads.push(line) }, { readDelimiter: '\n' });
    const message = packed('first\nsecond\nthird', 15);
    client.send(message.subarray(0, 21));
    expect(await reads.next()).toBe('first');
    client.send(message.subarray(21));
    expect(await reads.next()).toBe('second');
  });
});

describe('pull style', () => {
  it('gets compressed messages one by one, and nothing is inflated that nobody asks for', async () => {
    const { client, handler } = await openCompressed({}, { readDelimiter: 10_000 });
    const messages = handler.messages();
    client.send(packed('abcdefghij'.repeat(10_000)), packed('last'.repeat(2500)));
    for (let i = 0; i < 10; i++) {
      expect(await messages.next()).toEqual({ done: false, value: 'abcdefghij'.repeat(1000) });
      await turns(i);
    }
    expect(await messages.next()).toEqual({ done: false, value: 'last'.repeat(2500) });
    client.send(frame({ opcode: 8, payload: closeBody(1000) }));
    expect(await messages.next()).toEqual({ done: true, value: undefined });
  });

  it('may be left and begun again in the midst of what is inflated', async () => {
    const reads: unknown[] = [];
    const { client, handler } = await openCompressed(
      { onRead: (data) => void reads.push(data) },
      { readDelimiter: 1000 },
    );
    client.send(packed('abcdefghij'.repeat(10_000)));
    for await (const message of handler.messages()) {
      reads.push(message);
      if (reads.length === 40) break;
    }
    await roundTrip(client, ping());
    expect(reads).toEqual(new Array<string>(100).fill('abcdefghij'.repeat(100)));
  });

  it('streams read and write compressed messages', async () => {
    const { client, handler, peer } = await openCompressed({}, { bufferSize: 1 << 20 });
    const { readable, writable } = handler.toWebStreams();
    const copied = readable.pipeTo(writable);
    for (const message of [JSON_TEXT, 'x'.repeat(200_000), 'short']) {
      client.send(packed(message));
      expect((await peer.next()).payload.toString() === message).toBe(true);
    }
    expect(peer.compressed).toBe(2);
    client.send(frame({ opcode: 8, payload: closeBody(1000) }));
    await copied.catch(() => {});
  });
});

describe('what is written and waits to be compressed', () => {
  it('is buffered with its full size until it was sent, and write() tells when it is too much', async () => {
    let written = 0;
    const { handler, peer } = await openCompressed({ onWrite: () => void written++ }, { highWaterMark: 12_000 });
    const release = hogTurns();
    expect(handler.write('a'.repeat(5000))).toBe(true);
    expect(handler.bufferedAmount).toBe(5000);
    expect(handler.write('b'.repeat(5000))).toBe(true);
    expect(handler.bufferedAmount).toBe(10_000);
    expect(handler.write('c'.repeat(5000))).toBe(false);
    expect(handler.bufferedAmount).toBe(15_000);
    let isDrained = false;
    const drained = handler.drained().then(() => {
      isDrained = true;
    });
    await turns(5);
    expect({ isDrained, written, buffered: handler.bufferedAmount }).toEqual({
      isDrained: false,
      written: 0,
      buffered: 15_000,
    });
    release();
    await drained;
    expect(handler.bufferedAmount).toBe(0);
    for (const letter of 'abc') expect((await peer.next()).payload.toString()).toBe(letter.repeat(5000));
    expect(written).toBe(1);
  });

  it('is counted in drained() also where only that waits', async () => {
    const { handler } = await openCompressed();
    await handler.drained();
    const release = hogTurns();
    handler.write('a'.repeat(5000), { flush: true });
    const order: string[] = [];
    const drained = handler.drained().then(() => order.push('drained'));
    await turns(3);
    order.push('released');
    release();
    await drained;
    expect(order).toEqual(['released', 'drained']);
  });

  it('leaves with flush: true as soon as it is compressed, and without it, too', async () => {
    const { handler, peer } = await openCompressed();
    for (const flush of [true, false]) {
      handler.write(JSON_TEXT, { flush });
      expect((await peer.next()).payload.toString()).toBe(JSON_TEXT);
    }
  });

  it('above maxBufferedAmount closes the connection, and what was written before arrives', async () => {
    const { client, handler, peer, closes } = await openCompressed({}, { highWaterMark: 1, maxBufferedAmount: 20_000 });
    const release = hogTurns();
    for (let i = 0; i < 5; i++) handler.write(`${i}`.repeat(5000));
    await turns(2);
    expect(handler.write('too much')).toBe(false);
    release();
    for (let i = 0; i < 5; i++) expect((await peer.next()).payload.toString()).toBe(`${i}`.repeat(5000));
    await expect(client).toCloseWith(1013);
    client.socket.end();
    expect(await closes.next()).toMatchObject([1013, 'the peer reads too slowly', false]);
  });

  it('above maxBufferedAmount drops messages where that is the policy, until it has left', async () => {
    const options = { highWaterMark: 1, maxBufferedAmount: 20_000, slowConsumer: 'drop' as const };
    const { handler, peer } = await openCompressed({}, options);
    const release = hogTurns();
    for (let i = 0; i < 5; i++) handler.write(`${i}`.repeat(5000));
    await turns(2);
    expect(handler.write('dropped'.repeat(1000))).toBe(false);
    expect(handler.dropped).toBe(1);
    release();
    for (let i = 0; i < 5; i++) expect((await peer.next()).payload.toString()).toBe(`${i}`.repeat(5000));
    await handler.drained();
    handler.write('news'.repeat(1000));
    expect((await peer.next()).payload.toString()).toBe('news'.repeat(1000));
    expect(handler.dropped).toBe(1);
  });

  it('above half of that makes reading wait', async () => {
    const reads: unknown[] = [];
    const hooks = { onRead: (data: string | Buffer) => void reads.push(data) };
    const { client, handler } = await openCompressed(hooks, { highWaterMark: 1, maxBufferedAmount: 20_000 });
    const release = hogTurns();
    handler.write('a'.repeat(15_000));
    client.send(text('question'));
    await turns(20);
    expect(reads).toEqual([]);
    release();
    await zlibIdle();
    await roundTrip(client, ping());
    expect(reads).toEqual(['question']);
  });
});

describe('an empty message', () => {
  it('a compressed empty message waits for what is held before it', async () => {
    const reads: unknown[] = [];
    const first = deferred();
    const hooks = {
      onRead(data: string | Buffer) {
        reads.push(data);
        return reads.length === 1 ? first.promise : undefined;
      },
    };
    const { client } = await openCompressed(hooks);
    client.send(text('first'), packed(''), packed('second'));
    await turns(10);
    expect(reads).toEqual(['first']);
    first.resolve();
    await roundTrip(client, ping());
    expect(reads).toEqual(['first', '', 'second']);
  });
});
