import { isDeepStrictEqual } from 'node:util';

/** As `toEqual`, many times quicker as long as it holds: for what is compared thousands of times, or is long. */
export function expectSame(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
}
