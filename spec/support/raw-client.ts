/** A client that sends any bytes and shows every byte and frame that comes back. */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { closeBody, frame, parseFrame, type ServerFrame } from './frames.js';
import type { Running } from './server.js';

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

export interface RawResponse {
  status: number;
  statusText: string;
  /** By lower-case name; several of one name as one array. */
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

type HeaderValue = string | readonly string[] | undefined;

export class RawClient {
  readonly socket: Socket;
  /** The server has ended or reset the connection. */
  readonly ended: Promise<void>;
  /** What has come and was not taken: put together only when somebody looks, since it may be many megabytes. */
  private chunks: Buffer[] = [];
  private isOver = false;
  private wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    this.ended = new Promise((resolve) => {
      const over = (): void => {
        this.isOver = true;
        this.wake();
        resolve();
      };
      socket.on('end', over);
      socket.on('close', over);
    });
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.wake();
    });
  }

  static async connect(server: Running): Promise<RawClient> {
    const isTls = server.url.startsWith('wss');
    const socket = isTls
      ? connectTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false })
      : connectTcp(server.port, '127.0.0.1');
    await new Promise((resolve, reject) => {
      socket.once(isTls ? 'secureConnect' : 'connect', resolve);
      socket.once('error', reject);
    });
    return new RawClient(socket);
  }

  /** Connects and makes the handshake; fails when the answer is not 101. */
  static async open(server: Running, path = '/', headers: Record<string, HeaderValue> = {}): Promise<RawClient> {
    const client = await RawClient.connect(server);
    const response = await client.handshake(path, headers);
    if (response.status !== 101) throw new Error(`${response.status}: ${response.body}`);
    return client;
  }

  send(...parts: (Uint8Array | string)[]): void {
    this.socket.write(Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))));
  }

  /** Sends each piece in a segment of its own, as far as that is in anybody's hand. */
  async trickle(bytes: Uint8Array, size = 1): Promise<void> {
    for (let at = 0; at < bytes.length; at += size) {
      await new Promise((resolve) => this.socket.write(bytes.subarray(at, at + size), resolve));
      // The kernel has it. A server in this process is given a turn to read it before the next one comes.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Sends a handshake request; a header given as undefined is left out. */
  sendHandshake(path = '/', headers: Record<string, HeaderValue> = {}, method = 'GET', version = '1.1'): void {
    const all: Record<string, HeaderValue> = {
      Host: `127.0.0.1:${this.socket.remotePort}`,
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': KEY,
      ...headers,
    };
    const lines = Object.entries(all).flatMap(([name, value]) =>
      value === undefined ? [] : (Array.isArray(value) ? value : [value]).map((one) => `${name}: ${one}`),
    );
    this.socket.write(Buffer.from(`${method} ${path} HTTP/${version}\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
  }

  async handshake(path = '/', headers: Record<string, HeaderValue> = {}, method = 'GET'): Promise<RawResponse> {
    this.sendHandshake(path, headers, method);
    return this.response(method);
  }

  /** The next HTTP response; of a 101 only its head is taken. */
  async response(method = 'GET'): Promise<RawResponse> {
    const end = await this.until(() => this.buffered.indexOf('\r\n\r\n'));
    const [statusLine = '', ...lines] = this.buffered.toString('latin1', 0, end).split('\r\n');
    this.buffered = this.buffered.subarray(end + 4);
    const headers: Record<string, string | string[] | undefined> = {};
    for (const line of lines) {
      const name = line.slice(0, line.indexOf(':')).toLowerCase();
      const value = line.slice(line.indexOf(':') + 1).trim();
      const before = headers[name];
      headers[name] = before === undefined ? value : [before, value].flat();
    }
    const [, status = '', statusText = ''] = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(statusLine) ?? [];
    const length = status === '101' || method === 'HEAD' ? 0 : Number(headers['content-length'] ?? 0);
    await this.until(() => (this.buffered.length >= length ? 0 : -1));
    const body = this.buffered.toString('utf8', 0, length);
    this.buffered = this.buffered.subarray(length);
    return { status: Number(status), statusText, headers, body };
  }

  /** The next frame. */
  async next(): Promise<ServerFrame> {
    await this.until(() => (parseFrame(this.buffered) === undefined ? -1 : 0));
    const parsed = parseFrame(this.buffered);
    if (parsed === undefined) throw new Error('unreachable');
    this.buffered = this.buffered.subarray(parsed.size);
    return parsed.frame;
  }

  /** The payload of the next frame as text. */
  async nextText(): Promise<string> {
    const { opcode, payload } = await this.next();
    if (opcode !== 1) throw new Error(`a text frame was expected, and opcode ${opcode} came: ${payload}`);
    return payload.toString();
  }

  /** The code and reason of the close frame that comes next, which may not be preceded by any other frame. */
  async nextClose(): Promise<{ code: number; reason: string }> {
    const { opcode, payload } = await this.next();
    if (opcode !== 8) throw new Error(`a close frame was expected, and opcode ${opcode} came: ${payload}`);
    if (payload.length === 0) return { code: 1005, reason: '' };
    return { code: payload.readUInt16BE(0), reason: payload.toString('utf8', 2) };
  }

  /** The next `count` bytes, whatever they are. */
  async bytes(count: number): Promise<Buffer> {
    await this.until(() => (this.buffered.length >= count ? 0 : -1));
    const bytes = this.buffered.subarray(0, count);
    this.buffered = this.buffered.subarray(count);
    return bytes;
  }

  /** Everything that comes until the connection is over. */
  async rest(): Promise<Buffer> {
    await this.ended;
    return this.buffered;
  }

  /** Says goodbye properly and waits until the connection is over. */
  async close(code = 1000): Promise<void> {
    this.send(frame({ opcode: 8, payload: closeBody(code) }));
    await this.ended;
    this.socket.end();
  }

  private get buffered(): Buffer {
    if (this.chunks.length !== 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0]!;
  }

  private set buffered(bytes: Buffer) {
    this.chunks = [bytes];
  }

  private async until(found: () => number): Promise<number> {
    for (;;) {
      const at = found();
      if (at !== -1) return at;
      if (this.isOver) throw new Error(`the connection ended; left: ${this.buffered.toString('latin1').slice(0, 200)}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
