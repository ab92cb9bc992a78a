/** The two readers that do not search. They have no state, so all connections share them. */
import { Opcode } from '../../framing/opcode.js';
import type { BorrowedBytes } from '../../memory/borrowed-bytes.js';
import type { Reader } from '../reader.js';

/** `EntireMessage`: all data, once the message is complete. */
export const entireReader: Reader = {
  kind: 0,
  wholeMessages: true,
  limit: (bufferSize) => bufferSize,
  read(kind, bytes, start, end, complete, outlet) {
    if (!complete) return start;
    outlet.unit(outlet.take(kind, bytes, start, end));
    return end;
  },
};

/** The maximum size of a unit, in bytes. */
const MOST = 64 * 1024;

/** `null`: all data, at once. Nothing is held, so there is nothing to limit. */
export const streamReader: Reader = {
  kind: 0,
  wholeMessages: false,
  limit: () => Number.POSITIVE_INFINITY,
  read(kind, bytes, start, end, _complete, outlet) {
    while (start < end && !outlet.stopped) {
      const next = kind === Opcode.Text ? textEnd(bytes, start, end) : Math.min(end, start + MOST);
      outlet.unit(outlet.take(kind, bytes, start, next));
      start = next;
    }
    return start;
  },
};

/** @returns the end of the last complete character */
function textEnd(bytes: BorrowedBytes, start: number, end: number): number {
  if (end - start <= MOST) return end;
  let next = start + MOST;
  while ((bytes[next]! & 0xc0) === 0x80) next--;
  return next;
}
