/** The end of the process behind the last of its servers, for those who want it. */
import { type Log, logError } from '../log.js';
import { disconnectFromPrimary } from './cluster-worker.js';

/** Whether the process ends when its servers have left; a function is called before, and waited for. */
export type Exit = boolean | (() => unknown);

/** How many servers are leaving. */
let leaving = 0;
/** What is to be called before the process ends; empty as long as nobody wants it to end. */
const lastWords = new Map<() => unknown, Log>();
let ending: Promise<void> | undefined;

/** Waits until a server has left. Behind the last of those that are leaving the process ends, if one of them wants it to. */
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
  // With `process.exitCode`, if somebody has set it.
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
