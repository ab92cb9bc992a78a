/**
 * The parser against the receiver of `ws`, on the same streams: the same messages, pings, pongs and goodbyes, and the same close
 * code; or one of the differences that are known.
 */
import fc from 'fast-check';
import { FrameParser } from '../../lib/framing/frame-parser.js';
import { parse } from '../framing/recording-sink.js';
import { differences, explain, type Outcome, PLAIN } from './differences.js';
import { times } from './settings.js';
import { sizes, stream } from './streams.js';
import { readByWs } from './ws-receiver.js';

const RUNS = 600;

/** What we make of it. Of a message that is not complete ws says nothing. */
async function readByUs(bytes: Buffer): Promise<Outcome> {
  const happened: Outcome['happened'] = [];
  let code: number | undefined;
  let data = '';
  for (const event of parse((messages, controls) => new FrameParser(messages, controls), bytes)) {
    if (event[0] === 'data') data += event[2];
    else if (event[0] === 'end') {
      happened.push(['message', event[1], data]);
      data = '';
    } else if (event[0] === 'fail') code = event[1];
    else happened.push(event);
  }
  return { happened, code };
}

describe('the parser and the receiver of ws', () => {
  it.each(differences.filter(({ mode }) => mode === PLAIN))(
    'differ in that $name',
    async ({ name, example, codes }) => {
      expect({ ours: (await readByUs(example)).code, ws: (await readByWs(example)).code }).toEqual(codes);
      expect(await explain(example, { mode: PLAIN, ours: readByUs, ws: readByWs })).toEqual([name]);
    },
  );

  it('agree on any stream, but for the differences that are known', async () => {
    let agreed = 0;
    await fc.assert(
      fc.asyncProperty(stream, sizes, async (bytes, lengths) => {
        const readers = { mode: PLAIN, ours: readByUs, ws: (some: Buffer) => readByWs(some, lengths) };
        if ((await explain(bytes, readers)).length === 0) agreed++;
      }),
      times(RUNS),
    );
    // Most of what happens is the same without any explanation.
    expect(agreed).toBeGreaterThan(times(RUNS).numRuns / 2);
  });
});
