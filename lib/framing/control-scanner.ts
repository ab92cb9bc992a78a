/**
 * Looks for control frames in bytes that a parser which is paused has not come to yet. Pings can be answered then, and a close
 * frame is noticed, while a handler takes its time over the messages before them. It goes by the headers from frame to frame, once
 * over each byte, and judges nothing: where it meets what the parser will refuse, it stops.
 */
import { Opcode } from './opcode.js';

export interface ControlScanSink {
  /** A ping has come that the parser has not come to. The payload is a copy. */
  pingAhead?(payload: Buffer): void;
  /** The same for a close frame. */
  closeAhead?(): void;
}

/** Where a parser stands: the header or the control frame that it has read in part, or how much of a payload is to come. */
export interface FramePosition {
  /** Payload bytes of the frame at hand that are still to come; negative between frames and in a header. */
  readonly remaining: number;
  /** Of the frame at hand. */
  readonly opcode: number;
  /** The masking key, as it applies to the next byte. */
  readonly key: number;
  /** The bytes of the header, or of the control frame's payload (unmasked), that have been read. */
  readonly partial: Uint8Array;
}

const LONGEST_HEADER = 14;
const LONGEST_CONTROL = 125;

export class ControlScanner {
  private readonly sink: ControlScanSink;
  /** A header, or the payload of a control frame, as far as it has come. */
  private readonly partial = Buffer.allocUnsafe(LONGEST_CONTROL);
  private partialLength = 0;
  /** Payload bytes that are still to come. */
  private remaining = 0;
  private opcode: number = Opcode.Continuation;
  private key = 0;
  private isInHeader = true;
  private isDone = false;

  constructor(sink: ControlScanSink, { remaining, opcode, key, partial }: FramePosition) {
    this.sink = sink;
    this.partialLength = Buffer.from(partial).copy(this.partial);
    if (remaining < 0) return;
    this.isInHeader = false;
    this.remaining = remaining;
    this.opcode = opcode;
    this.key = key;
  }

  scan(bytes: Buffer): void {
    const end = bytes.length;
    let at = 0;
    while (at < end && !this.isDone)
      at = this.isInHeader ? this.readHeader(bytes, at) : this.readPayload(bytes, at, end);
  }

  private readHeader(bytes: Buffer, at: number): number {
    const header = this.partial;
    header[this.partialLength++] = bytes[at]!;
    if (this.partialLength < 2) return at + 1;
    const first = header[0]!;
    const second = header[1]!;
    const isControl = (first & 0x08) !== 0;
    // The parser refuses what is not masked, a control frame that is long or fragmented, and opcodes that are reserved.
    const isRefused = second < 0x80 || (isControl && ((second & 0x7f) > LONGEST_CONTROL || first < 0x80));
    if (isRefused || (first & 0x07) > 2) {
      this.isDone = true;
      return at + 1;
    }
    const short = second & 0x7f;
    const length = short < 126 ? 6 : short === 126 ? 8 : LONGEST_HEADER;
    if (this.partialLength < length) return at + 1;
    this.opcode = first & 0x0f;
    this.key = header.readInt32BE(length - 4);
    this.remaining = short < 126 ? short : short === 126 ? header.readUInt16BE(2) : Number(header.readBigUInt64BE(2));
    this.partialLength = 0;
    this.isInHeader = false;
    if (this.remaining === 0) this.endFrame();
    return at + 1;
  }

  private readPayload(bytes: Buffer, at: number, end: number): number {
    const stop = Math.min(end, at + this.remaining);
    this.remaining -= stop - at;
    if ((this.opcode & 0x08) !== 0) {
      for (let i = at; i < stop; i++) {
        this.partial[this.partialLength++] = bytes[i]! ^ (this.key >>> 24);
        this.key = (this.key << 8) | (this.key >>> 24);
      }
    }
    if (this.remaining === 0) this.endFrame();
    return stop;
  }

  private endFrame(): void {
    this.isInHeader = true;
    const length = this.partialLength;
    this.partialLength = 0;
    if (this.opcode === Opcode.Ping) this.sink.pingAhead?.(Buffer.from(this.partial.subarray(0, length)));
    if (this.opcode !== Opcode.Close) return;
    this.isDone = true;
    this.sink.closeAhead?.();
  }
}
