/** Readers as they must not be: for the spec that shows that whoever counts their work would see it. */

import type { UnitSink } from '../../lib/dispatch/reader.js';
import type { MessageKind } from '../../lib/framing/opcode.js';

type Find = (bytes: Buffer, start: number, end: number) => number;

/** Looks for the line feed from the beginning of the unit each time. */
class ForgetfulReader {
  private readonly find: Find;

  constructor(find: Find) {
    this.find = find;
  }

  read(kind: MessageKind, bytes: Buffer, start: number, end: number, outlet: UnitSink): number {
    const found = this.find(bytes, start, end);
    if (found === -1) return start;
    outlet.unit(outlet.take(kind, bytes, start, found));
    return found + 1;
  }
}

export const quadratic: Record<string, ForgetfulReader> = {
  'with a loop': new ForgetfulReader((bytes, start, end) => {
    for (let at = start; at < end; at++) if (bytes[at] === 10) return at;
    return -1;
  }),
  'with indexOf': new ForgetfulReader((bytes, start) => bytes.indexOf(10, start)),
  'with a decoded string': new ForgetfulReader((bytes, start, end) => {
    const found = bytes.toString('latin1', start, end).indexOf('\n');
    return found === -1 ? -1 : start + found;
  }),
  'with a pattern': new ForgetfulReader((bytes, start, end) => {
    const match = /\n/.exec(bytes.toString('latin1', start, end));
    return match === null ? -1 : start + match.index;
  }),
  'with a copy': new ForgetfulReader((bytes, start, end) => {
    const copy = Buffer.allocUnsafe(end - start);
    bytes.copy(copy, 0, start, end);
    return copy.at(-1) === 10 ? end - 1 : -1;
  }),
};
