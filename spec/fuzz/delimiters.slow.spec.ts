/**
 * Whatever frames carry the messages, and whatever has happened to their bytes: every delimiter makes the same units of them, however
 * they are cut and however long handlers take; and fails, if it does, with the same close code.
 */
import fc from 'fast-check';
import { binaryScenario, play, textScenario } from '../dispatch/scenarios.js';
import { expectSame } from '../support/expect-same.js';
import { times } from './settings.js';
import { cut, fragments, framesOf, mutated, sizes } from './streams.js';

/** What a dispatcher, or the parser before it, may fail with: docs/conformance.md. */
const CODES = [1002, 1007, 1009];
const NO_KEY = [new Uint8Array(4)];

describe('what is delivered of any frames', () => {
  it.each([
    ['text', textScenario],
    ['binary data', binaryScenario],
  ])('the delivery of %s does not depend on how the frames came', (_name, scenarios) => {
    const cases = fc.tuple(scenarios, fragments).chain(([scenario, lengths]) => {
      const frames = scenario.messages.flatMap((message) => framesOf(scenario.opcode, message, lengths, NO_KEY));
      return fc.tuple(fc.constant(scenario), mutated(fc.constant(frames)));
    });
    fc.assert(
      fc.property(cases, sizes, fc.integer({ min: 1, max: 3 }), ([scenario, bytes], lengths, pauseEvery) => {
        const expected = play(scenario, [bytes]);
        for (const way of [[1], lengths]) {
          expectSame(play(scenario, cut(bytes, way)), expected);
          expectSame(play(scenario, cut(bytes, way), pauseEvery), expected);
        }
        expectSame(play(scenario, [bytes], pauseEvery), expected);
        const failures = expected.filter((event) => typeof event === 'number');
        expect(failures.every((code) => CODES.includes(code))).toBe(true);
        expect(failures.length).toBeLessThanOrEqual(1);
      }),
      times(1000),
    );
  });
});
