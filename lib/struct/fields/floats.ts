/** The float fields `e`, `f` and `d`. As in Python, they also take integers that a double can hold. */
import { type Codec, loadScratch, scratchView, storeScratch } from './codec.js';
import { decodeHalf, encodeHalf } from './half-float.js';

export function float16(littleEndian: boolean): Codec {
  return {
    read: (bytes, at) =>
      decodeHalf(littleEndian ? bytes[at]! | (bytes[at + 1]! << 8) : (bytes[at]! << 8) | bytes[at + 1]!),
    write(target, at, value) {
      const number = toFloat(value);
      if (number === undefined) return notAFloat('e');
      const bits = encodeHalf(number);
      if (bits === undefined) return 'e holds finite numbers below 65520; use f or d';
      target[at] = littleEndian ? bits : bits >> 8;
      target[at + 1] = littleEndian ? bits >> 8 : bits;
      return undefined;
    },
  };
}

/**
 * @param overflows whether a number that rounds to infinity becomes infinity, as in C and in Python's native mode. In
 * the standard modes it is an error.
 */
export function float32(littleEndian: boolean, overflows: boolean): Codec {
  return {
    read(bytes, at) {
      loadScratch4(bytes, at);
      return scratchView.getFloat32(0, littleEndian);
    },
    write(target, at, value) {
      const number = toFloat(value);
      if (number === undefined) return notAFloat('f');
      if (!overflows && Number.isFinite(number) && !Number.isFinite(Math.fround(number))) {
        return 'f holds finite numbers up to about 3.4e38; use d';
      }
      scratchView.setFloat32(0, number, littleEndian);
      storeScratch(target, at, 4);
      return undefined;
    },
  };
}

export function float64(littleEndian: boolean): Codec {
  return {
    read(bytes, at) {
      loadScratch(bytes, at);
      return scratchView.getFloat64(0, littleEndian);
    },
    write(target, at, value) {
      const number = toFloat(value);
      if (number === undefined) return notAFloat('d');
      scratchView.setFloat64(0, number, littleEndian);
      storeScratch(target, at, 8);
      return undefined;
    },
  };
}

function loadScratch4(bytes: Uint8Array, at: number): void {
  const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  scratchView.setInt32(0, word, true);
}

function toFloat(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  if (typeof value !== 'bigint') return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function notAFloat(char: string): string {
  return `${char} holds numbers that a double can represent; convert it first, for example with Number()`;
}
