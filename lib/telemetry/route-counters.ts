/**
 * What is counted, by route. Counting happens where something begins or ends; of the connections that are open the figures are
 * asked for when somebody wants to know. The set of those is also how a server that drains finds them.
 */
import type { Duplex } from 'node:stream';
import type { RefusalReason } from './refusal-reasons.js';

/** What an open connection tells of itself, and what may be asked of it. */
export interface OpenConnection {
  readonly socket: Duplex;
  /** The HTTP server that accepted it, where it is known. */
  readonly server: unknown;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly bufferedAmount: number;
  /** Closes it as soon as its handler is done with what it is doing. */
  closeWhenIdle(code: number, reason: string): void;
  terminate(): void;
  /** Fulfilled when the connection has gone and its handler has finished. */
  whenFinished(): Promise<void>;
}

/** The figures of one route, or of all of them, since the process began; `open` and `bufferedAmount` are of now. */
export interface RouteMetrics {
  /** Connections that are open. */
  open: number;
  /** Handshakes that were accepted. */
  accepted: number;
  /** Handshakes that were refused, by reason. */
  refused: Partial<Record<RefusalReason, number>>;
  /** Connections that have gone, by the code that `onClose` got. */
  closed: Record<string, number>;
  /** Errors of hooks, by the name of the hook. */
  errors: Record<string, number>;
  /** Units that exceeded `bufferSize`. */
  overflows: number;
  /** How often more than `maxBufferedAmount` bytes waited for a peer. */
  slowConsumers: number;
  /** Messages that were dropped for it. */
  dropped: number;
  /** How often a peer began to exceed its `rate`: once until it has kept to it again. */
  throttled: number;
  /** Connections whose peer did not answer a heartbeat. */
  lost: number;
  messagesReceived: number;
  messagesSent: number;
  bytesReceived: number;
  bytesSent: number;
  /** Bytes that were written and that the operating system has not taken yet. */
  bufferedAmount: number;
}

/** A snapshot. */
export interface Metrics extends RouteMetrics {
  /**
   * The same for each route, by its path, or by the name of its handler where it has none. Of more than 1,000 routes those that
   * come last are one, `(other)`.
   */
  routes: Record<string, RouteMetrics>;
}

const TRAFFIC = ['messagesReceived', 'messagesSent', 'bytesReceived', 'bytesSent', 'bufferedAmount'] as const;
const COUNTS = ['accepted', 'overflows', 'slowConsumers', 'dropped', 'throttled', 'lost'] as const;
const KEYED_COUNTS = ['refused', 'closed', 'errors'] as const satisfies (keyof CountedBy)[];

/** What tells the counts of one name apart. */
interface CountedBy {
  refused: RefusalReason;
  closed: number;
  errors: string;
}

type Counts = Record<(typeof COUNTS)[number], number>;

/** The counters of one route. All plans of one name share it. */
export class RouteCounters {
  readonly open = new Set<OpenConnection>();
  /** Those that have gone, and whose handler has not finished. */
  readonly lingering = new Set<OpenConnection>();
  readonly counts: Counts = { accepted: 0, overflows: 0, slowConsumers: 0, dropped: 0, throttled: 0, lost: 0 };
  private readonly byKey = {
    refused: new Map<string, number>(),
    closed: new Map<string, number>(),
    errors: new Map<string, number>(),
  };
  /** The traffic of connections that have gone. */
  private readonly gone = { messagesReceived: 0, messagesSent: 0, bytesReceived: 0, bytesSent: 0 };

  count<const W extends keyof CountedBy>(what: W, key: CountedBy[W]): void {
    const counters = this.byKey[what];
    counters.set(String(key), (counters.get(String(key)) ?? 0) + 1);
  }

  opened(connection: OpenConnection): void {
    this.open.add(connection);
  }

  closed(connection: OpenConnection): void {
    this.open.delete(connection);
    this.lingering.add(connection);
    this.gone.messagesReceived += connection.messagesReceived;
    this.gone.messagesSent += connection.messagesSent;
    this.gone.bytesReceived += connection.bytesReceived;
    this.gone.bytesSent += connection.bytesSent;
  }

  finished(connection: OpenConnection): void {
    this.lingering.delete(connection);
  }

  /** Messages that had arrived when a connection went, and that were delivered after that. */
  receivedLate(messages: number): void {
    this.gone.messagesReceived += messages;
  }

  snapshot(): RouteMetrics {
    const traffic = { ...this.gone, bufferedAmount: 0 };
    for (const connection of this.open) for (const name of TRAFFIC) traffic[name] += connection[name];
    const [refused, closed, errors] = KEYED_COUNTS.map((name) => Object.fromEntries(this.byKey[name]));
    return { open: this.open.size, ...this.counts, refused: refused!, closed: closed!, errors: errors!, ...traffic };
  }
}

/**
 * How many routes are told apart. Who makes a route for each request, or a class with a name of its own, would otherwise make
 * more and more counters, named by whoever sends the requests.
 */
const MAX_ROUTES = 1000;
/** What all other routes are together. */
const OTHER = '(other)';

const byRoute = new Map<string, RouteCounters>();

/** The counters for a route's name: also of handlers that are given anew with each request, so that there are not more and more. */
export function countersOf(route: string): RouteCounters {
  const name = byRoute.has(route) || byRoute.size < MAX_ROUTES ? route : OTHER;
  let counters = byRoute.get(name);
  if (counters === undefined) {
    counters = new RouteCounters();
    byRoute.set(name, counters);
  }
  return counters;
}

/** Under which name `metrics()` has the route. */
export function counterNameOf(route: string): string {
  return byRoute.has(route) ? route : OTHER;
}

/** Every connection of the process that is open, or has gone and has a handler that has not finished. */
export function* unfinishedConnections(): Iterable<OpenConnection> {
  for (const { open, lingering } of byRoute.values()) {
    yield* open;
    yield* lingering;
  }
}

/**
 * What has happened in this process so far. Asking costs a look at each open connection.
 *
 * @example
 * app.get('/health', (_request, response) => response.json({ sockets: metrics().open }));
 */
export function metrics(): Metrics {
  const routes: Record<string, RouteMetrics> = Object.create(null);
  const total = new RouteCounters().snapshot();
  for (const [name, counters] of byRoute) {
    const route = counters.snapshot();
    routes[name] = route;
    for (const key of ['open', ...COUNTS, ...TRAFFIC] as const) total[key] += route[key];
    for (const key of KEYED_COUNTS) addCounts(total[key], route[key]);
  }
  return { ...total, routes };
}

function addCounts(total: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [word, count] of Object.entries(counts)) total[word] = (total[word] ?? 0) + count;
}
