/** A server that leaves when its process is told to end: its WebSockets are drained, and its HTTP comes to an end, too. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { constants } from 'node:os';
import { performance } from 'node:perf_hooks';
import { isPlainObject } from '../argument-checks.js';
import { report } from '../connection/report.js';
import { invalidArgument } from '../errors.js';
import { drain } from './drain.js';
import { type DrainOptions, resolveDrainOptions } from './drain-options.js';

/**
 * Drains and closes a server when the process is told to end. From then on HTTP answers say `Connection: close`, and what is
 * left of the HTTP connections at `timeout` is cut: a browser that has connected in advance would keep the process for ever.
 * The process then ends by itself, with exit code 0, when nothing else keeps it. A second signal ends it at once, unless
 * something else listens to it.
 *
 * @param signals default `['SIGTERM']`
 * @returns takes the listeners off again
 * @throws TypeError as `drain`, and for what is no list of signals
 * @example
 * const server = app.listen(8080);
 * drainOnSignal(server, ['SIGTERM', 'SIGINT'], { timeout: 20_000 });
 */
export function drainOnSignal(
  server: Server,
  signals: readonly NodeJS.Signals[] = ['SIGTERM'],
  options: DrainOptions = {},
): () => void {
  checkSignals(signals);
  const { timeout } = resolveDrainOptions(server, options);
  const remove = (): void => {
    for (const signal of signals) process.removeListener(signal, onSignal);
  };
  const onSignal = (): void => {
    // What a signal does by itself it does again: the second one ends the process.
    remove();
    end(server, options, timeout);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return remove;
}

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

function end(server: Server, options: DrainOptions, timeout: number): void {
  // It may have been told to end while it was starting: then it will listen in a moment.
  if (!server.listening) server.once('listening', () => setImmediate(end, server, options, timeout));
  drainAndClose(server, options, timeout).catch((error: unknown) => report('drainOnSignal', error));
}

async function drainAndClose(server: Server, options: DrainOptions, timeout: number): Promise<void> {
  const deadline = performance.now() + timeout;
  server.prependListener('request', endWithAnswer);
  await drain(server, options);
  // `close` waits for connections that have not asked anything yet, and for those that become idle later.
  const closeIdle = setInterval(() => server.closeIdleConnections(), IDLE_INTERVAL).unref();
  const closeAll = setTimeout(() => server.closeAllConnections(), Math.max(0, deadline - performance.now())).unref();
  server.close(() => {
    clearInterval(closeIdle);
    clearTimeout(closeAll);
    server.removeListener('request', endWithAnswer);
  });
}

const IDLE_INTERVAL = 100;

function endWithAnswer(_request: IncomingMessage, response: ServerResponse): void {
  response.shouldKeepAlive = false;
}
