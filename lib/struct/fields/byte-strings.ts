/** The byte fields `c`, `s` and `p`, and the boolean `?`. */
import { ownCopy } from '../../memory/bulk-allocation.js';
import { asBytes } from '../../memory/bytes.js';
import type { Codec } from './codec.js';

/** `c`: one byte. */
export const char: Codec = {
  read: (bytes, at) => ownCopy(bytes, at, at + 1),
  write(target, at, value) {
    const byte = asBytes(value);
    if (byte === undefined) return notBytes('c');
    if (byte.length !== 1) return `c holds exactly one byte, not ${byte.length}; use s with a count for more`;
    target[at] = byte[0]!;
    return undefined;
  },
};

/** `s`: `length` bytes. Shorter strings are zero-padded, longer ones truncated. */
export function fixedString(length: number): Codec {
  return {
    read: (bytes, at) => ownCopy(bytes, at, at + length),
    write(target, at, value) {
      const bytes = asBytes(value);
      if (bytes === undefined) return notBytes('s');
      target.set(bytes.length > length ? bytes.subarray(0, length) : bytes, at);
      return undefined;
    },
  };
}

/**
 * `p`: a Pascal string in `length` bytes, the first of which counts the bytes that follow. As in CPython, a string
 * longer than 255 bytes is stored as far as it fits, with a count of 255. CPython's `0p` writes its count outside the
 * field and cannot be unpacked; here it is an empty string that takes no bytes.
 */
export function pascalString(length: number): Codec {
  const room = Math.max(length - 1, 0);
  return {
    read: (bytes, at) => ownCopy(bytes, at + 1, at + 1 + (length === 0 ? 0 : Math.min(bytes[at]!, room))),
    write(target, at, value) {
      const bytes = asBytes(value);
      if (bytes === undefined) return notBytes('p');
      if (length === 0) return undefined;
      const stored = bytes.subarray(0, room);
      target[at] = Math.min(stored.length, 255);
      target.set(stored, at + 1);
      return undefined;
    },
  };
}

/** `?`: packs any value by its Python truthiness; every byte but zero unpacks to `true`. */
export const bool: Codec = {
  read: (bytes, at) => bytes[at] !== 0,
  write(target, at, value) {
    target[at] = isTrue(value) ? 1 : 0;
    return undefined;
  },
};

/** Unlike in JavaScript, empty containers are false, and NaN is true. */
function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  const bytes = asBytes(value);
  if (bytes !== undefined) return bytes.length > 0;
  return Boolean(value) || Number.isNaN(value);
}

function notBytes(char: string): string {
  return `${char} holds bytes, as a Buffer or Uint8Array; encode text with Buffer.from(text)`;
}
