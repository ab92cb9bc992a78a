/** What is exported, under which name, and where it comes from. */
import type { RouteMetrics } from '../telemetry/route-counters.js';

export interface Figure {
  /** Behind the prefix. */
  readonly name: string;
  readonly help: string;
  /** A label besides `route`: then there is a figure for each of its values. */
  readonly label?: string;
  read(route: RouteMetrics): number | Readonly<Record<string, number>>;
}

export const GAUGES: readonly Figure[] = [
  { name: 'open_connections', help: 'WebSocket connections that are open.', read: ({ open }) => open },
  {
    name: 'buffered_bytes',
    help: 'Bytes that were written to WebSockets and that the operating system has not taken yet.',
    read: ({ bufferedAmount }) => bufferedAmount,
  },
];

export const COUNTERS: readonly Figure[] = [
  {
    name: 'accepted_handshakes_total',
    help: 'WebSocket handshakes that were accepted.',
    read: ({ accepted }) => accepted,
  },
  {
    name: 'refused_handshakes_total',
    help: 'WebSocket handshakes that were refused, by reason.',
    label: 'reason',
    read: ({ refused }) => refused,
  },
  {
    name: 'closed_connections_total',
    help: 'WebSocket connections that have gone, by close code.',
    label: 'code',
    read: ({ closed }) => closed,
  },
  {
    name: 'lost_connections_total',
    help: 'WebSocket connections whose peer did not answer a heartbeat.',
    read: ({ lost }) => lost,
  },
  {
    name: 'hook_errors_total',
    help: 'Errors that hooks of WebSocket handlers threw, by hook.',
    label: 'hook',
    read: ({ errors }) => errors,
  },
  {
    name: 'overflows_total',
    help: 'Units of WebSocket data that exceeded bufferSize.',
    read: ({ overflows }) => overflows,
  },
  {
    name: 'slow_consumers_total',
    help: 'How often more than maxBufferedAmount bytes waited for a WebSocket peer.',
    read: ({ slowConsumers }) => slowConsumers,
  },
  {
    name: 'throttles_total',
    help: 'How often a WebSocket peer began to exceed its rate.',
    read: ({ throttled }) => throttled,
  },
  {
    name: 'received_messages_total',
    help: 'WebSocket messages that were received.',
    read: ({ messagesReceived }) => messagesReceived,
  },
  { name: 'sent_messages_total', help: 'WebSocket messages that were sent.', read: ({ messagesSent }) => messagesSent },
  {
    name: 'dropped_messages_total',
    help: 'WebSocket messages that were not sent because too much waited for their peer.',
    read: ({ dropped }) => dropped,
  },
  {
    name: 'received_bytes_total',
    help: 'Bytes that were received on WebSockets, handshakes included.',
    read: ({ bytesReceived }) => bytesReceived,
  },
  {
    name: 'sent_bytes_total',
    help: 'Bytes that were sent on WebSockets, handshakes included.',
    read: ({ bytesSent }) => bytesSent,
  },
];
