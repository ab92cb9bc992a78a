/**
 * Exports metrics to Prometheus through prom-client. Nothing is counted here: on each scrape the metrics read one
 * snapshot of `metrics()`. Only the duration of a connection is observed when it closes.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  Counter,
  Gauge,
  Histogram,
  type Metric,
  type OpenMetricsContentType,
  type PrometheusContentType,
  type Registry,
  register as sharedRegistry,
} from 'prom-client';
import { checkOptions } from '../argument-checks.js';
import { invalidOption } from '../errors.js';
import type { DiagnosticMessages } from '../telemetry/channels.js';
import { checkOwnCloseCodes, countsByLabel } from '../telemetry/close-code-labels.js';
import { DESCRIPTIONS } from '../telemetry/descriptions.js';
import { DURATION_BUCKETS } from '../telemetry/durations.js';
import { counterNameOf, type Metrics, metrics } from '../telemetry/route-counters.js';
import { COUNTERS, type Figure, GAUGES } from './metrics.js';

export interface ExportOptions {
  /** The registry to export to. Default: prom-client's own, `register`. */
  register?: Registry<PrometheusContentType> | Registry<OpenMetricsContentType> | undefined;
  /** The prefix of each metric's name. Default `websocket_route_`. */
  prefix?: string | undefined;
  /**
   * Histogram bounds for the durations of connections, in seconds, ascending. Default 1, 5, 15, 60, 300, 900, 3,600,
   * 14,400, 43,200 and 86,400: from a second to a day.
   */
  durationBuckets?: readonly number[] | undefined;
  /**
   * Your own close codes, from 3000 to 4999, that should have their own series. Default none: peers may send any of
   * them, so all others are counted as `3xxx` and `4xxx`.
   */
  closeCodes?: readonly number[] | undefined;
}

/**
 * Registers metrics of all WebSockets of this process, with the label `route`. Values are collected on each scrape.
 *
 * @returns a function that removes the metrics from the registry
 * @throws TypeError for an unknown option or an invalid value; Error if the registry already has a metric with one of
 *   the names, such as after a first call that was not undone
 * @example
 * exportMetrics();
 * app.get('/metrics', async (_request, response) => {
 *   response.type(register.contentType).send(await register.metrics());
 * });
 */
export function exportMetrics(options: ExportOptions = {}): () => void {
  const { register, prefix, durationBuckets, closeCodes } = resolve(options);
  const takeSnapshot = oncePerTurn(() => withLabels(metrics(), closeCodes));
  const durations = new Histogram({
    name: `${prefix}connection_duration_seconds`,
    help: DESCRIPTIONS.duration,
    labelNames: ['route'],
    buckets: [...durationBuckets],
    registers: [],
  });
  const unregister = registerAll(register, [
    ...GAUGES.map((figure) => gauge(prefix, figure, takeSnapshot)),
    ...COUNTERS.map((figure) => counter(prefix, figure, takeSnapshot)),
    durations,
  ]);
  const onClose = (message: unknown): void => {
    const { route, duration } = message as DiagnosticMessages['websocket-route:close'];
    durations.observe({ route: counterNameOf(route) }, duration / 1000);
  };
  subscribe('websocket-route:close', onClose);
  return () => {
    unsubscribe('websocket-route:close', onClose);
    unregister();
  };
}

function gauge(prefix: string, figure: Figure, takeSnapshot: () => Metrics): Gauge {
  return new Gauge({
    ...described(prefix, figure),
    collect() {
      for (const { labels, value } of samplesOf(figure, takeSnapshot())) this.set(labels, value);
    },
  });
}

function counter(prefix: string, figure: Figure, takeSnapshot: () => Metrics): Counter {
  // A counter can only increase; one that `resetMetrics()` has reset restarts at 0, like any other counter.
  const known = new Map<string, number>();
  return new Counter({
    ...described(prefix, figure),
    collect() {
      for (const { labels, value } of samplesOf(figure, takeSnapshot())) {
        const key = JSON.stringify(labels);
        const before = known.get(key) ?? 0;
        this.inc(labels, Math.max(0, value - before));
        if (value > before) known.set(key, value);
      }
    },
  });
}

function described(
  prefix: string,
  { name, help, label }: Figure,
): { name: string; help: string; labelNames: string[]; registers: [] } {
  return {
    name: `${prefix}${name}`,
    help,
    labelNames: label === undefined ? ['route'] : ['route', label],
    registers: [],
  };
}

function* samplesOf(figure: Figure, { routes }: Metrics): Iterable<{ labels: Record<string, string>; value: number }> {
  for (const [route, all] of Object.entries(routes)) {
    const read = figure.read(all);
    if (typeof read === 'number') yield { labels: { route }, value: read };
    else if (figure.label !== undefined) {
      for (const [word, value] of Object.entries(read)) yield { labels: { route, [figure.label]: word }, value };
    }
  }
}

function withLabels(all: Metrics, closeCodes: ReadonlySet<number>): Metrics {
  for (const route of Object.values(all.routes)) route.closed = countsByLabel(route.closed, closeCodes);
  return all;
}

/** A registry starts collecting all its metrics in one turn: they share the first one's snapshot. */
function oncePerTurn<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    if (made === undefined) {
      made = { value: make() };
      void Promise.resolve().then(() => {
        made = undefined;
      });
    }
    return made.value;
  };
}

/** Registers all of them or, if one of the names is taken, none. */
function registerAll(register: Resolved['register'], all: readonly Metric[]): () => void {
  // By their current names: an OpenMetrics registry renames its counters on the first scrape.
  const registered = new Map<string, Metric>();
  const unregister = (): void => {
    for (const [name, metric] of registered) {
      // The user may have cleared the registry and registered another metric under this name.
      if (register.getSingleMetric(name) === metric) register.removeSingleMetric(name);
    }
  };
  try {
    for (const metric of all) {
      const name = nameOf(metric);
      register.registerMetric(metric);
      registered.set(name, metric);
    }
  } catch (error) {
    unregister();
    const remedy = 'call the function that the first exportMetrics() of this registry returned, or use another prefix';
    throw new Error(`${error instanceof Error ? error.message : error} To export again, ${remedy}.`, { cause: error });
  }
  return unregister;
}

/** The property exists, but is missing from prom-client's types. */
function nameOf(metric: Metric): string {
  return String(Reflect.get(metric, 'name'));
}

interface Resolved {
  readonly register: Registry<PrometheusContentType> | Registry<OpenMetricsContentType>;
  readonly prefix: string;
  readonly durationBuckets: readonly number[];
  readonly closeCodes: ReadonlySet<number>;
}

const OPTIONS = ['register', 'prefix', 'durationBuckets', 'closeCodes'];

function resolve(options: ExportOptions): Resolved {
  checkOptions('', options, OPTIONS, '{ register }');
  const { register = sharedRegistry, prefix = 'websocket_route_', durationBuckets = DURATION_BUCKETS } = options;
  if (!isRegistry(register)) {
    throw invalidOption('register', register, 'it must be a Registry of prom-client: exportMetrics({ register })');
  }
  if (typeof prefix !== 'string' || !/^([a-z_:][\w:]*)?$/i.test(prefix)) {
    throw invalidOption('prefix', prefix, 'it must be the beginning of a metric name, such as chat_');
  }
  if (!isAscending(durationBuckets)) {
    throw invalidOption('durationBuckets', durationBuckets, 'it must be a list of seconds in ascending order');
  }
  return { register, prefix, durationBuckets, closeCodes: checkOwnCloseCodes(options.closeCodes ?? []) };
}

/** Accepts any copy of prom-client. */
function isRegistry(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const methods = ['registerMetric', 'getSingleMetric', 'removeSingleMetric'];
  return methods.every((name) => typeof Reflect.get(value, name) === 'function');
}

function isAscending(buckets: unknown): boolean {
  if (!Array.isArray(buckets) || buckets.length === 0) return false;
  return buckets.every((bound: unknown, i) => Number.isFinite(bound) && Number(bound) > Number(buckets[i - 1] ?? 0));
}
