/**
 * Shutdown of a node:cluster worker. Node ends a worker immediately, with all of its connections, when the primary
 * disconnects; and the primary wants to know whether a worker exited on purpose or crashed.
 */
import cluster from 'node:cluster';

export function isClusterWorker(): boolean {
  return cluster.isWorker;
}

/** Keeps this worker, which is shutting down, alive when its primary disconnects. */
export function outlivePrimary(): void {
  const { worker } = cluster;
  if (worker === undefined) return;
  // Node checks this when the channel closes.
  worker.exitedAfterDisconnect = true;
  // Node fails to report closed servers to a primary that has just exited.
  worker.on('error', () => {});
}

/**
 * Calls back, instead of letting Node end the worker, when the primary disconnects unexpectedly: because it was
 * killed, or because it alone received the signal.
 *
 * @returns a function that removes the listener
 */
export function onPrimaryLost(callback: () => void): () => void {
  const { worker } = cluster;
  if (worker === undefined) return () => {};
  const onDisconnect = (): void => {
    // Otherwise the worker was disconnected on purpose, and has closed its servers.
    if (!worker.exitedAfterDisconnect) callback();
  };
  // Runs before Node's own listener, which ends the process.
  process.prependListener('disconnect', onDisconnect);
  return () => process.removeListener('disconnect', onDisconnect);
}

/** Tells the primary that this worker exits on purpose: its `exitedAfterDisconnect` is then true. */
export async function disconnectFromPrimary(): Promise<void> {
  const { worker } = cluster;
  if (!worker?.isConnected()) return;
  await new Promise((resolve) => {
    worker.once('disconnect', resolve);
    // `disconnect` also waits for servers that are not drained, possibly without end.
    setTimeout(resolve, PATIENCE);
    worker.disconnect();
  });
}

const PATIENCE = 100;
