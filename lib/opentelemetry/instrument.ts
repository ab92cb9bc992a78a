/**
 * OpenTelemetry instruments. They use its API only; the SDK and its exporters are up to the user. Nothing is counted
 * here: when the SDK collects, one callback reads `metrics()`. Only the duration of a connection is recorded when it
 * closes.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  type BatchObservableResult,
  createNoopMeter,
  diag,
  type Meter,
  metrics as openTelemetry,
} from '@opentelemetry/api';
import { checkOptions } from '../argument-checks.js';
import { invalidOption } from '../errors.js';
import type { DiagnosticMessages } from '../telemetry/channels.js';
import { checkOwnCloseCodes } from '../telemetry/close-code-labels.js';
import { DESCRIPTIONS } from '../telemetry/descriptions.js';
import { DURATION_BUCKETS } from '../telemetry/durations.js';
import { counterNameOf, metrics } from '../telemetry/route-counters.js';
import { createObservables, HTTP_ROUTE } from './observables.js';

export interface InstrumentOptions {
  /** The meter that creates the instruments. Default: the global provider's meter named `websocket-route`. */
  meter?: Meter | undefined;
  /**
   * Your own close codes, from 3000 to 4999, that should be reported individually. Default none: peers may send any
   * of them, so all others are counted as `3xxx` and `4xxx`.
   */
  closeCodes?: readonly number[] | undefined;
}

/**
 * Creates instruments for all WebSockets of this process, with the attribute `http.route`. Call it once, after the
 * SDK has started: before that the global provider returns meters that do nothing, and the API's `diag` logger gets a
 * warning.
 *
 * @returns a function that removes the callback and the subscription
 * @throws TypeError for an unknown option or an invalid value; Error for a meter that is already instrumented, since
 *   each connection would be recorded twice
 * @example
 * metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
 * const stop = instrument();
 */
export function instrument(options: InstrumentOptions = {}): () => void {
  const { meter, closeCodes } = resolve(options);
  const release = claim(meter);
  const observables = createObservables(meter, closeCodes);
  const durations = meter.createHistogram('websocket_route.connection.duration', {
    description: DESCRIPTIONS.duration,
    unit: 's',
    advice: { explicitBucketBoundaries: [...DURATION_BUCKETS] },
  });
  const observe = (result: BatchObservableResult): void => {
    for (const [route, figures] of Object.entries(metrics().routes)) {
      for (const { instrument: observable, read } of observables) {
        for (const { value, attributes } of read(figures)) {
          result.observe(observable, value, { [HTTP_ROUTE]: route, ...attributes });
        }
      }
    }
  };
  const onClose = (message: unknown): void => {
    const { route, duration } = message as DiagnosticMessages['websocket-route:close'];
    durations.record(duration / 1000, { [HTTP_ROUTE]: counterNameOf(route) });
  };
  const instruments = observables.map(({ instrument: observable }) => observable);
  meter.addBatchObservableCallback(observe, instruments);
  subscribe('websocket-route:close', onClose);
  return () => {
    release();
    meter.removeBatchObservableCallback(observe, instruments);
    unsubscribe('websocket-route:close', onClose);
  };
}

/** The call that instrumented each meter. */
const claims = new WeakMap<Meter, symbol>();

function claim(meter: Meter): () => void {
  if (meter === createNoopMeter()) {
    // Also the case without any SDK, which is not an error.
    diag.warn('websocket-route: this meter does nothing. If you use an SDK, call instrument() after it has started.');
    return () => {};
  }
  if (claims.has(meter)) {
    throw new Error(
      'this meter is already instrumented: call instrument() once, or first call the function that it returned',
    );
  }
  const call = Symbol('call');
  claims.set(meter, call);
  return () => {
    if (claims.get(meter) === call) claims.delete(meter);
  };
}

const OPTIONS = ['meter', 'closeCodes'];

function resolve(options: InstrumentOptions): { meter: Meter; closeCodes: ReadonlySet<number> } {
  checkOptions('', options, OPTIONS, '{ meter }');
  const { meter = openTelemetry.getMeter('websocket-route'), closeCodes = [] } = options;
  if (!isMeter(meter)) {
    throw invalidOption('meter', meter, 'it must be a Meter of @opentelemetry/api: instrument({ meter })');
  }
  return { meter, closeCodes: checkOwnCloseCodes(closeCodes) };
}

/** Accepts any copy of the API. */
function isMeter(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const methods = ['createHistogram', 'createObservableCounter', 'addBatchObservableCallback'];
  return methods.every((name) => typeof Reflect.get(value, name) === 'function');
}
