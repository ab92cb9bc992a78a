/** A message that is framed once. */
import { PreparedMessage } from '../connection/outbound/prepared-message.js';
import { Opcode } from '../framing/opcode.js';
import {
  bytesOf,
  checkOpcode,
  checkPrepareOptions,
  type Data,
  NO_OPTIONS,
  opcodeOf,
  type PrepareOptions,
} from './write-options.js';

/**
 * Frames a message once, to be written to many connections: what `write` would do anew for each of them is done here. It is a
 * copy, so the data may change afterwards. Where a connection compresses, it does so with each message as with any other.
 *
 * @param data as for `write`
 * @param options `opcode` as for `write`
 * @throws TypeError for what `write` would refuse
 * @example
 * const news = prepare(JSON.stringify({ goal: 'home', minute: 12 }));
 * for (const room of rooms) broadcast(room.viewers, news);
 */
export function prepare(data: Data, options: PrepareOptions = NO_OPTIONS): PreparedMessage {
  checkPrepareOptions(options);
  const asked = opcodeOf(options);
  if (typeof data === 'string' && asked === undefined) return new PreparedMessage(Opcode.Text, Buffer.from(data));
  const bytes = bytesOf(data);
  const opcode = asked ?? Opcode.Binary;
  checkOpcode(opcode, bytes);
  return new PreparedMessage(opcode, bytes);
}
