/**
 * Tells whether a member of a handler is a misspelt name of this library. Users may name their own members as they
 * like, so only names that can hardly mean anything else match:
 *
 *     another spelling   read_delimiter, ReadDelimiter, readdelimiter; not READ_DELIMITER, _readDelimiter (conventions)
 *     a slip of the pen  readDelimeter, onHandshaek, onCloes; not readDelimiters, onReader, headDelimiter (other words)
 */
import { plainName, slipsBetween } from '../argument-checks.js';

export function isSpelling(name: string, known: string): boolean {
  return plainName(name) === plainName(known) && !/^[A-Z0-9_]+$/.test(name);
}

export function isSlip(name: string, known: string): boolean {
  const [a, b] = [plainName(name), plainName(known)];
  // A typo rarely hits the first letter.
  if (a === b || a[0] !== b[0] || slipsBetween(a, b) > 1) return false;
  // Two swapped letters, or a doubled one, do not make another word.
  if (sorted(a) === sorted(b) || withoutRepeats(a) === withoutRepeats(b)) return true;
  // Another letter may, in a short name such as `onHead`, and so may a suffix, as in `readDelimiters`.
  return b.length > 8 && !a.startsWith(b);
}

function sorted(text: string): string {
  return [...text].sort().join('');
}

function withoutRepeats(text: string): string {
  return text.replaceAll(/(.)\1+/g, '$1');
}
