/**
 * What we write is what `ws` reads, and what `ws` writes is what we read: any messages, text and binary, in fragments and with pings
 * between them, compressed or not, in every mode that the two can agree on; over real sockets.
 */
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { type ClientOptions, WebSocket } from 'ws';
import { acceptWebSocket, type ConnectionOptions, WebSocketHandler } from '../../lib/index.js';
import { expectSame } from '../support/expect-same.js';
import { Seeded } from '../support/seeded.js';
import { serve } from '../support/server.js';
import { timesOverSockets } from './settings.js';
import { cut, fragments } from './streams.js';

interface Message {
  kind: 'text' | 'binary' | 'ping';
  /** Its text, each of these so many times. */
  parts: { part: string; count: number }[];
  /** Instead of that, unless it is text. */
  noise: { seed: number; length: number } | undefined;
  compress: boolean;
  /** How it is cut into fragments; by `ws` only. */
  lengths: number[];
  /** How it is written; by us only. */
  flush: boolean;
}

interface Plan {
  options: ConnectionOptions;
  client: ClientOptions;
  ours: Message[];
  theirs: Message[];
  isSlow: boolean;
  /** By whom the connection is closed. */
  closer: 'ours' | 'theirs';
  code: number;
  reason: string;
}

const parts = fc.array(
  fc.record({
    part: fc.constantFrom('', 'a', 'é', '🎈', '\0', '\ufeff', 'x', 'ж', 'abc', '{"price":1.17}'),
    count: fc.oneof(
      { arbitrary: fc.constant(1), weight: 3 },
      { arbitrary: fc.constantFrom(2, 62, 124, 125, 126, 400), weight: 2 },
      { arbitrary: fc.constantFrom(6000, 30_000), weight: 1 },
    ),
  }),
  { maxLength: 4 },
);
/** What cannot be compressed. */
const noise = fc.record({
  seed: fc.nat(1_000_000),
  length: fc.constantFrom(0, 1, 124, 125, 126, 127, 1024, 65_535, 65_536, 100_000),
});

const message: fc.Arbitrary<Message> = fc.record({
  kind: fc.constantFrom<Message['kind'][]>('text', 'text', 'binary', 'binary', 'ping'),
  parts,
  noise: fc.option(noise, { nil: undefined, freq: 1 }),
  compress: fc.boolean(),
  lengths: fragments,
  flush: fc.boolean(),
});

function dataOf({ kind, parts, noise }: Message): Buffer {
  let data: Buffer = Buffer.from(parts.map(({ part, count }) => part.repeat(count)).join(''));
  if (kind !== 'text' && noise !== undefined) {
    const random = new Seeded(noise.seed);
    data = Buffer.alloc(noise.length);
    for (let i = 0; i < data.length; i++) data[i] = random.integer(0, 255);
  }
  return kind === 'ping' ? data.subarray(0, 125) : data;
}

const bits = fc.option(fc.integer({ min: 8, max: 15 }), { nil: undefined });
const maybe = fc.option(fc.boolean(), { nil: undefined });
const threshold = fc.constantFrom(0, 1, 100, 1024);

const compress = fc.oneof(
  { arbitrary: fc.constant(false), weight: 1 },
  { arbitrary: fc.constant(true), weight: 2 },
  {
    arbitrary: fc.record({
      threshold,
      serverNoContextTakeover: maybe,
      clientNoContextTakeover: maybe,
      serverMaxWindowBits: bits,
      clientMaxWindowBits: bits,
      level: fc.integer({ min: -1, max: 9 }),
      memLevel: fc.integer({ min: 1, max: 9 }),
    }),
    weight: 6,
  },
);

const perMessageDeflate = fc.oneof(
  { arbitrary: fc.constant(false), weight: 1 },
  { arbitrary: fc.constant(true), weight: 2 },
  {
    arbitrary: fc
      .record({
        threshold,
        serverNoContextTakeover: maybe,
        clientNoContextTakeover: maybe,
        serverMaxWindowBits: bits,
        clientMaxWindowBits: bits,
      })
      // With `false` it refuses what it is told, and with undefined it does as it is told.
      .map((one) =>
        Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined && value !== false)),
      ),
    weight: 6,
  },
);

const plan: fc.Arbitrary<Plan> = fc.record({
  options: fc.record({ compress, bufferSize: fc.constant(1 << 24), maxBufferedAmount: fc.constant(1 << 26) }),
  client: fc.record({ perMessageDeflate }),
  ours: fc.array(message, { maxLength: 8 }),
  theirs: fc.array(message, { maxLength: 8 }),
  isSlow: fc.boolean(),
  closer: fc.constantFrom('ours', 'theirs'),
  code: fc.constantFrom(1000, 1001, 1011, 3000, 4999),
  reason: fc.constantFrom('', 'bye', 'é'.repeat(61)),
});

/** A message as it is compared. */
const told = (kind: Message['kind'], data: Buffer | string): string =>
  `${kind} ${Buffer.from(data).toString('base64')}`;
const toldOf = (message: Message): string => told(message.kind, dataOf(message));

function write(handler: WebSocketHandler, message: Message): void {
  const { kind, compress, flush } = message;
  const data = dataOf(message);
  if (kind === 'ping') handler.ping(data);
  else handler.write(kind === 'text' ? data.toString() : data, { compress, flush });
}

function send(client: WebSocket, message: Message): void {
  const { kind, compress, lengths } = message;
  const data = dataOf(message);
  if (kind === 'ping') {
    client.ping(data);
    return;
  }
  // Each fragment is a turn of zlib's.
  const least = Math.ceil(data.length / 20);
  const parts =
    lengths.length === 0 || data.length === 0
      ? [data]
      : cut(
          data,
          lengths.map((length) => Math.max(length, least)),
        );
  for (const [i, part] of parts.entries())
    client.send(part, { binary: kind === 'binary', compress, fin: i === parts.length - 1 });
}

const payloadsOf = (messages: readonly Message[]): string[] =>
  messages.filter(({ kind }) => kind === 'ping').map((one) => dataOf(one).toString('base64'));

/** Whether it is the other list with some of its elements left out. */
function isPartOf(some: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const one of all) if (one === some[at]) at++;
  return at === some.length;
}

/** The one who has read all that was written to it, and has had an answer to each of its own pings, may say goodbye. */
async function play(plan: Plan): Promise<void> {
  const read: { ours: string[]; theirs: string[] } = { ours: [], theirs: [] };
  const pongs: { ours: string[]; theirs: string[] } = { ours: [], theirs: [] };
  let progress: () => void = () => {};
  const isDone = (): boolean =>
    read.ours.length === plan.theirs.length - payloadsOf(plan.theirs).length &&
    read.theirs.length === plan.ours.length &&
    pongs.ours.length === payloadsOf(plan.ours).length &&
    payloadsOf(plan.theirs)
      .slice(-1)
      .every((last) => pongs.theirs.includes(last));
  const done = new Promise<void>((resolve) => {
    progress = () => void (isDone() && resolve());
  });
  let onClosed: (how: readonly unknown[]) => void;
  const closed = new Promise<readonly unknown[]>((resolve) => {
    onClosed = resolve;
  });
  let handler: WebSocketHandler | undefined;
  class Writing extends WebSocketHandler {
    override onConnect(): void {
      handler = this;
      for (const one of plan.ours) write(this, one);
    }
    override onRead(data: string | Buffer): unknown {
      read.ours.push(typeof data === 'string' ? told('text', data) : told('binary', data));
      progress();
      return plan.isSlow ? nextTurn() : undefined;
    }
    override onPong(answer: number | Buffer): void {
      if (Buffer.isBuffer(answer)) pongs.ours.push(answer.toString('base64'));
      progress();
    }
    override onClose(...how: readonly unknown[]): void {
      onClosed(how);
    }
    override onError(error: unknown): never {
      throw error;
    }
  }
  const server = await serve((request, response) =>
    acceptWebSocket(request, response, Writing, { pingInterval: 0, origins: '*', ...plan.options }),
  );
  const client = new WebSocket(server.url, plan.client);
  const failed = new Promise<never>((_resolve, reject) => client.on('error', reject));
  client.on('message', (data: Buffer, isBinary) => {
    read.theirs.push(told(isBinary ? 'binary' : 'text', data));
    progress();
  });
  client.on('ping', (data) => {
    read.theirs.push(told('ping', data));
    progress();
  });
  client.on('pong', (data) => {
    pongs.theirs.push(data.toString('base64'));
    progress();
  });
  client.on('open', () => {
    for (const one of plan.theirs) send(client, one);
    progress();
  });
  const ended = once(client, 'close');
  await Promise.race([done, failed]);
  if (plan.closer === 'ours') handler?.close(plan.code, plan.reason);
  else client.close(plan.code, plan.reason);
  const [code, reason] = await ended;
  expectSame(read.theirs, plan.ours.map(toldOf));
  expectSame(read.ours, plan.theirs.filter(({ kind }) => kind !== 'ping').map(toldOf));
  expectSame(pongs.ours, payloadsOf(plan.ours));
  // RFC 6455 section 5.5.3: "the endpoint MAY elect to send a Pong frame for only the most recently processed Ping frame."
  const isInOrder = isPartOf(pongs.theirs, payloadsOf(plan.theirs));
  expect(isInOrder || { pongs: pongs.theirs, pings: payloadsOf(plan.theirs) }).toBe(true);
  expectSame([code, String(reason)], [plan.code, plan.reason]);
  expectSame(await closed, [plan.code, plan.reason, true]);
  await server.close();
}

it('either side reads what the other writes', async () => {
  await fc.assert(fc.asyncProperty(plan, play), timesOverSockets(60));
});
