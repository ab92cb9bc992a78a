/** How many cases each family has: what `docs/conformance.md` says. */
import { closing } from './closing.js';
import { OFFERS, SHAPES, SIZES, SUITE, WANTED } from './combinations.js';
import { controlFrames } from './control-frames.js';
import { automatic, fragmentation } from './fragmentation.js';
import { framing } from './framing.js';
import { handshakes } from './handshake.js';
import { opcodes, reservedBits } from './reserved.js';
import { compression } from './rfc7692.js';
import { negotiation } from './rfc7692-negotiation.js';
import { roundTrips, sizes } from './sizes.js';
import { casesOf, stress, utf8 } from './utf8.js';

/** Handshakes by two doors. */
const DOORS = 2;
/** Family 12 in each shape as text and as binary data, with and without context takeover. */
const WAYS = 4;
/** Those that have a number of their own. */
export const IDS: ReadonlySet<string> = new Set(
  [
    ...[
      framing,
      controlFrames,
      reservedBits,
      opcodes,
      fragmentation,
      utf8,
      stress,
      closing,
      sizes,
      roundTrips,
      automatic,
    ],
    ...[handshakes, negotiation, compression],
  ].flatMap((cases) => cases.map(({ id }) => id)),
);

const combinations = OFFERS.flatMap(([, offers]) => offers);

export const FAMILIES: ReadonlyMap<string, number> = new Map([
  ['0', handshakes.length * DOORS],
  ['1', framing.length],
  ['2', controlFrames.length],
  ['3', reservedBits.length],
  ['4', opcodes.length],
  ['5', fragmentation.length],
  ['6', utf8.length + stress.flatMap(casesOf).length],
  ['7', closing.length],
  ['9', sizes.length + roundTrips.length],
  ['10', automatic.length],
  ['11', negotiation.length],
  ['12', compression.length + SHAPES.length * WAYS],
  ['13', combinations.length * SIZES.length + WANTED.flat().length + SUITE.length * SHAPES.length],
]);
