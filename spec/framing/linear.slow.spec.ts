/**
 * Time is linear in the bytes, for the parser and for every delimiter, however the peer cuts them. Not measured but counted:
 * twice the bytes may cost twice the work, and no more.
 */
import type { Delimiter } from '../../lib/dispatch/delimiter.js';
import { WorkCounter } from '../dispatch/work-counter.js';
import { frame } from '../support/frames.js';

type Engine = typeof import('../dispatch/engine.js');
type Payload = string | Buffer;
type Kind = 1 | 2;
type Cost = (size: number) => number;

const SIZE = 256;
/** Some of the work is done once, some by doubling: so it is not exactly twice as much. */
const TWICE = 2.2;

const counter = new WorkCounter((url) => /\/lib\/(framing|dispatch|struct)\/|\/quadratic-readers\.ts$/.test(url));
let engine: Engine;

beforeAll(async () => {
  engine = await import('../dispatch/engine.js');
  // What loading it costs does not count.
  counter.count(() => {});
});
afterAll(() => counter.stop());

/** Makes no difference to a payload, so that chunks stay as they are when the parser unmasks them in place. */
const mask = Buffer.alloc(4);
const bytewise = (bytes: Buffer): Buffer[] => Array.from(bytes, (byte) => Buffer.of(byte));
const times = (count: number, of: (i: number) => Buffer): Buffer[] => Array.from({ length: count }, (_, i) => of(i));
const kindOf = (payload: Payload): Kind => (typeof payload === 'string' ? 1 : 2);

/** A message in frames of one byte, and a last one that is empty. */
function fragments(payload: Payload, kind: Kind): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const pieces = [...bytewise(bytes), Buffer.alloc(0)];
  const last = pieces.length - 1;
  return Buffer.concat(
    pieces.map((piece, i) => frame({ opcode: i === 0 ? kind : 0, payload: piece, fin: i === last, mask })),
  );
}

/** A message for each byte, or character of text. */
function messages(payload: Payload, opcode: Kind): Buffer {
  const pieces = typeof payload === 'string' ? [...payload] : bytewise(payload);
  return Buffer.concat(pieces.map((piece) => frame({ opcode, payload: piece, mask })));
}

/** How a peer may cut what it sends into messages, frames and segments. */
const CUTS: Record<string, (payload: Payload, kind: Kind) => Buffer[]> = {
  'one message': (payload, opcode) => [frame({ opcode, payload, mask })],
  'one message, a byte at a time': (payload, opcode) => bytewise(frame({ opcode, payload, mask })),
  'frames of a byte': (payload, kind) => [fragments(payload, kind)],
  'frames of a byte, a byte at a time': (payload, kind) => bytewise(fragments(payload, kind)),
  'messages of a byte': (payload, kind) => [messages(payload, kind)],
  'messages of a byte, a byte at a time': (payload, kind) => bytewise(messages(payload, kind)),
};

/** The cuts, and ways of reading, under which twice as much costs more than twice the work. */
function tooDear(costs: Record<string, Cost>): string[] {
  return Object.entries(costs)
    .map(([name, cost]) => ({ name, ratio: cost(2 * SIZE) / cost(SIZE) }))
    .filter(({ ratio }) => !(ratio <= TWICE))
    .map(({ name, ratio }) => `${name}: ${ratio.toFixed(2)} times`);
}

/** `text` again and again, so many characters in all. */
const repeated = (text: string) => (size: number) => text.repeat(Math.ceil(size / text.length)).slice(0, size);
const bytes = (text: string) => (size: number) => Buffer.from(repeated(text)(size), 'latin1');

interface Case {
  readonly delimiter: (engine: Engine, size: number) => Delimiter;
  readonly payload: (size: number) => Payload;
  /** What the message says it is, where that is not what the payload is. */
  readonly kind?: Kind;
  readonly regexSearch?: boolean;
}

const LINES = repeated('a short line\n');
const NEVER = repeated('x');

const CASES: Record<string, Case> = {
  'EntireMessage, text': { delimiter: (e) => e.EntireMessage, payload: repeated('añ🧀') },
  'EntireMessage, binary': { delimiter: (e) => e.EntireMessage, payload: bytes('x') },
  'null, text': { delimiter: () => null, payload: repeated('añ中') },
  'null, binary': { delimiter: () => null, payload: bytes('x') },
  'a string': { delimiter: () => '\n', payload: LINES },
  'a string at every place': { delimiter: () => '\n', payload: repeated('\n') },
  'a string that never comes': { delimiter: () => '\n', payload: NEVER },
  'a string that nearly comes': { delimiter: () => 'xxy', payload: NEVER },
  'a long string that nearly comes': { delimiter: () => `${'x'.repeat(39)}y`, payload: NEVER },
  'a long string whose end comes everywhere': { delimiter: () => `y${'x'.repeat(39)}`, payload: NEVER },
  'a string of several bytes': { delimiter: () => '🧀', payload: repeated('añ中,🧀') },
  bytes: { delimiter: () => Buffer.from([0, 1]), payload: bytes('some bytes\0\x01') },
  'bytes that never come': { delimiter: () => Buffer.from([0, 1]), payload: bytes('\0') },
  'a number of characters': { delimiter: () => 3, payload: repeated('añ中') },
  'a large number of characters': { delimiter: (_e, size) => size + 1, payload: repeated('añ中') },
  'a number of bytes': { delimiter: () => 3, payload: bytes('x') },
  'a large number of bytes': { delimiter: (_e, size) => size, payload: bytes('x') },
  'a pattern': { delimiter: () => /\r?\n/, payload: LINES },
  'a pattern at every place': { delimiter: () => /\n/, payload: repeated('\n') },
  'a pattern in text of several bytes': { delimiter: () => /\n/u, payload: repeated('añ中🧀\n') },
  'a pattern that never comes': { delimiter: () => /\n/, payload: NEVER },
  'a pattern that never comes, in text of several bytes': { delimiter: () => /\n/, payload: repeated('ñ🧀') },
  'a pattern that matches nothing everywhere': { delimiter: () => /y*/, payload: NEVER },
  'a pattern that matches nothing nearly everywhere': { delimiter: () => /\n*/, payload: LINES },
  'a pattern in bytes': { delimiter: (e) => new e.BinaryPattern(/\xff/), payload: bytes('some\xff') },
  'a pattern that never comes in bytes': { delimiter: (e) => new e.BinaryPattern(/\xff/), payload: bytes('x') },
  'a pattern to match': { delimiter: () => /[^\n]*\n/, payload: LINES, regexSearch: false },
  'a pattern to match at every place': { delimiter: () => /\n/, payload: repeated('\n'), regexSearch: false },
  'a pattern to match, in text of several bytes': {
    delimiter: () => /[^\n]*\n/u,
    payload: repeated('añ中🧀\n'),
    regexSearch: false,
  },
  'a pattern that never matches': { delimiter: () => /x*\n/, payload: NEVER, regexSearch: false },
  'a pattern to match in bytes': {
    delimiter: (e) => new e.BinaryPattern(/([^\xff]*)\xff/),
    payload: bytes('some\xff'),
    regexSearch: false,
  },
  'a struct': { delimiter: (e) => new e.Struct('!HB2s'), payload: bytes('x') },
  'a large struct': { delimiter: (e, size) => new e.Struct(`${size}s`), payload: bytes('x') },
  'a netstruct': { delimiter: (e) => new e.NetStruct('!BH$B$'), payload: bytes('\0\0\x03abc\x02de') },
  'a netstruct of one long string': { delimiter: (e) => new e.NetStruct('!I$'), payload: bytes('\0\x7f') },
  'a netstruct of many strings': {
    delimiter: (e, size) => new e.NetStruct('B$'.repeat(size / 2)),
    payload: bytes('\x01'),
  },
  'a string, and text that is wrong in the end': {
    delimiter: () => '\n',
    payload: (size) => Buffer.concat([bytes('x')(size - 1), Buffer.of(0xff)]),
    kind: 1,
  },
};

describe('counting', () => {
  it.each(['with a loop', 'with indexOf', 'with a decoded string', 'with a pattern', 'with a copy'])(
    'shows that a reader is quadratic which looks at what is buffered again each time, %s',
    (name) => {
      const cost: Cost = (size) => {
        const reader = engine.quadratic[name]!;
        const outlet = engine.createEngine(null).dispatcher;
        const all = Buffer.alloc(size, 'x');
        return counter.count(() => {
          for (let end = 1; end <= size; end++) reader.read(2, all.subarray(0, end), 0, end, outlet);
        });
      };
      expect(cost(SIZE)).toBeGreaterThan(SIZE ** 2 / 2);
      expect(cost(2 * SIZE) / cost(SIZE)).toBeGreaterThan(3.5);
    },
  );
});

describe('twice the bytes cost twice the work', () => {
  it.each(Object.keys(CASES))('the work under %s is linear in the bytes', (name) => {
    const { delimiter, payload, kind, regexSearch = true } = CASES[name]!;
    const costs: Record<string, Cost> = {};
    for (const [cut, chunksOf] of Object.entries(CUTS)) {
      const chunks = new Map<number, Buffer[]>();
      for (const size of [SIZE, 2 * SIZE]) {
        const data = payload(size);
        chunks.set(size, chunksOf(data, kind ?? kindOf(data)));
      }
      for (const pauses of [false, true]) {
        costs[pauses ? `${cut}, each unit of which makes reading wait` : cut] = (size) => {
          const one = engine.createEngine(delimiter(engine, size), { regexSearch, pauses });
          return counter.count(() => engine.feed(one, chunks.get(size) ?? []));
        };
      }
    }
    expect(tooDear(costs)).toEqual([]);
  });
});

describe('the work for many frames', () => {
  /** Chunks for the frames, however TCP cuts them. */
  const SEGMENTS: Record<string, (frames: Buffer[]) => Buffer[]> = {
    'in one chunk': (frames) => [Buffer.concat(frames)],
    'a frame at a time': (frames) => frames,
    'a byte at a time': (frames) => bytewise(Buffer.concat(frames)),
  };

  it.each<[string, boolean, (size: number) => Buffer[]]>([
    ['pings', false, (size) => times(size, () => frame({ opcode: 9, payload: 'x'.repeat(20), mask }))],
    ['pongs', false, (size) => times(size, () => frame({ opcode: 10, mask }))],
    [
      'pings inside a message',
      false,
      (size) => [
        frame({ opcode: 1, payload: 'x', fin: false, mask }),
        ...times(size, () => frame({ opcode: 9, payload: 'x', mask })),
      ],
    ],
    ['empty messages', false, (size) => times(size, () => frame({ opcode: 2, mask }))],
    ['empty fragments', false, (size) => times(size, (i) => frame({ opcode: i === 0 ? 1 : 0, fin: false, mask }))],
    ['draft-76 messages', true, (size) => times(size, () => Buffer.from('\0text\xff', 'latin1'))],
    ['empty draft-76 messages', true, (size) => times(size, () => Buffer.of(0, 0xff))],
    ['bytes of a draft-76 message', true, (size) => [Buffer.from(`\0${'x'.repeat(size)}\xff`, 'latin1')]],
    ['bytes of a draft-76 message without an end', true, (size) => [Buffer.from(`\0${'x'.repeat(size)}`, 'latin1')]],
  ])('twice as many %s cost twice the work', (_what, draft76, framesOf) => {
    const costs: Record<string, Cost> = {};
    for (const [how, chunksOf] of Object.entries(SEGMENTS)) {
      costs[how] = (size) => {
        const one = engine.createEngine(engine.EntireMessage, { draft76 });
        const chunks = chunksOf(framesOf(size));
        return counter.count(() => engine.feed(one, chunks));
      };
    }
    expect(tooDear(costs)).toEqual([]);
  });

  it('bytes for the read buffer, whether they are taken from its front or not', () => {
    const append =
      (drop: boolean): Cost =>
      (size) => {
        const buffer = new engine.ReadBuffer();
        const byte = Buffer.from('x');
        return counter.count(() => {
          for (let i = 0; i < size; i++) {
            buffer.append(1, byte, 0, 1);
            if (drop && i % 3 > 0) buffer.drop(buffer.start + 1);
          }
        });
      };
    expect(tooDear({ kept: append(false), taken: append(true) })).toEqual([]);
  });

  it('chunks that come while the parser is halted', () => {
    const late: Cost = (size) => {
      const { parser } = engine.createEngine(engine.EntireMessage);
      const ping = Buffer.from([0x89, 0x80, 0, 0, 0, 0]);
      parser.pause();
      return counter.count(() => {
        for (let i = 0; i < size; i++) parser.feed(Buffer.from(ping));
        parser.resume();
      });
    };
    expect(tooDear({ late })).toEqual([]);
  });

  it('bytes for the unpacker of a NetStruct', () => {
    const unpack =
      (format: string): Cost =>
      (size) => {
        const unpacker = new engine.NetStruct(format).unpacker();
        return counter.count(() => {
          for (let i = 0; i < size; i++) unpacker.feed(Buffer.of(1));
        });
      };
    expect(tooDear({ 'one string': unpack('!H$'), 'many strings': unpack(`!${'B$'.repeat(50)}`) })).toEqual([]);
  });
});
