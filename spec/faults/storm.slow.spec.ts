/**
 * A storm of clients that are killed, 200 at a time, in every way and at every place: the process lives, others get every message
 * in order, and when it is over nothing is left of it.
 *
 *     this process                                     spec/support/storm-server.mjs
 *       200 victims at a time ── each killed ──▶         the request door, zlib streams shared
 *         somewhere, somehow           └───────▶         the upgrade door, zlib streams of each connection's own
 *       4 witnesses ◀── numbered messages, both ways ──▶
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as later, setImmediate as nextTurn } from 'node:timers/promises';
import { constants, deflateRawSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { type Built, build, type Program, start } from '../support/built.js';
import { binary, closeBody, frame, more, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { Seeded } from '../support/seeded.js';

const TOGETHER = 200;
const VICTIMS = 20_000;
/** What is allocated once, the pools, and the code that gets compiled, is not what is asked about. */
const WARM_UP = 2000;
/** As many idle zlib streams as are kept of each kind: inflaters, and the deflaters of the one door that shares them. */
const POOLED = 2 * 8;
/** Of each witness of the door that does not share them. */
const OWN = 2;

/** Far more than a witness has to wait for what is on its way to it, in milliseconds. */
const LIMIT = 60_000;

/** SEED=… repeats what was planned; what happens in which order is up to the machine. */
const SEED = Number(process.env['SEED'] ?? randomInt(2 ** 31));

/** Where a victim is when it dies, and what the path asks of the server. */
const PLACES = {
  handshake: 'echo',
  frame: 'echo',
  'units of a delimiter': 'bytes',
  'fragmented message': 'echo',
  'compressed message': 'echo',
  'close frame': 'echo',
  'inflating is at work': 'echo',
  'onHandshake is pending': 'onHandshake',
  'onConnect is pending': 'onConnect',
  'onRead is pending': 'onRead',
  'messages() is being read': 'messages',
  'it is written to and does not read': 'flood',
  'a file is on its way': 'file',
} as const;
type Place = keyof typeof PLACES;

/** How it dies. */
const WAYS = ['destroy', 'reset', 'end', 'half-close', 'silence, reset', 'FIN, silence, destroy'] as const;
type Way = (typeof WAYS)[number];

interface Life {
  place: Place;
  way: Way;
  port: number;
  /** Whether it offers compression. */
  offers: boolean;
  /** How many milliseconds the server's hook takes. */
  ms: number;
  /** What it sends when it is connected: as much of it as it comes to. */
  wire: Buffer;
  /** How much of its last words it gets out: 0 to 1. */
  share: number;
  /** In so many pieces. */
  pieces: number;
  /** How long it lives on after them. */
  rest: 'not at all' | 'a turn' | 'a while';
  /** For how many milliseconds it is silent before it is gone, where it is. */
  silence: number;
}

/** Text that compresses as text does. */
function words(random: Seeded, length: number): string {
  let made = '';
  while (made.length < length) made += `${random.integer(0, 999)} storms${random.chance(0.2) ? '\n' : ' '}`;
  return made.slice(0, length);
}

function deflated(message: string): Buffer {
  return deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

const material = new Seeded(SEED);
const MESSAGES = [1, 20, 125, 126, 1000, 3000, 20_000, 60_000].map((length) => words(material, length));
const DEFLATED = MESSAGES.map(deflated);

/** Its frames. Most are small: the storm is one of deaths, and not of bytes. */
function wireOf(place: Place, random: Seeded): Buffer {
  const which = random.chance(0.8) ? random.integer(0, 4) : random.integer(0, 7);
  const message = MESSAGES[which]!;
  const compressed = (fin = true): Buffer => frame({ opcode: 1, rsv: 4, fin, payload: DEFLATED[which]! });
  const ping = frame({ opcode: 9, payload: 'storm' });
  switch (place) {
    case 'fragmented message': {
      const at = random.integer(0, message.length);
      return Buffer.concat([text(message.slice(0, at), false), ping, more(message.slice(at)), more('', true)]);
    }
    case 'compressed message': {
      if (random.chance(0.5)) return compressed();
      const bytes = DEFLATED[which]!;
      const at = random.integer(0, bytes.length);
      const first = frame({ opcode: 1, rsv: 4, fin: false, payload: bytes.subarray(0, at) });
      return Buffer.concat([first, ping, more(bytes.subarray(at), true)]);
    }
    case 'inflating is at work':
      return Buffer.concat(Array.from({ length: random.integer(1, 4) }, () => compressed()));
    case 'close frame':
      return Buffer.concat([
        random.pick([Buffer.alloc(0), text('last words'), ping]),
        frame({ opcode: 8, payload: closeBody(1000, message.slice(0, 100)) }),
      ]);
    case 'units of a delimiter':
      return Buffer.concat([text(message), text('a line\nand half a'), ping]);
    case 'onRead is pending':
    case 'messages() is being read':
      return Buffer.concat([text('one'), text('two'), ping, text(message), text('four')]);
    default:
      return random.pick([text(message), binary(Buffer.from(message)), Buffer.concat([ping, text(message)])]);
  }
}

function lifeOf(index: number, ports: readonly number[]): Life {
  const random = new Seeded(SEED + 1 + index);
  const place = random.pick(Object.keys(PLACES) as Place[]);
  return {
    place,
    way: random.pick(WAYS),
    port: random.pick(ports),
    offers: place === 'compressed message' || place === 'inflating is at work' || random.chance(0.5),
    ms: random.integer(0, 30),
    wire: wireOf(place, random),
    share: place === 'inflating is at work' ? 1 : random.next(),
    pieces: random.integer(1, 3),
    rest: random.pick(['not at all', 'not at all', 'a turn', 'a while']),
    // Now and then longer than the server waits for a pong, or for the end of a closing handshake.
    silence: random.chance(0.02) ? random.integer(500, 2000) : random.integer(0, 30),
  };
}

/** Sends some of the bytes, in pieces, each when the kernel has the one before. */
async function utter({ socket }: RawClient, bytes: Buffer, pieces: number): Promise<void> {
  const size = Math.max(1, Math.ceil(bytes.length / pieces));
  for (let at = 0; at < bytes.length && socket.writable; at += size) {
    await new Promise((resolve) => socket.write(bytes.subarray(at, at + size), resolve));
  }
}

function handshakeOf({ place, ms, port, offers }: Life): Buffer {
  const extension = offers ? 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n' : '';
  return Buffer.from(
    `GET /storm/${PLACES[place]}/${ms} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${extension}\r\n`,
  );
}

async function live(life: Life): Promise<void> {
  const socket = connect({ port: life.port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  const client = new RawClient(socket);
  const gone = new Promise((resolve) => socket.once('close', resolve));
  const handshake = handshakeOf(life);
  const end = Math.floor(life.share * (handshake.length + 1));
  await utter(client, life.place === 'handshake' ? handshake.subarray(0, end) : handshake, 1);
  if (life.place !== 'handshake' && life.place !== 'onHandshake is pending') {
    const { status } = await client.response();
    if (status !== 101) throw new Error(`the answer was ${status}`);
    if (life.place === 'it is written to and does not read' || life.place === 'a file is on its way') socket.pause();
    await utter(client, life.wire.subarray(0, Math.ceil(life.share * life.wire.length)), life.pieces);
  }
  if (life.rest === 'a turn') await nextTurn();
  if (life.rest === 'a while') await later(life.ms);
  await die(client, life);
  await gone;
}

async function die({ socket, ended }: RawClient, { way, silence }: Life): Promise<void> {
  if (way === 'destroy') socket.destroy();
  else if (way === 'reset') socket.resetAndDestroy();
  else if (way === 'silence, reset') {
    socket.pause();
    await later(silence);
    socket.resetAndDestroy();
  } else if (way === 'FIN, silence, destroy') {
    socket.pause();
    socket.end();
    await later(silence);
    socket.destroy();
  } else {
    socket.resume();
    socket.end();
    // What is still sent to it is read by the one, and is too much for the other.
    if (way === 'half-close') await ended;
    socket.destroy();
  }
}

async function storm(from: number, to: number, ports: readonly number[]): Promise<void> {
  let next = from;
  const one = async (): Promise<void> => {
    while (next < to) {
      const life = lifeOf(next++, ports);
      await live(life).catch((error: unknown) => {
        next = to;
        throw new Error(`${life.place}, ${life.way}`, { cause: error });
      });
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, one));
}

/** Sends numbered messages, several at a time, and expects each of them back in its turn. */
class Witness {
  answered = 0;
  readonly faults: string[] = [];
  private sent = 0;
  private isQuiet = true;
  private readonly socket: WebSocket;
  private readonly answers = new AsyncQueue<void>();

  constructor(port: number, compress: boolean) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/witness`, {
      perMessageDeflate: compress && { threshold: 0 },
    });
    this.socket.on('message', (data) => this.hear(String(data)));
    this.socket.on('close', (code) => this.faults.push(`closed with ${code}`));
    this.socket.on('error', (error) => this.faults.push(String(error)));
  }

  async open(compress: boolean): Promise<void> {
    await once(this.socket, 'open');
    expect(this.socket.extensions.includes('permessage-deflate')).toBe(compress);
  }

  speak(): void {
    this.isQuiet = false;
    while (this.sent < this.answered + 2) this.say();
  }

  /** Fulfilled when nothing is on its way any more. */
  async fallSilent(): Promise<void> {
    this.isQuiet = true;
    const alarm = new AbortController();
    const late = later(LIMIT, undefined, { signal: alarm.signal }).then(
      () => this.faults.push(`${this.sent} were sent, and ${this.answered} answered`),
      () => {},
    );
    while (this.answered < this.sent && this.faults.length === 0) await Promise.race([this.answers.next(), late]);
    alarm.abort();
  }

  close(): void {
    this.socket.removeAllListeners('close').close();
  }

  private say(): void {
    this.socket.send(this.message(this.sent++));
  }

  private hear(answer: string): void {
    if (answer !== this.message(this.answered)) {
      this.faults.push(`${this.answered} was to come, and ${answer.slice(0, 20)} came`);
    }
    this.answered++;
    this.answers.push();
    if (!this.isQuiet) this.say();
  }

  /** Some are below the threshold of compression, most of them small. */
  private message(number: number): string {
    return `${number} ${MESSAGES[number % 100 === 0 ? 6 : number % 5]}`;
  }
}

interface Figures {
  held: object;
  timers: number;
  zlibs: number;
  heapUsed: number;
  arrayBuffers: number;
  connects: number;
}

async function figuresOf(program: Program): Promise<Figures> {
  program.process.kill('SIGUSR2');
  return JSON.parse(await program.line());
}

// It takes less than a minute of one processor, which it may have to share.
jest.setTimeout(300_000);

let built: Built;
beforeAll(async () => {
  built = await build();
});
afterAll(() => built.remove());

// Its name tells the seed, so that it is told however this fails.
it(`${VICTIMS} victims of a storm leave nothing, and harm nobody (SEED=${SEED})`, async () => {
  const file = join(built.folder, 'file');
  await writeFile(file, Buffer.alloc(1024 * 1024, 'file'));
  const server = await readFile(join(__dirname, '../support/storm-server.mjs'), 'utf8');
  const program = await start(built, 'storm-server.mjs', server, [file]);
  const ports: number[] = JSON.parse(await program.line());
  const witnesses = ports.flatMap((port) => [new Witness(port, false), new Witness(port, true)]);
  await Promise.all(witnesses.map((witness, i) => witness.open(i % 2 === 1)));

  const pass = async (from: number, to: number): Promise<Figures> => {
    for (const witness of witnesses) witness.speak();
    // Whoever's process has ended is told so, and not that it refuses connections.
    await storm(from, to, ports).catch((error: unknown) => {
      throw new Error(`the server said: ${program.errors()}`, { cause: error });
    });
    await Promise.all(witnesses.map((witness) => witness.fallSilent()));
    return figuresOf(program);
  };
  await pass(0, WARM_UP);
  // Once more, because what looks for the first time compiles what it looks with.
  const before = await figuresOf(program);
  const after = await pass(WARM_UP, WARM_UP + VICTIMS);

  expect(after.held).toEqual(before.held);
  expect(after.timers).toBeLessThan(before.timers + 5);
  expect(witnesses.flatMap(({ faults }) => faults)).toEqual([]);
  expect(program.errors()).toBe('');
  expect([program.process.exitCode, program.process.signalCode]).toEqual([null, null]);
  expect(after.zlibs).toBeLessThanOrEqual(POOLED + OWN);
  expect(after.heapUsed / before.heapUsed).toBeLessThan(1.05);
  // Slabs that all share, and 16 KiB for each zlib stream.
  expect(after.arrayBuffers).toBeLessThan(1024 * 1024);
  // It was a storm: most of them got as far as `onConnect`, and the witnesses had something to say all the while.
  expect(after.connects - before.connects).toBeGreaterThan(VICTIMS / 2);
  for (const { answered } of witnesses) expect(answered).toBeGreaterThan(1000);
  for (const witness of witnesses) witness.close();
});
