/** The description of each exported metric: its help in Prometheus, its description in OpenTelemetry. */
import type { RouteMetrics } from './route-counters.js';

/** Metrics that combine several members of `RouteMetrics`, or have none. */
type Others = 'handshakes' | 'messages' | 'bytes' | 'duration';

export const DESCRIPTIONS: Readonly<Record<keyof RouteMetrics | Others, string>> = {
  open: 'Open WebSocket connections.',
  bufferedAmount: 'Bytes written to WebSockets but not yet accepted by the operating system.',
  accepted: 'Accepted WebSocket handshakes.',
  refused: 'Refused WebSocket handshakes, by reason.',
  handshakes: 'WebSocket handshakes; refused ones have the reason as error.type.',
  closed: 'Closed WebSocket connections, by close code.',
  lost: 'WebSocket connections whose peer did not answer a heartbeat.',
  errors: 'Errors that hooks of WebSocket handlers threw, by hook.',
  overflows: 'Units of WebSocket data that exceeded bufferSize.',
  slowConsumers: 'How often more than maxBufferedAmount bytes were waiting for a WebSocket peer.',
  throttled: 'How often a WebSocket peer began to exceed its rate.',
  messages: 'WebSocket messages.',
  messagesReceived: 'WebSocket messages received.',
  messagesSent: 'WebSocket messages sent.',
  dropped: 'WebSocket messages dropped because too much data was waiting for their peer.',
  bytes: 'Bytes on WebSockets, handshakes included.',
  bytesReceived: 'Bytes received on WebSockets, handshakes included.',
  bytesSent: 'Bytes sent on WebSockets, handshakes included.',
  duration: 'How long WebSocket connections were open.',
};
