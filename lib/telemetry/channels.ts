/**
 * The channels of `node:diagnostics_channel` on which this library says what happens. Nothing is made up for a channel that
 * nobody listens to, and none of them is on the path of a message.
 */
import { type Channel, channel } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import type { RefusalReason } from './refusal-reasons.js';

/** What each channel's messages are, by the channel's name. `connection` is the handler. */
export interface DiagnosticMessages {
  /** The handshake was accepted: the 101 has been sent. */
  'websocket-route:accept': { route: string; request: IncomingMessage; connection: object; subprotocol: string };
  /** The handshake was refused, or failed. */
  'websocket-route:refuse': { route: string; request: IncomingMessage; status: number; reason: RefusalReason };
  /** The connection is open, and `onConnect` is about to be called. */
  'websocket-route:open': { route: string; connection: object };
  /** The connection has gone, and `onClose` is about to be called. */
  'websocket-route:close': {
    route: string;
    connection: object;
    /** As `onClose` gets them. */
    code: number;
    reason: string;
    wasClean: boolean;
    /** How long it was open, in milliseconds. */
    duration: number;
    messagesReceived: number;
    messagesSent: number;
    bytesReceived: number;
    bytesSent: number;
  };
  /** A hook threw, or rejected; `onError` is about to be called. */
  'websocket-route:error': { route: string; connection: object; error: unknown; hook: string };
  /** A unit exceeds `bufferSize`; `onOverflowError` is about to be called. */
  'websocket-route:overflow': { route: string; connection: object; error: Error };
  /** More than `maxBufferedAmount` bytes wait for a peer; with `policy: 'drop'` told once until the peer has caught up. */
  'websocket-route:slow-consumer': {
    route: string;
    connection: object;
    bufferedAmount: number;
    policy: 'close' | 'drop';
  };
  /** A peer sends faster than its `rate`: reading pauses. Told once until it has kept to its rate again. */
  'websocket-route:throttle': { route: string; connection: object };
  /** A server begins to drain, or has done so. */
  'websocket-route:drain':
    | { server: object; phase: 'start'; connections: number }
    | { server: object; phase: 'end'; closed: number; terminated: number };
}

type Channels = {
  readonly [N in keyof DiagnosticMessages as N extends `websocket-route:${infer Short}` ? Short : N]: Channel;
};

/** By the part of its name behind the colon. */
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
 * Publishes what `message` makes, if anybody listens. What a subscriber throws does not come back here: Node raises it as an
 * `uncaughtException` once this has returned.
 */
export function publish<const N extends keyof Channels>(
  name: N,
  message: () => DiagnosticMessages[`websocket-route:${N}`],
): void {
  const { [name]: one } = channels;
  if (one.hasSubscribers) one.publish(message());
}
