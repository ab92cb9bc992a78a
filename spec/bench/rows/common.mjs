import { randomBytes } from 'node:crypto';

export const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** ASCII that does not repeat. */
export const textOf = (size) =>
  Buffer.from(
    randomBytes(Math.ceil(size / 2))
      .toString('hex')
      .slice(0, size),
  );
