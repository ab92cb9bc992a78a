/**
 * Whatever a compressed message carries: what comes out is what zlib itself makes of it, or the connection ends with 1007 (1008 after
 * too many final blocks); however it is cut, and whatever else is being inflated.
 */
import fc from 'fast-check';
import { expectSame } from '../support/expect-same.js';
import { compressedPayload, inflate } from './compressed.js';
import { play } from './play.js';
import { timesOverSockets } from './settings.js';
import { byteMutation, bytesOf, cut, few, fragments, framesOf, mutateBytes, sizes } from './streams.js';

const NO_KEY = [new Uint8Array(4)];

const payload = fc.oneof(
  {
    arbitrary: fc.tuple(compressedPayload, few(byteMutation)).map(([bytes, changes]) => mutateBytes(bytes, changes)),
    weight: 8,
  },
  { arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)), weight: 1 },
);

it('what is inflated is what zlib makes of it', async () => {
  const ends = new Map<string, number>();
  const setup = { options: { compress: true, bufferSize: 1 << 24 }, slowEvery: 0 };
  await fc.assert(
    fc.asyncProperty(payload, fragments, sizes, async (bytes, lengths, segments) => {
      const inflated = inflate(bytes);
      const isGood = typeof inflated !== 'number';
      const end = isGood ? 'good' : String(inflated);
      ends.set(end, (ends.get(end) ?? 0) + 1);
      const frames = [...framesOf(2, bytes, lengths, NO_KEY, 4), ...framesOf(1, Buffer.from('next'), [], NO_KEY)];
      const sent = bytesOf(frames);
      for (const way of [[sent.length], segments]) {
        const { units, code } = await play(setup, cut(sent, way));
        expectSame(
          { units, code },
          isGood
            ? { units: [[`0x${inflated.toString('hex')}`], ['next']], code: undefined }
            : { units: [], code: inflated },
        );
      }
    }),
    timesOverSockets(250),
  );
  expect([...ends.keys()]).toEqual(expect.arrayContaining(['good', '1007']));
});
