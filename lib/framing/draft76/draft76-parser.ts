/**
 * The framing of draft-hixie-thewebsocketprotocol-76, section 4.2: 0x00, UTF-8 text, 0xFF; and the closing handshake
 * 0xFF 0x00. Frames with a base-128 length (types 0x80 to 0xFE) fail the connection: they never carried data ("the
 * client must ignore"), and their unbounded lengths led to a security advisory in another library.
 */
import { ProtocolError } from '../../errors.js';
import { type Chunk, SharedChunk } from '../../memory/shared-read-buffer.js';
import { CloseCode } from '../close-code.js';
import { Opcode } from '../opcode.js';
import { PausableParser } from '../pausable-parser.js';
import { Utf8Validator } from '../utf8.js';

const TEXT = 0x00;
const END = 0xff;

const BETWEEN = 0;
const IN_TEXT = 1;
const CLOSING = 2;

export class Draft76Parser extends PausableParser {
  private stage: typeof BETWEEN | typeof IN_TEXT | typeof CLOSING = BETWEEN;
  private gate = new Utf8Validator();

  protected override run(chunk: Chunk): void {
    const bytes = chunk instanceof SharedChunk ? chunk.bytes : chunk;
    let at = 0;
    while (at < bytes.length && !this.discarding) {
      if (this.stage === IN_TEXT) {
        at = this.readText(bytes, at);
        continue;
      }
      if (this.paused) {
        this.keep(chunk, at);
        return;
      }
      this.readType(bytes[at++]!);
    }
  }

  /** Draft-76 has no pings, and the closing handshake is handled when the parser reaches it. */
  protected override createLookAhead(): undefined {
    return undefined;
  }

  private readType(type: number): void {
    if (this.stage === CLOSING) {
      if (type !== 0x00) throw unsupported(type);
      this.discard();
      this.controls.closed(CloseCode.NO_STATUS_RECEIVED, '');
    } else if (type === TEXT) {
      this.stage = IN_TEXT;
      this.messages.frame(Opcode.Text, 0);
    } else if (type === END) {
      this.stage = CLOSING;
    } else {
      throw unsupported(type);
    }
  }

  private readText(bytes: Buffer, at: number): number {
    const found = bytes.indexOf(END, at);
    const stop = found === -1 ? bytes.length : found;
    this.gate.write(bytes, at, stop, this.messages);
    if (found === -1) return stop;
    this.gate.end();
    this.stage = BETWEEN;
    this.messages.end(Opcode.Text);
    return stop + 1;
  }
}

function unsupported(type: number): ProtocolError {
  return new ProtocolError(`frame type 0x${type.toString(16)} of draft-76`, CloseCode.PROTOCOL_ERROR);
}
