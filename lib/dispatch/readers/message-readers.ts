/** The two readers that search nothing and therefore keep nothing: every connection shares them. */
import { Opcode } from '../../framing/opcode.js';
import type { BorrowedBytes } from '../../memory/borrowed-bytes.js';
import type { Reader } from '../reader.js';

/** `EntireMessage`: all there is, once the message is complete. */
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

/** So much of bulk data is a unit: it is copied, and may be kept. */
const MOST = 64 * 1024;

/** `null`: all there is, at once. Nothing is kept, so there is nothing to limit. */
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

/** Text is never cut inside a character. */
function textEnd(bytes: BorrowedBytes, start: number, end: number): number {
  if (end - start <= MOST) return end;
  let next = start + MOST;
  while ((bytes[next]! & 0xc0) === 0x80) next--;
  return next;
}
