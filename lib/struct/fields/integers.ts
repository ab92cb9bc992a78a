/**
 * Integer fields. Reading combines bytes with shifts, which V8 compiles to a few instructions for any kind of byte
 * array. 64-bit fields go through `DataView` and are always `bigint`, so that the type of a field never depends on its
 * value.
 */
import { type Codec, loadScratch, type Read, scratchView, storeScratch } from './codec.js';

/** `char` is the format character, for error messages. */
export function integer(char: string, size: 1 | 2 | 4 | 8, signed: boolean, littleEndian: boolean): Codec {
  return size === 8 ? long(char, signed, littleEndian) : short(char, size, signed, littleEndian);
}

/** `P`: unsigned, but like CPython it also packs negative integers, in two's complement. */
export function pointer(littleEndian: boolean): Codec {
  return long('P', false, littleEndian, MIN_INT64);
}

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;

const readInt8: Read = (b, at) => (b[at]! << 24) >> 24;
const readUint8: Read = (b, at) => b[at]!;
const readInt16LE: Read = (b, at) => ((b[at]! << 16) | (b[at + 1]! << 24)) >> 16;
const readInt16BE: Read = (b, at) => ((b[at]! << 24) | (b[at + 1]! << 16)) >> 16;
const readUint16LE: Read = (b, at) => b[at]! | (b[at + 1]! << 8);
const readUint16BE: Read = (b, at) => (b[at]! << 8) | b[at + 1]!;
const readInt32LE: Read = (b, at) => b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24);
const readInt32BE: Read = (b, at) => (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;
const readUint32LE: Read = (b, at) => (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0;
const readUint32BE: Read = (b, at) => ((b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!) >>> 0;

const readInt64LE: Read = (b, at) => {
  loadScratch(b, at);
  return scratchView.getBigInt64(0, true);
};
const readInt64BE: Read = (b, at) => {
  loadScratch(b, at);
  return scratchView.getBigInt64(0);
};
const readUint64LE: Read = (b, at) => {
  loadScratch(b, at);
  return scratchView.getBigUint64(0, true);
};
const readUint64BE: Read = (b, at) => {
  loadScratch(b, at);
  return scratchView.getBigUint64(0);
};

/** By size, then signedness, then byte order. */
const READERS = {
  1: { signed: { little: readInt8, big: readInt8 }, unsigned: { little: readUint8, big: readUint8 } },
  2: { signed: { little: readInt16LE, big: readInt16BE }, unsigned: { little: readUint16LE, big: readUint16BE } },
  4: { signed: { little: readInt32LE, big: readInt32BE }, unsigned: { little: readUint32LE, big: readUint32BE } },
  8: { signed: { little: readInt64LE, big: readInt64BE }, unsigned: { little: readUint64LE, big: readUint64BE } },
};

function reader(size: 1 | 2 | 4 | 8, signed: boolean, littleEndian: boolean): Read {
  return READERS[size][signed ? 'signed' : 'unsigned'][littleEndian ? 'little' : 'big'];
}

function short(char: string, size: 1 | 2 | 4, signed: boolean, littleEndian: boolean): Codec {
  const min = signed ? -(2 ** (size * 8 - 1)) : 0;
  const max = min + 2 ** (size * 8) - 1;
  return {
    read: reader(size, signed, littleEndian),
    write(target, at, value) {
      const integer = typeof value === 'number' ? value : toInteger(value);
      // NaN fails the comparisons.
      if (!(integer !== undefined && integer >= min && integer <= max && isInteger(integer))) {
        return rule(char, min, max, value);
      }
      const number = Number(integer);
      for (let i = 0; i < size; i++) target[at + (littleEndian ? i : size - 1 - i)] = number >> (8 * i);
      return undefined;
    },
  };
}

function long(char: string, signed: boolean, littleEndian: boolean, min = signed ? MIN_INT64 : 0n): Codec {
  const max = signed ? MAX_INT64 : MAX_UINT64;
  return {
    read: reader(8, signed, littleEndian),
    write(target, at, value) {
      const integer = toInteger(value);
      if (!(integer !== undefined && integer >= min && integer <= max && isInteger(integer))) {
        return rule(char, min, max, value);
      }
      // Also right for signed integers: a negative one wraps to its two's complement.
      scratchView.setBigUint64(0, BigInt(integer), littleEndian);
      storeScratch(target, at, 8);
      return undefined;
    },
  };
}

/** As in Python, `true` is 1 and `false` is 0. */
function toInteger(value: unknown): number | bigint | undefined {
  if (typeof value === 'bigint' || typeof value === 'number') return value;
  return typeof value === 'boolean' ? Number(value) : undefined;
}

function isInteger(value: number | bigint): boolean {
  return typeof value === 'bigint' || Number.isInteger(value);
}

function rule(char: string, min: number | bigint, max: number | bigint, value: unknown): string {
  const integer = toInteger(value);
  const remedy =
    integer === undefined || !isInteger(integer)
      ? 'convert it first, for example with Math.round(), Number() or BigInt()'
      : 'use a wider format character or a smaller value';
  return `${char} holds integers from ${min} to ${max}; ${remedy}`;
}
