/** Shuts down a server when its process receives a signal: drains its WebSockets and ends its HTTP connections. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { constants } from 'node:os';
import { performance } from 'node:perf_hooks';
import { isPlainObject } from '../argument-checks.js';
import { invalidArgument } from '../errors.js';
import type { Log } from '../log.js';
import { isClusterWorker, onPrimaryLost, outlivePrimary } from './cluster-worker.js';
import { drain } from './drain.js';
import { type DrainOnSignalOptions, type DrainOptions, resolveDrainOnSignalOptions } from './drain-options.js';
import { type Exit, leave } from './end-process.js';

/**
 * Drains and closes a server when the process receives a signal. From then on HTTP responses say `Connection: close`,
 * and HTTP connections still open at `timeout` are closed: a browser's preconnected socket would otherwise keep the
 * process alive for ever. The process then exits by itself, with code 0, once nothing else keeps it alive. With
 * `exit: true` it exits regardless: under node:cluster and pm2 the channel to the parent process would keep it alive.
 * A second signal ends the process immediately, unless it has other listeners; within 100 ms of the first it counts
 * as the same signal, forwarded by npm or by the primary of a cluster.
 *
 * A node:cluster worker stops listening immediately, so that new clients reach the other workers.
 *
 * @param signals default `['SIGTERM']`
 * @returns a function that removes the listeners
 * @throws TypeError as `drain`, and unless `signals` is a list of signals
 * @example
 * const server = app.listen(8080);
 * drainOnSignal(server, ['SIGTERM', 'SIGINT'], { timeout: 20_000, exit: true });
 */
export function drainOnSignal(
  server: Server,
  signals: readonly NodeJS.Signals[] = ['SIGTERM'],
  options: DrainOnSignalOptions = {},
): () => void {
  checkSignals(signals);
  const { exit, log, options: drainOptions, timeout } = resolveDrainOnSignalOptions(server, options);
  let isLeaving = false;
  const onSignal = (): void => {
    if (isLeaving) return;
    isLeaving = true;
    // After that, signals have their default effect again: the second one ends the process.
    setTimeout(remove, SAME_SIGNAL).unref();
    if (exit !== false) outlivePrimary();
    end(server, drainOptions, timeout, exit, log);
  };
  for (const signal of signals) process.on(signal, onSignal);
  const removeLost = exit === false ? undefined : onPrimaryLost(onSignal);
  const remove = (): void => {
    for (const signal of signals) process.removeListener(signal, onSignal);
    removeLost?.();
  };
  return remove;
}

/**
 * Signals within this many milliseconds count as the same one: a terminal and systemd send it to every process of a
 * group, and npm and the primary of a cluster forward it to processes that already have it.
 */
const SAME_SIGNAL = 100;

function checkSignals(signals: unknown): void {
  if (isPlainObject(signals)) {
    throw invalidArgument('signals', signals, "the options come third: drainOnSignal(server, ['SIGTERM'], { … })");
  }
  if (!Array.isArray(signals) || signals.length === 0) {
    throw invalidArgument('signals', signals, "it must be a list of signals, such as ['SIGTERM']");
  }
  for (const signal of signals as readonly unknown[]) {
    if (isSignal(signal)) continue;
    const rule = UNSTOPPABLE.includes(String(signal)) ? 'no process can listen to it' : 'there is no such signal here';
    throw invalidArgument('signal', signal, rule);
  }
}

/** Whether a process can listen to the signal: a misspelt one would never arrive. */
function isSignal(signal: unknown): boolean {
  return typeof signal === 'string' && Object.hasOwn(constants.signals, signal) && !UNSTOPPABLE.includes(signal);
}

const UNSTOPPABLE: readonly string[] = ['SIGKILL', 'SIGSTOP'];

function end(server: Server, options: DrainOptions, timeout: number, exit: Exit, log: Log): void {
  // The signal may arrive while the server is starting: then it will listen in a moment.
  if (!server.listening) server.once('listening', () => setImmediate(end, server, options, timeout, exit, log));
  void leave(drainAndClose(server, options, timeout), exit, log);
}

async function drainAndClose(server: Server, options: DrainOptions, timeout: number): Promise<void> {
  const deadline = performance.now() + timeout;
  server.prependListener('request', endWithAnswer);
  const drained = drain(server, options);
  // Other processes keep listening meanwhile, so that a load balancer gets its 503.
  if (!isClusterWorker()) await drained;
  await Promise.all([drained, close(server, deadline)]);
  server.removeListener('request', endWithAnswer);
}

/** @returns resolves when all connections have ended, or soon after the deadline */
function close(server: Server, deadline: number): Promise<void> {
  return new Promise((resolve) => {
    // `close` waits for connections without a request so far, and for those that become idle later.
    const closeIdle = setInterval(() => server.closeIdleConnections(), IDLE_INTERVAL).unref();
    const closeAll = setTimeout(
      () => {
        server.closeAllConnections();
        // Some connections may be unknown to the server, such as those of another WebSocket library.
        setTimeout(resolve, IDLE_INTERVAL).unref();
      },
      Math.max(0, deadline - performance.now()),
    ).unref();
    server.close(() => {
      clearInterval(closeIdle);
      clearTimeout(closeAll);
      resolve();
    });
  });
}

const IDLE_INTERVAL = 100;

function endWithAnswer(_request: IncomingMessage, response: ServerResponse): void {
  response.shouldKeepAlive = false;
}
