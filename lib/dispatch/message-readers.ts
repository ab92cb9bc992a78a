/** The two readers that search nothing and therefore keep nothing: every connection shares them. */
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

/** `null`: all there is, at once. Nothing is kept, so there is nothing to limit. */
export const streamReader: Reader = {
  kind: 0,
  wholeMessages: false,
  limit: () => Number.POSITIVE_INFINITY,
  read(kind, bytes, start, end, _complete, outlet) {
    outlet.unit(outlet.take(kind, bytes, start, end));
    return end;
  },
};
