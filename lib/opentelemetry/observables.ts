/**
 * What is observed, under which name. The semantic conventions have none for WebSockets yet: names and units follow their rules,
 * below a namespace of this library's own (as `kestrel.*` and `signalr.*` have theirs), and attributes are theirs where there is
 * one: `http.route`, `error.type`, `network.io.direction`.
 */
import { type Attributes, type Meter, type Observable, ValueType } from '@opentelemetry/api';
import { countsByLabel } from '../telemetry/close-code-labels.js';
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
  const now = (name: string, unit: string, description: string, read: Observed['read']): Observed => ({
    instrument: meter.createObservableUpDownCounter(`websocket_route.${name}`, {
      unit,
      description,
      valueType: ValueType.INT,
    }),
    read,
  });
  const total = (name: string, unit: string, description: string, read: Observed['read']): Observed => ({
    instrument: meter.createObservableCounter(`websocket_route.${name}`, {
      unit,
      description,
      valueType: ValueType.INT,
    }),
    read,
  });
  return [
    now('active_connections', '{connection}', 'WebSocket connections that are open.', ({ open }) => [{ value: open }]),
    now(
      'buffer.usage',
      'By',
      'Bytes that were written to WebSockets and that the operating system has not taken yet.',
      ({ bufferedAmount }) => [{ value: bufferedAmount }],
    ),
    total(
      'handshakes',
      '{handshake}',
      'WebSocket handshakes; those that were refused have the reason as error.type.',
      ({ accepted, refused }) => [{ value: accepted }, ...by(ERROR_TYPE, refused)],
    ),
    total('closed_connections', '{connection}', 'WebSocket connections that have gone.', ({ closed }) =>
      by(CLOSE_CODE, countsByLabel(closed, closeCodes)),
    ),
    total(
      'lost_connections',
      '{connection}',
      'WebSocket connections whose peer did not answer a heartbeat.',
      ({ lost }) => [{ value: lost }],
    ),
    total('errors', '{error}', 'Errors that hooks of WebSocket handlers threw.', ({ errors }) => by(HOOK, errors)),
    total('overflows', '{overflow}', 'Units of WebSocket data that exceeded bufferSize.', ({ overflows }) => [
      { value: overflows },
    ]),
    total(
      'slow_consumers',
      '{event}',
      'How often more than maxBufferedAmount bytes waited for a WebSocket peer.',
      ({ slowConsumers }) => [{ value: slowConsumers }],
    ),
    total('throttles', '{event}', 'How often a WebSocket peer began to exceed its rate.', ({ throttled }) => [
      { value: throttled },
    ]),
    total('messages', '{message}', 'WebSocket messages.', ({ messagesReceived, messagesSent }) =>
      inAndOut(messagesReceived, messagesSent),
    ),
    total(
      'dropped_messages',
      '{message}',
      'WebSocket messages that were not sent because too much waited for their peer.',
      ({ dropped }) => [{ value: dropped }],
    ),
    total('io', 'By', 'Bytes on WebSockets, handshakes included.', ({ bytesReceived, bytesSent }) =>
      inAndOut(bytesReceived, bytesSent),
    ),
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
