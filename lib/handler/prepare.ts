/** Messages that are framed once. */
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
 * Frames a message once so it can be written to many connections without repeating that work. The data is copied, so
 * you may change it afterwards. Connections that compress still compress it themselves.
 *
 * @param data as for `write`
 * @param options `opcode` as for `write`
 * @throws TypeError for data or options that `write` would refuse
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
