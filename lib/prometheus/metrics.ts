/** The exported metrics: their names and sources. */
import { DESCRIPTIONS } from '../telemetry/descriptions.js';
import type { RouteMetrics } from '../telemetry/route-counters.js';

export interface Figure {
  /** The name after the prefix. */
  readonly name: string;
  readonly help: string;
  /** A label besides `route`, with one sample per value. */
  readonly label?: string;
  read(route: RouteMetrics): number | Readonly<Record<string, number>>;
}

export const GAUGES: readonly Figure[] = [
  figure('open_connections', 'open'),
  figure('buffered_bytes', 'bufferedAmount'),
];

export const COUNTERS: readonly Figure[] = [
  figure('accepted_handshakes_total', 'accepted'),
  figure('refused_handshakes_total', 'refused', 'reason'),
  figure('closed_connections_total', 'closed', 'code'),
  figure('lost_connections_total', 'lost'),
  figure('hook_errors_total', 'errors', 'hook'),
  figure('overflows_total', 'overflows'),
  figure('slow_consumers_total', 'slowConsumers'),
  figure('throttles_total', 'throttled'),
  figure('received_messages_total', 'messagesReceived'),
  figure('sent_messages_total', 'messagesSent'),
  figure('dropped_messages_total', 'dropped'),
  figure('received_bytes_total', 'bytesReceived'),
  figure('sent_bytes_total', 'bytesSent'),
];

function figure(name: string, key: keyof RouteMetrics, label?: string): Figure {
  const described = { name, help: DESCRIPTIONS[key], read: (route: RouteMetrics) => route[key] };
  return label === undefined ? described : { ...described, label };
}
