/** Frames as a client sees them (RFC 6455 section 5.2): writes them, well-formed or not, and reads them. */
import { randomBytes } from 'node:crypto';
import { checkOptions } from '../argument-checks.js';
import { invalidArgument } from '../errors.js';
import { ownCopy } from '../memory/bulk-allocation.js';
import { asBytes } from '../memory/bytes.js';

/** A frame to send. It is not checked against the RFC, so that tests can send malformed frames. */
export interface ClientFrame {
  /** 0 to 15: one of `Opcode`, or a reserved one. */
  opcode: number;
  /** A string is sent as UTF-8. Default empty. */
  payload?: Uint8Array | string | undefined;
  /** Whether it is the last frame of its message. Default true. */
  fin?: boolean | undefined;
  /** The three reserved bits as a number, 0 to 7. Default 0. */
  rsv?: number | undefined;
  /** Whether the frame is masked, as a client's must be; or the masking key, 4 bytes. Default true: a random key. */
  mask?: boolean | Uint8Array | undefined;
  /** Size of the length field in bits. Default: the minimum, as section 5.2 requires. */
  lengthBits?: 7 | 16 | 64 | undefined;
  /** The length to announce. Default: that of the payload. */
  length?: number | bigint | undefined;
}

const MEMBERS = ['opcode', 'payload', 'fin', 'rsv', 'mask', 'lengthBits', 'length'] satisfies (keyof ClientFrame)[];

/**
 * Returns the bytes of a client's frame, valid or not.
 *
 * @throws TypeError for an unknown member, and for a value that does not fit into a frame
 * @example
 * client.sendRaw(clientFrame({ opcode: Opcode.Text, payload: 'hel', fin: false }));
 * client.sendRaw(clientFrame({ opcode: Opcode.Continuation, payload: 'lo' }));
 */
export function clientFrame(frame: ClientFrame): Buffer {
  checkOptions('clientFrame', frame, MEMBERS, "{ opcode: Opcode.Text, payload: 'hi' }");
  const { opcode, payload = '', fin = true, rsv = 0, mask = true, ...rest } = frame;
  checkBits('opcode', opcode, 15);
  checkBits('rsv', rsv, 7);
  const body = Buffer.from(checkPayload(payload));
  checkMask(mask);
  if (rest.lengthBits !== undefined && ![7, 16, 64].includes(rest.lengthBits)) {
    throw invalidArgument('lengthBits', rest.lengthBits, 'it must be 7, 16 or 64');
  }
  const length = BigInt(rest.length ?? body.length);
  const bits = rest.lengthBits ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const maskBit = mask === false ? 0 : 0x80;
  const header = Buffer.alloc(bits === 7 ? 2 : bits === 16 ? 4 : 10);
  header[0] = first;
  header[1] = maskBit | (bits === 7 ? Number(length) : bits === 16 ? 126 : 127);
  if (bits === 16) header.writeUInt16BE(Number(length), 2);
  if (bits === 64) header.writeBigUInt64BE(BigInt.asUintN(64, length), 2);
  if (mask === false) return Buffer.concat([header, body]);
  const key = mask === true ? randomBytes(4) : mask;
  for (let i = 0; i < body.length; i++) body[i]! ^= key[i & 3]!;
  return Buffer.concat([header, key, body]);
}

function checkBits(name: string, value: unknown, most: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return;
  throw invalidArgument(name, value, `it must be an integer from 0 to ${most}`);
}

function checkPayload(payload: Uint8Array | string): Uint8Array {
  if (typeof payload === 'string') return Buffer.from(payload);
  const bytes = payload instanceof Uint8Array ? payload : asBytes(payload);
  if (bytes === undefined) throw invalidArgument('payload', payload, 'it must be a string, a Buffer or another view');
  return bytes;
}

function checkMask(mask: unknown): void {
  if (typeof mask === 'boolean' || (mask instanceof Uint8Array && mask.length === 4)) return;
  throw invalidArgument('mask', mask, 'it must be true, false, or a masking key of 4 bytes');
}

/** A frame sent by the server. */
export interface ServerFrame {
  opcode: number;
  fin: boolean;
  rsv: number;
  /** Always false for a correct server. */
  masked: boolean;
  payload: Buffer;
}

/** Parses the server's frames, however its data is split. */
export class FrameReader {
  private chunks: Buffer[] = [];
  private length = 0;
  /** Number of bytes needed before parsing again makes sense. */
  private needed = 2;

  /** Returns the frames that are now complete. */
  feed(chunk: Buffer): ServerFrame[] {
    this.chunks.push(chunk);
    this.length += chunk.length;
    const frames: ServerFrame[] = [];
    if (this.length < this.needed) return frames;
    let rest = Buffer.concat(this.chunks);
    for (;;) {
      const parsed = parseFrame(rest);
      if (parsed === undefined) {
        this.chunks = [rest];
        this.length = rest.length;
        this.needed = sizeOf(rest);
        return frames;
      }
      frames.push(parsed.frame);
      rest = rest.subarray(parsed.size);
    }
  }
}

/** The first frame and its size in bytes, or undefined if it is incomplete. */
export function parseFrame(bytes: Buffer): { frame: ServerFrame; size: number } | undefined {
  const size = sizeOf(bytes);
  return bytes.length < size ? undefined : { frame: frameOf(bytes.subarray(0, size)), size };
}

/** The size of the first frame in bytes; until that is known, more than the bytes available. */
function sizeOf(bytes: Buffer): number {
  if (bytes.length < 2) return 2;
  const header = headerSize(bytes);
  if (bytes.length < header) return header;
  const short = bytes[1]! & 0x7f;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  return header + length;
}

function headerSize(bytes: Buffer): number {
  const short = bytes[1]! & 0x7f;
  const key = bytes[1]! & 0x80 ? 4 : 0;
  return (short < 126 ? 2 : short === 126 ? 4 : 10) + key;
}

function frameOf(bytes: Buffer): ServerFrame {
  return {
    opcode: bytes[0]! & 0x0f,
    fin: (bytes[0]! & 0x80) !== 0,
    rsv: (bytes[0]! >> 4) & 7,
    masked: (bytes[1]! & 0x80) !== 0,
    payload: ownCopy(bytes, headerSize(bytes), bytes.length),
  };
}
