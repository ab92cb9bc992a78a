/**
 * Regular expressions that are searched for: the data before each match is a unit.
 *
 * Most patterns examine only a few characters (`pattern-reach.ts`); `\r?\n` examines two. A match is final once that
 * many characters have arrived after its start, so such patterns deliver units as data arrives, like a string
 * delimiter:
 *
 *     | current unit, without a match  | behind | undecided | new data
 *                                               ^ the search begins here, and a match here may still change
 *
 * Other patterns, such as `,+`, see whole messages, because the result of a greedy pattern would otherwise depend on
 * how the network splits the data. A search restarts `maxDelimiterLength` characters back, where a delimiter may have
 * begun, and sees as many characters before that for `^`, `\b` and lookbehind. Either way, a peer that sends one
 * character at a time costs at most that window each time.
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
  /** A match can no longer begin within this many bytes of the current unit. */
  private decided = 0;
  /** How many bytes the last search without a match covered, and whether they ended a message. */
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

  /** A unit of the maximum size, and its delimiter, with up to three bytes per character. */
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
    // A match that begins before this index is final.
    const before = complete ? end : this.undecided(kind, bytes, start, end);
    while (start < end) {
      const match = this.find(kind, bytes, start, end, before, complete, outlet);
      if (match === undefined) {
        this.decided = Math.max(0, (complete ? this.undecided(kind, bytes, start, end) : before) - start);
        this.searched = end - start;
        this.wasComplete = complete;
        // Even without a match, because the next one would end a unit of at least this length.
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

  /** @returns the index from which on a match may still begin or change when more data arrives */
  private undecided(kind: MessageKind, bytes: BorrowedBytes, start: number, end: number): number {
    return back(kind, bytes, start, end, this.reach.ahead - 1);
  }

  /** Finds the next non-empty match that begins before `before`, and its place in `bytes`. */
  private find(
    kind: MessageKind,
    bytes: BorrowedBytes,
    start: number,
    end: number,
    before: number,
    complete: boolean,
    outlet: UnitSink,
  ): Match | undefined {
    // Without new data the result is the same: a new limit, or the end of a pause, does not change it.
    if (end - start === this.searched && (this.wasComplete || !complete)) return undefined;
    const searchFrom = start + this.decided;
    if (searchFrom >= before) return undefined;
    const textFrom = back(kind, bytes, start, searchFrom, this.reach.behind);
    const text = textFrom === start ? outlet.decode(kind, bytes, start, end) : decodeRun(kind, bytes, textFrom, end);
    this.pattern.lastIndex = searchFrom === textFrom ? 0 : decodeRun(kind, bytes, textFrom, searchFrom).length;
    let groups = this.pattern.exec(text);
    while (groups !== null && groups[0].length === 0 && groups.index < text.length) {
      // An empty match never delimits a unit; a longer match may follow.
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
  /** In UTF-16 code units. */
  readonly length: number;
}

/** Converts the position of a match in the text of bytes[textFrom, end) to byte offsets. */
function place(kind: MessageKind, text: string, groups: RegExpExecArray, textFrom: number, end: number): Match {
  const { index } = groups;
  const { length } = groups[0];
  // One byte per character, so the offsets are the same.
  if (text.length === end - textFrom) return { from: textFrom + index, to: textFrom + index + length, length };
  // Without the u flag a pattern may match half of a surrogate pair, which has no encoding. The match is then extended
  // to the whole character.
  const head = index - (splitsPair(text, index) ? 1 : 0);
  const tail = index + length;
  const from = textFrom + byteLength(kind, text.slice(0, head));
  const to = from + byteLength(kind, text.slice(head, tail + (splitsPair(text, tail) ? 1 : 0)));
  return { from, to, length };
}
