/** What is really pinned: in the heap, and outside of it by buffers and by zlib. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { allocate } from '../../lib/memory/bulk-allocation.js';
import { type Opened, sendAndSettle } from '../connection/open.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

export const KIB = 1024;
export const MIB = 1024 * 1024;

/** In bytes, without what nobody holds any more. */
export async function pinned(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    await nextTurn();
    collectGarbage();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/**
 * The most that buffers take while `run` is under way, beyond what they take now, in bytes: asked in each turn of the event loop.
 * Garbage counts until it is collected.
 */
export async function peakOfBuffers(run: () => Promise<unknown>): Promise<number> {
  // What is done once for the whole process is done before.
  allocate(64 * 1024);
  await pinned();
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  let isOver = false;
  const look = (): void => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  try {
    await run();
  } finally {
    isOver = true;
  }
  return peak;
}

/**
 * What each of some connections pins after it was sent the same bytes, beyond what it did before, in bytes. Of so many that what
 * V8 compiles meanwhile, and forgets, some hundred KiB, is little for each.
 *
 * @param open a new connection to one server
 */
export async function pinnedByEach(open: () => Promise<Opened>, bytes: Buffer, count = 30): Promise<number> {
  const opened: Opened[] = [];
  for (let i = 0; i <= count; i++) opened.push(await open());
  // What is made once is none of it.
  await sendAndSettle(opened[0]!, bytes);
  const before = await pinned();
  for (const one of opened.slice(1)) await sendAndSettle(one, bytes);
  const after = await pinned();
  return (after - before) / count;
}
