/**
 * The turns of zlib's work. zlib works in the threads that Node also reads files and resolves names with: without a bound, a
 * thousand messages that come at once would keep everybody else from them, and hold the memory of a thousand jobs.
 */
import { AsyncScope } from './async-scope.js';

/** Twice the threads that Node has by default: none of them waits for the event loop, and nobody else waits long for one of them. */
export const MAX_JOBS = 8;

export interface ZlibJob {
  /** Its turn has come: it begins, and calls `leave` when it is done. */
  onTurn(): void;
}

let atWork = 0;
/**
 * In the order in which they came, each with where it came from: whoever makes room for it is somebody else, of whose
 * `AsyncLocalStorage` it must not know.
 */
const waiting = new Map<ZlibJob, AsyncScope>();

/** Begins now, or when one of those before it is done. */
export function enterQueue(job: ZlibJob): void {
  if (atWork === MAX_JOBS) {
    waiting.set(job, new AsyncScope('WebSocketZlibJob'));
    return;
  }
  atWork++;
  job.onTurn();
}

/** A job is done, or does something else for a while. */
export function releaseTurn(): void {
  const [next] = waiting;
  if (next === undefined) {
    atWork--;
    return;
  }
  const [job, origin] = next;
  waiting.delete(job);
  origin.runInAsyncScope(() => job.onTurn());
}

/** @returns whether it was still waiting: then its turn never comes, and it must not `leave` */
export function cancelTurn(job: ZlibJob): boolean {
  return waiting.delete(job);
}

/** Whether others want a turn: whoever has had one for long leaves, and enters again. */
export function isAnybodyWaiting(): boolean {
  return waiting.size > 0;
}

/** How many are at work, and how many wait. */
export function zlibJobs(): { atWork: number; waiting: number } {
  return { atWork, waiting: waiting.size };
}
