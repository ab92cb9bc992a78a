/**
 * Outgoing frames (RFC 6455 section 5.2). "A server MUST NOT mask any frames that it sends to the client" (5.1), so a
 * frame is a header of two to ten octets and the unchanged payload:
 *
 *     FIN and opcode | length < 126
 *                    | 126, length as 16 bits
 *                    | 127, length as 64 bits
 *
 * Every message leaves in one frame, so FIN is always set.
 */
const FIN = 0x80;

/** @returns the length of the header before a payload of `length` octets */
export function headerLength(length: number): number {
  if (length < 126) return 2;
  return length < 65536 ? 4 : 10;
}

/** Writes the header into `target` at `at`, and returns the offset after it. */
export function writeHeader(target: Buffer, at: number, opcode: number, length: number): number {
  target[at] = FIN | opcode;
  if (length < 126) {
    target[at + 1] = length;
    return at + 2;
  }
  if (length < 65536) {
    target[at + 1] = 126;
    target[at + 2] = length >>> 8;
    target[at + 3] = length & 0xff;
    return at + 4;
  }
  target[at + 1] = 127;
  target.writeUInt32BE(Math.floor(length / 0x1_0000_0000), at + 2);
  target.writeUInt32BE(length >>> 0, at + 6);
  return at + 10;
}
