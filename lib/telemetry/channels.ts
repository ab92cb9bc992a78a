/**
 * The `node:diagnostics_channel` channels of this library. A message is created only if its channel has subscribers,
 * and none of the channels is on the path of a WebSocket message.
 */
import { type Channel, channel } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import type { RefusalReason } from './refusal-reasons.js';

/** The messages of each channel, by its name. `connection` is the handler. */
export interface DiagnosticMessages {
  /** The handshake was accepted: the 101 has been sent. */
  'websocket-route:accept': { route: string; request: IncomingMessage; connection: object; subprotocol: string };
  /** The handshake was refused, or failed. */
  'websocket-route:refuse': { route: string; request: IncomingMessage; status: number; reason: RefusalReason };
  /** The connection is open, and `onConnect` is about to be called. */
  'websocket-route:open': { route: string; connection: object };
  /** The connection has closed, and `onClose` is about to be called. */
  'websocket-route:close': {
    route: string;
    connection: object;
    /** As passed to `onClose`. */
    code: number;
    reason: string;
    wasClean: boolean;
    /** How long the connection was open, in milliseconds. */
    duration: number;
    messagesReceived: number;
    messagesSent: number;
    bytesReceived: number;
    bytesSent: number;
  };
  /** A hook threw or rejected, and `onError` is about to be called. */
  'websocket-route:error': { route: string; connection: object; error: unknown; hook: string };
  /** A unit exceeds `bufferSize`, and `onOverflowError` is about to be called. */
  'websocket-route:overflow': { route: string; connection: object; error: Error };
  /**
   * More than `maxBufferedAmount` bytes are waiting for a peer; with `policy: 'drop'` published once until the peer
   * has caught up.
   */
  'websocket-route:slow-consumer': {
    route: string;
    connection: object;
    bufferedAmount: number;
    policy: 'close' | 'drop';
  };
  /**
   * A peer sends faster than its `rate`, so reading pauses. Published once until the peer keeps to its rate again.
   */
  'websocket-route:throttle': { route: string; connection: object };
  /** A server begins to drain, or has finished draining. */
  'websocket-route:drain':
    | { server: object; phase: 'start'; connections: number }
    | { server: object; phase: 'end'; closed: number; terminated: number };
}

type Channels = {
  readonly [N in keyof DiagnosticMessages as N extends `websocket-route:${infer Short}` ? Short : N]: Channel;
};

/** By the part of the name after the colon. */
export const channels: Channels = {
  accept: channel('websocket-route:accept'),
  refuse: channel('websocket-route:refuse'),
  open: channel('websocket-route:open'),
  close: channel('websocket-route:close'),
  error: channel('websocket-route:error'),
  overflow: channel('websocket-route:overflow'),
  'slow-consumer': channel('websocket-route:slow-consumer'),
  throttle: channel('websocket-route:throttle'),
  drain: channel('websocket-route:drain'),
};

/** For those who would prepare something to publish. */
export function isSubscribed(name: keyof Channels): boolean {
  return channels[name].hasSubscribers;
}

/**
 * Publishes the result of `message` if the channel has subscribers. Errors of subscribers do not reach the caller:
 * Node raises them as an `uncaughtException` afterwards.
 */
export function publish<const N extends keyof Channels>(
  name: N,
  message: () => DiagnosticMessages[`websocket-route:${N}`],
): void {
  const { [name]: one } = channels;
  if (one.hasSubscribers) one.publish(message());
}
