/**
 * Whatever bytes come, and however they are cut and held up: the same events and at most one mistake, which has a close code of
 * those that docs/conformance.md lists; and never more events than bytes.
 */
import fc from 'fast-check';
import { Draft76Parser } from '../../lib/framing/draft76/draft76-parser.js';
import { FrameParser } from '../../lib/framing/frame-parser.js';
import { failure, type Happened, type MakeParser, parse, RecordingSink } from '../framing/recording-sink.js';
import { expectSame } from '../support/expect-same.js';
import { times } from './settings.js';
import { type ByteMutation, byteMutation, cut, few, mutateBytes, sizes, stream, textPayload } from './streams.js';

const rfc6455: MakeParser = (messages, controls) => new FrameParser(messages, controls);
const draft76: MakeParser = (messages, controls) => new Draft76Parser(messages, controls);

/** What the parser may fail with. */
const CODES = [1002, 1007, 1009];

/** The same with the parser halted in each `every`th event, and let go when `patience` more chunks have come. */
function parseHaltingly(
  make: MakeParser,
  bytes: Buffer,
  lengths: readonly number[],
  every: number,
  patience: number,
): Happened[] {
  const sink = new RecordingSink();
  const parser = make(sink, sink);
  let events = 0;
  let waited = 0;
  sink.afterwards = () => {
    if (++events % every !== 0) return;
    parser.pause();
    waited = 0;
  };
  const letGo = (): void => {
    while (parser.paused) parser.resume();
  };
  const code = failure(() => {
    for (const chunk of cut(bytes, lengths)) {
      parser.feed(Buffer.from(chunk));
      if (parser.paused && waited++ >= patience) letGo();
    }
    letGo();
  });
  if (code !== undefined) sink.happened.push(['fail', code]);
  return sink.happened;
}

function expectSane(events: readonly Happened[], bytes: Buffer): void {
  expect(events.length).toBeLessThanOrEqual(bytes.length + 1);
  const mistake = events.findIndex(([name]) => name === 'fail');
  const goodbye = events.findIndex(([name]) => name === 'closed');
  // Nothing comes after either.
  for (const at of [mistake, goodbye]) if (at !== -1) expect(at).toBe(events.length - 1);
  const last = events.at(-1);
  if (last?.[0] === 'fail') expect(CODES).toContain(last[1]);
}

const mutations = few<ByteMutation>(byteMutation);
const draft76Stream = fc
  .tuple(
    fc.array(fc.oneof(textPayload, textPayload, fc.uint8Array({ maxLength: 8 })), { maxLength: 5 }),
    fc.constantFrom('', 'ff00', 'ff', '80', 'ff01'),
    mutations,
  )
  .map(([messages, end, changes]) => {
    const frames = messages.flatMap((message) => [Buffer.from([0]), message, Buffer.from([0xff])]);
    return mutateBytes(Buffer.concat([...frames, Buffer.from(end, 'hex')]), changes);
  });

describe.each([
  ['RFC 6455', rfc6455, stream, 2000],
  ['draft-76', draft76, draft76Stream, 1000],
] as const)('the parser of %s', (_name, make, streams, runs) => {
  it('finds the same in any bytes, however they are cut and held up', () => {
    const ends = new Set<string>();
    fc.assert(
      fc.property(streams, sizes, fc.integer({ min: 1, max: 3 }), fc.nat(2), (bytes, lengths, every, patience) => {
        const expected = parse(make, bytes);
        ends.add(String(expected.at(-1)?.slice(0, 2)));
        expectSane(expected, bytes);
        for (const way of [[1], lengths]) {
          expectSame(
            parse(make, bytes, () => cut(bytes, way).map(({ length }) => length)),
            expected,
          );
        }
        expectSame(parseHaltingly(make, bytes, lengths, every, patience), expected);
        expectSame(parseHaltingly(make, bytes, [bytes.length || 1], every, patience), expected);
      }),
      times(runs),
    );
    // Otherwise nothing was tried.
    expect([...ends]).toEqual(expect.arrayContaining(['end,1', 'fail,1002', 'fail,1007']));
  });
});
