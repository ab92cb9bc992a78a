/**
 * Regular expressions that must match at the beginning (`regexSearch` off): the match, with its groups, is the unit.
 *
 * They see whole messages, and all buffered data, because the result of a greedy pattern would otherwise depend on how
 * the network splits the data. Each message tries the pattern on the whole unit, so the number of tries is bounded: a
 * unit that is incomplete after `2 * maxDelimiterLength` messages is too long.
 */
import { OverflowError } from '../../errors.js';
import { type MessageKind, Opcode } from '../../framing/opcode.js';
import type { BorrowedBytes } from '../../memory/borrowed-bytes.js';
import { ownCopy } from '../../memory/bulk-allocation.js';
import type { Reader, Unit, UnitSink } from '../reader.js';
import { byteLength, copyPattern, splitsPair } from './pattern-text.js';

export class MatchReader implements Reader {
  readonly kind: MessageKind;
  readonly wholeMessages = true;
  private readonly pattern: RegExp;
  private readonly maxDelimiterLength: number;
  /** How many bytes of the current unit were tried without a match, and how often. */
  private tried = 0;
  private tries = 0;

  constructor(pattern: RegExp, kind: MessageKind, maxDelimiterLength: number) {
    this.kind = kind;
    this.pattern = copyPattern(pattern, 'y');
    this.maxDelimiterLength = maxDelimiterLength;
  }

  limit(bufferSize: number): number {
    return bufferSize;
  }

  read(
    kind: MessageKind,
    bytes: BorrowedBytes,
    start: number,
    end: number,
    complete: boolean,
    outlet: UnitSink,
  ): number {
    if (!complete) return start;
    while (start < end) {
      const match = this.match(kind, bytes, start, end, outlet);
      if (match === undefined) {
        this.fail(end - start, outlet);
        return start;
      }
      const { unit, size } = match;
      if (size > outlet.limit) {
        outlet.overflow(new OverflowError(size, outlet.limit));
        return start;
      }
      start += size;
      this.tried = 0;
      this.tries = 0;
      outlet.unit(unit);
      if (outlet.stopped) return start;
    }
    return start;
  }

  private fail(buffered: number, outlet: UnitSink): void {
    if (buffered !== this.tried) this.tries++;
    this.tried = buffered;
    if (buffered > outlet.limit) outlet.overflow(new OverflowError(buffered, outlet.limit));
    else if (this.tries >= 2 * this.maxDelimiterLength) {
      outlet.overflow(OverflowError.ofMessages(this.tries + 1, this.maxDelimiterLength));
    }
  }

  /** @returns a non-empty match, and its length in bytes */
  private match(
    kind: MessageKind,
    bytes: BorrowedBytes,
    start: number,
    end: number,
    outlet: UnitSink,
  ): { unit: Unit; size: number } | undefined {
    // Without new data the result is the same: a new limit, or the end of a pause, does not change it.
    if (end - start === this.tried) return undefined;
    const text = outlet.decode(kind, bytes, start, end);
    this.pattern.lastIndex = 0;
    const groups = this.pattern.exec(text);
    if (groups === null || groups[0].length === 0) return undefined;
    // Without the u flag a match may end inside a surrogate pair, half of which has no encoding. The unit then includes
    // the whole character.
    const { length } = groups[0];
    const size = byteLength(kind, text.slice(0, length + (splitsPair(text, length) ? 1 : 0)));
    return { unit: kind === Opcode.Text ? groups : asBuffers(groups), size };
  }
}

function asBuffers(groups: RegExpExecArray): Unit {
  return Array.from(groups, (group: string | undefined) =>
    group === undefined ? undefined : ownCopy(Buffer.from(group, 'latin1'), 0, group.length),
  );
}
