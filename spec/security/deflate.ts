/** Compressed messages as a client sends them (RFC 7692 section 7.2.1), and some that no honest client would. */
import { constants, deflateRawSync } from 'node:zlib';
import { frame } from '../support/frames.js';
import { MIB } from './memory.js';

/** Headers of a handshake. */
export const OFFER = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };

/** What the payload of a message ends without: "0x00 0x00 0xff 0xff". */
const TAIL_LENGTH = 4;

function flushed(bytes: Uint8Array): Buffer {
  return deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
}

/** The payload that inflates to these bytes. */
export function deflated(bytes: Uint8Array | string): Buffer {
  return flushed(typeof bytes === 'string' ? Buffer.from(bytes) : bytes).subarray(0, -TAIL_LENGTH);
}

/** The payload that inflates to so many mebibytes of zeros; about a kilobyte for each. */
export function bomb(mebibytes: number): Buffer {
  // What zlib makes of zeros refers to nothing before it but zeros.
  const one = flushed(Buffer.alloc(MIB));
  return Buffer.concat(new Array<Buffer>(mebibytes).fill(one)).subarray(0, -TAIL_LENGTH);
}

/** A whole message with this payload. */
export function compressed(payload: Uint8Array, opcode: 1 | 2 = 2): Buffer {
  return frame({ opcode, rsv: 4, payload });
}

/** The same in frames of `size` bytes. */
export function compressedInPieces(payload: Uint8Array, size: number, { fin = true, opcode = 2 } = {}): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const isFirst = at === 0;
    const isLast = at + size >= payload.length;
    const piece = payload.subarray(at, at + size);
    frames.push(frame({ opcode: isFirst ? opcode : 0, rsv: isFirst ? 4 : 0, fin: isLast && fin, payload: piece }));
  }
  return Buffer.concat(frames);
}
