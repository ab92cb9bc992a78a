/**
 * Regular expressions that are searched for: what stands before a match is a unit.
 *
 * Most patterns look no further than a few characters (`pattern-reach.ts`): `\r?\n` two. What they find is final as
 * soon as so many characters have come behind it, so these deliver as data comes, as a string does:
 *
 *     | unit at hand, searched in vain | behind | undecided | new data
 *                                               ^ the search begins here, and a match here may still change
 *
 * The others, such as `,+`, see whole messages: with each cut of the network a greedy pattern would deliver
 * differently. They begin again `maxDelimiterLength` characters back, since a delimiter may have begun there, with as
 * many behind that for `^`, `\b` and lookbehind. Either way a peer that sends a character at a time costs no more than
 * that window each time.
 */
import { OverflowError } from '../../errors.js';
import { type MessageKind, Opcode } from '../../framing/opcode.js';
import type { BorrowedBytes } from '../../memory/borrowed-bytes.js';
import type { Reader, UnitSink } from '../reader.js';
import { type Reach, reachOf } from './pattern-reach.js';
import { back, byteLength, copyPattern, decodeRun, splitsPair } from './pattern-text.js';

export class PatternReader implements Reader {
  readonly kind: MessageKind;
  readonly wholeMessages: boolean;
  private readonly pattern: RegExp;
  private readonly reach: Reach;
  private readonly maxDelimiterLength: number;
  /** From how many bytes of the unit at hand on a match may still begin. */
  private decided = 0;
  /** What was searched last, in vain: so many bytes, and whether they were the end of a message. */
  private searched = 0;
  private wasComplete = false;

  constructor(pattern: RegExp, kind: MessageKind, maxDelimiterLength: number) {
    const reach = reachOf(pattern, maxDelimiterLength);
    this.kind = kind;
    this.pattern = copyPattern(pattern, 'g');
    this.wholeMessages = reach === undefined;
    this.reach = reach ?? { ahead: maxDelimiterLength, behind: maxDelimiterLength };
    this.maxDelimiterLength = maxDelimiterLength;
  }

  limit(bufferSize: number): number {
    return bufferSize;
  }

  /**
   * The unit may be as large as it may, and its delimiter stands behind it; three bytes are the most that a character
   * takes.
   */
  messageLimit(limit: number): number {
    return limit + this.maxDelimiterLength * (this.kind === Opcode.Text ? 3 : 1);
  }

  read(
    kind: MessageKind,
    bytes: BorrowedBytes,
    start: number,
    end: number,
    complete: boolean,
    outlet: UnitSink,
  ): number {
    if (!complete && this.wholeMessages) return start;
    // A match that begins before it is final.
    const before = complete ? end : this.undecided(kind, bytes, start, end);
    while (start < end) {
      const match = this.find(kind, bytes, start, end, before, complete, outlet);
      if (match === undefined) {
        this.decided = Math.max(0, (complete ? this.undecided(kind, bytes, start, end) : before) - start);
        this.searched = end - start;
        this.wasComplete = complete;
        // Also without a match: the next one would make a unit at least that long.
        if (this.decided > outlet.limit) outlet.overflow(this.unfound(outlet.limit));
        return start;
      }
      const { from, to, length } = match;
      if (from - start > outlet.limit) {
        outlet.overflow(new OverflowError(from - start, outlet.limit));
        return start;
      }
      if (length > this.maxDelimiterLength) {
        outlet.overflow(OverflowError.ofDelimiter(length, this.maxDelimiterLength));
        return start;
      }
      const unit = outlet.take(kind, bytes, start, from);
      start = to;
      this.decided = 0;
      this.searched = 0;
      outlet.unit(unit);
      if (outlet.stopped) return start;
    }
    return start;
  }

  private unfound(limit: number): OverflowError {
    if (!this.wholeMessages) return new OverflowError(this.decided, limit);
    return OverflowError.ofSearch(this.decided, limit, this.maxDelimiterLength);
  }

  /** From where on a match that begins there may still change, or come about, when more has come. */
  private undecided(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): number {
    return back(kind, bytes, start, end, this.reach.ahead - 1);
  }

  /** The next match that is not empty and begins before `before`, and its place in `bytes`. */
  private find(
    kind: MessageKind,
    bytes: BorrowedBytes,
    start: number,
    end: number,
    before: number,
    complete: boolean,
    outlet: UnitSink,
  ): Match | undefined {
    // Where nothing has come it is not searched again: another limit, or the end of a pause, changes nothing.
    if (end - start === this.searched && (this.wasComplete || !complete)) return undefined;
    const searchFrom = start + this.decided;
    if (searchFrom >= before) return undefined;
    const textFrom = back(kind, bytes, start, searchFrom, this.reach.behind);
    const text = textFrom === start ? outlet.decode(kind, bytes, start, end) : decodeRun(kind, bytes, textFrom, end);
    this.pattern.lastIndex = searchFrom === textFrom ? 0 : decodeRun(kind, bytes, textFrom, searchFrom).length;
    let groups = this.pattern.exec(text);
    while (groups !== null && groups[0].length === 0 && groups.index < text.length) {
      // An empty match delimits nothing, wherever it is; a longer one may still follow.
      const point = text.codePointAt(groups.index) ?? 0;
      this.pattern.lastIndex = groups.index + (point > 0xffff ? 2 : 1);
      groups = this.pattern.exec(text);
    }
    if (groups === null || groups[0].length === 0) return undefined;
    const match = place(kind, text, groups, textFrom, end);
    return match.from < before ? match : undefined;
  }
}

interface Match {
  readonly from: number;
  readonly to: number;
  /** In characters of JavaScript. */
  readonly length: number;
}

/** Where a match in the text of bytes[textFrom, end) lies among those. */
function place(kind: MessageKind, text: string, groups: RegExpExecArray, textFrom: number, end: number): Match {
  const { index } = groups;
  const { length } = groups[0];
  // A byte a character: the places are the same in both.
  if (text.length === end - textFrom) return { from: textFrom + index, to: textFrom + index + length, length };
  // Without the u flag a pattern may match half of a surrogate pair, which has no bytes: the whole character delimits.
  const head = index - (splitsPair(text, index) ? 1 : 0);
  const tail = index + length;
  const from = textFrom + byteLength(kind, text.slice(0, head));
  const to = from + byteLength(kind, text.slice(head, tail + (splitsPair(text, tail) ? 1 : 0)));
  return { from, to, length };
}
