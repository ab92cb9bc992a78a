/** `Struct` and `NetStruct` as delimiters: the values of each record become the arguments of one `onRead` call. */
import { OverflowError, ProtocolError, StructError } from '../../errors.js';
import { CloseCode } from '../../framing/close-code.js';
import { type MessageKind, Opcode } from '../../framing/opcode.js';
import { asUint8Array, type BorrowedBytes } from '../../memory/borrowed-bytes.js';
import { type CompiledFormat, readSlot } from '../../struct/compiled-format.js';
import type { NetStruct } from '../../struct/net-struct.js';
import { newParseState, type ParseState } from '../../struct/parse-state.js';
import { compiledOf, type Struct } from '../../struct/struct.js';
import type { Reader, UnitSink } from '../reader.js';

export class StructReader implements Reader {
  readonly kind = Opcode.Binary;
  readonly wholeMessages = false;
  private readonly format: CompiledFormat;

  constructor(struct: Struct) {
    this.format = compiledOf(struct);
  }

  /** A record always fits, whatever the buffer size. */
  limit(): number {
    return Number.POSITIVE_INFINITY;
  }

  read(
    _kind: MessageKind,
    borrowed: BorrowedBytes,
    start: number,
    end: number,
    _complete: boolean,
    outlet: UnitSink,
  ): number {
    const bytes = asUint8Array(borrowed);
    const { size, slots } = this.format;
    const count = slots.length;
    if (count === 0) return this.readMany(bytes, start, end, outlet);
    const first = slots[0]!;
    const second = slots[1] ?? first;
    const third = slots[2] ?? first;
    const fourth = slots[3] ?? first;
    while (end - start >= size) {
      const a = readSlot(first, bytes, start);
      const b = count > 1 ? readSlot(second, bytes, start) : undefined;
      const c = count > 2 ? readSlot(third, bytes, start) : undefined;
      const d = count > 3 ? readSlot(fourth, bytes, start) : undefined;
      start += size;
      outlet.values4(count, a, b, c, d);
      if (outlet.stopped) return start;
    }
    return start;
  }

  /** For records without values, or with more than four. */
  private readMany(bytes: Uint8Array, start: number, end: number, outlet: UnitSink): number {
    const { format } = this;
    while (end - start >= format.size) {
      const values = format.read(bytes, start);
      start += format.size;
      outlet.units(values);
      if (outlet.stopped) return start;
    }
    return start;
  }
}

export class NetStructReader implements Reader {
  readonly kind = Opcode.Binary;
  readonly wholeMessages = false;
  private readonly struct: NetStruct;
  private state: ParseState;

  constructor(struct: NetStruct) {
    this.struct = struct;
    this.state = newParseState(struct);
  }

  /** The fixed part always fits. Strings, whose lengths the peer chooses, are limited by the buffer size. */
  limit(bufferSize: number): number {
    return Math.max(bufferSize, this.struct.minimumSize);
  }

  read(
    _kind: MessageKind,
    borrowed: BorrowedBytes,
    start: number,
    end: number,
    _complete: boolean,
    outlet: UnitSink,
  ): number {
    const bytes = asUint8Array(borrowed);
    while (start < end) {
      const size = this.measure(bytes, start, end);
      if (size > outlet.limit) {
        // The lengths alone reveal it, before the strings are buffered.
        outlet.overflow(new OverflowError(size, outlet.limit));
        return start;
      }
      if (size > end - start) return start;
      const values = this.struct.unpackFrom(bytes, start);
      start += size;
      this.state = newParseState(this.struct);
      outlet.units(values);
      if (outlet.stopped) return start;
    }
    return start;
  }

  private measure(bytes: Uint8Array, start: number, end: number): number {
    try {
      return this.struct.measure(bytes, start, end, this.state);
    } catch (error) {
      // The peer sent a string length that is negative or not a safe integer.
      if (error instanceof StructError) throw new ProtocolError(error.message, CloseCode.PROTOCOL_ERROR);
      throw error;
    }
  }
}
