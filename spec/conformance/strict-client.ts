/** A client that reads the server's frames as strictly as the RFC has them written. */
import type { ServerFrame } from '../support/frames.js';
import type { RawClient } from '../support/raw-client.js';

/** As much as the socket reads at a time: more would be put together again with each chunk that comes. */
const PIECE = 64 * 1024;

export class StrictClient {
  readonly raw: RawClient;

  constructor(raw: RawClient) {
    this.raw = raw;
  }

  /** The next frame. Fails for one that a server must not send (RFC 6455 sections 5.1, 5.2 and 5.5). */
  async next(): Promise<ServerFrame> {
    const [first = 0, second = 0] = await this.raw.bytes(2);
    const opcode = first & 0x0f;
    const fin = (first & 0x80) !== 0;
    const length = await this.payloadLength(second & 0x7f);
    if ((second & 0x80) !== 0) throw new Error('the server masks a frame');
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) throw new Error(`the server sends the opcode ${opcode}`);
    if (opcode >= 8 && (!fin || length > 125))
      throw new Error('the server sends a control frame in parts, or too long');
    const payload = await this.payload(length);
    return { opcode, fin, rsv: (first >> 4) & 7, masked: false, payload };
  }

  /** Sends these bytes in writes of so many. */
  async write(bytes: Buffer, by = bytes.length): Promise<void> {
    for (let at = 0; at < bytes.length; at += by) {
      const piece = bytes.subarray(at, at + by);
      // Small pieces one by one; of many, as the socket takes them.
      if (bytes.length / by <= 4096) await new Promise((resolve) => this.raw.socket.write(piece, resolve));
      else if (!this.raw.socket.write(piece)) await new Promise((resolve) => this.raw.socket.once('drain', resolve));
    }
  }

  /** Waits until the server has ended the TCP connection. Fails when anything comes before. */
  async over(): Promise<void> {
    const rest = await this.raw.rest();
    if (rest.length > 0)
      throw new Error(`${rest.length} bytes come behind the last frame: ${rest.toString('hex', 0, 32)}`);
  }

  private async payloadLength(short: number): Promise<number> {
    if (short < 126) return short;
    const bytes = await this.raw.bytes(short === 126 ? 2 : 8);
    const length = short === 126 ? bytes.readUInt16BE() : Number(bytes.readBigUInt64BE());
    if (length < (short === 126 ? 126 : 65536)) throw new Error(`the server wastes bytes on the length ${length}`);
    return length;
  }

  private async payload(length: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let left = length; left > 0; left -= PIECE) pieces.push(await this.raw.bytes(Math.min(left, PIECE)));
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }
}
