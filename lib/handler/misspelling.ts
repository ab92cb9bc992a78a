/**
 * Whether a member of a handler is a name of this library, written in another way. What users call their own is theirs, so only
 * what can hardly be anything else counts:
 *
 *     another spelling   read_delimiter, ReadDelimiter, readdelimiter; not READ_DELIMITER and _readDelimiter, which are habits
 *     a slip of the pen  readDelimeter, onHandshaek, onCloes; not readDelimiters, onReader, headDelimiter, which are words
 */
import { plainName, slipsBetween } from '../argument-checks.js';

export function isSpelling(name: string, known: string): boolean {
  return plainName(name) === plainName(known) && !/^[A-Z0-9_]+$/.test(name);
}

export function isSlip(name: string, known: string): boolean {
  const [a, b] = [plainName(name), plainName(known)];
  // Nobody misses the first letter.
  if (a === b || a[0] !== b[0] || slipsBetween(a, b) > 1) return false;
  // Two letters that are swapped, or one that is doubled, make no other word.
  if (sorted(a) === sorted(b) || withoutRepeats(a) === withoutRepeats(b)) return true;
  // Another letter does in a short name, as in `onHead`, and so does what goes on behind the name, as in `readDelimiters`.
  return b.length > 8 && !a.startsWith(b);
}

function sorted(text: string): string {
  return [...text].sort().join('');
}

function withoutRepeats(text: string): string {
  return text.replaceAll(/(.)\1+/g, '$1');
}
