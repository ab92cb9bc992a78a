/** The two readers that search nothing and therefore keep nothing: every connection shares them. */
import { isLent } from '../framing/burst.js';
import { Opcode } from '../framing/opcode.js';
import type { Reader } from './reader.js';

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

/** Of bulk data, which is read by more at a time, so much is a unit: it has to be copied, and may be kept. */
const MOST = 64 * 1024;

/** `null`: all there is, at once. Nothing is kept, so there is nothing to limit. */
export const streamReader: Reader = {
  kind: 0,
  wholeMessages: false,
  limit: () => Number.POSITIVE_INFINITY,
  read(kind, bytes, start, end, _complete, outlet) {
    const most = isLent(bytes) ? MOST : end - start;
    while (start < end && !outlet.stopped) {
      const next = kind === Opcode.Text ? textEnd(bytes, start, end, most) : Math.min(end, start + most);
      outlet.unit(outlet.take(kind, bytes, start, next));
      start = next;
    }
    return start;
  },
};

/** Text is never cut inside a character. */
function textEnd(bytes: Buffer, start: number, end: number, most: number): number {
  if (end - start <= most) return end;
  let next = start + most;
  while ((bytes[next]! & 0xc0) === 0x80) next--;
  return next;
}
