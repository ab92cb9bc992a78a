/**
 * Our server against that of `ws`, on the same bytes over real sockets, with and without compression and limits: the same messages, the
 * same answers to pings and the same close code; or one of the differences that are known.
 */
import fc from 'fast-check';
import { compressedStream } from './compressed.js';
import { differences, explain, type Mode } from './differences.js';
import { startServers } from './servers.js';
import { timesOverSockets } from './settings.js';
import { mutated, sizes, stream } from './streams.js';

const modeOf = (compress: Mode['compress']): fc.Arbitrary<Mode> =>
  fc.record({ compress: fc.constant(compress), limit: fc.constantFrom(100, 1 << 24, 1 << 24), sizes });

const parameters = timesOverSockets(60);

describe('our server and that of ws', () => {
  it.each(differences)('differ in that $name', async ({ name, example, mode, codes }) => {
    const readersOf = await startServers();
    const readers = readersOf(mode);
    expect({ ours: (await readers.ours(example)).code, ws: (await readers.ws(example)).code }).toEqual(codes);
    expect(await explain(example, readers)).toEqual([name]);
  });

  it.each([
    ['not', stream],
    ['by message', mutated(compressedStream(false))],
    ['in one context', mutated(compressedStream(true))],
  ] as const)(
    'agree on any stream, compressed %s, but for the differences that are known',
    async (compress, streams) => {
      const readersOf = await startServers();
      let agreed = 0;
      await fc.assert(
        fc.asyncProperty(streams, modeOf(compress), async (bytes, mode) => {
          if ((await explain(bytes, readersOf(mode))).length === 0) agreed++;
        }),
        parameters,
      );
      expect(agreed).toBeGreaterThan(parameters.numRuns / 2);
    },
  );
});
