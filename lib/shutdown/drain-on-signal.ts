/** A server that leaves when its process is told to end: its WebSockets are drained, and its HTTP comes to an end, too. */
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
 * Drains and closes a server when the process is told to end. From then on HTTP answers say `Connection: close`, and what is
 * left of the HTTP connections at `timeout` is cut: a browser that has connected in advance would keep the process for ever.
 * The process then ends by itself, with exit code 0, when nothing else keeps it; with `exit: true` it ends whatever keeps it,
 * as under node:cluster and pm2 the channel to the parent process does. A second signal ends it at once, unless something else
 * listens to it; within 100 ms of the first it is taken for the same one, passed on by npm or by the primary of a cluster.
 *
 * A worker of node:cluster stops listening at once, so that newcomers reach the other workers.
 *
 * @param signals default `['SIGTERM']`
 * @returns takes the listeners off again
 * @throws TypeError as `drain`, and for what is no list of signals
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
    // Later what a signal does by itself it does again: the second one ends the process.
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
 * For so many milliseconds further signals are the first one once more: a terminal and systemd send it to every process of a
 * group, and npm and the primary of a cluster pass it on to those that have it already.
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

/** Whether a process may listen to it: a misspelt one would never come. */
function isSignal(signal: unknown): boolean {
  return typeof signal === 'string' && Object.hasOwn(constants.signals, signal) && !UNSTOPPABLE.includes(signal);
}

const UNSTOPPABLE: readonly string[] = ['SIGKILL', 'SIGSTOP'];

function end(server: Server, options: DrainOptions, timeout: number, exit: Exit, log: Log): void {
  // It may have been told to end while it was starting: then it will listen in a moment.
  if (!server.listening) server.once('listening', () => setImmediate(end, server, options, timeout, exit, log));
  void leave(drainAndClose(server, options, timeout), exit, log);
}

async function drainAndClose(server: Server, options: DrainOptions, timeout: number): Promise<void> {
  const deadline = performance.now() + timeout;
  server.prependListener('request', endWithAnswer);
  const drained = drain(server, options);
  // Elsewhere it goes on listening meanwhile, so that a load balancer gets its 503.
  if (!isClusterWorker()) await drained;
  await Promise.all([drained, close(server, deadline)]);
  server.removeListener('request', endWithAnswer);
}

/** @returns fulfilled when all connections have ended, or soon after the deadline */
function close(server: Server, deadline: number): Promise<void> {
  return new Promise((resolve) => {
    // `close` waits for connections that have not asked anything yet, and for those that become idle later.
    const closeIdle = setInterval(() => server.closeIdleConnections(), IDLE_INTERVAL).unref();
    const closeAll = setTimeout(
      () => {
        server.closeAllConnections();
        // There may be connections that the server does not know: another WebSocket library's.
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
