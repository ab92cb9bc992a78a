/**
 * Regular expressions as delimiters. They see whole messages, over all that is buffered: a greedy pattern would otherwise
 * deliver differently with each cut of the network.
 *
 * In search mode an arrival is searched together with what could still be the beginning of a delimiter
 * (`maxDelimiterLength` characters), and as many before that as context for `^`, `\b` and lookbehind:
 *
 *     | unit at hand, searched in vain  | context | could begin a delimiter | new message |
 *                                                 ^ the search begins here
 *
 * so that a peer that sends a character a message costs no more than that window each time. In match mode the pattern is
 * tried at the beginning of the unit, over all of it, so there the tries are bounded: a unit that as many messages as the
 * window has characters did not complete is too long. Either way a byte is looked at again by 2 * `maxDelimiterLength`
 * searches at the most, however small the messages are.
 */
import { type MessageKind, Opcode } from '../framing/opcode.js';
import type { Outlet, Reader, Unit } from './reader.js';

export class PatternReader implements Reader {
  readonly kind: MessageKind;
  readonly wholeMessages = true;
  /** A copy, so that the flags and `lastIndex` of the user's own object neither matter nor change. */
  private readonly pattern: RegExp;
  private readonly search: boolean;
  private readonly maxDelimiterLength: number;
  /** The most messages that a unit may span in match mode. */
  private readonly maxTries: number;
  /** How many bytes of the unit at hand were searched in vain. */
  private searched = 0;
  /** How often it was searched in vain. */
  private tries = 0;

  constructor(pattern: RegExp, kind: MessageKind, search: boolean, maxDelimiterLength: number) {
    this.kind = kind;
    this.search = search;
    this.maxDelimiterLength = maxDelimiterLength;
    this.maxTries = search ? Number.POSITIVE_INFINITY : 2 * maxDelimiterLength;
    this.pattern = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '') + (search ? 'g' : 'y'));
  }

  limit(bufferSize: number): number {
    return bufferSize;
  }

  read(kind: MessageKind, bytes: Buffer, start: number, end: number, complete: boolean, outlet: Outlet): number {
    if (!complete) return start;
    while (start < end) {
      const buffered = end - start;
      // Where nothing was added to it, it is not searched again: another limit, or the end of a pause, changes nothing.
      const match = buffered === this.searched ? undefined : this.next(kind, bytes, start, end, outlet);
      if (match === undefined) {
        if (buffered !== this.searched) this.tries++;
        this.searched = buffered;
        if (buffered > outlet.limit || this.tries >= this.maxTries) {
          outlet.overflow(Math.max(buffered, outlet.limit + 1));
        }
        return start;
      }
      const { groups, from, to } = match;
      const length = this.search ? from - start : to - start;
      if (length > outlet.limit || (this.search && groups[0].length > this.maxDelimiterLength)) {
        outlet.overflow(Math.max(length, outlet.limit + 1));
        return start;
      }
      const unit = this.search ? outlet.take(kind, bytes, start, from) : this.matched(groups);
      start = to;
      this.searched = 0;
      this.tries = 0;
      outlet.unit(unit);
      if (outlet.stopped) return start;
    }
    return start;
  }

  /** The next match that is not empty, and its place in `bytes`. */
  private next(kind: MessageKind, bytes: Buffer, start: number, end: number, outlet: Outlet): Match | undefined {
    const searchFrom = this.search ? back(kind, bytes, start, start + this.searched, this.maxDelimiterLength) : start;
    const textFrom = back(kind, bytes, start, searchFrom, this.maxDelimiterLength);
    const text = textFrom === start ? outlet.decode(kind, bytes, start, end) : decodeRun(kind, bytes, textFrom, end);
    this.pattern.lastIndex = searchFrom === textFrom ? 0 : decodeRun(kind, bytes, textFrom, searchFrom).length;
    let groups = this.pattern.exec(text);
    while (groups !== null && groups[0].length === 0 && this.search && groups.index < text.length) {
      // An empty match delimits nothing, wherever it is; a longer one may still follow.
      const point = text.codePointAt(groups.index) ?? 0;
      this.pattern.lastIndex = groups.index + (point > 0xffff ? 2 : 1);
      groups = this.pattern.exec(text);
    }
    if (groups === null || groups[0].length === 0) return undefined;
    // A byte a character: the places are the same in both.
    if (text.length === end - textFrom) {
      const from = textFrom + groups.index;
      return { groups, from, to: from + groups[0].length };
    }
    // Without the u flag a pattern may match half of a surrogate pair, which has no bytes: the whole character delimits.
    const head = groups.index - (splitsPair(text, groups.index) ? 1 : 0);
    const tail = groups.index + groups[0].length;
    const from = textFrom + byteLength(kind, text.slice(0, head));
    const to = from + byteLength(kind, text.slice(head, tail + (splitsPair(text, tail) ? 1 : 0)));
    return { groups, from, to };
  }

  private matched(groups: RegExpExecArray): Unit {
    if (this.kind === Opcode.Text) return groups;
    return Array.from(groups, (group: string | undefined) =>
      group === undefined ? undefined : Buffer.from(group, 'latin1'),
    );
  }
}

interface Match {
  readonly groups: RegExpExecArray;
  readonly from: number;
  readonly to: number;
}

/** `count` characters before `at`, but not before `start`. */
function back(kind: MessageKind, bytes: Buffer, start: number, at: number, count: number): number {
  if (kind === Opcode.Binary) return Math.max(start, at - count);
  while (at > start) {
    at--;
    if ((bytes[at]! & 0xc0) !== 0x80 && --count === 0) break;
  }
  return at;
}

function splitsPair(text: string, at: number): boolean {
  return at > 0 && at < text.length && (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}

/** Text as it is, bytes as the characters of the same numbers. */
export function decodeRun(kind: MessageKind, bytes: Buffer, start: number, end: number): string {
  return bytes.toString(kind === Opcode.Text ? 'utf8' : 'latin1', start, end);
}

/** How many bytes `decodeRun` made this of. */
function byteLength(kind: MessageKind, text: string): number {
  return kind === Opcode.Text ? Buffer.byteLength(text) : text.length;
}
