/** Ends the process after its last server has shut down, if requested. */
import { type Log, logError } from '../log.js';
import { disconnectFromPrimary } from './cluster-worker.js';

/** Whether the process ends when its servers have shut down; a function is called first and awaited. */
export type Exit = boolean | (() => unknown);

/** Number of servers shutting down. */
let leaving = 0;
/** Functions to call before the process ends; empty unless it should end. */
const lastWords = new Map<() => unknown, Log>();
let ending: Promise<void> | undefined;

/** Waits until a server has shut down. After the last one the process ends, if any of them requested that. */
export async function leave(left: Promise<void>, exit: Exit, log: Log): Promise<void> {
  leaving++;
  if (exit !== false) lastWords.set(exit === true ? () => {} : exit, log);
  await left.catch((error: unknown) => logError('drainOnSignal', error, log));
  leaving--;
  if (leaving > 0 || lastWords.size === 0) return;
  ending ??= endProcess();
  await ending;
}

async function endProcess(): Promise<void> {
  await Promise.all(Array.from(lastWords, ([exit, log]) => say(exit, log)));
  await disconnectFromPrimary();
  // Exits with `process.exitCode` if it is set.
  process.exit();
}

async function say(exit: () => unknown, log: Log): Promise<void> {
  try {
    await exit();
  } catch (error) {
    logError('exit of drainOnSignal', error, log);
    process.exitCode ??= 1;
  }
}
