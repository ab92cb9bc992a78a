/** One message for many connections. */
import type { Connection } from '../connection/connection.js';
import { PreparedMessage } from '../connection/outbound/prepared-message.js';
import { invalidArgument } from '../errors.js';
import { connectionOf, type WebSocketHandler } from './handler.js';
import { prepare } from './prepare.js';
import { checkBroadcastOptions, type Data, opcodeOf, preparedAlready, type WriteOptions } from './write-options.js';

/**
 * Sends a message to all connections that are open. It is framed once. Connections that are closing or closed, or not open yet,
 * are left out, and so are draft-76 connections unless it is text. What goes wrong with a connection is logged, and ends that one
 * alone. A `write` that a handler overrides is not called.
 *
 * @param connections a Set, an array, or any other iterable of handlers; it may change while this runs
 * @param data as for `write`
 * @param options as for `write`
 * @returns how many connections took it: also left out are those that `slowConsumer` lets miss it
 * @throws TypeError for what `write` would refuse, and for what is no iterable of handlers. Then nothing was sent
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
  // All of them are looked at first: a member that is no handler is found before anything is sent.
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
