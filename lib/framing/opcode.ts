/**
 * The opcodes of frames (RFC 6455 section 5.2). 3 to 7 and 11 to 15 are reserved.
 *
 * @example
 * this.write(Buffer.from('{"ok":true}'), { opcode: Opcode.Text });
 */
export const Opcode = {
  Continuation: 0,
  Text: 1,
  Binary: 2,
  Close: 8,
  Ping: 9,
  Pong: 10,
} as const;
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** The two kinds of data messages, by the opcode of their first frame. */
export type MessageKind = typeof Opcode.Text | typeof Opcode.Binary;

/**
 * The header bit that marks a message as compressed, in its first frame (RFC 7692 section 6).
 */
export const RSV1 = 0x40;

/**
 * RFC 6455 section 5.5: "Control frames are identified by opcodes where the most significant bit of the opcode is 1."
 */
export function isControl(opcode: number): boolean {
  return opcode >= 8;
}
