/** Decodes bytes for patterns: text as UTF-8, binary data as latin1, one character per byte. */
import { type MessageKind, Opcode } from '../../framing/opcode.js';
import type { BorrowedBytes } from '../../memory/borrowed-bytes.js';

export function decodeRun(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): string {
  return bytes.toString(kind === Opcode.Text ? 'utf8' : 'latin1', start, end);
}

/** @returns the number of bytes that `decodeRun` decoded to `text` */
export function byteLength(kind: MessageKind, text: string): number {
  return kind === Opcode.Text ? Buffer.byteLength(text) : text.length;
}

/** @returns the start of the last `count` characters before `at`, or `start` if there are fewer */
export function back(kind: MessageKind, bytes: BorrowedBytes, start: number, at: number, count: number): number {
  if (kind === Opcode.Binary) return Math.max(start, at - count);
  while (at > start && count > 0) {
    at--;
    if ((bytes[at]! & 0xc0) !== 0x80) count--;
  }
  return at;
}

export function splitsPair(text: string, at: number): boolean {
  return at > 0 && at < text.length && (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}

/** Copies the pattern with the flag it needs, so that the user's flags and `lastIndex` neither matter nor change. */
export function copyPattern(pattern: RegExp, flag: 'g' | 'y'): RegExp {
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '') + flag);
}
