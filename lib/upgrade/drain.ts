/**
 * Lets a server go without losing anything that it has acknowledged:
 *
 *     drain ─▶ new handshakes: 503
 *          └─▶ each open connection, at a moment within `jitter`: handler done? ─▶ 1001 ─▶ gone
 *                                                        └─ at `timeout`: terminate
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { constants } from 'node:os';
import { performance } from 'node:perf_hooks';
import { clockOf } from '../connection/clock.js';
import { report } from '../connection/report.js';
import { invalidArgument } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { checkCloseArguments } from '../framing/close-payload.js';
import { checkTimeout, isPlainObject, nameOnly } from '../option-checks.js';
import { publish } from '../telemetry/channels.js';
import { type OpenConnection, unfinishedConnections } from '../telemetry/tally.js';
import { type HandshakeAtWork, handshakesAtWork } from './at-work.js';
import { beginDraining, endDraining } from './draining.js';

export interface DrainOptions {
  /**
   * After how many milliseconds what is still open is terminated. Default 10,000: orchestrators kill a process 10 to 30 seconds
   * after they have asked it to end.
   */
  timeout?: number | undefined;
  /**
   * Over how many milliseconds the goodbyes are spread, evenly by chance. Default 1,000, or half of `timeout` if that is less:
   * clients that come back all at once are a burden for whoever takes them. What is left of `timeout` after it is all the time
   * that the last ones have.
   */
  jitter?: number | undefined;
  /** The close code. Default 1001, going away. */
  code?: number | undefined;
  /** At most 123 bytes of UTF-8. Default none. */
  reason?: string | undefined;
  /** The `Retry-After` of refused handshakes, in seconds. Default 1: behind a load balancer the next attempt lands elsewhere. */
  retryAfter?: number | undefined;
}

/** How the connections of a drained server ended. */
export interface DrainResult {
  /** So many said goodbye, or went by themselves. */
  closed: number;
  /** So many were still open at the deadline. */
  terminated: number;
}

const pending = new WeakMap<object, Promise<DrainResult>>();

/**
 * Takes leave of all WebSockets of a server. From the call on new handshakes are refused with 503 and `Retry-After`. Each open
 * connection is closed with 1001 as soon as its handler has finished what it is doing: an `onRead` that is pending, or the
 * message that was taken from `messages()`, so that its answer still goes out. Nothing more is delivered. What is open after
 * `timeout` milliseconds is terminated.
 *
 * The server goes on listening, so that load balancers get an answer: close it afterwards. Until it listens anew it remains
 * drained. A second call while it drains gives the promise of the first.
 *
 * Not to be awaited in a hook: it waits for the hook.
 *
 * @returns fulfilled when no connection is left and each `onClose` has settled; at the deadline when what is left has been
 * terminated, and `onClose` called. Until then it keeps the process alive
 * @throws TypeError for what is no server, an unknown option or a value that an option may not have; it is a rejection
 * @example
 * process.once('SIGTERM', async () => {
 *   await drain(server, { timeout: 20_000, jitter: 5_000 });
 *   server.close();
 * });
 */
export async function drain(server: Server, options: DrainOptions = {}): Promise<DrainResult> {
  const resolved = resolveDrainOptions(server, options);
  let draining = pending.get(server);
  if (draining === undefined) {
    draining = new Drain(server, resolved).run();
    pending.set(server, draining);
    server.once('listening', () => {
      pending.delete(server);
      endDraining(server);
    });
  }
  return draining;
}

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

type Resolved = { readonly [K in keyof DrainOptions]-?: Exclude<DrainOptions[K], undefined> };

class Drain {
  private readonly left = new Set<object>();
  private closed = 0;
  private terminated = 0;
  private done: () => void = () => {};
  private readonly server: Server;
  private readonly options: Resolved;

  constructor(server: Server, options: Resolved) {
    this.server = server;
    this.options = options;
  }

  async run(): Promise<DrainResult> {
    const { server } = this;
    const open = [...unfinishedConnections()].filter((connection) => connection.server === server);
    publish('drain', () => ({ server, phase: 'start', connections: open.length }));
    const empty = new Promise<void>((resolve) => {
      this.done = resolve;
    });
    const take = (connection: OpenConnection): void => this.take(connection, 0);
    beginDraining(server, { retryAfter: this.options.retryAfter, take });
    for (const connection of open) this.take(connection, Math.random() * this.options.jitter);
    for (const handshake of handshakesAtWork(server)) this.waitFor(handshake);
    if (this.left.size > 0) {
      // Whoever awaits this has more to do, and nothing else may be left that keeps the process: a handler waits, say.
      const alive = setInterval(() => {}, FOR_EVER);
      await empty;
      clearInterval(alive);
    }
    const { closed, terminated } = this;
    publish('drain', () => ({ server, phase: 'end', closed, terminated }));
    return { closed, terminated };
  }

  private take(connection: OpenConnection, delay: number): void {
    const { timeout, code, reason } = this.options;
    this.left.add(connection);
    // By the connection's own clock, which a test may advance.
    const clock = clockOf(connection.socket);
    const cancelGoodbye = clock.after(delay, () => connection.leave(code, reason));
    let isTerminated = false;
    const cancelDeadline = clock.after(timeout, () => {
      isTerminated = true;
      this.terminated++;
      const { socket } = connection;
      // Asked before: a socket says so as soon as it is destroyed, and tells it later.
      const isGone = socket.closed;
      connection.terminate();
      // By then `onClose` has been called, but for a handler that is still at work.
      if (isGone) this.drop(connection);
      else socket.once('close', () => this.drop(connection));
    });
    void connection.whenOver().then(() => {
      if (isTerminated) return;
      cancelGoodbye();
      cancelDeadline();
      this.closed++;
      this.drop(connection);
    });
  }

  /** It will be refused, or its connection be taken. A hook that does not settle is not waited for beyond the deadline. */
  private waitFor(handshake: HandshakeAtWork): void {
    this.left.add(handshake);
    const cancelDeadline = clockOf(handshake.socket).after(this.options.timeout, () => this.drop(handshake));
    handshake.whenOver(() => {
      cancelDeadline();
      this.drop(handshake);
    });
  }

  private drop(done: object): void {
    this.left.delete(done);
    if (this.left.size === 0) this.done();
  }
}

/** Of the times that a timer takes, the longest. */
const FOR_EVER = 0x7fff_ffff;

const DEFAULTS: Resolved = {
  timeout: 10_000,
  jitter: 1000,
  code: CloseCode.GOING_AWAY,
  reason: '',
  retryAfter: 1,
};

function resolveDrainOptions(server: unknown, options: DrainOptions): Resolved {
  if (typeof server !== 'object' || server === null || !('on' in server) || !('close' in server)) {
    throw invalidArgument(
      'server',
      nameOnly(server),
      'it must be the http.Server, as app.listen() or createServer() return it',
    );
  }
  if (!isPlainObject(options)) {
    throw invalidArgument('options', options, 'it must be an object, such as { timeout: 20_000 }');
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(DEFAULTS, name)) {
      throw invalidArgument('option', name, `it is unknown; the options are ${Object.keys(DEFAULTS).join(', ')}`);
    }
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const resolved: Resolved = { ...DEFAULTS, ...given };
  const { timeout, retryAfter } = resolved;
  checkTimeout('timeout', timeout, 1);
  const { jitter = Math.min(DEFAULTS.jitter, Math.floor(timeout / 2)) } = options;
  if (!Number.isSafeInteger(jitter) || jitter < 0 || jitter >= timeout) {
    const remedy = `the last ones need time for their goodbye, too, and the timeout is ${timeout}`;
    throw invalidArgument('jitter', jitter, `it must be an integer from 0 on, less than the timeout: ${remedy}`);
  }
  if (!Number.isSafeInteger(retryAfter) || retryAfter < 0) {
    throw invalidArgument('retryAfter', retryAfter, 'it must be an integer from 0 on, in seconds');
  }
  checkCloseArguments(resolved.code, resolved.reason);
  return { ...resolved, jitter };
}
