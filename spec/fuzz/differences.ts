/**
 * What is known to differ between our reading of a stream and that of `ws`, each with its reason. A difference is known only if a
 * run of both shows that this is its cause: that they agree on the stream without it.
 */
import { isDeepStrictEqual } from 'node:util';
import { constants, deflateRawSync } from 'node:zlib';
import { frame } from '../support/frames.js';
import { inflateWithInfo } from './compressed.js';

export interface Outcome {
  /** What came out, in order, in a form of its own for each way of reading. */
  readonly happened: unknown[];
  /** What the reader failed with. */
  readonly code: number | undefined;
}

/** How two servers are set up, and how the client's bytes come to them. */
export interface Mode {
  readonly compress: 'not' | 'by message' | 'in one context';
  /** The bytes of the longest message that is taken. */
  readonly limit: number;
  readonly sizes: readonly number[];
}

export const PLAIN: Mode = { compress: 'not', limit: 1 << 24, sizes: [1 << 24] };

type Read = (bytes: Buffer) => Promise<Outcome>;

export interface Readers {
  readonly mode: Mode;
  readonly ours: Read;
  readonly ws: Read;
}

interface Outcomes {
  readonly ours: Outcome;
  readonly ws: Outcome;
}

export interface Difference {
  readonly name: string;
  /** For docs/conformance.md. */
  readonly reason: string;
  /** A short stream that shows it, and what the two fail with. */
  readonly example: Buffer;
  readonly mode: Mode;
  readonly codes: { readonly ours: number | undefined; readonly ws: number | undefined };
  /** Whether it is why these two outcomes are not the same; or the stream without the cause, to be compared in its place. */
  explains(bytes: Buffer, outcomes: Outcomes, readers: Readers): Promise<boolean | Buffer>;
}

/** Where a frame stands in a stream. */
interface Place {
  readonly start: number;
  /** Where its payload begins and ends, were the stream long enough. */
  readonly payload: number;
  readonly end: number;
  readonly opcode: number;
  readonly length: number;
  /** Whether its length is in as few bytes as possible: undefined where not all of them are there. */
  readonly isMinimal: boolean | undefined;
}

/** The frames of a stream, the last of which may not be whole. Nothing of them is judged. */
function framesIn(bytes: Buffer): Place[] {
  const places: Place[] = [];
  for (let start = 0; start < bytes.length; ) {
    const place = placeOf(bytes, start);
    places.push(place);
    start = place.end;
  }
  return places;
}

function placeOf(bytes: Buffer, start: number): Place {
  const opcode = bytes[start]! & 0x0f;
  const second = bytes[start + 1] ?? 0;
  const short = second & 0x7f;
  const size = short < 126 ? 0 : short === 126 ? 2 : 8;
  const payload = start + 2 + size + (second & 0x80 ? 4 : 0);
  const digits = bytes.subarray(start + 2, start + 2 + size);
  if (digits.length < size) return { start, payload, end: Infinity, opcode, length: Infinity, isMinimal: undefined };
  const length = size === 0 ? short : Number(`0x${digits.toString('hex')}`);
  const isMinimal = size === 0 || length >= (size === 2 ? 126 : 65_536);
  return { start, payload, end: payload + length, opcode, length, isMinimal };
}

function unmasked(bytes: Buffer, payload: number, end: number): Buffer {
  const mask = bytes.subarray(payload - 4, payload);
  const body = Buffer.from(bytes.subarray(payload, Math.min(end, bytes.length)));
  for (let i = 0; i < body.length; i++) body[i]! ^= mask[i & 3]!;
  return body;
}

/** The frame at this place as it would be had it ended where the stream ends, and with its length as short as it may be. */
function rewritten(bytes: Buffer, { start, payload, end }: Place): Buffer {
  const first = bytes[start]!;
  const mask = bytes.subarray(payload - 4, payload);
  const body = unmasked(bytes, payload, end);
  return frame({ opcode: first & 0x0f, fin: first >= 0x80, rsv: (first >> 4) & 7, payload: body, mask });
}

const NO_KEY = new Uint8Array(4);
const FLUSHED = { finishFlush: constants.Z_SYNC_FLUSH };

/**
 * What must be read to find the mistake that a stream ends with, whoever waits for the end of a header, of a frame or of a message:
 * the same stream with all of that ended.
 *
 * @param more put behind the payload, where it ends in one
 */
function completed(bytes: Buffer, more = NOTHING): Buffer {
  const last = framesIn(bytes).at(-1);
  if (last === undefined) return bytes;
  if (bytes.length === last.start + 1) return Buffer.concat([bytes, Buffer.from([0x80])]);
  if (bytes.length <= last.payload) {
    // Of a control frame whose length has not come yet, the end is unknown: its header is all that can be added.
    const end = last.opcode < 8 || last.end === Infinity ? last.payload : last.end;
    return Buffer.concat([bytes, Buffer.alloc(end - bytes.length)]);
  }
  const whole = Buffer.concat([bytes.subarray(0, last.start), rewritten(bytes, last)]);
  const isOpen = last.opcode < 8 && bytes[last.start]! < 0x80;
  if (more.length === 0 && !isOpen) return whole;
  // The frame itself may be the last of its message: then what is put behind it has to be in it.
  const opened = Buffer.from(whole);
  opened[last.start]! &= 0x7f;
  return Buffer.concat([opened, frame({ opcode: 0, payload: more, mask: NO_KEY })]);
}

const NOTHING = Buffer.alloc(0);

/** What may stand behind the beginning of any character to make it whole. */
const CONTINUATIONS = [
  '',
  ...['80', '8f', '90', '9f', 'a0', 'bf'].flatMap((first) => [first, `${first}80`, `${first}8080`]),
].map((hex) => Buffer.from(hex, 'hex'));

/** The fewest bytes of the stream that it fails on. */
async function lengthUntilFailure(read: Read, bytes: Buffer): Promise<number> {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if ((await read(bytes.subarray(0, middle))).code === undefined) good = middle;
    else bad = middle;
  }
  return bad;
}

/** A message of a stream, as far as it is there. */
interface SentMessage {
  readonly start: number;
  readonly isCompressed: boolean;
  readonly payload: Buffer;
  /** What its frames say, whether it is there or not. */
  readonly length: number;
  readonly isWhole: boolean;
}

function messagesIn(bytes: Buffer): SentMessage[] {
  const messages: SentMessage[] = [];
  for (const { start, payload, end, opcode, length } of framesIn(bytes)) {
    if (opcode >= 8) continue;
    const body = unmasked(bytes, payload, end);
    const isWhole = bytes[start]! >= 0x80 && end <= bytes.length;
    const open = opcode === 0 ? messages.pop() : undefined;
    const isCompressed = open?.isCompressed ?? (bytes[start]! & 0x40) !== 0;
    messages.push({
      start: open?.start ?? start,
      isCompressed,
      payload: Buffer.concat([open?.payload ?? NOTHING, body]),
      length: (open?.length ?? 0) + length,
      isWhole,
    });
  }
  return messages;
}

/** The first message of which the two do not make the same, if they make the same of all before it. */
async function messageApart(
  bytes: Buffer,
  outcomes: Outcomes,
  { ours, ws }: Readers,
): Promise<SentMessage | undefined> {
  const [mine, theirs] = [outcomes.ours, outcomes.ws].map(({ happened: [messages] }) =>
    Array.isArray(messages) ? messages : [],
  );
  let same = 0;
  while (same < mine!.length && isDeepStrictEqual(mine![same], theirs![same])) same++;
  const message = messagesIn(bytes)[same];
  if (message === undefined) return undefined;
  const before = bytes.subarray(0, message.start);
  return isDeepStrictEqual(await ours(before), await ws(before)) ? message : undefined;
}

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);
/** Whatever a message refers to is there: where its blocks end does not depend on what it is. */
const ANYTHING = Buffer.alloc(1 << 15);

/** Whether a deflate stream ends before the message does. */
function endsBefore({ payload, isWhole }: SentMessage): boolean {
  const input = isWhole ? Buffer.concat([payload, TAIL]) : payload;
  try {
    return inflateWithInfo(input, ANYTHING).engine.bytesWritten < input.length;
  } catch {
    return false;
  }
}

/** Whether the one finds the mistake that the other finds, too, once what it waits for has come. */
async function agreesLater(bytes: Buffer, outcome: Outcome, first: Read, second: Read): Promise<boolean> {
  const found = bytes.subarray(0, await lengthUntilFailure(first, bytes));
  return isDeepStrictEqual(await second(completed(found)), outcome);
}

const text = (hex: string, fin: boolean): Buffer =>
  frame({ opcode: 1, payload: Buffer.from(hex, 'hex'), fin, mask: NO_KEY });

export const differences: readonly Difference[] = [
  {
    name: 'invalid UTF-8 fails at its first invalid byte',
    reason:
      'RFC 6455 section 8.1 does not say when; ws looks at a message when it is complete, and handles pings, and other ' +
      'mistakes, that come before that.',
    example: text('61ff62', false),
    mode: PLAIN,
    codes: { ours: 1007, ws: undefined },
    async explains(bytes, outcomes, { ours, ws }) {
      if (outcomes.ours.code !== 1007) return false;
      const found = bytes.subarray(0, await lengthUntilFailure(ours, bytes));
      for (const more of CONTINUATIONS) {
        if (!isDeepStrictEqual(await ws(completed(found, more)), outcomes.ours)) return false;
      }
      return true;
    },
  },
  {
    name: 'a reserved bit or opcode fails at once',
    reason:
      'We judge each byte of a header when it is there, ws two at a time: at the end of what was sent that shows.',
    example: Buffer.from([0x83]),
    mode: PLAIN,
    codes: { ours: 1002, ws: undefined },
    async explains(bytes, outcomes, { ours, ws }) {
      const last = framesIn(bytes).at(-1);
      if (outcomes.ours.code !== 1002 || last?.start !== bytes.length - 1) return false;
      return agreesLater(bytes, outcomes.ours, ours, ws);
    },
  },
  {
    name: 'a close frame of one byte fails when it is complete',
    reason: 'ws refuses it by its header. What it says is the same.',
    example: frame({ opcode: 8, payload: 'x', mask: NO_KEY }).subarray(0, 3),
    mode: PLAIN,
    codes: { ours: undefined, ws: 1002 },
    async explains(bytes, outcomes, { ours, ws }) {
      const last = framesIn(bytes).at(-1);
      if (outcomes.ws.code !== 1002 || last?.opcode !== 8 || last.length !== 1) return false;
      return agreesLater(bytes, outcomes.ws, ws, ours);
    },
  },
  {
    name: 'a length that is not encoded minimally',
    reason:
      'RFC 6455 section 5.2: "in all cases, the minimal number of bytes MUST be used to encode the length". ws takes it.',
    example: frame({ opcode: 2, payload: 'abc', lengthBits: 16, mask: NO_KEY }),
    mode: PLAIN,
    codes: { ours: 1002, ws: undefined },
    async explains(bytes, outcomes, { ours, ws }) {
      if (outcomes.ours.code !== 1002) return false;
      const found = await lengthUntilFailure(ours, bytes);
      const place = framesIn(bytes.subarray(0, found)).at(-1);
      if (place?.isMinimal !== false || place.payload !== found) return false;
      const before = bytes.subarray(0, place.start);
      if (!isDeepStrictEqual(await ours(before), { ...outcomes.ours, code: undefined })) return false;
      if (!isDeepStrictEqual(await ws(before), { ...outcomes.ours, code: undefined })) return false;
      return Buffer.concat([before, rewritten(bytes, place), bytes.subarray(Math.min(place.end, bytes.length))]);
    },
  },
  {
    name: 'a length of 2^63 or more',
    reason:
      'RFC 6455 section 5.2: "the most significant bit MUST be 0": 1002. ws says 1009, as to lengths from 2^53 on.',
    example: frame({ opcode: 2, length: 2n ** 63n, mask: NO_KEY }),
    mode: PLAIN,
    codes: { ours: 1002, ws: 1009 },
    async explains(bytes, outcomes, { ours }) {
      const { happened, code } = outcomes.ours;
      if (code !== 1002 || !isDeepStrictEqual(outcomes.ws, { happened, code: 1009 })) return false;
      const place = framesIn(bytes.subarray(0, await lengthUntilFailure(ours, bytes))).at(-1);
      return place !== undefined && place.length >= 2 ** 63 && place.length < Infinity;
    },
  },
  {
    name: 'a length is checked when its masking key has arrived',
    reason: 'ws refuses a message that is too long four bytes earlier. What it says is the same.',
    example: frame({ opcode: 2, length: 101n, mask: NO_KEY }).subarray(0, 2),
    mode: { ...PLAIN, limit: 100 },
    codes: { ours: undefined, ws: 1009 },
    async explains(bytes, outcomes) {
      const last = framesIn(bytes).at(-1);
      if (outcomes.ws.code !== 1009 || outcomes.ours.code !== undefined) return false;
      return last !== undefined && last.isMinimal !== undefined && last.payload > bytes.length && completed(bytes);
    },
  },
  {
    name: 'data after a final block',
    reason:
      'RFC 7692 section 7.2.1 lets any block have "BFINAL" set, and "The next DEFLATE block follows the padded data". ' +
      'ws drops what follows in the same frame.',
    example: frame({ opcode: 2, rsv: 4, payload: Buffer.from('f348cdc9c90700f248cdc9c90700', 'hex'), mask: NO_KEY }),
    mode: { ...PLAIN, compress: 'by message' },
    codes: { ours: undefined, ws: undefined },
    async explains(bytes, outcomes, readers) {
      const message = await messageApart(bytes, outcomes, readers);
      return message?.isCompressed === true && endsBefore(message);
    },
  },
  {
    name: 'the limit applies to inflated data',
    reason: 'ws holds maxPayload against the compressed size as well, which may be the larger one.',
    example: frame({ opcode: 2, rsv: 4, payload: Buffer.from('000000ffff'.repeat(30), 'hex'), mask: NO_KEY }),
    mode: { ...PLAIN, compress: 'by message', limit: 100 },
    codes: { ours: undefined, ws: 1009 },
    async explains(bytes, outcomes, readers) {
      if (outcomes.ws.code !== 1009) return false;
      const message = await messageApart(bytes, outcomes, readers);
      return message?.isCompressed === true && message.length > readers.mode.limit;
    },
  },
  {
    name: 'a compressed frame that has arrived in part',
    reason: 'ws waits for the whole frame; we inflate what has come, and refuse it when that is too long.',
    example: frame({ opcode: 2, rsv: 4, payload: deflateRawSync(Buffer.alloc(1000), FLUSHED), mask: NO_KEY }).subarray(
      0,
      -1,
    ),
    mode: { ...PLAIN, compress: 'by message', limit: 100 },
    codes: { ours: 1009, ws: undefined },
    async explains(bytes, outcomes, readers) {
      if (outcomes.ours.code !== 1009 || outcomes.ws.code !== undefined) return false;
      const message = await messageApart(bytes, outcomes, readers);
      return message?.isCompressed === true && !message.isWhole;
    },
  },
  {
    name: 'a message that is both too long and invalid',
    reason: 'We inflate what has come at once, ws frame by frame: what is found first is said.',
    example: Buffer.concat([
      frame({ opcode: 2, rsv: 4, payload: deflateRawSync(Buffer.alloc(200), FLUSHED), fin: false, mask: NO_KEY }),
      frame({ opcode: 0, payload: Buffer.from('ffffff', 'hex'), mask: NO_KEY }),
    ]),
    mode: { ...PLAIN, compress: 'by message', limit: 100 },
    codes: { ours: 1007, ws: 1009 },
    async explains(bytes, outcomes, readers) {
      const codes = [outcomes.ours.code, outcomes.ws.code];
      if (!codes.includes(1007) || !codes.includes(1009)) return false;
      return (await messageApart(bytes, outcomes, readers))?.isCompressed === true;
    },
  },
];

/** Which differences explain that the two do not agree on a stream, none where they do; what is not explained is thrown. */
export async function explain(bytes: Buffer, readers: Readers): Promise<string[]> {
  const [ours, ws] = await Promise.all([readers.ours(bytes), readers.ws(bytes)]);
  if (isDeepStrictEqual(ours, ws)) return [];
  for (const { name, explains } of differences) {
    const explained = await explains(bytes, { ours, ws }, readers);
    if (explained === true) return [name];
    if (explained !== false) return [name, ...(await explain(explained, readers))];
  }
  expect({ bytes: bytes.toString('hex'), ours }).toEqual({ bytes: bytes.toString('hex'), ours: ws });
  throw new Error('unreachable');
}
