/**
 * Counters by route. They are updated when something begins or ends; traffic of open connections is summed on
 * request. A draining server finds its connections through the same sets.
 */
import type { Duplex } from 'node:stream';
import type { RefusalReason } from './refusal-reasons.js';

/** The view of an open connection that metrics and draining need. */
export interface OpenConnection {
  readonly socket: Duplex;
  /** The HTTP server that accepted it, if known. */
  readonly server: unknown;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly bufferedAmount: number;
  /** Closes the connection as soon as its handler has finished its current work. */
  closeWhenIdle(code: number, reason: string): void;
  terminate(): void;
  /** Resolves when the connection has closed and its handler has finished. */
  whenFinished(): Promise<void>;
}

/**
 * Metrics of one route, or of all routes, since the process started; `open` and `bufferedAmount` are current values.
 */
export interface RouteMetrics {
  /** Open connections. */
  open: number;
  /** Accepted handshakes. */
  accepted: number;
  /** Refused handshakes, by reason. */
  refused: Partial<Record<RefusalReason, number>>;
  /** Closed connections, by the code passed to `onClose`. */
  closed: Record<string, number>;
  /** Errors of hooks, by the name of the hook. */
  errors: Record<string, number>;
  /** Units that exceeded `bufferSize`. */
  overflows: number;
  /** How often more than `maxBufferedAmount` bytes were waiting for a peer. */
  slowConsumers: number;
  /** Messages dropped because of that. */
  dropped: number;
  /** How often a peer began to exceed its `rate`: counted once until it keeps to its rate again. */
  throttled: number;
  /** Connections whose peer did not answer a heartbeat. */
  lost: number;
  messagesReceived: number;
  messagesSent: number;
  bytesReceived: number;
  bytesSent: number;
  /** Bytes written but not yet accepted by the operating system. */
  bufferedAmount: number;
}

/** A snapshot of all metrics. */
export interface Metrics extends RouteMetrics {
  /**
   * Metrics by route: by its path, or by the name of its handler if it has none. Routes beyond the first 1,000 are
   * counted together as `(other)`.
   */
  routes: Record<string, RouteMetrics>;
}

const TRAFFIC = ['messagesReceived', 'messagesSent', 'bytesReceived', 'bytesSent', 'bufferedAmount'] as const;
const COUNTS = ['accepted', 'overflows', 'slowConsumers', 'dropped', 'throttled', 'lost'] as const;
const KEYED_COUNTS = ['refused', 'closed', 'errors'] as const satisfies (keyof CountedBy)[];

/** The key of each keyed counter. */
interface CountedBy {
  refused: RefusalReason;
  closed: number;
  errors: string;
}

type Counts = Record<(typeof COUNTS)[number], number>;

/** The counters of one route, shared by all plans with the same name. */
export class RouteCounters {
  readonly open = new Set<OpenConnection>();
  /** Closed connections whose handler has not finished. */
  readonly lingering = new Set<OpenConnection>();
  readonly counts: Counts = { accepted: 0, overflows: 0, slowConsumers: 0, dropped: 0, throttled: 0, lost: 0 };
  private readonly byKey = {
    refused: new Map<string, number>(),
    closed: new Map<string, number>(),
    errors: new Map<string, number>(),
  };
  /** The traffic of closed connections. */
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

  /** Messages that arrived before a connection closed and were delivered afterwards. */
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
 * Maximum number of routes with their own counters. Code that makes a route for each request, or classes with
 * computed names, would otherwise let clients create more and more counters.
 */
const MAX_ROUTES = 1000;
/** The name that all further routes share. */
const OTHER = '(other)';

const byRoute = new Map<string, RouteCounters>();

/**
 * The counters for the name of a route. Routes with the same name share them, so handlers passed with each request do
 * not add more.
 */
export function countersOf(route: string): RouteCounters {
  const name = byRoute.has(route) || byRoute.size < MAX_ROUTES ? route : OTHER;
  let counters = byRoute.get(name);
  if (counters === undefined) {
    counters = new RouteCounters();
    byRoute.set(name, counters);
  }
  return counters;
}

/** The name of the route in `metrics()`. */
export function counterNameOf(route: string): string {
  return byRoute.has(route) ? route : OTHER;
}

/** All connections of the process that are open, or closed with a handler that has not finished. */
export function* unfinishedConnections(): Iterable<OpenConnection> {
  for (const { open, lingering } of byRoute.values()) {
    yield* open;
    yield* lingering;
  }
}

/**
 * Counters since the process started. O(open connections) per call.
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
