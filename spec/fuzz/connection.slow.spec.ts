/**
 * Whatever bytes come over a connection, however they are cut, and however long handlers take: the same units, the same answers to
 * pings, the same end, by a close code of those that are documented; and `onClose` once.
 */
import fc from 'fast-check';
import { BinaryPattern, type ConnectionOptions, EntireMessage, NetStruct, Struct } from '../../lib/index.js';
import { expectSame } from '../support/expect-same.js';
import { compressedStream } from './compressed.js';
import { isBeginning, type Played, play, type Setup } from './play.js';
import { timesOverSockets } from './settings.js';
import { cut, mutated, sizes, stream, validStream } from './streams.js';

/** What a connection may be failed with because of what came: docs/conformance.md. */
const CODES = [1002, 1007, 1008, 1009];

const delimiter = fc.constantFrom(
  ...[EntireMessage, EntireMessage, EntireMessage, null, null, '\n', 'é', /[\n,]/, 1, 3],
  ...[Buffer.from('\n'), new BinaryPattern(/\n+/), new Struct('!H'), new NetStruct('B$')],
);

function setupOf(compress: ConnectionOptions['compress']): fc.Arbitrary<Setup> {
  return fc.record({
    options: fc.record({
      readDelimiter: delimiter,
      bufferSize: fc.constantFrom(10, 300, 65_536, 1 << 20),
      compress: fc.constant(compress),
    }),
    slowEvery: fc.constantFrom(0, 0, 1, 2),
  });
}

let logged: jest.SpyInstance;
let warned: jest.SpyInstance;
beforeEach(() => {
  logged = jest.spyOn(console, 'error').mockImplementation(() => {});
  warned = jest.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => {
  logged.mockRestore();
  warned.mockRestore();
});

function expectSane({ code, reason, closed: [told, why, wasClean] }: Played, bytes: Buffer): void {
  // Nobody has reported an error of our own.
  expect([...logged.mock.calls, ...warned.mock.calls]).toEqual([]);
  // With a goodbye of the client's the code is its own; without any end, FIN is all there is.
  expect([told, why]).toEqual([code ?? 1006, reason]);
  if (!wasClean && code !== undefined) expect(CODES).toContain(code);
  if (bytes.length === 0) expect(told).toBe(1006);
}

/** The mistakes that what a message contains may be, found when it is inflated. */
const BROKEN = 'a compressed message cannot be inflated';
const INSIDE = [BROKEN, /exceeds the limit/, /where .* is read$/, /^text is not valid UTF-/];

/**
 * Where deflate data breaks off, zlib keeps what the same piece of input had brought before: so a few more or less of these units are
 * delivered. And how much comes out at a time depends on the pieces: of what is too long, of the wrong kind and broken as well, one is
 * found before the others.
 */
function expectSameButForBrokenData(played: Played, expected: Played): void {
  const kinds = [played, expected].map(({ reason }) => INSIDE.findIndex((one) => reason.match(one) !== null));
  const [kind, other] = kinds;
  if (kinds.includes(-1) || (kind === other && INSIDE[kind!] !== BROKEN)) {
    expectSame(played, expected);
    return;
  }
  expect(isBeginning(played.units, expected.units) || { played, expected }).toBe(true);
  expect(played.pongs).toEqual(expected.pongs);
}

/**
 * While a handler takes its time, pings are answered early: also those behind a message whose contents end the connection later.
 */
function withoutEarlyPongs(played: Played, expected: Played): Played {
  const isEarly = expected.code !== undefined && isBeginning(expected.pongs, played.pongs);
  return isEarly ? { ...played, pongs: expected.pongs } : played;
}

const compress = { serverNoContextTakeover: false, clientNoContextTakeover: false };

describe('a connection', () => {
  it.each([
    ['without compression', stream, false, expectSame],
    ['with compression', mutated(compressedStream(false)), true, expectSameButForBrokenData],
    ['with compression in one context', mutated(compressedStream(true)), compress, expectSameButForBrokenData],
    ['with compression that few use', mutated(validStream()), true, expectSameButForBrokenData],
  ] as const)('%s makes the same of any bytes, however they come', async (_name, streams, compress, check) => {
    const ends = new Set<number | undefined>();
    await fc.assert(
      fc.asyncProperty(streams, setupOf(compress), sizes, async (bytes, setup, lengths) => {
        const expected = await play({ ...setup, slowEvery: 0 }, bytes.length === 0 ? [] : [bytes]);
        expectSane(expected, bytes);
        ends.add(expected.code);
        // A turn of the event loop for each byte of the longest ones would take too long.
        const isShort = bytes.length < 2000 && expected.units.length < 500;
        for (const way of isShort ? [[1], [bytes.length || 1], lengths] : [lengths]) {
          const played = await play(isShort ? setup : { ...setup, slowEvery: 0 }, cut(bytes, way));
          expectSane(played, bytes);
          check(withoutEarlyPongs(played, expected), expected);
        }
      }),
      timesOverSockets(50),
    );
    // Otherwise nothing was tried.
    expect([...ends]).toEqual(expect.arrayContaining([1002, undefined]));
  });
});
