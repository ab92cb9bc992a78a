/**
 * What clients send, to be fuzzed: valid streams of frames, which are then mutated frame by frame and byte by byte. Random bytes
 * would die in the first frame; these reach every state of the parser before something is wrong with them.
 */
import fc from 'fast-check';
import { type ClientFrame, closeBody, frame } from '../support/frames.js';

/** A frame of which every byte is determined: the masking key, too. */
export type SentFrame = ClientFrame & { payload: Uint8Array; mask: Uint8Array | false };

/** At most so many pieces: single bytes of the longest streams would take nearly all of the time. */
const MOST_PIECES = 1000;

/** Cuts bytes into pieces of the given sizes, in turn; the last has whatever is left. */
export function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = i === MOST_PIECES ? bytes.length : (sizes[i % sizes.length] ?? 1);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

/** The sizes of the pieces that TCP makes of a stream, gone through in turn. */
export const sizes: fc.Arbitrary<number[]> = fc.array(
  fc.oneof(
    { arbitrary: fc.integer({ min: 1, max: 4 }), weight: 4 },
    { arbitrary: fc.integer({ min: 5, max: 40 }), weight: 3 },
    { arbitrary: fc.integer({ min: 41, max: 5000 }), weight: 1 },
  ),
  { minLength: 1, maxLength: 6 },
);

/** The lengths at which frames and our own ways of reading them change. */
const EDGES = [0, 1, 3, 4, 23, 24, 25, 124, 125, 126, 127, 191, 192, 193, 65_535, 65_536];

const longRun = fc.constantFrom(...EDGES).map((length) => 'x'.repeat(length));
const characters = fc
  .array(
    fc.constantFrom(
      'a',
      'b',
      '\n',
      '\r\n',
      '\0',
      ',',
      'é',
      'ж',
      '日',
      '\ufeff',
      '\uffff',
      '🎈',
      '\u{10ffff}',
      'ж'.repeat(70),
    ),
    { maxLength: 10 },
  )
  .map((parts) => parts.join(''));

export const textPayload: fc.Arbitrary<Buffer> = fc
  .oneof({ arbitrary: characters, weight: 12 }, { arbitrary: longRun, weight: 1 })
  .map((text) => Buffer.from(text));

/** Sequences that are no UTF-8, or only the beginning of some. */
const BAD = [
  '80',
  'bf',
  'c0af',
  'c3',
  'c328',
  'e282',
  'e08080',
  'eda080',
  'edbfbf',
  'f0808080',
  'f09f8e',
  'f4908080',
  'f5',
  'ff',
];

const almostText = fc
  .tuple(characters, fc.constantFrom(...BAD), characters)
  .map(([before, bad, after]) => Buffer.concat([Buffer.from(before), Buffer.from(bad, 'hex'), Buffer.from(after)]));

export const binaryPayload: fc.Arbitrary<Buffer> = fc
  .oneof(
    { arbitrary: fc.uint8Array({ maxLength: 30 }), weight: 12 },
    { arbitrary: fc.constantFrom(...EDGES).map((length) => new Uint8Array(length).fill(0xa5)), weight: 1 },
  )
  .map((bytes) => Buffer.from(bytes));

export const key: fc.Arbitrary<Uint8Array> = fc.oneof(
  { arbitrary: fc.uint8Array({ minLength: 4, maxLength: 4 }), weight: 3 },
  { arbitrary: fc.constant(new Uint8Array(4)), weight: 1 },
);

export const control: fc.Arbitrary<SentFrame> = fc.record({
  opcode: fc.constantFrom(9, 10),
  payload: fc.oneof(
    { arbitrary: fc.uint8Array({ maxLength: 6 }), weight: 4 },
    { arbitrary: fc.uint8Array({ minLength: 124, maxLength: 125 }), weight: 1 },
  ),
  mask: key,
});

const closeCode = fc.oneof(
  { arbitrary: fc.constantFrom(1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999), weight: 4 },
  { arbitrary: fc.constantFrom(0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535), weight: 4 },
);

export const close: fc.Arbitrary<SentFrame> = fc.record({
  opcode: fc.constant(8),
  payload: fc.oneof(
    {
      arbitrary: fc
        .tuple(closeCode, fc.constantFrom('', 'bye', 'é'.repeat(61)))
        .map(([code, why]) => closeBody(code, why)),
      weight: 6,
    },
    { arbitrary: fc.constant(Buffer.alloc(0)), weight: 2 },
    { arbitrary: fc.constant(Buffer.from([3])), weight: 1 },
    { arbitrary: almostText.map((why) => Buffer.concat([closeBody(1000), why]).subarray(0, 125)), weight: 1 },
  ),
  mask: key,
});

/**
 * The frames of one message.
 *
 * @param rsv of the first of them: 4 says that the message is compressed
 */
export function framesOf(
  opcode: number,
  payload: Uint8Array,
  fragments: readonly number[],
  keys: readonly Uint8Array[],
  rsv = 0,
): SentFrame[] {
  const body = Buffer.from(payload);
  const parts = fragments.length === 0 || body.length === 0 ? [body] : cut(body, fragments);
  return parts.map((part, i) => ({
    opcode: i === 0 ? opcode : 0,
    rsv: i === 0 ? rsv : 0,
    payload: part,
    fin: i === parts.length - 1,
    mask: keys[i % keys.length] ?? new Uint8Array(4),
  }));
}

/** How a message is cut into frames; not at all, where there are no lengths. */
export const fragments: fc.Arbitrary<number[]> = fc.oneof(
  { arbitrary: fc.constant<number[]>([]), weight: 2 },
  { arbitrary: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }), weight: 3 },
  { arbitrary: fc.array(fc.integer({ min: 100, max: 200 }), { minLength: 1, maxLength: 3 }), weight: 1 },
);

/** A message, perhaps with control frames between its frames. */
export function messageOf(opcode: 1 | 2, payloads: fc.Arbitrary<Buffer>, rsv = 0): fc.Arbitrary<SentFrame[]> {
  return fc
    .tuple(
      payloads,
      fragments,
      fc.array(key, { minLength: 1, maxLength: 3 }),
      fc.array(fc.tuple(fc.nat(8), control), { maxLength: 2 }),
    )
    .map(([payload, lengths, keys, controls]) => {
      const parts = framesOf(opcode, payload, lengths, keys, rsv);
      for (const [at, one] of controls) parts.splice(1 + (at % parts.length), 0, one);
      return parts;
    });
}

const message = fc.oneof(
  { arbitrary: messageOf(1, textPayload), weight: 5 },
  { arbitrary: messageOf(2, binaryPayload), weight: 4 },
  { arbitrary: messageOf(1, almostText), weight: 1 },
);

/** The frames of a client that does nothing wrong, but for a few that send bad text or a bad goodbye. */
export function validStream(messages: fc.Arbitrary<SentFrame[]> = message): fc.Arbitrary<SentFrame[]> {
  const items = fc.oneof({ arbitrary: messages, weight: 4 }, { arbitrary: control.map((one) => [one]), weight: 1 });
  return fc
    .tuple(fc.array(items, { maxLength: 5 }), fc.option(close, { nil: undefined, freq: 3 }))
    .map(([parts, goodbye]) => [...parts.flat(), ...(goodbye === undefined ? [] : [goodbye])]);
}

/** What is done to one frame of a stream. */
type FrameMutation =
  | { kind: 'change'; change: Partial<SentFrame> }
  | { kind: 'drop' | 'double' | 'swap with the next' };

const HUGE = [
  126n,
  65_536n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

const frameMutation: fc.Arbitrary<FrameMutation> = fc.oneof(
  fc.constantFrom<FrameMutation>({ kind: 'drop' }, { kind: 'double' }, { kind: 'swap with the next' }),
  fc
    .oneof(
      fc.record<Partial<SentFrame>>({ opcode: fc.nat(15) }),
      fc.record<Partial<SentFrame>>({ rsv: fc.constantFrom(4, 4, 4, 0, 1, 2, 7) }),
      fc.record<Partial<SentFrame>>({ fin: fc.boolean() }),
      fc.constant<Partial<SentFrame>>({ mask: false }),
      fc.record<Partial<SentFrame>>({ lengthBits: fc.constantFrom(16, 64) }),
      fc.record<Partial<SentFrame>>({ length: fc.constantFrom(...HUGE), lengthBits: fc.constant(64) }),
    )
    .map((change): FrameMutation => ({ kind: 'change', change })),
);

function mutateFrames(
  frames: readonly SentFrame[],
  mutations: readonly (readonly [at: number, FrameMutation])[],
): SentFrame[] {
  const mutated = [...frames];
  for (const [where, mutation] of mutations) {
    if (mutated.length === 0) break;
    const at = where % mutated.length;
    const one = mutated[at]!;
    if (mutation.kind === 'drop') mutated.splice(at, 1);
    else if (mutation.kind === 'double') mutated.splice(at, 0, one);
    else if (mutation.kind === 'change') mutated[at] = fitting({ ...one, ...mutation.change });
    else mutated.splice(at, 2, ...mutated.slice(at, at + 2).reverse());
  }
  return mutated;
}

/** A length that 16 bits do not hold has 64. */
function fitting(one: SentFrame): SentFrame {
  return one.lengthBits === 16 && (one.length ?? one.payload.length) > 0xffff ? { ...one, lengthBits: 64 } : one;
}

/** What is done to the bytes of a stream; places are taken modulo what there is. */
export type ByteMutation =
  | { kind: 'flip'; at: number; bit: number }
  | { kind: 'set'; at: number; byte: number }
  | { kind: 'insert'; at: number; bytes: Uint8Array }
  | { kind: 'remove' | 'double'; at: number; length: number }
  | { kind: 'swap'; at: number; length: number; other: number }
  | { kind: 'end'; at: number };

const place = fc.nat(100_000);
const length = fc.oneof(
  { arbitrary: fc.integer({ min: 1, max: 8 }), weight: 3 },
  { arbitrary: fc.integer({ min: 9, max: 300 }), weight: 1 },
);

export const byteMutation: fc.Arbitrary<ByteMutation> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }), weight: 4 },
  {
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      at: place,
      byte: fc.constantFrom(0, 1, 0x7e, 0x7f, 0x80, 0xfe, 0xff),
    }),
    weight: 2,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('insert' as const),
      at: place,
      bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
    }),
    weight: 1,
  },
  {
    arbitrary: fc.record({ kind: fc.constantFrom('remove' as const, 'double' as const), at: place, length }),
    weight: 2,
  },
  { arbitrary: fc.record({ kind: fc.constant('swap' as const), at: place, length, other: place }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('end' as const), at: place }), weight: 1 },
);

export function mutateBytes(bytes: Buffer, mutations: readonly ByteMutation[]): Buffer {
  let mutated: Buffer = Buffer.from(bytes);
  for (const mutation of mutations) {
    const at = mutated.length === 0 ? 0 : mutation.at % mutated.length;
    switch (mutation.kind) {
      case 'flip':
        if (at < mutated.length) mutated[at]! ^= 1 << mutation.bit;
        break;
      case 'set':
        if (at < mutated.length) mutated[at] = mutation.byte;
        break;
      case 'insert':
        mutated = Buffer.concat([mutated.subarray(0, at), mutation.bytes, mutated.subarray(at)]);
        break;
      case 'remove':
        mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(at + mutation.length)]);
        break;
      case 'double':
        mutated = Buffer.concat([mutated.subarray(0, at + mutation.length), mutated.subarray(at)]);
        break;
      case 'swap':
        mutated = swapped(mutated, at, mutation.length, mutation.other);
        break;
      case 'end':
        mutated = mutated.subarray(0, at);
    }
  }
  return mutated;
}

/** With bytes[at, at + length) and the same number of bytes at another place exchanged, where they do not overlap. */
function swapped(bytes: Buffer, at: number, length: number, place: number): Buffer {
  const other = bytes.length === 0 ? 0 : place % bytes.length;
  const [first, second] = at < other ? [at, other] : [other, at];
  const size = Math.min(length, second - first, bytes.length - second);
  return Buffer.concat([
    bytes.subarray(0, first),
    bytes.subarray(second, second + size),
    bytes.subarray(first + size, second),
    bytes.subarray(first, first + size),
    bytes.subarray(second + size),
  ]);
}

/** None in one of four; else mostly one, so that what is before it is read and what comes after it is, too. */
export function few<T>(mutation: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.oneof(
    { arbitrary: fc.constant<T[]>([]), weight: 3 },
    { arbitrary: fc.array(mutation, { minLength: 1, maxLength: 1 }), weight: 4 },
    { arbitrary: fc.array(mutation, { minLength: 2, maxLength: 4 }), weight: 1 },
  );
}

export function bytesOf(frames: readonly SentFrame[]): Buffer {
  return Buffer.concat(frames.map(frame));
}

/** The bytes of a valid stream, mutated. */
export function mutated(frames: fc.Arbitrary<SentFrame[]>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(frames, few(fc.tuple(fc.nat(100), frameMutation)), few(byteMutation))
    .map(([sent, frameMutations, byteMutations]) =>
      mutateBytes(bytesOf(mutateFrames(sent, frameMutations)), byteMutations),
    );
}

/** What a stranger might send: mostly what was almost right, and now and then anything. */
export const stream: fc.Arbitrary<Buffer> = fc.oneof(
  { arbitrary: mutated(validStream()), weight: 12 },
  { arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)), weight: 1 },
);
