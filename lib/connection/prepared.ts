/** A message framed once, for many connections. */
import type { Opcode } from '../framing/opcode.js';
import { headerLength, writeHeader } from '../framing/serializer.js';

/** What `prepare` makes, and `write` takes: any number of times, on any connections, of any routes. */
export class PreparedMessage {
  readonly opcode: Opcode;
  /** A copy of what it was made of: leave it as it is. */
  readonly payload: Buffer;
  /** The payload with its header (RFC 6455 section 5.2). */
  readonly frame: Buffer;

  constructor(opcode: Opcode, payload: Uint8Array) {
    const header = headerLength(payload.byteLength);
    this.opcode = opcode;
    this.frame = Buffer.allocUnsafeSlow(header + payload.byteLength);
    writeHeader(this.frame, 0, opcode, payload.byteLength);
    this.frame.set(payload, header);
    this.payload = this.frame.subarray(header);
  }
}
