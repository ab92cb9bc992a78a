/**
 * How long the properties of this directory are tried, and from which seed. In the tests: shortly, and each time the same; by
 * `npm run fuzz` again and again, with another seed each time (`run.mjs`).
 */
import type fc from 'fast-check';

/** Any 32 bits; what `npm run fuzz` prints, to have its round again. */
export const SEED = numberOf('FUZZ_SEED', 20_261_127);
/** Times as many runs of each property. */
const FACTOR = numberOf('FUZZ_FACTOR', 1);

/** How long a property may take, and one with all that jest does around it; a round of the long run may take its time. */
const PATIENCE = 60_000 * Math.max(1, FACTOR);
jest.setTimeout(PATIENCE + 20_000);

/** The parameters of `fc.assert` for a property that is tried so often in the tests. */
export function times(runs: number): { seed: number; numRuns: number } {
  return { seed: SEED, numRuns: Math.ceil(runs * FACTOR) };
}

/** The same for a property that waits for sockets: what hangs is a failure, and smaller cases of it are looked for only for so long. */
export function timesOverSockets(runs: number): ReturnType<typeof times> & fc.Parameters<unknown> {
  return { ...times(runs), timeout: 20_000, interruptAfterTimeLimit: PATIENCE, markInterruptAsFailure: true };
}

function numberOf(name: string, otherwise: number): number {
  const value = Number(process.env[name] || otherwise);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`${name} is ${process.env[name]}: it must be a positive number`);
}
