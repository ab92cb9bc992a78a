/** Frames from the client's side (RFC 6455 section 5.2): to be sent, well formed or not, and to be read. */
import { randomBytes } from 'node:crypto';
import { checkOptions } from '../argument-checks.js';
import { invalidArgument } from '../errors.js';
import { ownCopy } from '../memory/bulk-allocation.js';
import { asBytes } from '../memory/bytes.js';

/** A frame to be sent. Nothing is checked against the RFC: a test wants to send what it wants to send. */
export interface ClientFrame {
  /** 0 to 15: one of `Opcode`, or one that there is not. */
  opcode: number;
  /** A string is sent as UTF-8. Default empty. */
  payload?: Uint8Array | string | undefined;
  /** Whether it is the last frame of its message. Default true. */
  fin?: boolean | undefined;
  /** The three reserved bits as a number, 0 to 7. Default 0. */
  rsv?: number | undefined;
  /** Whether it is masked, as a client's frames must be; or the masking key, 4 bytes. Default true: a random key. */
  mask?: boolean | Uint8Array | undefined;
  /** How many bits hold the length, whatever the payload. Default as few as possible, as section 5.2 demands. */
  lengthBits?: 7 | 16 | 64 | undefined;
  /** The length to claim. Default the payload's own. */
  length?: number | bigint | undefined;
}

const MEMBERS = ['opcode', 'payload', 'fin', 'rsv', 'mask', 'lengthBits', 'length'] satisfies (keyof ClientFrame)[];

/**
 * The bytes of a frame as a client sends it, or as no client should.
 *
 * @throws TypeError for an unknown member, and for a value that has no place in a frame
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

/** A frame of the server's. */
export interface ServerFrame {
  opcode: number;
  fin: boolean;
  rsv: number;
  /** A server's never is. */
  masked: boolean;
  payload: Buffer;
}

/** Makes frames of the server's bytes, however they are cut. */
export class FrameReader {
  private chunks: Buffer[] = [];
  private length = 0;
  /** How much it takes until looking again makes sense. */
  private needed = 2;

  /** The frames that are complete now. */
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

/** The frame at the front and how many bytes it has, or undefined when it is not complete. */
export function parseFrame(bytes: Buffer): { frame: ServerFrame; size: number } | undefined {
  const size = sizeOf(bytes);
  return bytes.length < size ? undefined : { frame: frameOf(bytes.subarray(0, size)), size };
}

/** How many bytes the frame at the front has; as long as that cannot be known, more than are there. */
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
