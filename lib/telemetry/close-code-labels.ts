/**
 * Close codes as labels of exported metrics. Codes from 3000 to 4999 belong to libraries and applications, and a peer
 * may send any of them: as labels, they would let clients create two thousand series. So each thousand shares one
 * label, except for the codes that the user names.
 */
import { invalidOption } from '../errors.js';

/** `1006` stays `1006`; `4321` becomes `4xxx`, unless it is one of the user's own codes. */
function labelOf(code: string, own: ReadonlySet<number>): string {
  const number = Number(code);
  return number < 3000 || own.has(number) ? code : `${code[0]}xxx`;
}

/** Converts counts by close code to counts by label. */
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
    'it must be a list of codes from 3000 to 4999; all others always have their own series',
  );
}
