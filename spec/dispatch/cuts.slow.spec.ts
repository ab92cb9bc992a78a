/**
 * What is delivered never depends on how the bytes were cut by TCP or by fragmentation, nor on how long handlers take: for any
 * messages, any delimiters (each set in the `onRead` before it) and any limit, the same units, overflows and failures.
 */
import fc from 'fast-check';
import { own } from '../framing/recording-sink.js';
import { frame } from '../support/frames.js';
import { binaryScenario, play, type Scenario, textScenario } from './scenarios.js';

/** Cuts bytes into pieces of the given sizes, in turn. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

function fragmented(opcode: number, message: Buffer, sizes: readonly number[]): Buffer {
  const parts = [...cut(message, sizes), Buffer.alloc(0)];
  return Buffer.concat(
    parts.map((payload, i) => frame({ opcode: i === 0 ? opcode : 0, payload, fin: i === parts.length - 1 })),
  );
}

/** The same with so much text or data in each message that some of it is read from where it is, and some is held. */
function enlarged(scenario: Scenario): Scenario {
  return { ...scenario, messages: scenario.messages.map((message) => Buffer.concat(Array<Buffer>(60).fill(message))) };
}

const largeSizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 });
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

describe('what is delivered', () => {
  it.each([
    ['text', textScenario],
    ['binary data', binaryScenario],
  ])('the delivery of %s does not depend on how the bytes came, or on how long handlers take', (_name, scenarios) => {
    fc.assert(
      fc.property(
        scenarios,
        sizes,
        sizes,
        fc.integer({ min: 1, max: 3 }),
        (scenario, fragments, segments, pauseEvery) => {
          const { opcode, messages } = scenario;
          const whole = messages.map((payload) => frame({ opcode, payload }));
          const inFragments = Buffer.concat(messages.map((message) => fragmented(opcode, message, fragments)));
          const expected = play(scenario, whole);
          expect(play(scenario, [Buffer.concat(whole)])).toEqual(expected);
          expect(play(scenario, cut(Buffer.concat(whole), [1]))).toEqual(expected);
          expect(play(scenario, [inFragments])).toEqual(expected);
          expect(play(scenario, [inFragments], 0, own)).toEqual(expected);
          expect(play(scenario, cut(inFragments, segments))).toEqual(expected);
          expect(play(scenario, whole, pauseEvery)).toEqual(expected);
          expect(play(scenario, cut(inFragments, segments), pauseEvery)).toEqual(expected);
        },
      ),
      { numRuns: 2000, seed: 20261123 },
    );
  });

  it.each([
    ['text', textScenario],
    ['binary data', binaryScenario],
  ])(
    'the delivery of much %s does not depend on how the bytes came, or on how long handlers take',
    (_name, scenarios) => {
      fc.assert(
        fc.property(
          scenarios,
          largeSizes,
          largeSizes,
          fc.integer({ min: 1, max: 9 }),
          (small, fragments, segments, pauseEvery) => {
            const scenario = enlarged(small);
            const { opcode, messages } = scenario;
            const whole = messages.map((payload) => frame({ opcode, payload }));
            const inFragments = Buffer.concat(messages.map((message) => fragmented(opcode, message, fragments)));
            const expected = play(scenario, cut(Buffer.concat(whole), [1]));
            expect(play(scenario, whole)).toEqual(expected);
            expect(play(scenario, [inFragments])).toEqual(expected);
            expect(play(scenario, [inFragments], 0, own)).toEqual(expected);
            expect(play(scenario, cut(Buffer.concat(whole), segments))).toEqual(expected);
            expect(play(scenario, cut(inFragments, segments))).toEqual(expected);
            expect(play(scenario, whole, pauseEvery)).toEqual(expected);
            expect(play(scenario, cut(inFragments, segments), pauseEvery)).toEqual(expected);
          },
        ),
        { numRuns: 400, seed: 20261123 },
      );
    },
  );
});
