/** A message framed once, for many connections. */
import type { Opcode } from '../../framing/opcode.js';
import { headerLength, writeHeader } from '../../framing/serializer.js';

export interface Framed {
  readonly opcode: Opcode;
  readonly payload: Buffer;
  /** The payload with its header (RFC 6455 section 5.2), in the same memory. */
  readonly frame: Buffer;
}

/** @internal Friend of `PreparedMessage`: what is to be sent of it, out of reach of users, as all connections that it was written to send it from there. */
export let framedOf: (message: PreparedMessage) => Framed;

/** What `prepare` makes, and `write` takes: any number of times, on any connections, of any routes. */
export class PreparedMessage {
  readonly #framed: Framed;

  static {
    framedOf = (message) => message.#framed;
  }

  constructor(opcode: Opcode, payload: Uint8Array) {
    const header = headerLength(payload.byteLength);
    const frame = Buffer.allocUnsafeSlow(header + payload.byteLength);
    writeHeader(frame, 0, opcode, payload.byteLength);
    frame.set(payload, header);
    this.#framed = { opcode, payload: frame.subarray(header), frame };
  }
}
