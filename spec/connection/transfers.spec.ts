/**
 * A handler may transfer what it is given: `worker.postMessage(data, [data.buffer])`. It is its own memory, whatever it came with, so
 * that neither its neighbours nor anybody else's messages are lost with it.
 */
import {
  BinaryPattern,
  type ConnectionOptions,
  type Delimiter,
  EntireMessage,
  NetStruct,
  prepare,
  Struct,
  type WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { connect } from '../../lib/testing/index.js';
import { binary, frame, more, text } from '../support/frames.js';
import { OFFER, packed } from './compressed.js';
import { type Opened, serveHooks } from './open.js';

const UNITS = 10;

/** Units of so many bytes, each of another letter. */
function units(length: number, count = UNITS): Buffer[] {
  return Array.from({ length: count }, (_, i) => Buffer.alloc(length, 'a'.charCodeAt(0) + i));
}

/** Away with its memory; what somebody else gets of it. */
function transfer(data: Buffer): Buffer {
  const { byteOffset, byteLength } = data;
  const memory = structuredClone(data.buffer as ArrayBuffer, { transfer: [data.buffer as ArrayBuffer] });
  expect(data.length).toBe(0);
  return Buffer.from(memory, byteOffset, byteLength);
}

const bytesIn = (args: readonly unknown[]): Buffer[] => args.flat().filter((arg) => Buffer.isBuffer(arg));

interface Case {
  delimiter: Delimiter;
  regexSearch?: boolean;
  /** What is sent, and what is delivered of it. */
  messages: Buffer[];
  expected: Buffer[];
}

const lines = (parts: Buffer[], end: string): Buffer =>
  Buffer.concat(parts.flatMap((part) => [part, Buffer.from(end)]));
const strings = (parts: Buffer[]): Buffer => Buffer.concat(parts.map((part) => new NetStruct('H$').pack(part)));

const CASES: Record<string, Case> = {
  'small messages': { delimiter: EntireMessage, messages: units(10), expected: units(10) },
  'messages of 1,000 bytes': { delimiter: EntireMessage, messages: units(1000), expected: units(1000) },
  'messages of 5,000 bytes': { delimiter: EntireMessage, messages: units(5000), expected: units(5000) },
  'what arrives': { delimiter: null, messages: units(1000), expected: units(1000) },
  'so many bytes at a time': {
    delimiter: 100,
    messages: [Buffer.concat(units(100)), ...units(50)],
    expected: [...units(100), ...[0, 2, 4, 6, 8].map((i) => Buffer.concat(units(50).slice(i, i + 2)))],
  },
  'what bytes delimit': {
    delimiter: Buffer.from('\n'),
    messages: [lines(units(500), '\n'), lines(units(3), '\n')],
    expected: [...units(500), ...units(3)],
  },
  'what a pattern delimits': {
    delimiter: new BinaryPattern(/\r?\n/),
    messages: [lines(units(500), '\r\n'), lines(units(3), '\n')],
    expected: [...units(500), ...units(3)],
  },
  'what a pattern matches': {
    delimiter: new BinaryPattern(/(\w+);/),
    regexSearch: false,
    messages: [lines(units(500), ';'), lines(units(3), ';')],
    expected: [...units(500), ...units(3)].flatMap((unit) => [Buffer.concat([unit, Buffer.from(';')]), unit]),
  },
  'fields of a struct': {
    delimiter: new Struct('4s200sc'),
    messages: units(205),
    expected: units(205).flatMap((unit) => [unit.subarray(0, 4), unit.subarray(4, 204), unit.subarray(204)]),
  },
  'fields of a longer struct': {
    delimiter: new Struct('5s5s5s5p5s'),
    messages: [Buffer.from('aaaaabbbbbccccc\x04ddddeeeee')],
    expected: ['aaaaa', 'bbbbb', 'ccccc', 'dddd', 'eeeee'].map((field) => Buffer.from(field)),
  },
  'strings of a NetStruct': {
    delimiter: new NetStruct('H$'),
    messages: [strings(units(300)), strings(units(3))],
    expected: [...units(300), ...units(3)],
  },
};

type How = { tls?: boolean; compress?: boolean };

const WAYS: [string, How][] = [
  ['over TCP', {}],
  ['over TLS', { tls: true }],
  ['compressed', { compress: true }],
  ['compressed, over TLS', { tls: true, compress: true }],
];

interface Served {
  reads: AsyncQueue<readonly unknown[]>;
  open(): Promise<Opened>;
  send(one: Opened, messages: Buffer[]): void;
}

/** A server whose handlers do that with the arguments of `onRead`. */
async function serveReading({ tls = false, compress = false }: How, options: ConnectionOptions): Promise<Served> {
  const reads = new AsyncQueue<readonly unknown[]>();
  const hooks = {
    onRead: (...args: unknown[]) => reads.push(args),
    onError: (error: unknown) => reads.push([error]),
    onClose: (...args: unknown[]) => reads.push(['closed', ...args]),
  };
  const served = await serveHooks(hooks, { compress, ...options }, { tls });
  return {
    reads,
    open: () => served.open(compress ? { 'Sec-WebSocket-Extensions': OFFER } : {}),
    // In one segment.
    send: ({ client }, messages) =>
      client.send(Buffer.concat(messages.map((one) => (compress ? packed(one) : binary(one))))),
  };
}

describe.each(WAYS)('%s', (_way, how) => {
  describe.each(Object.entries(CASES))('%s', (_what, { delimiter, regexSearch, messages, expected }) => {
    const options: ConnectionOptions = { readDelimiter: delimiter, ...(regexSearch === false && { regexSearch }) };

    async function next(reads: Served['reads']): Promise<Buffer[]> {
      const args = await reads.next();
      const [first] = args;
      if (first instanceof Error || first === 'closed') throw new Error(`not a unit: ${String(args)}`);
      return bytesIn(args);
    }

    /** As many bytes as were sent, as text, which is quicker to compare; null cuts them as they come. */
    async function take(reads: Served['reads'], use: (data: Buffer) => Buffer): Promise<string[]> {
      const got: string[] = [];
      for (let left = shown.join('').length; left > 0; ) {
        for (const data of await next(reads)) {
          left -= data.length;
          got.push(use(data).toString());
        }
      }
      return delimiter === null ? [got.join('')] : got;
    }

    const shown = expected.map(String);
    const whole = delimiter === null ? [shown.join('')] : shown;

    it('may be transferred as it comes: the next of this connection, and those of others, come as they were sent', async () => {
      const { reads, open, send } = await serveReading(how, options);
      const [one, other] = [await open(), await open()];
      for (const sender of [one, other, one, other]) {
        send(sender, messages);
        expect(await take(reads, transfer)).toEqual(whole);
      }
    });

    it('may be kept, and transferred later, one by one', async () => {
      const { reads, open, send } = await serveReading(how, options);
      const one = await open();
      const kept: Buffer[] = [];
      const keep = (data: Buffer): Buffer => {
        kept.push(data);
        return data;
      };
      send(one, messages);
      expect(await take(reads, keep)).toEqual(whole);
      for (const at of [3, 1, 2, 0].filter((index) => index < kept.length)) {
        const rest = kept.map(String);
        expect(transfer(kept[at]!).toString()).toBe(rest[at]);
        kept.splice(at, 1);
        rest.splice(at, 1);
        expect(kept.map(String)).toEqual(rest);
      }
      send(one, messages);
      expect(await take(reads, keep)).toEqual(whole);
    });
  });

  it('messages in fragments may be transferred', async () => {
    if (how.compress) return;
    const { reads, open } = await serveReading(how, {});
    const { client } = await open();
    const message = [frame({ opcode: 2, payload: 'first', fin: false }), more('second'), more('third', true)];
    client.send(Buffer.concat([...message, ...message, binary(Buffer.from('whole'))]));
    for (const expected of ['firstsecondthird', 'firstsecondthird', 'whole']) {
      expect(transfer((await reads.next())[0] as Buffer).toString()).toBe(expected);
    }
  });
});

/** Handlers that transfer in the midst of `onRead`. */
describe.each(WAYS)('in onRead, %s', (_way, { tls = false, compress = false }) => {
  it.each([[EntireMessage], [null], [100]] as const)(
    'a transfer under %s loses no other data',
    async (readDelimiter) => {
      const got = new AsyncQueue<string>();
      const hooks = {
        onRead: (data: string | Buffer) => got.push(transfer(data as Buffer).toString()),
        onError: (error: unknown) => got.push(String(error)),
      };
      const { open } = await serveHooks(hooks, { readDelimiter, compress }, { tls });
      const headers = compress ? { 'Sec-WebSocket-Extensions': OFFER } : {};
      const all = [await open(headers), await open(headers), await open(headers)];
      const sent = units(1000, 10);
      for (const { client } of all) {
        client.send(Buffer.concat(sent.map((one) => (compress ? packed(one) : binary(one)))));
      }
      const total = sent.length * 1000 * all.length;
      let joined = '';
      while (joined.length < total) joined += await got.next();
      const count = (letter: string): number => joined.split(letter).length - 1;
      expect([...'abcdefghij'].map(count)).toEqual(new Array(10).fill(3000));
    },
  );
});

describe('what pull style and streams give', () => {
  it.each([
    ['messages()', (handler: WebSocketHandler) => handler.messages()],
    ['toWebStreams()', (handler: WebSocketHandler) => handler.toWebStreams().readable[Symbol.asyncIterator]()],
    ['toDuplex()', (handler: WebSocketHandler) => handler.toDuplex()[Symbol.asyncIterator]()],
  ])('may be transferred: %s', async (_what, read) => {
    const { open } = await serveHooks({});
    const { client, handler } = await open();
    const messages: AsyncIterator<unknown> = read(handler);
    client.send(Buffer.concat([...units(20), ...units(2000)].map((one) => binary(one))));
    for (const expected of [...units(20), ...units(2000)]) {
      const { value } = await messages.next();
      expect(transfer(value as Buffer)).toEqual(expected);
    }
  });
});

it('the data of a pong may be transferred, and what a ping was sent with', async () => {
  const pongs = new AsyncQueue<number | Buffer>();
  const { open } = await serveHooks({ onPong: (answer) => pongs.push(answer) });
  const { client, handler } = await open();
  const data = Buffer.concat([Buffer.from('hello')]);
  handler.ping(data);
  data.fill('x');
  client.send(frame({ opcode: 10, payload: (await client.next()).payload }));
  expect(transfer((await pongs.next()) as Buffer).toString()).toBe('hello');
});

it('a prepared message shows nothing that could be transferred or changed', () => {
  const message = prepare('news');
  expect(Object.values(message).filter((value) => ArrayBuffer.isView(value))).toEqual([]);
});

describe('the client of websocket-route/testing', () => {
  it('gives messages and frames that may be transferred', async () => {
    const client = await connect(
      websocketRoute({
        onConnect(this: WebSocketHandler) {
          for (const one of units(30)) this.write(one);
        },
      }),
      '/',
    );
    for (const expected of units(30)) {
      expect(transfer((await client.nextFrame()).payload)).toEqual(expected);
      expect(transfer((await client.next()) as Buffer)).toEqual(expected);
    }
  });
});

describe('a delimiter of bytes', () => {
  it('the delimiter of a route may be transferred, or changed, once the route is made', async () => {
    const readDelimiter = Buffer.allocUnsafeSlow(1).fill(';');
    const reads = new AsyncQueue<string>();
    const { open } = await serveHooks({ onRead: (data) => reads.push(String(data)) }, { readDelimiter });
    transfer(readDelimiter);
    for (let i = 0; i < 2; i++) {
      const { client } = await open();
      client.send(binary(Buffer.from(`${'x'.repeat(50)};${'y'.repeat(50)};`)));
      expect(await reads.take(2)).toEqual(['x'.repeat(50), 'y'.repeat(50)]);
    }
  });

  it('the delimiter of a connection may be transferred, whatever is set besides', async () => {
    const reads = new AsyncQueue<string>();
    const { open } = await serveHooks({ onRead: (data) => reads.push(String(data)) });
    const { client, handler } = await open();
    const readDelimiter = Buffer.allocUnsafeSlow(1).fill(';');
    handler.readDelimiter = readDelimiter;
    transfer(readDelimiter);
    handler.regexSearch = false;
    client.send(binary(Buffer.from(`${'x'.repeat(50)};${'y'.repeat(50)};`)));
    expect(await reads.take(2)).toEqual(['x'.repeat(50), 'y'.repeat(50)]);
    expect(() => {
      handler.readDelimiter = readDelimiter;
    }).toThrow('readDelimiter');
  });
});

it('text is a string, and stays what it is', async () => {
  const { reads, open } = await serveReading({}, {});
  const { client } = await open();
  client.send(Buffer.concat([text('one'), binary(Buffer.from('two')), text('three')]));
  const got = [];
  while (got.length < 3) {
    const [data] = await reads.next();
    got.push(Buffer.isBuffer(data) ? transfer(data).toString() : data);
  }
  expect(got).toEqual(['one', 'two', 'three']);
});
