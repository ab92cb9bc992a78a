/** Frames as bytes, for clients that must be able to send what no client library would. */
import { clientFrame } from '../../lib/testing/frames.js';

export { type ClientFrame, parseFrame, type ServerFrame } from '../../lib/testing/frames.js';
export { clientFrame as frame };

export const text = (payload: string, fin = true): Buffer => clientFrame({ opcode: 1, payload, fin });
export const binary = (payload: Uint8Array, fin = true): Buffer => clientFrame({ opcode: 2, payload, fin });
export const more = (payload: Uint8Array | string, fin = false): Buffer => clientFrame({ opcode: 0, payload, fin });

/** The payload of a close frame. */
export function closeBody(code: number, reason = ''): Buffer {
  const body = Buffer.alloc(2 + Buffer.byteLength(reason));
  body.writeUInt16BE(code, 0);
  body.write(reason, 2);
  return body;
}
