/** Frames as bytes, for clients that must be able to send what no client library would. */
import { randomBytes } from 'node:crypto';

export interface FrameSpec {
  opcode: number;
  payload?: Uint8Array | string;
  fin?: boolean;
  /** The three reserved bits, 0 to 7. */
  rsv?: number;
  /** False sends the frame unmasked. */
  mask?: boolean | Buffer;
  /** How many bits of length to use, whatever the payload: 7, 16 or 64. */
  lengthBits?: 7 | 16 | 64;
  /** A length to claim instead of the payload's own. */
  length?: bigint;
}

/** A frame as a client sends it: masked, unless told otherwise. */
export function frame({ opcode, payload = '', fin = true, rsv = 0, mask = true, ...rest }: FrameSpec): Buffer {
  const body = Buffer.from(typeof payload === 'string' ? Buffer.from(payload) : payload);
  const length = rest.length ?? BigInt(body.length);
  const bits = rest.lengthBits ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const key = mask === false ? undefined : mask === true ? randomBytes(4) : mask;
  const maskBit = key === undefined ? 0 : 0x80;
  let header: Buffer;
  if (bits === 7) header = Buffer.from([first, maskBit | Number(length)]);
  else if (bits === 16) {
    header = Buffer.from([first, maskBit | 126, 0, 0]);
    header.writeUInt16BE(Number(length), 2);
  } else {
    header = Buffer.concat([Buffer.from([first, maskBit | 127]), Buffer.alloc(8)]);
    header.writeBigUInt64BE(length, 2);
  }
  if (key === undefined) return Buffer.concat([header, body]);
  for (let i = 0; i < body.length; i++) body[i]! ^= key[i & 3]!;
  return Buffer.concat([header, key, body]);
}

export const text = (payload: string, fin = true): Buffer => frame({ opcode: 1, payload, fin });
export const binary = (payload: Uint8Array, fin = true): Buffer => frame({ opcode: 2, payload, fin });
export const more = (payload: Uint8Array | string, fin = false): Buffer => frame({ opcode: 0, payload, fin });

/** The payload of a close frame. */
export function closeBody(code: number, reason = ''): Buffer {
  const body = Buffer.alloc(2 + Buffer.byteLength(reason));
  body.writeUInt16BE(code, 0);
  body.write(reason, 2);
  return body;
}

export interface ServerFrame {
  opcode: number;
  fin: boolean;
  rsv: number;
  masked: boolean;
  payload: Buffer;
}

/** Takes the first frame off `bytes`; undefined when it is not whole. */
export function parseFrame(bytes: Buffer): { frame: ServerFrame; size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const header = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < header) return undefined;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < header + length) return undefined;
  const frame = {
    opcode: bytes[0]! & 0x0f,
    fin: (bytes[0]! & 0x80) !== 0,
    rsv: (bytes[0]! >> 4) & 7,
    masked: (bytes[1]! & 0x80) !== 0,
    payload: bytes.subarray(header, header + length),
  };
  return { frame, size: header + length };
}
