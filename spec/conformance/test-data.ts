/** Text to be compressed, and bytes that are not text: the same in each run. */
import { Seeded } from '../support/seeded.js';

const SIZE = 512 * 1024;

let text: Buffer | undefined;
let mixed: Buffer | undefined;

/**
 * A part of 512 KiB of ASCII, read in a circle, in which passages recur at every distance from a few bytes to 32 KiB, so that a
 * compressor refers as far back as it may.
 */
export function manyDistances(from: number, to: number): Buffer {
  text ??= create(7, (random) => random.integer(32, 126));
  return circle(text, from, to);
}

/** The same of all bytes, with longer runs of them that nothing can compress. */
export function binaryData(from: number, to: number): Buffer {
  mixed ??= create(8, (random) => random.integer(0, 255), 40);
  return circle(mixed, from, to);
}

function create(seed: number, octet: (random: Seeded) => number, longest = 12): Buffer {
  const random = new Seeded(seed);
  const bytes = Buffer.alloc(SIZE);
  let at = 0;
  while (at < SIZE) {
    if (random.chance(0.4)) {
      for (let left = random.integer(1, longest); left > 0 && at < SIZE; left--) bytes[at++] = octet(random);
      continue;
    }
    const power = random.integer(3, 14);
    const distance = random.integer(1 << power, (1 << (power + 1)) - 1);
    if (distance > at) bytes[at++] = octet(random);
    else for (let left = random.integer(4, 40); left > 0 && at < SIZE; left--, at++) bytes[at] = bytes[at - distance]!;
  }
  return bytes;
}

function circle(bytes: Buffer, from: number, to: number): Buffer {
  const start = from % SIZE;
  const end = start + to - from;
  return end <= SIZE
    ? bytes.subarray(start, end)
    : Buffer.concat([bytes.subarray(start), bytes.subarray(0, end - SIZE)]);
}
