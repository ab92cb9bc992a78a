import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** The files that clients may download. A name from a client is looked up here and never becomes a path. */
const PATHS = new Map([
  // A file of many MiB that certainly exists: the program that runs this.
  ['node', process.execPath],
  ['package.json', resolve('package.json')],
]);

export function pathOfShared(name: string): string | undefined {
  return PATHS.get(name);
}

/** The hash of the first `size` bytes, in hexadecimal. */
export async function sha256(path: string, size: number): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { end: size - 1 }), hash);
  return hash.digest('hex');
}
