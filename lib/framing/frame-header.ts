/** Reads frame headers and enforces their rules (RFC 6455 section 5.2). Each violation throws a `ProtocolError`. */
import { ProtocolError } from '../errors.js';
import { CloseCode } from './close-code.js';
import { isControl, Opcode, RSV1 } from './opcode.js';

export const FIN = 0x80;
const RSV = 0x70;
const MASK = 0x80;

/** Two octets, a length of eight octets, and the masking key. */
export const MAX_HEADER_LENGTH = 14;

/**
 * Checks the first octet. This needs no other, so invalid frames fail as early as possible.
 *
 * @param isOpen whether a message has begun and is not complete
 * @param isDeflate whether compression was negotiated
 */
export function validateOpcode(first: number, isOpen: boolean, isDeflate: boolean): void {
  const opcode = first & 0x0f;
  // 5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values."
  if ((first & reserved(opcode, isDeflate)) !== 0) throw protocolError('a reserved bit is set');
  if (isControl(opcode)) {
    if (opcode > Opcode.Pong) throw protocolError(`reserved opcode ${opcode}`);
    // 5.5: "All control frames [...] MUST NOT be fragmented."
    if ((first & FIN) === 0) throw protocolError('a control frame is fragmented');
    return;
  }
  // 5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_."
  if (opcode > Opcode.Binary) throw protocolError(`reserved opcode ${opcode}`);
  // 5.4: the fragments of a message arrive in order, without fragments of other messages between them.
  if (opcode === Opcode.Continuation && !isOpen) throw protocolError('nothing to continue');
  if (opcode !== Opcode.Continuation && isOpen) throw protocolError('a message begins inside another');
}

/** RFC 7692 section 6.1: only "on the first fragment of a message" does the first reserved bit have a meaning. */
function reserved(opcode: number, isDeflate: boolean): number {
  const begins = opcode === Opcode.Text || opcode === Opcode.Binary;
  return isDeflate && begins ? RSV & ~RSV1 : RSV;
}

/** Checks the second octet, as early as possible. */
export function validateMask(first: number, second: number): void {
  // 5.1: "The server MUST close the connection upon receiving a frame that is not masked."
  if ((second & MASK) === 0) throw protocolError('a frame is not masked');
  // 5.5: "All control frames MUST have a payload length of 125 bytes or less."
  if (isControl(first & 0x0f) && (second & 0x7f) > 125) throw protocolError('a control frame is too long');
}

/** @returns the length of the header, given its second octet */
export function maskedHeaderLength(second: number): number {
  const length = second & 0x7f;
  if (length < 126) return 6;
  return length === 126 ? 8 : 14;
}

/** Reads and checks the payload length in a complete header. */
export function payloadLength(header: Buffer, at: number): number {
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
