/**
 * Limits the zlib jobs that run at a time. zlib runs in the threads that Node also uses for files and name resolution.
 * Without a limit, a thousand simultaneous messages would block all other work there, and take the memory of a thousand
 * jobs.
 */
import { AsyncScope } from './async-scope.js';

/**
 * Twice the default number of threads: no thread idles until the event loop runs, and other work does not wait long.
 */
export const MAX_JOBS = 8;

export interface ZlibJob {
  /** Starts the job. It must call `releaseTurn` when it is done. */
  onTurn(): void;
}

let atWork = 0;
/**
 * Waiting jobs in order, each with its own async scope: a job must not run in the `AsyncLocalStorage` context of the
 * job that makes room for it.
 */
const waiting = new Map<ZlibJob, AsyncScope>();

/** Starts the job now, or when an earlier one is done. */
export function enterQueue(job: ZlibJob): void {
  if (atWork === MAX_JOBS) {
    waiting.set(job, new AsyncScope('WebSocketZlibJob'));
    return;
  }
  atWork++;
  job.onTurn();
}

/** Ends the turn of a job that is done or must wait. */
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

/** @returns whether the job was still waiting. If so, its turn never comes, and it must not call `releaseTurn` */
export function cancelTurn(job: ZlibJob): boolean {
  return waiting.delete(job);
}

/** Whether other jobs wait. If so, a long job should give up its turn and enter the queue again. */
export function isAnybodyWaiting(): boolean {
  return waiting.size > 0;
}

/** @returns the number of running and waiting jobs */
export function zlibJobs(): { atWork: number; waiting: number } {
  return { atWork, waiting: waiting.size };
}
