/**
 * The client's end of permessage-deflate (RFC 7692 section 7.2), by `node:zlib` alone, and as strict as what was agreed on: it
 * fails where the server refers further back than its window, to a message before where it said that it would not, or marks
 * frames that it must not.
 *
 * A sliding window is nothing but the last bytes of the messages before, so that each message is its own call of zlib, with
 * those bytes for a dictionary: no stream is kept.
 */
import { constants, deflateRawSync, inflateRawSync, type ZlibOptions } from 'node:zlib';
import { frame, type ServerFrame } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import type { Running } from '../support/server.js';
import { StrictClient } from './strict-client.js';

/** 7.2.1 and 7.2.2: what is taken from the end of a compressed message, and added to it again. */
export const TAIL = Buffer.from('0000ffff', 'hex');
const SYNC = { finishFlush: constants.Z_SYNC_FLUSH };
const NOTHING = Buffer.alloc(0);
const WIDEST = 15;

/** What a response has said, or what is true where it has not (7.1.1, 7.1.2). */
export interface Agreed {
  serverNoContextTakeover: boolean;
  clientNoContextTakeover: boolean;
  serverMaxWindowBits: number;
  clientMaxWindowBits: number;
}

/**
 * Reads a response as a client must: section 7.1 allows these parameters, each once, bits with a value.
 *
 * @throws Error for any other response: "the client MUST _Fail the WebSocket Connection_" (section 5)
 */
export function readResponse(header: string): Agreed {
  const [name, ...params] = header.split(';').map((part) => part.trim());
  if (name !== 'permessage-deflate') throw new Error(`the extension is ${name}`);
  const agreed: Agreed = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: WIDEST,
    clientMaxWindowBits: WIDEST,
  };
  const seen = new Set<string>();
  for (const param of params) {
    const [, key = '', value] = /^([a-z_]+)(?:=(8|9|1[0-5]))?$/.exec(param) ?? [];
    const hasValue = value !== undefined;
    if (seen.has(key)) throw new Error(`the response has ${key} twice`);
    seen.add(key);
    if (key === 'server_no_context_takeover' && !hasValue) agreed.serverNoContextTakeover = true;
    else if (key === 'client_no_context_takeover' && !hasValue) agreed.clientNoContextTakeover = true;
    else if (key === 'server_max_window_bits' && hasValue) agreed.serverMaxWindowBits = Number(value);
    else if (key === 'client_max_window_bits' && hasValue) agreed.clientMaxWindowBits = Number(value);
    else throw new Error(`the response has the parameter ${param}`);
  }
  return agreed;
}

/** The last bytes of what was compressed before, as far as they may be referred to. */
class Window {
  private bytes = NOTHING;
  private readonly size: number;
  private readonly isKept: boolean;

  constructor(bits: number, isKept: boolean) {
    this.size = 1 << bits;
    this.isKept = isKept;
  }

  /** zlib takes an empty dictionary for a mistake. */
  get dictionary(): { dictionary?: Buffer } {
    return this.bytes.length === 0 ? {} : { dictionary: this.bytes };
  }

  slide(message: Buffer): void {
    if (!this.isKept) return;
    this.bytes = Buffer.concat([this.bytes.subarray(-this.size), message.subarray(-this.size)]).subarray(-this.size);
  }
}

/** Compresses the client's messages. */
export class Deflater {
  private readonly window: Window;
  private readonly windowBits: number;

  constructor(bits: number, keepsContext: boolean) {
    this.window = new Window(bits, keepsContext);
    // zlib makes no raw stream of 8 bits: Node makes 9 of it, which zlib uses for distances up to 250 only.
    this.windowBits = Math.max(9, bits);
  }

  /** The payload of a message, by 7.2.1. */
  message(message: Buffer, options: ZlibOptions = {}): Buffer {
    const { windowBits } = this;
    const deflated = deflateRawSync(message, { windowBits, ...this.window.dictionary, ...SYNC, ...options });
    this.window.slide(message);
    // Of no bytes zlib makes no bytes, but not with a dictionary; 7.2.3.6: "The single octet 0x00".
    if (deflated.length === 0) return Buffer.of(0);
    if (!deflated.subarray(-4).equals(TAIL)) throw new Error('zlib has not flushed');
    return deflated.subarray(0, -4);
  }
}

/** A deflate stream that ends, with zeros up to the next byte: its last block has BFINAL = 1. */
export function finalBlocks(message: Buffer, options: ZlibOptions = {}): Buffer {
  return deflateRawSync(message, options);
}

/** Reads the server's messages. */
export class Inflater {
  private readonly window: Window;
  private readonly windowBits: number;

  constructor(bits: number, keepsContext: boolean) {
    this.window = new Window(bits, keepsContext);
    this.windowBits = bits;
  }

  /** @throws for anything but what 7.2.2 makes a message of, within this window */
  message(payload: Buffer): Buffer {
    const { windowBits } = this;
    // What it writes at a time is not held against the window, so that is little of it: 64 bytes are the least that Node takes.
    const chunkSize = Math.max(64, 1 << (windowBits - 4));
    const message = inflateRawSync(Buffer.concat([payload, TAIL]), {
      windowBits,
      chunkSize,
      ...this.window.dictionary,
      ...SYNC,
    });
    this.window.slide(message);
    return message;
  }
}

/** A compressed message of a client's, in fragments of so many bytes. */
export function compressedFrames(opcode: number, payload: Buffer, by = Math.max(1, payload.length)): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < payload.length || at === 0; at += by) {
    const part = payload.subarray(at, at + by);
    // RFC 7692 section 6.1: the bit stands in the first frame of a message alone.
    const head = at === 0 ? { opcode, rsv: 4 } : { opcode: 0 };
    frames.push(frame({ ...head, payload: part, fin: at + by >= payload.length }));
  }
  return Buffer.concat(frames);
}

export class DeflateClient extends StrictClient {
  readonly agreed: Agreed;
  readonly deflater: Deflater;
  /** How many messages have come compressed. */
  compressed = 0;
  private readonly inflater: Inflater;

  /** @param response the value of its `Sec-WebSocket-Extensions` */
  constructor(raw: RawClient, response: string) {
    super(raw);
    this.agreed = readResponse(response);
    const { clientMaxWindowBits, clientNoContextTakeover, serverMaxWindowBits, serverNoContextTakeover } = this.agreed;
    this.deflater = new Deflater(clientMaxWindowBits, !clientNoContextTakeover);
    this.inflater = new Inflater(serverMaxWindowBits, !serverNoContextTakeover);
  }

  /** Fails for an offer that is declined. */
  static async openWith(server: Running, path: string, offer: string): Promise<DeflateClient> {
    const raw = await RawClient.connect(server);
    const response = await raw.handshake(path, { 'Sec-WebSocket-Extensions': offer });
    if (response.status !== 101) throw new Error(`${response.status}: ${response.body}`);
    return new DeflateClient(raw, String(response.headers['sec-websocket-extensions']));
  }

  /** The next frame, as if it had not been compressed. */
  override async next(): Promise<ServerFrame> {
    const received = await super.next();
    const { opcode, rsv, fin, payload } = received;
    if (rsv === 0) return received;
    if (rsv !== 4 || opcode === 0 || opcode >= 8)
      throw new Error(`the server sends RSV = ${rsv} with opcode ${opcode}`);
    if (!fin) throw new Error('the server has fragmented a message');
    this.compressed++;
    return { ...received, rsv: 0, payload: this.inflater.message(payload) };
  }
}
