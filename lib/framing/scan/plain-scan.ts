/** A `FrameScanner` in plain JavaScript, for bytes in any memory. */

import { unmask } from '../mask.js';
import { Opcode } from '../opcode.js';
import { COLUMNS, type FrameScanner, NOT_ASCII } from './frame-scanner.js';

const FIN = 0x80;
const MASK = 0x80;

const table = new Int32Array(COLUMNS);

/**
 * Scans one message at a time, because more would gain nothing. The caller reads the table before it calls a sink, so a
 * parser that runs within that call may reuse it.
 */
function scan(bytes: Buffer, at: number, end: number): number {
  if (end - at < 6) return 0;
  const first = bytes[at]!;
  const second = bytes[at + 1]!;
  if ((first !== (FIN | Opcode.Text) && first !== (FIN | Opcode.Binary)) || second < MASK) return 0;
  let length = second & 0x7f;
  let start = at + 6;
  if (length >= 126) {
    // A message with a 64-bit length is so long that the cost of the state machine is negligible.
    if (length === 127 || end - at < 8) return 0;
    length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    start = at + 8;
    if (length < 126) return 0;
  }
  const stop = start + length;
  if (stop > end) return 0;
  const key = (bytes[start - 4]! << 24) | (bytes[start - 3]! << 16) | (bytes[start - 2]! << 8) | bytes[start - 1]!;
  unmask(bytes, start, stop, key);
  table[0] = start;
  table[1] = stop;
  table[2] = first | NOT_ASCII;
  table[3] = key;
  return 1;
}

export const plainScanner: FrameScanner = {
  table,
  scan,
  unmask,
  mask: unmask,
  // Joining would cost more than it saves.
  join: (at) => at,
  joined: Buffer.alloc(0),
  joinedLength: 0,
};
