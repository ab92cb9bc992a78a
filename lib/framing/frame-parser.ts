/**
 * The RFC 6455 parser: bytes in, calls of the sinks out. It sees the frame of section 5.2,
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-------+-+-------------+-------------------------------+
 *     |F|R|R|R| opcode|M| Payload len |    Extended payload length    |
 *     |I|S|S|S|  (4)  |A|     (7)     |             (16/64)           |
 *     |N|V|V|V|       |S|             |   (if payload len==126/127)   |
 *     | |1|2|3|       |K|             |                               |
 *     +-+-+-+-+-------+-+-------------+ - - - - - - - - - - - - - - - +
 *     |     Extended payload length continued, if payload len == 127  |
 *     + - - - - - - - - - - - - - - - +-------------------------------+
 *     |                               |  Masking-key                  |
 *     +-------------------------------+-------------------------------+
 *     |  Masking-key (continued)      |          Payload Data         |
 *     +-------------------------------- - - - - - - - - - - - - - - - +
 *
 * and stands either in a header (`remaining` < 0) or in a payload (`remaining` octets to come). A message that lies whole in
 * the chunk takes the short way through `run`, and so do small fragments of a message, which are joined; everything else goes
 * through the state. Every octet is looked at once.
 */
import { ProtocolError } from '../errors.js';
import { CloseCode } from './close-code.js';
import { parseClosePayload } from './close-payload.js';
import { ControlScanner } from './control-scanner.js';
import { PausableParser } from './halting-parser.js';
import { unmask } from './mask.js';
import { isControl, type MessageKind, Opcode, RSV1 } from './opcode.js';
import { BURST, type Burst, COLUMNS, isLent, MAX_FRAMES, NOT_ASCII } from './simd-scan.js';
import type { InflatingSink } from './sink.js';
import { invalidUtf8, isText, Utf8Validator } from './utf8.js';

const FIN = 0x80;
const RSV = 0x70;
const MASK = 0x80;
const IN_HEADER = -1;
const NOTHING = Buffer.alloc(0);
/** Short texts are cut from one string of so many characters: no more than that is kept for one of them that is. */
const WINDOW = 1024;
/**
 * So much of small fragments is joined at a time. More would gain nothing; and a loop that seldom ends is compiled before V8 knows what
 * comes after it, again and again.
 */
const MOST_JOINED = 8192;

export class FrameParser extends PausableParser {
  /** The kind of the fragmented message that is open, 0 for none. */
  private open: MessageKind | 0 = 0;
  private final = false;
  private opcode = 0;
  private remaining = IN_HEADER;
  private key = 0;
  /** A header or a control frame's payload that came in parts; there is at most one of them at a time. */
  private partial: Buffer | undefined = undefined;
  private partialLength = 0;
  private utf8: Utf8Validator | undefined = undefined;
  /** Where compressed messages go; undefined where none were agreed on. */
  inflation: InflatingSink | undefined = undefined;
  /** Whether several messages are unmasked at a time. */
  private runsAhead = true;
  /** The message that is open is a compressed one. */
  private compressed = false;

  protected override get isBehind(): boolean {
    return this.paused || this.inflation?.hasInput === true;
  }

  protected override run(chunk: Buffer): void {
    const end = chunk.length;
    const burst = isLent(chunk) ? BURST : undefined;
    let at = 0;
    while (at < end && !this.discarding) {
      if (this.remaining !== IN_HEADER) {
        at = this.readPayload(chunk, at, end);
        continue;
      }
      if (this.paused) {
        this.keep(chunk, at);
        return;
      }
      const next = this.partialLength === 0 ? this.readWhole(burst, chunk, at, end) : at;
      if (next > at) {
        at = next;
        continue;
      }
      if (this.inflation?.hasInput && isControl(chunk[at]! & 0x0f)) {
        // It reaches the user, too: not before the data that came before it. This halts.
        this.inflation.start();
        continue;
      }
      at = this.readHeader(chunk, at, end);
    }
  }

  protected override createScanner(): ControlScanner {
    const { remaining, opcode, key } = this;
    const partial = this.partial?.subarray(0, this.partialLength) ?? NOTHING;
    return new ControlScanner(this.controls, { remaining, opcode, key, partial });
  }

  /** The short ways, for what lies whole in the chunk. Returns where they lead to, which is `at` where they lead nowhere. */
  private readWhole(burst: Burst | undefined, chunk: Buffer, at: number, end: number): number {
    if (this.open !== 0) return this.compressed ? at : this.readFragments(burst, chunk, at, end);
    return burst === undefined ? this.readOne(chunk, at, end) : this.readBurst(burst, chunk, at, end);
  }

  private readOne(chunk: Buffer, at: number, end: number): number {
    if (end - at < 6) return at;
    const first = chunk[at]!;
    const second = chunk[at + 1]!;
    if ((first !== (FIN | Opcode.Text) && first !== (FIN | Opcode.Binary)) || second < MASK) return at;
    let length = second & 0x7f;
    let start = at + 6;
    if (length >= 126) {
      if (length === 127 || end - at < 8) return at;
      length = (chunk[at + 2]! << 8) | chunk[at + 3]!;
      start = at + 8;
      if (length < 126) return at;
    }
    const stop = start + length;
    if (stop > end) return at;
    this.readMessage(first & 0x0f, chunk, start, stop);
    return stop;
  }

  /** A whole message, payload at [start, end) and its masking key before it. */
  private readMessage(opcode: number, chunk: Buffer, start: number, end: number): void {
    const key = (chunk[start - 4]! << 24) | (chunk[start - 3]! << 16) | (chunk[start - 2]! << 8) | chunk[start - 1]!;
    unmask(chunk, start, end, key);
    if (opcode === Opcode.Binary) this.messages.message(Opcode.Binary, chunk, start, end);
    else this.readText(chunk, start, end);
  }

  private readText(chunk: Buffer, start: number, end: number): void {
    if (isText(chunk, start, end)) {
      this.messages.message(Opcode.Text, chunk, start, end);
      return;
    }
    // The characters before the mistake are delivered, as they would have been had they come alone.
    this.messages.frame(Opcode.Text, end - start);
    new Utf8Validator().write(chunk, start, end, this.messages);
    throw invalidUtf8();
  }

  /**
   * In the memory that sockets read into: whole messages, several at a time.
   *
   * @returns where the last that was delivered ends
   */
  private readBurst(burst: Burst, chunk: Buffer, at: number, end: number): number {
    // Where a message has halted the parser the next one may as well: what was unmasked for nothing would be masked again.
    const count = burst.scan(at, end, this.runsAhead ? MAX_FRAMES : 1);
    this.runsAhead = true;
    if (count === 0) return at;
    const { table } = burst;
    const last = table[(count - 1) * COLUMNS + 1]!;
    let window = '';
    let from = 0;
    let to = 0;
    for (let entry = 0; entry < count * COLUMNS; entry += COLUMNS) {
      const start = table[entry]!;
      const stop = table[entry + 1]!;
      const first = table[entry + 2]!;
      if (isBinary(first)) {
        this.messages.message(Opcode.Binary, chunk, start, stop);
      } else if ((first & NOT_ASCII) !== 0) {
        this.readText(chunk, start, stop);
      } else {
        if (stop > to) {
          from = start;
          to = stop - start > WINDOW ? stop : Math.min(last, start + WINDOW);
          window = chunk.toString('latin1', from, to);
        }
        this.messages.message(Opcode.Text, chunk, start, stop, window.slice(start - from, stop - from));
      }
      if (this.paused || this.discarding) {
        for (let next = entry + COLUMNS; next < count * COLUMNS; next += COLUMNS) {
          burst.unmask(table[next]!, table[next + 1]!, table[next + 3]!);
        }
        this.runsAhead = false;
        return stop;
      }
    }
    return last;
  }

  /**
   * The short way for a peer that sends a message in very small fragments: those that lie whole in the chunk, one behind the other and
   * with none of other kinds between them, are moved together in place, over their headers, and passed on as one frame. The first and
   * the last of a message are none of them.
   *
   * @returns where the first frame begins that was not taken
   */
  private readFragments(burst: Burst | undefined, chunk: Buffer, at: number, end: number): number {
    // The beginning of a character that is held back is not there yet for the one who was asked.
    const most = Math.min(MOST_JOINED, this.messages.joinable - (this.utf8?.pending ?? 0));
    const start = at + 6;
    let to = start;
    if (burst !== undefined) {
      at = burst.join(at, end, start, most);
      to = burst.table[0]!;
    }
    while (end - at >= 6 && chunk[at] === Opcode.Continuation) {
      const length = chunk[at + 1]! - MASK;
      const stop = at + 6 + length;
      // An extended length is no small fragment, and what is not masked is a mistake.
      if (length < 0 || length >= 126 || stop > end || to - start + length > most) break;
      const key0 = chunk[at + 2]!;
      const key1 = chunk[at + 3]!;
      const key2 = chunk[at + 4]!;
      const key3 = chunk[at + 5]!;
      let from = at + 6;
      for (; from + 3 < stop; from += 4, to += 4) {
        chunk[to] = chunk[from]! ^ key0;
        chunk[to + 1] = chunk[from + 1]! ^ key1;
        chunk[to + 2] = chunk[from + 2]! ^ key2;
        chunk[to + 3] = chunk[from + 3]! ^ key3;
      }
      if (from < stop) chunk[to++] = chunk[from++]! ^ key0;
      if (from < stop) chunk[to++] = chunk[from++]! ^ key1;
      if (from < stop) chunk[to++] = chunk[from]! ^ key2;
      at = stop;
    }
    if (at >= start) {
      const kind = this.openKind();
      this.messages.frame(kind, to - start);
      if (to > start) this.passOn(kind, chunk, start, to);
    }
    return at;
  }

  /**
   * Reads a header, or as much of it as the chunk has. Its first two octets are judged as soon as they are there, a length with the
   * last.
   */
  private readHeader(chunk: Buffer, at: number, end: number): number {
    if (this.partialLength === 0 && end - at >= 2) {
      const length = maskedHeaderLength(chunk[at + 1]!);
      if (end - at >= length) {
        this.validateOpcode(chunk[at]!);
        this.validateMask(chunk[at]!, chunk[at + 1]!);
        this.openFrame(chunk, at);
        return at + length;
      }
    }
    this.partial ??= Buffer.allocUnsafeSlow(14);
    const header = this.partial;
    while (at < end) {
      header[this.partialLength++] = chunk[at++]!;
      if (this.partialLength === 1) this.validateOpcode(header[0]!);
      else if (this.partialLength === 2) this.validateMask(header[0]!, header[1]!);
      if (this.partialLength >= 2 && this.partialLength === maskedHeaderLength(header[1]!)) {
        this.partial = undefined;
        this.partialLength = 0;
        this.openFrame(header, 0);
        break;
      }
    }
    return at;
  }

  private validateOpcode(first: number): void {
    const opcode = first & 0x0f;
    // 5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values."
    if ((first & this.reserved(opcode)) !== 0) throw protocolError('a reserved bit is set');
    if (isControl(opcode)) {
      if (opcode > Opcode.Pong) throw protocolError(`reserved opcode ${opcode}`);
      // 5.5: "All control frames [...] MUST NOT be fragmented."
      if ((first & FIN) === 0) throw protocolError('a control frame is fragmented');
      return;
    }
    // 5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_."
    if (opcode > Opcode.Binary) throw protocolError(`reserved opcode ${opcode}`);
    // 5.4: the fragments of one message come in order, and no other message's between them.
    if (opcode === Opcode.Continuation && this.open === 0) throw protocolError('nothing to continue');
    if (opcode !== Opcode.Continuation && this.open !== 0) throw protocolError('a message begins inside another');
  }

  /** RFC 7692 section 6.1: "on the first fragment of a message" the first of them has a meaning, and nowhere else. */
  private reserved(opcode: number): number {
    const begins = opcode === Opcode.Text || opcode === Opcode.Binary;
    return this.inflation !== undefined && begins ? RSV & ~RSV1 : RSV;
  }

  private validateMask(first: number, second: number): void {
    // 5.1: "The server MUST close the connection upon receiving a frame that is not masked."
    if ((second & MASK) === 0) throw protocolError('a frame is not masked');
    // 5.5: "All control frames MUST have a payload length of 125 bytes or less."
    if (isControl(first & 0x0f) && (second & 0x7f) > 125) throw protocolError('a control frame is too long');
  }

  private openFrame(header: Buffer, at: number): void {
    const length = payloadLength(header, at);
    const opcode = header[at]! & 0x0f;
    this.final = (header[at]! & FIN) !== 0;
    this.opcode = opcode;
    this.remaining = length;
    this.key = header.readInt32BE(at + maskedHeaderLength(header[at + 1]!) - 4);
    if (!isControl(opcode)) {
      if (opcode === Opcode.Text || opcode === Opcode.Binary) {
        this.open = opcode;
        this.compressed = (header[at]! & RSV1) !== 0;
        if (this.compressed) this.inflation?.begin(opcode);
      }
      // How much a compressed frame brings is not known yet.
      if (!this.compressed) this.messages.frame(this.openKind(), length);
    }
    if (length === 0) this.closeFrame(header, at, at);
  }

  private readPayload(chunk: Buffer, at: number, end: number): number {
    const stop = Math.min(end, at + this.remaining);
    this.key = unmask(chunk, at, stop, this.key);
    this.remaining -= stop - at;
    if (isControl(this.opcode)) {
      this.readControl(chunk, at, stop);
      return stop;
    }
    if (this.compressed) {
      this.inflation?.data(chunk, at, stop);
    } else {
      this.passOn(this.openKind(), chunk, at, stop);
    }
    if (this.remaining === 0) this.closeFrame(chunk, stop, stop);
    return stop;
  }

  private passOn(kind: MessageKind, chunk: Buffer, start: number, end: number): void {
    if (kind === Opcode.Text) {
      this.utf8 ??= new Utf8Validator();
      this.utf8.write(chunk, start, end, this.messages);
    } else {
      this.messages.data(Opcode.Binary, chunk, start, end);
    }
  }

  override discard(): void {
    super.discard();
    this.partial = undefined;
    this.utf8 = undefined;
  }

  private readControl(chunk: Buffer, start: number, end: number): void {
    if (this.remaining === 0 && this.partialLength === 0) {
      this.closeFrame(chunk, start, end);
      return;
    }
    this.partial ??= Buffer.allocUnsafeSlow(125);
    this.partialLength += chunk.copy(this.partial, this.partialLength, start, end);
    if (this.remaining === 0) {
      const payload = this.partial;
      const length = this.partialLength;
      this.partial = undefined;
      this.partialLength = 0;
      this.closeFrame(payload, 0, length);
    }
  }

  /** The frame is complete; bytes[start, end) is a control frame's payload. */
  private closeFrame(bytes: Buffer, start: number, end: number): void {
    this.remaining = IN_HEADER;
    switch (this.opcode) {
      case Opcode.Ping:
        this.controls.ping(bytes.subarray(start, end));
        break;
      case Opcode.Pong:
        this.controls.pong(bytes.subarray(start, end));
        break;
      case Opcode.Close: {
        const { code, reason } = parseClosePayload(bytes.subarray(start, end));
        this.discard();
        this.controls.closed(code, reason);
        break;
      }
      default:
        if (this.final) this.endMessage();
    }
  }

  private endMessage(): void {
    const kind = this.openKind();
    this.open = 0;
    if (this.compressed) {
      this.compressed = false;
      this.inflation?.end();
      return;
    }
    this.utf8?.end();
    this.utf8 = undefined;
    this.messages.end(kind);
  }

  private openKind(): MessageKind {
    return this.open === Opcode.Text ? Opcode.Text : Opcode.Binary;
  }
}

function isBinary(first: number): boolean {
  return (first & 0x0f) === Opcode.Binary;
}

function maskedHeaderLength(second: number): number {
  const length = second & 0x7f;
  if (length < 126) return 6;
  return length === 126 ? 8 : 14;
}

function payloadLength(header: Buffer, at: number): number {
  const short = header[at + 1]! & 0x7f;
  if (short < 126) return short;
  // 5.2: "in all cases, the minimal number of bytes MUST be used to encode the length"
  if (short === 126) {
    const length = header.readUInt16BE(at + 2);
    if (length < 126) throw protocolError('a length is not encoded minimally');
    return length;
  }
  const high = header.readUInt32BE(at + 2);
  // 5.2: "a 64-bit unsigned integer (the most significant bit MUST be 0)"
  if (high >= 0x8000_0000) throw protocolError('the top bit of a 64-bit length is set');
  const length = high * 0x1_0000_0000 + header.readUInt32BE(at + 6);
  if (length < 65536) throw protocolError('a length is not encoded minimally');
  if (length > Number.MAX_SAFE_INTEGER) {
    throw new ProtocolError('a frame of 2^53 bytes or more', CloseCode.MESSAGE_TOO_BIG);
  }
  return length;
}

function protocolError(message: string): ProtocolError {
  return new ProtocolError(message, CloseCode.PROTOCOL_ERROR);
}
