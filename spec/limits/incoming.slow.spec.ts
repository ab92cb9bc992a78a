/**
 * What peers send: however little of it in however many pieces, what it pins is bounded by `bufferSize`, for every delimiter.
 * Each test measures memory, in a server of its own, and says by which multiple of which limit it is bounded.
 */
import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync } from 'node:zlib';
import { frame, more } from '../support/frames.js';
import type { RawClient } from '../support/raw-client.js';
import { CHUNK, deflated, MEBIBYTE, OFFER, type Pinned, Server, SIZE, STATE, settle } from './pinning.js';

/** What is held stands in one buffer, which grows by doubling. */
const HELD = 2;
/** While a handler is busy: the chunk that was being read, and one more that Node's stream has taken from the socket. */
const CHUNKS_OF_A_HOOK = 2;
/** And the one that the unit which waits to be taken was cut from. */
const CHUNKS_OF_MESSAGES = 3;
/** A window of 32 KiB, some 7 KiB of tables, and 16 KiB for what comes out. */
const INFLATER = 56 * 1024;

let server: Server;
beforeAll(async () => {
  server = await Server.start();
});
afterEach(() => server.part());
afterAll(() => server.stop());

/** In one message that is not ended, each piece of so many bytes in a fragment of its own. */
function fragments(opcode: number, payload: Buffer, size = 1): Buffer {
  const frames = [frame({ opcode, payload: payload.subarray(0, size), fin: false })];
  for (let at = size; at < payload.length; at += size) frames.push(more(payload.subarray(at, at + size)));
  return Buffer.concat(frames);
}

/** The beginning of a record, whose first four bytes are the length of what follows them. */
function record(length: number, follows: number): Buffer {
  const bytes = Buffer.alloc(4 + follows);
  bytes.writeUInt32BE(length);
  return bytes;
}

const x = Buffer.alloc(SIZE, 'x');

/** For each delimiter a unit that is as large as it may be, and lacks its end. */
const UNFINISHED: [delimiter: string, how: string, opcode: number, payload: Buffer][] = [
  ['EntireMessage', 'free', 1, x],
  ['EntireMessage', 'free', 2, x],
  ['EntireMessage', 'messages', 2, x],
  ['string', 'free', 1, x],
  ['Buffer', 'free', 2, x],
  ['number', 'free', 1, Buffer.from('é'.repeat(SIZE / 2))],
  ['number', 'free', 2, x.subarray(1)],
  ['Struct', 'free', 2, x.subarray(1)],
  ['NetStruct', 'free', 2, record(SIZE - 4, SIZE - 5)],
  ['RegExp', 'free', 1, x],
  ['RegExp', 'match', 1, x],
  ['BinaryPattern', 'free', 2, x],
];

describe('one-byte frames', () => {
  it.each(UNFINISHED)(
    `one-byte frames under %s, %s, opcode %d, pin at most ${HELD} times bufferSize`,
    async (...of) => {
      const [delimiter, how, opcode, payload] = of;
      const bytes = fragments(opcode, payload);
      const [least, most] = [payload.length, HELD * SIZE + STATE];
      await server.expectPinned(`/read/${delimiter}/${how}`, (client) => settle(client, bytes), {
        least,
        most,
        count: 8,
      });
    },
  );

  it('one-byte frames under null pin nothing', async () => {
    const bytes = fragments(1, x);
    await server.expectPinned('/read/null/free', (client) => settle(client, bytes), { most: STATE, count: 8 });
  });

  it(`one-byte frames of a compressed message pin at most ${HELD} times bufferSize, and one inflater`, async () => {
    const bytes = fragments(1, deflateRawSync(x, { level: 0, finishFlush: constants.Z_SYNC_FLUSH }));
    bytes[0]! |= 0x40;
    const expected = { least: SIZE, most: HELD * SIZE + INFLATER + STATE, headers: OFFER };
    await server.expectPinned('/read/string/free', (client) => settle(client, bytes), expected);
  });
});

describe('a byte here and there', () => {
  const cases: [what: string, bytes: Buffer][] = [
    ['of a header', Buffer.from([0x81])],
    ['of a ping', frame({ opcode: 9, payload: 'ping' }).subarray(0, 7)],
    ['of a character', frame({ opcode: 1, payload: Buffer.from([0xe2]), fin: false })],
    ['of a message', frame({ opcode: 2, payload: 'x', fin: false })],
  ];

  // Not a whole piece of the memory that Node's pool cuts small buffers from, 8 KiB, which the application uses as well.
  it.each(cases)('a byte %s pins what its objects take', async (_what, bytes) => {
    let before: Promise<unknown> = Promise.resolve();
    const act = (client: RawClient): Promise<unknown> => {
      // One after the other.
      before = before.then(() => client.send(bytes)).then(() => server.figures('/pool'));
      return before;
    };
    await server.expectPinned('/read/EntireMessage/free', act, { most: STATE });
  });
});

describe('5,000 empty fragments', () => {
  const bytes = emptyFragments(5000);

  it.each(['EntireMessage', 'string', 'number', 'RegExp', 'null'])(
    'empty fragments under %s pin nothing',
    async (delimiter) => {
      const act = (client: RawClient): Promise<void> => settle(client, bytes);
      await server.expectPinned(`/read/${delimiter}/free`, act, { most: STATE, count: 8 });
    },
  );

  it('empty fragments of a compressed message pin nothing but an inflater', async () => {
    const compressed = Buffer.from(bytes);
    compressed[0]! |= 0x40;
    const expected = { most: INFLATER + STATE, count: 4, headers: OFFER };
    await server.expectPinned('/read/string/free', (client) => settle(client, compressed), expected);
  });
});

function emptyFragments(count: number): Buffer {
  return Buffer.concat([frame({ opcode: 1, fin: false }), ...Array.from({ length: count }, () => more(''))]);
}

describe('one-byte TCP writes', () => {
  const whole: [delimiter: string, opcode: number, payload: Buffer][] = [
    ['EntireMessage', 1, x],
    ['string', 1, x],
    ['RegExp', 1, x],
    ['NetStruct', 2, record(SIZE - 4, SIZE - 5)],
  ];
  it.each(whole)(
    `one-byte writes of a message under %s pin at most ${HELD} times bufferSize`,
    async (delimiter, opcode, payload) => {
      const [first, second] = [frame({ opcode, payload, fin: false }), frame({ opcode: 9 })];
      const act = async (client: RawClient): Promise<void> => {
        await client.trickle(first);
        await client.trickle(second);
        await client.next();
      };
      const expected = { least: payload.length - 1, most: HELD * SIZE + STATE, count: 3 };
      await server.expectPinned(`/read/${delimiter}/free`, act, expected);
    },
  );
});

describe('a message that never ends', () => {
  const text = fragments(1, Buffer.alloc(MEBIBYTE / 4, 'x'), 1000);
  const bytes = fragments(2, Buffer.alloc(MEBIBYTE / 4, 'x'), 1000);
  const refused: [delimiter: string, how: string, bytes: Buffer][] = [
    ['EntireMessage', 'free', text],
    ['EntireMessage', 'messages', bytes],
    ['string', 'free', text],
    ['Buffer', 'free', bytes],
    ['NetStruct', 'free', fragments(2, record(2 ** 31, MEBIBYTE / 4), 1000)],
    ['RegExp', 'free', text],
    ['RegExp', 'match', text],
    ['BinaryPattern', 'free', bytes],
  ];

  it.each(refused)('is refused by %s, %s, with 1009, and what still comes pins nothing', async (...of) => {
    const [delimiter, how, endless] = of;
    await expectRefused(1009, `/read/${delimiter}/${how}`, endless);
  });

  it.each(['EntireMessage', 'string', 'RegExp'])(
    'a compressed message that never ends is refused by %s as well',
    async (delimiter) => {
      const bomb = deflated(Buffer.alloc(MEBIBYTE, 'x'));
      const first = frame({ opcode: 1, rsv: 4, payload: bomb.subarray(0, 100), fin: false });
      const rest = Array.from({ length: 10 }, () => more(bomb.subarray(100)));
      await expectRefused(1009, `/read/${delimiter}/free`, Buffer.concat([first, ...rest]), OFFER);
    },
  );

  const delivered: [delimiter: string, multiple: number][] = [
    ['null', 0],
    ['number', HELD],
    ['Struct', HELD],
  ];
  it.each(delivered)('is delivered by %s, and pins at most %d times a unit', async (delimiter, multiple) => {
    const act = (client: RawClient): Promise<void> => settle(client, bytes);
    const { figures } = await server.expectPinned(`/read/${delimiter}/free`, act, { most: multiple * SIZE + STATE });
    expect(figures.units).toBeGreaterThan(50);
  });
});

describe('a length that announces', () => {
  const announced: [what: string, delimiter: string, length: bigint, code: number | undefined][] = [
    ['2^63', 'EntireMessage', 2n ** 63n, 1002],
    ['2^63', 'null', 2n ** 63n, 1002],
    ['2^63 - 1', 'EntireMessage', 2n ** 63n - 1n, 1009],
    ['2^63 - 1', 'null', 2n ** 63n - 1n, 1009],
    ['2^53 - 1', 'EntireMessage', 2n ** 53n - 1n, 1009],
    ['2^53 - 1', 'RegExp', 2n ** 53n - 1n, undefined],
    ['2^53 - 1', 'greedy', 2n ** 53n - 1n, 1009],
    ['2^53 - 1', 'string', 2n ** 53n - 1n, undefined],
    ['2^53 - 1', 'null', 2n ** 53n - 1n, undefined],
    ['2^53 - 1', 'number', 2n ** 53n - 1n, undefined],
    ['one more than bufferSize', 'EntireMessage', BigInt(SIZE + 1), 1009],
  ];

  it.each(announced)('a length of %s, to %s, pins nothing', async (_what, delimiter, length, code) => {
    const path = `/read/${delimiter}/free`;
    if (code !== undefined) {
      await expectRefused(code, path, frame({ opcode: 1, length }));
      return;
    }
    const begun = frame({ opcode: 1, payload: 'four', length });
    // Nothing can follow but its payload, so no ping can tell that it has come.
    const expected = { most: STATE, count: 16, isSettled: () => true };
    const { figures } = await server.expectPinned(path, (client) => client.send(begun), expected);
    expect(figures.open).toBe(17);
  });

  it('a string of 2^32 - 1 bytes, to a NetStruct, pins nothing', async () => {
    await expectRefused(1009, '/read/NetStruct/free', frame({ opcode: 2, payload: record(2 ** 32 - 1, 0) }));
  });
});

/** The server closes with this code, and pins nothing, although the peer takes no notice of it. */
async function expectRefused(code: number, path: string, bytes: Buffer, headers = {}): Promise<void> {
  const codes = new Set<number>();
  const act = async (client: RawClient): Promise<void> => {
    client.send(bytes);
    codes.add((await client.nextClose()).code);
  };
  await server.expectPinned(path, act, { most: STATE, headers, isSettled: () => true });
  expect(codes).toEqual(new Set([code]));
}

describe('thousands of pings between fragments', () => {
  it(`are answered in order, the last of them for certain, and the message pins at most ${HELD} times bufferSize`, async () => {
    const pings = Array.from({ length: 3000 }, (_, i) => frame({ opcode: 9, payload: String(i).padEnd(125) }));
    const message = Array.from({ length: 3000 }, (_, i) =>
      frame({ opcode: i === 0 ? 1 : 0, payload: 'x', fin: false }),
    );
    const bytes = Buffer.concat(message.flatMap((fragment, i) => [fragment, pings[i]!]));
    const act = async (client: RawClient): Promise<void> => {
      client.send(bytes);
      for (let last = -1; last < pings.length - 1; ) {
        const { opcode, payload } = await client.next();
        // One that does not read them in time misses some.
        if (opcode !== 10 || Number(payload) <= last) throw new Error(`after ${last} ${opcode} ${payload} came`);
        last = Number(payload);
      }
    };
    const expected = { least: message.length, most: HELD * SIZE + STATE };
    await server.expectPinned('/read/EntireMessage/free', act, expected);
  });
});

describe('what comes while a handler is busy', () => {
  /** A megabyte of units of a kilobyte, in messages of that size, and in one message. */
  function units(delimiter: string): { small: Buffer; large: Buffer } {
    const isText = delimiter === 'string' || delimiter === 'RegExp';
    const unit =
      delimiter === 'NetStruct' ? record(1000, 1000) : Buffer.from(`${'x'.repeat(999)}${isText ? '\n' : '\0'}`);
    const opcode = isText ? 1 : 2;
    const many = Array.from({ length: 1024 }, () => unit);
    return {
      small: Buffer.concat(many.map((payload) => frame({ opcode, payload }))),
      large: frame({ opcode, payload: Buffer.concat(many), fin: false }),
    };
  }
  const expectStuck = (path: string, bytes: Buffer, chunks: number, headers = {}, beside = 0): Promise<Pinned> => {
    const expected = { least: CHUNK / 2, most: chunks * CHUNK + HELD * SIZE + 2 * STATE + beside };
    const act = (client: RawClient): void => client.send(bytes);
    return server.expectPinned(path, act, { ...expected, headers, count: 6, isSettled: () => true });
  };

  const hooks: [delimiter: string, how: 'small' | 'large'][] = [
    ['EntireMessage', 'small'],
    ['string', 'large'],
    ['Buffer', 'small'],
    ['number', 'small'],
    ['Struct', 'large'],
    ['NetStruct', 'large'],
    ['RegExp', 'small'],
    ['BinaryPattern', 'small'],
    ['null', 'small'],
    ['null', 'large'],
  ];
  const ofAHook = `${CHUNKS_OF_A_HOOK} chunks and ${HELD} times bufferSize`;
  it.each(hooks)(`a busy handler under %s, in %s messages, pins at most ${ofAHook}`, async (delimiter, how) => {
    await expectStuck(`/read/${delimiter}/pending`, units(delimiter)[how], CHUNKS_OF_A_HOOK);
  });

  const compressed: [delimiter: string, bytes: Buffer][] = [
    ['null', frame({ opcode: 2, rsv: 4, payload: deflated(randomBytes(MEBIBYTE)) })],
    [
      'EntireMessage',
      Buffer.concat(
        Array.from({ length: 1024 }, () => frame({ opcode: 2, rsv: 4, payload: deflated(randomBytes(1000)) })),
      ),
    ],
  ];
  const ofZlib = `${ofAHook}, ${HELD} chunks for zlib, and an inflater`;
  it.each(compressed)(`a busy handler under %s, with compression, pins at most ${ofZlib}`, async (delimiter, bytes) => {
    const beside = HELD * CHUNK + INFLATER;
    await expectStuck(`/read/${delimiter}/pending`, bytes, CHUNKS_OF_A_HOOK, OFFER, beside);
  });

  const pulled: [delimiter: string, how: 'small' | 'large', asked: 'messages' | 'asked'][] = [
    ['EntireMessage', 'small', 'messages'],
    ['EntireMessage', 'small', 'asked'],
    ['Buffer', 'large', 'messages'],
    ['number', 'large', 'messages'],
    ['NetStruct', 'small', 'asked'],
    ['RegExp', 'small', 'messages'],
    ['null', 'large', 'messages'],
  ];
  const ofMessages = `${CHUNKS_OF_MESSAGES} chunks and ${HELD} times bufferSize`;
  it.each(pulled)(
    `a loop that asks messages() for no more, under %s, in %s messages, by %s, pins at most ${ofMessages}`,
    async (...of) => {
      const [delimiter, how, asked] = of;
      await expectStuck(`/read/${delimiter}/${asked}`, units(delimiter)[how], CHUNKS_OF_MESSAGES);
    },
  );
});
