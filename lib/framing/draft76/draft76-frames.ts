/**
 * The frames that a server may send in draft-76 (sections 4.2 and 5.3): text between 0x00 and 0xFF, a byte that valid
 * UTF-8 never contains, and the closing handshake.
 */

export function draft76Text(text: string | Uint8Array): Buffer {
  const length = typeof text === 'string' ? Buffer.byteLength(text) : text.byteLength;
  const frame = Buffer.alloc(length + 2);
  if (typeof text === 'string') frame.write(text, 1);
  else frame.set(text, 1);
  frame[length + 1] = 0xff;
  return frame;
}

/** The closing handshake. */
export const draft76Close = Buffer.from([0xff, 0x00]);
