/**
 * Close codes as the exporters label them. 3000 to 4999 are for libraries and applications, and a peer may send any of them: as
 * label values they would be two thousand series, at the choice of strangers. So each thousand is one, but for the codes that
 * the user names.
 */
import { invalidOption } from '../errors.js';

/** `1006` is itself, `4321` is `4xxx`, unless it is one of the user's own. */
function labelOf(code: string, own: ReadonlySet<number>): string {
  const number = Number(code);
  return number < 3000 || own.has(number) ? code : `${code[0]}xxx`;
}

/** Counts by close code, made counts by label. */
export function countsByLabel(
  closed: Readonly<Record<string, number>>,
  own: ReadonlySet<number>,
): Record<string, number> {
  const folded: Record<string, number> = {};
  for (const [code, count] of Object.entries(closed)) {
    const label = labelOf(code, own);
    folded[label] = (folded[label] ?? 0) + count;
  }
  return folded;
}

/** @throws TypeError unless it is a list of codes from 3000 to 4999 */
export function checkOwnCloseCodes(codes: unknown): ReadonlySet<number> {
  const isOwn = (code: unknown): code is number =>
    Number.isInteger(code) && Number(code) >= 3000 && Number(code) <= 4999;
  if (Array.isArray(codes) && codes.every(isOwn)) return new Set(codes);
  throw invalidOption(
    'closeCodes',
    codes,
    'it must be a list of codes from 3000 to 4999; all others are told apart anyway',
  );
}
