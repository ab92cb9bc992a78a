/**
 * What a worker of node:cluster does otherwise than a process of its own. Node ends it at once, with all of its connections, when
 * the primary has gone; and its primary wants to know whether it left or crashed.
 */
import cluster from 'node:cluster';

export function isClusterWorker(): boolean {
  return cluster.isWorker;
}

/** From now on this worker, which has begun to leave, does not end when its primary goes. */
export function outlivePrimary(): void {
  const { worker } = cluster;
  if (worker === undefined) return;
  // It is what Node asks when the channel closes.
  worker.exitedAfterDisconnect = true;
  // To a primary that has just gone Node cannot say that a server has closed.
  worker.on('error', () => {});
}

/**
 * Calls back instead of having the worker ended when its primary has gone without a word: it was killed, or the signal was for
 * it alone.
 *
 * @returns takes the listener off again
 */
export function onPrimaryLost(callback: () => void): () => void {
  const { worker } = cluster;
  if (worker === undefined) return () => {};
  const onDisconnect = (): void => {
    // Otherwise somebody has disconnected it on purpose, and it has closed its servers.
    if (!worker.exitedAfterDisconnect) callback();
  };
  // Before Node's own, which ends the process.
  process.prependListener('disconnect', onDisconnect);
  return () => process.removeListener('disconnect', onDisconnect);
}

/** Lets the primary know that this worker leaves and has not crashed: its `exitedAfterDisconnect` is true then. */
export async function disconnectFromPrimary(): Promise<void> {
  const { worker } = cluster;
  if (!worker?.isConnected()) return;
  await new Promise((resolve) => {
    worker.once('disconnect', resolve);
    // It waits for servers that are not drained as well, for a connection to which it might wait without end.
    setTimeout(resolve, PATIENCE);
    worker.disconnect();
  });
}

const PATIENCE = 100;
