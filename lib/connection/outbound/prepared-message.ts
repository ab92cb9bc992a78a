/** Messages that are framed once and sent to many connections. */
import type { Opcode } from '../../framing/opcode.js';
import { headerLength, writeHeader } from '../../framing/serializer.js';

export interface Framed {
  readonly opcode: Opcode;
  readonly payload: Buffer;
  /** The header (RFC 6455 section 5.2) and the payload, in the same memory as `payload`. */
  readonly frame: Buffer;
}

/**
 * @internal Friend of `PreparedMessage`: its bytes. Users must not reach them, because every connection sends them from
 * the same memory.
 */
export let framedOf: (message: PreparedMessage) => Framed;

/** A message from `prepare()`. Pass it to `write()` any number of times, on connections of any route. */
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
