/**
 * Regular expressions that have to match at the beginning (`regexSearch` off): the match itself is the unit, with its
 * groups.
 *
 * They see whole messages, over all that is buffered: with each cut of the network a greedy pattern would deliver
 * differently. With each message the pattern is tried on all of the unit, so the tries are bounded: a unit that as many
 * messages as twice `maxDelimiterLength` did not complete is too long.
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
  /** How many bytes of the unit at hand were tried in vain, and how often. */
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

  /** A match of at least one character, and how many bytes that has. */
  private match(
    kind: MessageKind,
    bytes: BorrowedBytes,
    start: number,
    end: number,
    outlet: UnitSink,
  ): { unit: Unit; size: number } | undefined {
    // Where nothing was added to it, it is not tried again: another limit, or the end of a pause, changes nothing.
    if (end - start === this.tried) return undefined;
    const text = outlet.decode(kind, bytes, start, end);
    this.pattern.lastIndex = 0;
    const groups = this.pattern.exec(text);
    if (groups === null || groups[0].length === 0) return undefined;
    // Without the u flag it may end inside of a surrogate pair, which has no bytes: the whole character belongs to it.
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
