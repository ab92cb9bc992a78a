/** RFC 6455 sections 5 to 8, over a real socket. The tables are beside this; `docs/conformance.md` says what they cover. */
import { closing } from './closing.js';
import { controlFrames } from './control-frames.js';
import { automatic, fragmentation } from './fragmentation.js';
import { framing } from './framing.js';
import { opcodes, reservedBits } from './reserved.js';
import { echoServer, play, playAll } from './runner.js';
import { roundTrips, sizes } from './sizes.js';
import { casesOf, stress, utf8 } from './utf8.js';

// Many megabytes go through some of these, perhaps on a machine that is busy.
jest.setTimeout(60_000);

describe('1 framing', () => playAll(framing));
describe('2 pings and pongs', () => playAll(controlFrames));
describe('3 reserved bits', () => playAll(reservedBits));
describe('4 opcodes', () => playAll(opcodes));
describe('5 fragmentation', () => playAll(fragmentation));
describe('6 UTF-8', () => {
  playAll(utf8);

  it.each(
    stress.map(
      (sequence) => [sequence.id, ...namesOf(sequence.octets, sequence.isText, sequence.what), sequence] as const,
    ),
  )('%s %s %s: %s', async (_id, _does, _what, _hex, sequence) => {
    const server = await echoServer();
    await Promise.all(casesOf(sequence).map((one) => play(server, one)));
  });
});
describe('7 closing', () => playAll(closing));
describe('9 sizes', () => {
  playAll(sizes);
  playAll(roundTrips);
});
describe('10 fragmentation by the sender', () => playAll(automatic));

function namesOf(octets: Buffer, isText: boolean, what: string): [does: string, what: string, hex: string] {
  return [isText ? 'echoes' : 'fails with 1007 on', what, octets.toString('hex')];
}
