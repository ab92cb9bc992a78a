import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import type { DeflateAgreement } from '../../lib/deflate/agreement.js';
import { Inflation, type InflationOwner } from '../../lib/deflate/inflation.js';
import { enterQueue, releaseTurn, zlibJobs } from '../../lib/deflate/zlib-jobs.js';
import { ProtocolError } from '../../lib/errors.js';
import { type MessageKind, Opcode } from '../../lib/framing/opcode.js';
import { Deflater } from '../conformance/deflate-client.js';
import { turns } from '../connection/open.js';
import { type Happened, RecordingSink } from '../framing/recording-sink.js';
import { ZlibWatch } from './zlib-watch.js';

const KIB = 1024;
const AGREEMENT: DeflateAgreement = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};
const KEEPS_CONTEXT = { clientNoContextTakeover: false };
const { Text, Binary } = Opcode;

/** The payload of a message that refers to no other. */
const deflated = (message: Buffer | string): Buffer => new Deflater(15, false).message(Buffer.from(message as string));
/** A deflate stream that ends: its last block has BFINAL set. */
const ended = (message: Buffer | string): Buffer => deflateRawSync(message);
const bomb = deflated(Buffer.alloc(1024 * KIB));
const INVALID = Buffer.from('ffffff', 'hex');

/** What stands around an inflation: the parser, which it halts, and those to whom it delivers. */
class Side implements InflationOwner {
  readonly sink = new RecordingSink();
  readonly inflation: Inflation;
  /** The sizes of the pieces that came out. */
  readonly sizes: number[] = [];
  /** What was delivered has to be looked at first: nothing more is wanted. */
  takesMore = true;
  /** How much may come out until that is so. */
  allowed = Infinity;
  failure: unknown = undefined;
  isHalted = false;
  private isOver = false;

  constructor(agreement: Partial<DeflateAgreement> = {}) {
    const { sink } = this;
    this.inflation = new Inflation({ ...AGREEMENT, ...agreement }, sink, this);
    const data = sink.data.bind(sink);
    sink.data = (kind, bytes, start, end) => {
      this.sizes.push(end - start);
      data(kind, bytes, start, end);
      this.allowed -= end - start;
      if (this.allowed <= 0) this.takesMore = false;
    };
    sides.push(this);
  }

  stop(): void {
    this.isOver = true;
    this.inflation.stop();
  }

  receive(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.failure = error;
      this.inflation.stop();
    }
  }

  onInflating(): void {
    this.isHalted = true;
  }

  onInflated(): void {
    this.isHalted = false;
  }

  /** As the parser and the intake do with what comes in pieces. */
  async message(kind: MessageKind, ...pieces: Buffer[]): Promise<void> {
    this.inflation.begin(kind);
    const last = pieces.pop() ?? Buffer.alloc(0);
    for (const piece of pieces) {
      if (piece.length > 0) this.inflation.data(piece, 0, piece.length);
      this.inflation.start();
      await this.idle();
    }
    if (last.length > 0) this.inflation.data(last, 0, last.length);
    this.inflation.end();
    await this.idle();
  }

  /** Until what was begun is done, or has failed. */
  idle(): Promise<void> {
    return this.until(() => !this.isHalted);
  }

  /** Begins with a message of which only the first piece is wanted, until it is there. */
  async pausedIn(kind: MessageKind, payload: Buffer): Promise<void> {
    this.allowed = 1;
    this.inflation.begin(kind);
    this.inflation.data(payload, 0, payload.length);
    this.inflation.end();
    await this.until(() => !this.takesMore);
  }

  /** So much more is wanted: until it is there, or there is no more. */
  resume(allowed = Infinity): Promise<void> {
    this.allowed = allowed;
    this.takesMore = true;
    this.inflation.resume();
    return this.until(() => !this.takesMore || !this.isHalted);
  }

  private async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue() && this.failure === undefined && !this.isOver) await turns();
  }

  get happened(): Happened[] {
    return this.sink.happened;
  }

  get length(): number {
    return this.sizes.reduce((sum, size) => sum + size, 0);
  }

  get code(): number | undefined {
    if (this.failure === undefined) return undefined;
    if (this.failure instanceof ProtocolError) return this.failure.closeCode;
    throw this.failure;
  }
}

const delivered = (kind: MessageKind, text: Buffer | string): Happened[] => {
  const bytes = Buffer.from(text as string).toString('latin1');
  return bytes === ''
    ? [['end', kind]]
    : [
        ['data', kind, bytes],
        ['end', kind],
      ];
};

/** Takes all turns but so many, until it gives them back. */
function hog(left = 0): () => void {
  for (let i = left; i < 8; i++) enterQueue({ onTurn() {} });
  return () => {
    for (let i = left; i < 8; i++) releaseTurn();
  };
}

const watch = new ZlibWatch();
afterAll(() => watch.stop());

const sides: Side[] = [];
beforeEach(() => {
  watch.begin();
});
afterEach(async () => {
  for (const side of sides.splice(0)) side.stop();
  expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
  expect(watch.open).toBeLessThanOrEqual(8);
  while (watch.atWork > 0) await turns();
});

describe('a message', () => {
  it.each([Text, Binary])('a message of kind %i is inflated and delivered', async (kind) => {
    const side = new Side();
    await side.message(kind, deflated('hello, hello, hello'));
    expect(side.happened).toEqual(delivered(kind, 'hello, hello, hello'));
    expect(side.inflation.isBusy).toBe(false);
  });

  it('a long message announces no length, and comes in pieces of at most 16 KiB', async () => {
    const side = new Side();
    const message = randomBytes(100 * KIB);
    await side.message(Binary, deflated(message));
    expect(side.happened).toEqual(delivered(Binary, message));
    expect(side.sink.announced).toEqual([0]);
    expect(Math.max(...side.sizes)).toBe(16 * KIB);
  });

  it.each(['00', '', '01', '0200', '0300', '030000'])('an empty message, as %p, is delivered as such', async (hex) => {
    const side = new Side();
    await side.message(Text, Buffer.from(hex, 'hex'));
    await side.message(Text, deflated('next'));
    expect(side.happened).toEqual([...delivered(Text, ''), ...delivered(Text, 'next')]);
  });

  it('is inflated as far as it has come', async () => {
    const side = new Side();
    const { inflation, sink } = side;
    const [first, second] = [deflateRawSync('first', { finishFlush: constants.Z_SYNC_FLUSH }), deflated('second')];
    inflation.begin(Text);
    inflation.data(first, 0, first.length);
    expect(inflation.hasInput).toBe(true);
    inflation.start();
    expect(inflation.hasInput).toBe(false);
    expect(inflation.isBusy).toBe(true);
    await side.idle();
    expect(sink.happened).toEqual([['data', Text, 'first']]);
    expect(inflation.isBusy).toBe(false);
    // Nothing has come: nothing is begun.
    inflation.start();
    expect(side.isHalted).toBe(false);
    inflation.data(second, 0, second.length);
    inflation.end();
    await side.idle();
    expect(sink.happened).toEqual(delivered(Text, 'firstsecond'));
  });

  it('a message that comes byte by byte is delivered the same', async () => {
    const side = new Side();
    const compressed = deflated('hello, 🧀, hello');
    await side.message(Text, ...Array.from(compressed, (byte) => Buffer.of(byte)));
    expect(side.happened).toEqual(delivered(Text, 'hello, 🧀, hello'));
  });

  it('is copied as it comes: its bytes are not kept', async () => {
    const side = new Side();
    const compressed = deflated('hello, hello, hello');
    side.inflation.begin(Text);
    for (const byte of compressed) {
      const chunk = Buffer.of(0, byte, 0);
      side.inflation.data(chunk, 1, 2);
      chunk.fill(0xff);
    }
    side.inflation.end();
    await side.idle();
    expect(side.happened).toEqual(delivered(Text, 'hello, hello, hello'));
  });
});

describe('text', () => {
  it('is never cut inside a character, wherever the pieces are cut', async () => {
    for (const shift of ['', 'a', 'ab', 'abc']) {
      const side = new Side();
      const message = shift + '🧀é€x'.repeat(20_000);
      const texts: string[] = [];
      const { data } = side.sink;
      side.sink.data = (kind, bytes, start, end) => {
        texts.push(bytes.toString('utf8', start, end));
        data(kind, bytes, start, end);
      };
      await side.message(Text, deflated(message));
      expect(texts.length).toBeGreaterThan(10);
      expect(texts.join('') === message).toBe(true);
    }
  });

  it('text that is not UTF-8 fails at the byte that is wrong, and nothing behind it is inflated', async () => {
    const side = new Side();
    const message = Buffer.concat([Buffer.alloc(20 * KIB, 'a'), Buffer.of(0xff), Buffer.alloc(1000 * KIB, 'a')]);
    await side.message(Text, deflated(message));
    expect(side.code).toBe(1007);
    expect(side.happened).toEqual([['data', Text, 'a'.repeat(20 * KIB)]]);
    while (watch.atWork > 0) await turns();
    expect(watch.pieces).toBeLessThanOrEqual(3);
  });

  it('text that is not UTF-8 fails before the message is complete', async () => {
    const side = new Side();
    const first = deflateRawSync(Buffer.from('6bff', 'hex'), { finishFlush: constants.Z_SYNC_FLUSH });
    side.inflation.begin(Text);
    side.inflation.data(first, 0, first.length);
    side.inflation.start();
    await side.idle();
    expect(side.code).toBe(1007);
  });

  it('text that ends inside a character fails', async () => {
    const side = new Side();
    await side.message(Text, deflated(Buffer.from('é').subarray(0, 1)));
    expect(side.code).toBe(1007);
    expect(side.happened).toEqual([]);
  });

  it('is not looked for in binary data', async () => {
    const side = new Side();
    await side.message(Binary, deflated(Buffer.of(0xff)));
    expect(side.happened).toEqual(delivered(Binary, Buffer.of(0xff)));
  });
});

describe('what cannot be inflated', () => {
  it.each([
    ['a block of no known type', INVALID],
    ['a stored block whose lengths differ', Buffer.from('00050000', 'hex')],
    ['a reference to what there is not', Buffer.from('020002', 'hex')],
    [
      'compressed data with a wrong bit',
      Buffer.from(deflated('hello, hello').map((byte, i) => (i === 0 ? byte ^ 6 : byte))),
    ],
  ])('fails with 1007: %s', async (_what, payload) => {
    const side = new Side();
    await side.message(Binary, payload);
    expect(side.code).toBe(1007);
    expect(side.happened).toEqual([]);
    expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
  });

  it('closes its stream, so that no other has to do with it', async () => {
    for (let i = 0; i < 20; i++) await new Side().message(Binary, INVALID);
    const side = new Side();
    await side.message(Text, deflated('fine'));
    expect(side.happened).toEqual(delivered(Text, 'fine'));
  });

  it('is told apart from what zlib cannot do', async () => {
    // Node refuses to make such a stream, as it does where there is no memory for one.
    const side = new Side({ ...KEEPS_CONTEXT, clientMaxWindowBits: 99 });
    await side.message(Text, deflated('hello'));
    expect(side.failure).toMatchObject({ name: 'RangeError' });
    expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
  });
});

describe('a block with BFINAL set, RFC 7692 sections 7.2.1 and 7.2.3.5', () => {
  it('is read as in the example', async () => {
    for (const agreement of [{}, KEEPS_CONTEXT]) {
      const side = new Side(agreement);
      for (let i = 0; i < 3; i++) await side.message(Text, Buffer.from('f348cdc9c9070000', 'hex'));
      const hello = delivered(Text, 'Hello');
      expect(side.happened).toEqual([...hello, ...hello, ...hello]);
    }
  });

  it('may be the last of a message, without the octet behind it', async () => {
    for (const agreement of [{}, KEEPS_CONTEXT]) {
      const side = new Side(agreement);
      for (let i = 0; i < 3; i++) await side.message(Text, ended(`Hello ${i}`));
      expect(side.happened).toEqual([0, 1, 2].flatMap((i) => delivered(Text, `Hello ${i}`)));
    }
  });

  it('may be followed by others, of any kind', async () => {
    for (const agreement of [{}, KEEPS_CONTEXT]) {
      const side = new Side(agreement);
      const large = randomBytes(40 * KIB);
      await side.message(Binary, Buffer.concat([ended('a'), ended(large), deflated('b')]));
      await side.message(Text, deflated('c'));
      expect(side.happened).toEqual([
        ...delivered(Binary, Buffer.concat([Buffer.from('a'), large, Buffer.from('b')])),
        ...delivered(Text, 'c'),
      ]);
    }
  });

  it('is followed by nothing that is not looked at, however it is cut', async () => {
    // The beginning of a block of no known type.
    const [last, wrong] = [ended('a'), Buffer.of(6)];
    for (const pieces of [
      [Buffer.concat([last, wrong])],
      [last, wrong],
      [Buffer.concat([last, wrong]), Buffer.alloc(0)],
    ]) {
      const side = new Side();
      await side.message(Text, ...pieces);
      expect(side.code).toBe(1007);
    }
  });

  it('ends what later blocks may refer to', async () => {
    const side = new Side(KEEPS_CONTEXT);
    const deflater = new Deflater(15, true);
    const [first, second] = [
      deflater.message(Buffer.from('hello, hello')),
      deflater.message(Buffer.from('hello, hello')),
    ];
    await side.message(Text, first);
    await side.message(Text, ended('over'));
    await side.message(Text, second);
    expect(side.code).toBe(1007);
  });

  it('stands in a message up to sixteen times, and then fails it: each takes a stream', async () => {
    const sixteen = Buffer.concat([...Array.from({ length: 16 }, (_, i) => ended(`${i}`)), deflated('.')]);
    const side = new Side();
    await side.message(Text, sixteen);
    await side.message(Text, sixteen);
    const once = delivered(Text, '0123456789101112131415.');
    expect(side.happened).toEqual([...once, ...once]);
    await side.message(Text, Buffer.concat([ended('x'), sixteen]));
    expect(side.code).toBe(1008);
  });

  it('a final block that is the header of the tail ends a message, and the next begins anew', async () => {
    for (const agreement of [{}, KEEPS_CONTEXT]) {
      const side = new Side(agreement);
      const last = Buffer.concat([deflateRawSync('a', { finishFlush: constants.Z_SYNC_FLUSH }), Buffer.of(1)]);
      await side.message(Text, last);
      await side.message(Text, deflated('b'));
      expect(side.happened).toEqual([...delivered(Text, 'a'), ...delivered(Text, 'b')]);
    }
  });
});

describe('context', () => {
  const words = 'the same words again and again, but for the number ';

  it('is kept from one message to the next where that was agreed on, in a window as small as that', async () => {
    for (const bits of [8, 9, 11, 15]) {
      const side = new Side({ ...KEEPS_CONTEXT, clientMaxWindowBits: bits });
      const deflater = new Deflater(bits, true);
      for (let i = 0; i < 5; i++) {
        const payload = deflater.message(Buffer.from(words + i));
        if (i > 0) expect(payload.length).toBeLessThan(words.length / 3);
        await side.message(Text, payload);
      }
      expect(side.happened).toEqual([0, 1, 2, 3, 4].flatMap((i) => delivered(Text, words + i)));
      expect(side.inflation.pinned).toBe((1 << bits) + 23 * KIB);
    }
  });

  it('is not kept where that was not agreed on: a reference to a message before fails', async () => {
    const side = new Side();
    const deflater = new Deflater(15, true);
    const payloads = [0, 1].map((i) => deflater.message(Buffer.from(words + i)));
    for (const payload of payloads) await side.message(Text, payload);
    expect(side.code).toBe(1007);
  });

  it('the context of another connection is never seen', async () => {
    const secret = new Side();
    const curious = new Side();
    const deflater = new Deflater(15, true);
    await secret.message(Text, deflater.message(Buffer.from(words)));
    // It would inflate to the words of the other.
    await curious.message(Text, deflater.message(Buffer.from(words)));
    expect(curious.code).toBe(1007);
    expect(curious.happened).toEqual([]);
  });

  it('a context that is not kept takes a stream for each message, and none in between', async () => {
    const hello = deflated('hello');
    watch.begin();
    for (let i = 0; i < 30; i++) {
      const side = new Side();
      await side.message(Text, hello);
      await side.message(Text, hello);
      expect(side.inflation.pinned).toBe(0);
    }
    expect(watch.made).toBeLessThanOrEqual(1);
    expect(watch.more).toBe(watch.made);
  });

  it('a context that is kept pins a stream until it is stopped', async () => {
    const side = new Side(KEEPS_CONTEXT);
    expect(side.inflation.pinned).toBe(0);
    await side.message(Text, deflated('hello'));
    expect(side.inflation.pinned).toBe(55 * KIB);
    expect(watch.more).toBe(1);
    side.inflation.stop();
    expect(side.inflation.pinned).toBe(0);
    expect(watch.more).toBe(0);
  });
});

describe('what is not wanted for now', () => {
  it('waits in zlib: of a megabyte one piece is delivered, and one more made', async () => {
    const side = new Side();
    await side.pausedIn(Binary, bomb);
    while (watch.atWork > 0) await turns();
    await turns(20);
    expect(side.sizes).toHaveLength(1);
    expect(watch.pieces).toBe(2);
    expect(side.inflation.isBusy).toBe(true);
    expect(side.inflation.pinned).toBe(bomb.length + 4 + 55 * KIB);
  });

  it('comes when it is wanted again, piece by piece, in order', async () => {
    const side = new Side();
    const message = randomBytes(150 * KIB);
    await side.pausedIn(Binary, deflated(message));
    for (let pieces = 1; side.isHalted; pieces++) {
      expect(side.sizes).toHaveLength(pieces);
      await side.resume(1);
    }
    expect(side.happened).toEqual(delivered(Binary, message));
    expect(side.inflation.pinned).toBe(0);
  });

  it('is not asked for as long as it is not wanted', async () => {
    const side = new Side();
    await side.pausedIn(Binary, bomb);
    for (let i = 0; i < 5; i++) side.inflation.resume();
    await turns(10);
    expect(side.sizes).toHaveLength(1);
  });

  it('holds no turn: eight that wait do not keep a ninth from its own', async () => {
    const waiting = Array.from({ length: 8 }, () => new Side());
    for (const side of waiting) await side.pausedIn(Binary, bomb);
    while (zlibJobs().atWork > 0) await turns();
    const ninth = new Side();
    await ninth.message(Text, deflated('ninth'));
    expect(ninth.happened).toEqual(delivered(Text, 'ninth'));
    await Promise.all(waiting.map((side) => side.resume()));
    for (const side of waiting) expect(side.length).toBe(1024 * KIB);
    expect(watch.mostAtWork).toBeLessThanOrEqual(8);
  });

  it.each([{}, KEEPS_CONTEXT])(
    'although zlib was done with it leaves the stream as it was for what comes next: %p',
    async (agreement) => {
      const side = new Side(agreement);
      for (let i = 0; i < 5; i++) {
        await side.pausedIn(Text, deflated(`${i}`));
        while (watch.atWork > 0) await turns();
        await turns(3);
        await side.resume();
      }
      expect(side.happened).toEqual([0, 1, 2, 3, 4].flatMap((i) => delivered(Text, `${i}`)));
    },
  );
});

describe('a mistake that stands behind what is not wanted yet', () => {
  it.each([
    ['no UTF-8, in the same piece', Text, deflated(Buffer.concat([Buffer.from('good'), Buffer.of(0xff)]))],
    [
      'no UTF-8, in the next piece',
      Text,
      deflated(Buffer.concat([Buffer.alloc(17 * KIB, 'a'), Buffer.of(0xff), randomBytes(40 * KIB)])),
    ],
    [
      'no deflate stream',
      Binary,
      Buffer.concat([deflateRawSync(randomBytes(20 * KIB), { finishFlush: constants.Z_SYNC_FLUSH }), INVALID]),
    ],
    [
      'too many final blocks',
      Binary,
      Buffer.concat([ended(randomBytes(100)), ...Array.from({ length: 17 }, () => ended(''))]),
    ],
  ])('takes effect when that has been taken: %s', async (_what, kind, payload) => {
    const side = new Side();
    await side.pausedIn(kind, payload);
    while (watch.atWork > 0 || zlibJobs().atWork > 0) await turns();
    await turns(20);
    expect(side.code).toBeUndefined();
    const before = side.length;
    await side.resume();
    expect([1007, 1008]).toContain(side.code);
    expect(before).toBeGreaterThan(0);
    expect(side.happened.map(([name]) => name)).toEqual(['data']);
  });
});

describe('turns', () => {
  it('are waited for, and come in the order in which the messages came', async () => {
    // One turn that comes and goes: of several zlib may do the last first.
    const release = hog(1);
    enterQueue({ onTurn() {} });
    const [a, b, c] = [new Side(), new Side(), new Side()];
    const order: string[] = [];
    for (const [name, side] of Object.entries({ a, b, c })) {
      side.sink.afterwards = () => void order.push(name);
      side.inflation.begin(Binary);
      const payload = deflated(name);
      side.inflation.data(payload, 0, payload.length);
      side.inflation.end();
    }
    await turns(5);
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 3 });
    expect(watch.atWork).toBe(0);
    releaseTurn();
    for (const side of [a, b, c]) await side.idle();
    release();
    expect(order.join('')).toBe('aabbcc');
  });

  it('bring the last piece of a message, too, however short it is', async () => {
    const size = 1024 * KIB + 3;
    const payload = deflated(Buffer.alloc(size));
    const many = Array.from({ length: 16 }, () => new Side());
    await Promise.all(many.map((side) => side.message(Binary, payload)));
    for (const side of many) expect(side.length).toBe(size);
  });

  it('are taken by eight at a time, however many messages come at once', async () => {
    const many = Array.from({ length: 40 }, () => new Side());
    await Promise.all(many.map((side) => side.message(Binary, bomb)));
    for (const side of many) expect(side.length).toBe(1024 * KIB);
    expect(watch.mostAtWork).toBe(8);
  });

  it('are given back by messages that become very long, where others wait', async () => {
    const long = deflated(Buffer.alloc(4 * 1024 * KIB));
    const hungry = Array.from({ length: 8 }, () => new Side());
    const messages = hungry.map((side) => side.message(Binary, long));
    const ninth = new Side();
    await ninth.message(Text, deflated('ninth'));
    // One of them had its turn, and the others not much more than that.
    for (const side of hungry) expect(side.length).toBeLessThanOrEqual(1024 * KIB);
    await Promise.all(messages);
    for (const side of hungry) expect(side.length).toBe(4 * 1024 * KIB);
    expect(watch.mostAtWork).toBe(8);
  });

  it('are held by nobody who has nothing left to do', async () => {
    // That nothing follows a piece of this size zlib finds out by another job, while the others have come and taken all turns.
    const side = new Side();
    let release: (() => void) | undefined;
    side.allowed = 1;
    side.sink.afterwards = () => {
      side.sink.afterwards = () => {};
      queueMicrotask(() => {
        release = hog();
        // All of it, in however many pieces it comes: the memory of a pooled stream may be in use from its middle on.
        side.allowed = Infinity;
        side.takesMore = true;
        side.inflation.resume();
      });
    };
    const message = side.message(Binary, deflated(randomBytes(16 * KIB)));
    while (release === undefined) await turns();
    while (watch.atWork > 0) await turns();
    await turns(3);
    release();
    await message;
    expect(side.length).toBe(16 * KIB);
    expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
  });
});

describe('stopped', () => {
  it('an inflation stopped while it waits for its turn is forgotten', async () => {
    const release = hog();
    const side = new Side();
    void side.message(Binary, bomb);
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 1 });
    side.inflation.stop();
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 0 });
    release();
    await turns(5);
    expect(watch.pieces).toBe(0);
    expect(side.happened).toEqual([]);
  });

  it.each([{}, KEEPS_CONTEXT])(
    'an inflation stopped while zlib is at work passes its turn on, and its stream is closed: %p',
    async (agreement) => {
      const release = hog(1);
      const side = new Side(agreement);
      const next = new Side();
      void side.message(Binary, bomb);
      const nextMessage = next.message(Text, deflated('next'));
      side.inflation.stop();
      expect(side.inflation.isBusy).toBe(false);
      expect(side.inflation.pinned).toBe(0);
      await nextMessage;
      await turns(5);
      expect(next.happened).toEqual(delivered(Text, 'next'));
      expect(side.happened).toEqual([]);
      release();
      expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
    },
  );

  it('an inflation stopped while it is paused has its stream closed', async () => {
    const side = new Side(KEEPS_CONTEXT);
    await side.pausedIn(Binary, bomb);
    expect(watch.more).toBe(1);
    side.inflation.stop();
    expect(watch.more).toBe(0);
    void side.resume();
    await turns(5);
    expect(side.sizes).toHaveLength(1);
  });

  it('an inflation stopped by its own sink delivers nothing more', async () => {
    const side = new Side();
    side.sink.afterwards = () => side.inflation.stop();
    void side.message(Binary, bomb);
    while (side.sizes.length === 0) await turns();
    await turns(10);
    expect(side.sizes).toHaveLength(1);
    expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
  });

  it('takes no notice of what comes later', async () => {
    const side = new Side();
    side.inflation.stop();
    await side.message(Text, deflated('late'));
    expect(side.inflation.hasInput).toBe(false);
    expect(side.inflation.isBusy).toBe(false);
    expect(side.happened).toEqual([]);
    expect(watch.pieces).toBe(0);
  });
});

describe('however the bytes are cut, and whenever it is not wanted', () => {
  const words = fc.constantFrom('hello, ', 'hello, hello, ', '🧀', 'é', '\n', 'x'.repeat(3000));
  const content = fc.array(words, { maxLength: 30 }).map((list) => Buffer.from(list.join('')));
  const block = fc.tuple(content, fc.constantFrom('flush', 'flush', 'end', 'end and pad')).map(([data, how]) => {
    if (how === 'flush') return deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH });
    return how === 'end' ? ended(data) : Buffer.concat([ended(data), Buffer.of(0)]);
  });
  const mutation = fc.record({ at: fc.nat(2000), bit: fc.nat(7) });
  const payload = fc
    .tuple(fc.array(block, { maxLength: 6 }), fc.option(mutation, { freq: 2 }))
    .map(([blocks, change]) => {
      const bytes = Buffer.concat(blocks);
      if (change !== null && bytes.length > 0) bytes[change.at % bytes.length]! ^= 1 << change.bit;
      return bytes;
    });
  const messages = fc.array(fc.record({ kind: fc.constantFrom(Text, Binary), payload }), {
    minLength: 1,
    maxLength: 3,
  });

  function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
    const pieces: Buffer[] = [];
    let at = 0;
    for (const size of sizes) {
      pieces.push(bytes.subarray(at, at + size));
      at += size;
    }
    return [...pieces, bytes.subarray(at)];
  }

  async function inflate(
    agreement: Partial<DeflateAgreement>,
    all: readonly { kind: MessageKind; payload: Buffer }[],
    sizes: readonly number[],
    allowed: number,
  ): Promise<{ happened: Happened[]; code: number | undefined }> {
    const side = new Side(agreement);
    for (const { kind, payload: bytes } of all) {
      if (side.failure !== undefined) break;
      side.allowed = allowed;
      let isDone = false;
      const message = side.message(kind, ...cut(bytes, sizes)).then(() => {
        isDone = true;
      });
      while (!isDone) {
        await turns();
        if (!side.takesMore) void side.resume(allowed);
      }
      await message;
    }
    const { happened, code } = side;
    return { happened, code };
  }

  it('the same comes out, or the same mistake is found', async () => {
    const codes = new Set<number | undefined>();
    const property = fc.asyncProperty(
      messages,
      fc.boolean(),
      fc.array(fc.nat(12), { maxLength: 40 }),
      fc.constantFrom(1, 100, Infinity),
      async (all, keepsContext, sizes, allowed) => {
        const agreement = keepsContext ? KEEPS_CONTEXT : {};
        const whole = await inflate(agreement, all, [], Infinity);
        const inPieces = await inflate(agreement, all, sizes, allowed);
        codes.add(whole.code);
        expect(inPieces.code).toBe(whole.code);
        if (whole.code === undefined) expect(inPieces).toEqual(whole);
        else {
          // How much of the message that fails had come out before differs: more of it, perhaps, and nothing else.
          const [a, b] = [whole.happened, inPieces.happened].sort((one, other) => lengthOf(one) - lengthOf(other));
          expect(flat(b!).startsWith(flat(a!))).toBe(true);
        }
      },
    );
    await fc.assert(property, { numRuns: 300, seed: 7692 });
    expect([...codes].sort()).toEqual([1007, undefined]);
  });

  const flat = (happened: Happened[]): string =>
    happened.map(([name, kind, bytes]) => (name === 'data' ? `${kind}:${bytes}` : `${name}${kind};`)).join('');
  const lengthOf = (happened: Happened[]): number => flat(happened).length;
});

describe('a peer that ends its deflate streams again and again', () => {
  const letters = [...'abcdefghijklmnop'];
  const payload = Buffer.concat([...letters.map((letter) => ended(letter)), deflated('rest')]);

  it.each([
    // The first of all is found to have ended.
    [{}, 1],
    // And what comes after the last final block is remembered, by a stream that the next message ends.
    [KEEPS_CONTEXT, 40],
  ])('needs no job of zlib for each of them: %p', async (agreement, jobs) => {
    const side = new Side(agreement);
    for (let i = 0; i < 20; i++) await side.message(Binary, payload);
    expect(side.code).toBeUndefined();
    expect(side.length).toBe(20 * (letters.length + 'rest'.length));
    expect(watch.pieces).toBeLessThanOrEqual(jobs);
  });
});
