/**
 * The observed metrics and their names. The semantic conventions do not cover WebSockets yet: names and units follow
 * their rules in a namespace of this library (like `kestrel.*` and `signalr.*`), and attributes use theirs where they
 * exist: `http.route`, `error.type`, `network.io.direction`.
 */
import { type Attributes, type Meter, type Observable, ValueType } from '@opentelemetry/api';
import { countsByLabel } from '../telemetry/close-code-labels.js';
import { DESCRIPTIONS } from '../telemetry/descriptions.js';
import type { RouteMetrics } from '../telemetry/route-counters.js';

export const HTTP_ROUTE = 'http.route';
const ERROR_TYPE = 'error.type';
const DIRECTION = 'network.io.direction';
const CLOSE_CODE = 'websocket_route.close.code';
const HOOK = 'websocket_route.hook';

interface Sample {
  readonly value: number;
  readonly attributes?: Attributes;
}

export interface Observed {
  readonly instrument: Observable;
  read(route: RouteMetrics): readonly Sample[];
}

export function createObservables(meter: Meter, closeCodes: ReadonlySet<number>): Observed[] {
  const described = (unit: string, figure: keyof typeof DESCRIPTIONS) => ({
    unit,
    description: DESCRIPTIONS[figure],
    valueType: ValueType.INT,
  });
  const now = (name: string, unit: string, figure: keyof typeof DESCRIPTIONS, read: Observed['read']): Observed => ({
    instrument: meter.createObservableUpDownCounter(`websocket_route.${name}`, described(unit, figure)),
    read,
  });
  const total = (name: string, unit: string, figure: keyof typeof DESCRIPTIONS, read: Observed['read']): Observed => ({
    instrument: meter.createObservableCounter(`websocket_route.${name}`, described(unit, figure)),
    read,
  });
  return [
    now('active_connections', '{connection}', 'open', ({ open }) => [{ value: open }]),
    now('buffer.usage', 'By', 'bufferedAmount', ({ bufferedAmount }) => [{ value: bufferedAmount }]),
    total('handshakes', '{handshake}', 'handshakes', ({ accepted, refused }) => [
      { value: accepted },
      ...by(ERROR_TYPE, refused),
    ]),
    total('closed_connections', '{connection}', 'closed', ({ closed }) =>
      by(CLOSE_CODE, countsByLabel(closed, closeCodes)),
    ),
    total('lost_connections', '{connection}', 'lost', ({ lost }) => [{ value: lost }]),
    total('errors', '{error}', 'errors', ({ errors }) => by(HOOK, errors)),
    total('overflows', '{overflow}', 'overflows', ({ overflows }) => [{ value: overflows }]),
    total('slow_consumers', '{event}', 'slowConsumers', ({ slowConsumers }) => [{ value: slowConsumers }]),
    total('throttles', '{event}', 'throttled', ({ throttled }) => [{ value: throttled }]),
    total('messages', '{message}', 'messages', ({ messagesReceived, messagesSent }) =>
      inAndOut(messagesReceived, messagesSent),
    ),
    total('dropped_messages', '{message}', 'dropped', ({ dropped }) => [{ value: dropped }]),
    total('io', 'By', 'bytes', ({ bytesReceived, bytesSent }) => inAndOut(bytesReceived, bytesSent)),
  ];
}

function by(attribute: string, counts: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(counts).map(([word, value]) => ({ value, attributes: { [attribute]: word } }));
}

function inAndOut(received: number, sent: number): Sample[] {
  return [
    { value: received, attributes: { [DIRECTION]: 'receive' } },
    { value: sent, attributes: { [DIRECTION]: 'transmit' } },
  ];
}
