/** What the exporters say of each figure: in Prometheus its help, in OpenTelemetry its description. */
import type { RouteMetrics } from './route-counters.js';

/** Figures that are several in `RouteMetrics`, or none. */
type Others = 'handshakes' | 'messages' | 'bytes' | 'duration';

export const DESCRIPTIONS: Readonly<Record<keyof RouteMetrics | Others, string>> = {
  open: 'WebSocket connections that are open.',
  bufferedAmount: 'Bytes that were written to WebSockets and that the operating system has not taken yet.',
  accepted: 'WebSocket handshakes that were accepted.',
  refused: 'WebSocket handshakes that were refused, by reason.',
  handshakes: 'WebSocket handshakes; those that were refused have the reason as error.type.',
  closed: 'WebSocket connections that have gone, by close code.',
  lost: 'WebSocket connections whose peer did not answer a heartbeat.',
  errors: 'Errors that hooks of WebSocket handlers threw, by hook.',
  overflows: 'Units of WebSocket data that exceeded bufferSize.',
  slowConsumers: 'How often more than maxBufferedAmount bytes waited for a WebSocket peer.',
  throttled: 'How often a WebSocket peer began to exceed its rate.',
  messages: 'WebSocket messages.',
  messagesReceived: 'WebSocket messages that were received.',
  messagesSent: 'WebSocket messages that were sent.',
  dropped: 'WebSocket messages that were not sent because too much waited for their peer.',
  bytes: 'Bytes on WebSockets, handshakes included.',
  bytesReceived: 'Bytes that were received on WebSockets, handshakes included.',
  bytesSent: 'Bytes that were sent on WebSockets, handshakes included.',
  duration: 'How long WebSocket connections were open.',
};
