/** Messages that a client has compressed (RFC 7692), by every means that it has. */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { binaryPayload, control, fragments, framesOf, key, type SentFrame, textPayload } from './streams.js';

/** How a message is compressed, block by block; not at all, where there are none. */
interface Plan {
  opcode: 1 | 2;
  message: Buffer;
  blocks: Block[];
}

interface Block {
  /** Where it ends, in parts of a hundred of the message. */
  end: number;
  /** 0 stores it. */
  level: number;
  windowBits: number;
  /** Whether it ends the deflate stream, so that another one begins after it (section 7.2.3.5). */
  isFinal: boolean;
}

const LF = Buffer.from('\n');
const LONGEST = 200_000;
/** What repeats, what does not, what is nothing, and what is much larger than it was sent. */
const payloads: fc.Arbitrary<readonly [1 | 2, Buffer]> = fc.oneof(
  { arbitrary: textPayload.map((message) => [1, message] as const), weight: 4 },
  { arbitrary: binaryPayload.map((message) => [2, message] as const), weight: 3 },
  {
    arbitrary: fc
      .tuple(fc.constantFrom<(1 | 2)[]>(1, 2), textPayload, fc.integer({ min: 2, max: 400 }))
      .map(([opcode, part, count]) => {
        const line = Buffer.concat([part, LF]);
        const most = Math.ceil(LONGEST / line.length);
        return [opcode, Buffer.concat(new Array<Buffer>(Math.min(count, most)).fill(line))] as const;
      }),
    weight: 1,
  },
);

const block: fc.Arbitrary<Block> = fc.record({
  end: fc.nat(100),
  level: fc.integer({ min: 0, max: 9 }),
  windowBits: fc.integer({ min: 9, max: 15 }),
  isFinal: fc.oneof({ arbitrary: fc.constant(false), weight: 5 }, { arbitrary: fc.constant(true), weight: 1 }),
});

const plan: fc.Arbitrary<Plan> = fc
  .tuple(payloads, fc.array(block, { maxLength: 3 }))
  .map(([[opcode, message], blocks]) => ({
    opcode,
    message,
    blocks: blocks.sort((one, other) => one.end - other.end),
  }));

/** The payload of the frames of a message; `history` is what the client may refer to, and gets this message. */
function compress({ message, blocks }: Plan, history: { bytes: Buffer }): Buffer {
  const parts: Buffer[] = [];
  let start = 0;
  let endsFinally = false;
  for (const [i, { end, level, windowBits, isFinal }] of blocks.entries()) {
    const stop = i === blocks.length - 1 ? message.length : Math.floor((message.length * end) / 100);
    const part = message.subarray(start, stop);
    start = stop;
    const dictionary = history.bytes.subarray(-(2 ** windowBits));
    parts.push(
      deflateRawSync(part, {
        level,
        windowBits,
        finishFlush: isFinal ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
        ...(dictionary.length > 0 && { dictionary }),
      }),
    );
    // A deflate stream that ends takes what came before with it.
    history.bytes = isFinal ? Buffer.alloc(0) : Buffer.concat([history.bytes, part]).subarray(-(2 ** 15));
    endsFinally = isFinal;
  }
  const payload = Buffer.concat(parts);
  // Behind a block that ends the stream stands the one byte of an empty block that the tail is missing from.
  return endsFinally ? Buffer.concat([payload, Buffer.from([0])]) : payload.subarray(0, payload.length - 4);
}

/** The frames of a client that compresses some of its messages. */
export function compressedStream(keepsContext: boolean): fc.Arbitrary<SentFrame[]> {
  const item = fc.tuple(
    plan,
    fragments,
    fc.array(key, { minLength: 1, maxLength: 2 }),
    fc.option(fc.tuple(fc.nat(5), control), { freq: 2 }),
  );
  return fc.array(item, { minLength: 1, maxLength: 5 }).map((items) => {
    const history = { bytes: Buffer.alloc(0) };
    return items.flatMap(([one, lengths, keys, between]) => {
      if (!keepsContext) history.bytes = Buffer.alloc(0);
      const isCompressed = one.blocks.length > 0;
      const frames = isCompressed
        ? framesOf(one.opcode, compress(one, history), lengths, keys, 4)
        : framesOf(one.opcode, one.message, lengths, keys);
      if (between !== null) frames.splice(1 + (between[0] % frames.length), 0, between[1]);
      return frames;
    });
  });
}

/** The payload of one compressed message. */
export const compressedPayload: fc.Arbitrary<Buffer> = plan
  .filter(({ blocks }) => blocks.length > 0)
  .map((one) => compress(one, { bytes: Buffer.alloc(0) }));

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);
/** What the library takes of these, see docs/conformance.md. */
const MOST_FINAL_BLOCKS = 16;

/** What becomes of the payload of a compressed message by zlib alone; a number is the close code of what it cannot be. */
export function inflate(payload: Buffer): Buffer | number {
  const parts: Buffer[] = [];
  let rest = Buffer.concat([payload, TAIL]);
  for (let finalBlocks = 0; finalBlocks <= MOST_FINAL_BLOCKS; finalBlocks++) {
    let inflated: Inflated;
    try {
      inflated = inflateWithInfo(rest);
    } catch {
      return 1007;
    }
    parts.push(inflated.buffer);
    rest = rest.subarray(inflated.engine.bytesWritten);
    // The tail, if any: it was not sent.
    if (rest.length <= TAIL.length) return Buffer.concat(parts);
  }
  return 1008;
}

interface Inflated {
  buffer: Buffer;
  engine: { bytesWritten: number };
}

/** With how much of the input it took. */
export function inflateWithInfo(bytes: Buffer, dictionary?: Buffer): Inflated {
  const options = { finishFlush: constants.Z_SYNC_FLUSH, info: true, ...(dictionary && { dictionary }) };
  const result: unknown = inflateRawSync(bytes, options);
  if (typeof result !== 'object' || result === null || !('buffer' in result) || !('engine' in result)) {
    throw new Error('zlib gives no info any more');
  }
  return result as Inflated;
}
