/** One message for many connections. */
import type { Connection } from '../connection/connection.js';
import { PreparedMessage } from '../connection/outbound/prepared-message.js';
import { invalidArgument } from '../errors.js';
import { connectionOf, type WebSocketHandler } from './handler.js';
import { prepare } from './prepare.js';
import { checkBroadcastOptions, type Data, opcodeOf, preparedAlready, type WriteOptions } from './write-options.js';

/**
 * Sends a message to all open connections, and frames it once. Skips connections that are closing, closed or not open
 * yet, and draft-76 connections unless the message is text. If a connection fails, its error is logged and only that
 * connection ends. Does not call a `write` that a handler overrides.
 *
 * @param connections a Set, an array, or any other iterable of handlers; it may change during the call
 * @param data as for `write`
 * @param options as for `write`
 * @returns the number of connections that accepted the message; connections that drop it because of `slowConsumer` do
 *   not count
 * @throws TypeError for data or options that `write` would refuse, and unless `connections` is an iterable of
 *   handlers. Nothing is sent in that case
 * @example
 * onRead(text: string) {
 *   broadcast(members, text);
 * }
 */
export function broadcast(
  connections: Iterable<WebSocketHandler>,
  data: Data | PreparedMessage,
  options: WriteOptions = {},
): number {
  checkBroadcastOptions(options);
  const { flush = false, compress = true } = options;
  const opcode = opcodeOf(options);
  if (data instanceof PreparedMessage && opcode !== undefined) throw preparedAlready('broadcast', opcode);
  const message = data instanceof PreparedMessage ? data : prepare(data, { opcode });
  let taken = 0;
  // Collected first, so that a member that is not a handler is found before anything is sent.
  for (const connection of connectionsOf(connections)) {
    if (connection?.offer(message, flush, compress)) taken++;
  }
  return taken;
}

function connectionsOf(connections: unknown): (Connection | undefined)[] {
  if (typeof connections === 'object' && connections !== null && isIterable(connections)) {
    return Array.from(connections, connectionOf);
  }
  throw invalidArgument('connections', connections, 'it must be a Set, an array or another iterable of handlers');
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value && typeof value[Symbol.iterator] === 'function';
}
