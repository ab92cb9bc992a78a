/**
 * Shuts down the WebSockets of a server without losing anything it has acknowledged:
 *
 *     drain ─▶ new handshakes: 503
 *          └─▶ each open connection, at a moment within `jitter`: handler done? ─▶ 1001 ─▶ closed
 *                                                        └─ at `timeout`: terminate
 */
import type { Server } from 'node:http';
import { beginDraining, endDraining } from '../handshake/draining.js';
import { type PendingHandshake, pendingHandshakes } from '../handshake/pending-handshakes.js';
import { publish } from '../telemetry/channels.js';
import { type OpenConnection, unfinishedConnections } from '../telemetry/route-counters.js';
import { type Clock, clockOf, MAX_DELAY } from '../transport/clock.js';
import { type DrainOptions, type ResolvedDrainOptions, resolveDrainOptions } from './drain-options.js';

/** How the connections of a drained server ended. */
export interface DrainResult {
  /** Number of connections that closed before the deadline. */
  closed: number;
  /** Number of connections still open at the deadline, which were terminated. */
  terminated: number;
}

const pending = new WeakMap<object, Promise<DrainResult>>();

/**
 * Gracefully closes all WebSocket connections of a server. From the call on, new handshakes are refused with 503 and
 * `Retry-After`. Each open connection is closed with 1001 as soon as its handler has finished its current work (a
 * pending `onRead`, or the message taken from `messages()`), so that its answer is still sent. Nothing more is
 * delivered to the handler. Connections still open after `timeout` milliseconds are terminated.
 *
 * The server keeps listening, so that load balancers get an answer: close it afterwards. It remains drained until it
 * listens again. A second call while it drains returns the promise of the first.
 *
 * Do not await this in a hook: it waits for running hooks, so it would deadlock until `timeout`.
 *
 * @returns resolves when all connections have closed and each `onClose` has settled; at the deadline, when the
 *   remaining ones have been terminated and `onClose` called. Until then it keeps the process alive
 * @throws TypeError (rejects) for an invalid server, an unknown option or an invalid value
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

class Drain {
  private readonly left = new Set<object>();
  private closed = 0;
  private terminated = 0;
  /** When draining began, by each clock: a test may give a connection its own clock. */
  private readonly began = new Map<Clock, number>();
  private done: () => void = () => {};
  private readonly server: Server;
  private readonly options: ResolvedDrainOptions;

  constructor(server: Server, options: ResolvedDrainOptions) {
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
    for (const handshake of pendingHandshakes(server)) this.waitFor(handshake);
    if (this.left.size > 0) {
      // The caller still has work to do after this, but nothing else may keep the process alive while a handler waits.
      const alive = setInterval(() => {}, MAX_DELAY);
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
    // Uses the connection's own clock, which a test may advance.
    const clock = clockOf(connection.socket);
    const cancelGoodbye = clock.after(delay, () => connection.closeWhenIdle(code, reason));
    let isTerminated = false;
    const cancelDeadline = clock.after(this.leftOf(timeout, clock), () => {
      isTerminated = true;
      this.terminated++;
      const { socket } = connection;
      // Read before terminating: `closed` is set as soon as a socket is destroyed, but the event comes later.
      const isGone = socket.closed;
      connection.terminate();
      // By then `onClose` has been called, unless a hook is still running.
      if (isGone) this.drop(connection);
      else socket.once('close', () => this.drop(connection));
    });
    void connection.whenFinished().then(() => {
      if (isTerminated) return;
      cancelGoodbye();
      cancelDeadline();
      this.closed++;
      this.drop(connection);
    });
  }

  /**
   * The handshake will be refused, or its connection taken over. A hook that does not settle is awaited until the
   * deadline only.
   */
  private waitFor(handshake: PendingHandshake): void {
    this.left.add(handshake);
    const clock = clockOf(handshake.socket);
    const cancelDeadline = clock.after(this.leftOf(this.options.timeout, clock), () => this.drop(handshake));
    handshake.whenOver(() => {
      cancelDeadline();
      this.drop(handshake);
    });
  }

  /** The time left for a connection that opens after draining has begun. */
  private leftOf(timeout: number, clock: Clock): number {
    const now = clock.now();
    const began = this.began.get(clock) ?? now;
    this.began.set(clock, began);
    return Math.max(0, began + timeout - now);
  }

  private drop(done: object): void {
    this.left.delete(done);
    if (this.left.size === 0) this.done();
  }
}
