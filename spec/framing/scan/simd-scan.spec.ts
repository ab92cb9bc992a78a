import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import loadWabt from 'wabt';
import { FrameParser } from '../../../lib/framing/frame-parser.js';
import { MAX_FRAMES } from '../../../lib/framing/scan/frame-scanner.js';
import { CODE, simdScanner } from '../../../lib/framing/scan/simd-scan.js';
import { binary, frame, text } from '../../support/frames.js';
import {
  failure,
  type Give,
  type Happened,
  lent,
  own,
  RecordingSink,
  randomCut,
  randomFrom,
} from '../recording-sink.js';

it('is the assembled form of simd-scan.wat', async () => {
  const wabt = await loadWabt();
  const source = readFileSync(join(__dirname, '../../../lib/framing/scan/simd-scan.wat'), 'utf8');
  const { buffer } = wabt.parseWat('simd-scan.wat', source, { simd: true }).toBinary({});
  expect(CODE).toBe(Buffer.from(buffer).toString('base64'));
  expect(simdScanner).toBeDefined();
});

/** Messages of all lengths that matter, and what else may stand between them. */
function stream(random: (below: number) => number, count: number): Buffer {
  const lengths = [0, 1, 3, 4, 15, 16, 17, 31, 32, 33, 64, 124, 125, 126, 127, 200, 4095, 4096, 4097, 5000];
  const parts = Array.from({ length: count }, () => {
    const length = lengths[random(random(4) === 0 ? lengths.length : 12)]!;
    switch (random(12)) {
      case 0:
        return frame({ opcode: 9, payload: `ping ${random(100)}` });
      case 1:
        return Buffer.concat([text('be', false), frame({ opcode: 10 }), frame({ opcode: 0, payload: 'gun' })]);
      case 2:
        return text('é€😀'.repeat(1 + random(20)));
      case 3:
      case 4:
      case 5:
        return binary(Buffer.from(Array.from({ length }, () => random(256))));
      default:
        return text(String.fromCharCode(97 + random(26)).repeat(length));
    }
  });
  return Buffer.concat(parts);
}

/** What is delivered when the parser is halted now and then, and resumed at once. */
function run(bytes: Buffer, seed: number, halts: number, give: Give): Happened[] {
  const random = randomFrom(seed);
  const sink = new RecordingSink();
  const parser = new FrameParser(sink, sink);
  let events = 0;
  sink.afterwards = () => {
    // By what has happened, and not by chance, so that it is the same however the bytes are given.
    if (halts > 0 && ++events % halts === 0) parser.pause();
  };
  let at = 0;
  for (const length of randomCut(random, 9000)(bytes.length)) {
    const piece = give(bytes.subarray(at, at + length));
    at += length;
    const code = failure(() => parser.feed(piece));
    if (code !== undefined) sink.happened.push(['fail', code]);
    // The next socket reads.
    lent(Buffer.alloc(100));
    while (parser.paused) {
      const late = failure(() => parser.resume());
      if (late !== undefined) return [...sink.happened, ['fail', late]];
    }
    if (code !== undefined) break;
  }
  return sink.happened;
}

it.each([0, 1, 2, 5, 40])('is delivered as any other chunk, where every %d-th event halts the parser', (halts) => {
  for (let seed = 1; seed <= 20; seed++) {
    const bytes = stream(randomFrom(seed), 150);
    // A mistake in the middle of some.
    if (seed % 3 === 0) bytes[Math.floor(bytes.length / 2)]! ^= 0x70;
    const expected = run(bytes, seed, halts, own);
    expect(expected.length).toBeGreaterThan(10);
    expect(run(bytes, seed, halts, lent)).toEqual(expected);
  }
});

it('finds more messages in a chunk than its table has room for', () => {
  const count = MAX_FRAMES * 2 + 100;
  const bytes = Buffer.concat(Array.from({ length: count }, () => text('')));
  const sink = new RecordingSink();
  new FrameParser(sink, sink).feed(lent(bytes));
  expect(sink.happened).toEqual(Array.from({ length: count }, () => ['end', 1]));
});

it.each([2n ** 31n, 2n ** 32n - 1n, 2n ** 32n - 70_000n, 2n ** 32n + 65_536n, 2n ** 33n + 70_000n])(
  'does not take the beginning of a frame of %d bytes for all of it',
  (length) => {
    // A masking key of zeros.
    const header = Buffer.alloc(14);
    header.writeUInt16BE(0x82ff, 0);
    header.writeBigUInt64BE(length, 2);
    const sink = new RecordingSink();
    new FrameParser(sink, sink).feed(lent(Buffer.concat([header, Buffer.alloc(100_000, 'x')])));
    expect(sink.announced).toEqual([Number(length)]);
    expect(sink.happened).toEqual([['data', 2, 'x'.repeat(100_000)]]);
  },
);

it('takes a message of 64 KiB and more that lies whole in a chunk', () => {
  const messages = [65_535, 65_536, 65_537, 200_000].map((length) => binary(Buffer.alloc(length, 'x')));
  const sink = new RecordingSink();
  new FrameParser(sink, sink).feed(lent(Buffer.concat(messages)));
  expect(sink.announced).toEqual([]);
  expect(sink.happened.filter(([name]) => name === 'end')).toHaveLength(4);
});
