/** Waits, a turn of the event loop at a time, for what nobody tells. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Less than a test has: so that one that waits in vain ends, and says for what. */
const PATIENCE_MS = 15_000;

/** @throws when it has not become true within the time of a test */
export async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`in vain: ${isSo}`);
    await nextTurn();
  }
}
