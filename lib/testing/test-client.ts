/**
 * An in-memory client for tests.
 *
 * This file has more than 300 lines because it documents one public class.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { invalidArgument } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { checkCloseArguments, closePayload, parseClosePayload } from '../framing/close-payload.js';
import { Opcode } from '../framing/opcode.js';
import { ownCopy } from '../memory/bulk-allocation.js';
import { asBytes, checkBytes } from '../memory/bytes.js';
import { AsyncQueue } from './async-queue.js';
import { clientFrame, FrameReader, type ServerFrame } from './frames.js';
import type { MemorySocket } from './memory-socket.js';
import type { TestClock } from './test-clock.js';
import { CallSite, timeoutOf, Wait, type WaitOptions } from './wait.js';

/** How a connection ended, as in a browser's `close` event. */
export interface Closed {
  /**
   * The code of the server's close frame; 1005 if the frame had no code; 1006 if there was no close frame, or no
   * connection.
   */
  code: number;
  reason: string;
  /** Whether both ends sent a close frame. */
  wasClean: boolean;
}

/** The response to the handshake. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface AutoReplies {
  /** Whether the client answers pings, as browsers do. Default true. */
  answerPings?: boolean | undefined;
  /** Whether the client answers the server's close frame. Default true. */
  answerClose?: boolean | undefined;
  /**
   * Timeout of each wait, in milliseconds of real time: for the response to the handshake, a message, a frame, the
   * end; 0 for no limit. Default 2,000: in memory a response takes a few milliseconds, and test runners give up after
   * 5,000 without naming the line that waits.
   */
  timeout?: number | undefined;
}

/**
 * The client's end of a WebSocket, or a refused handshake: then `status` is not 101, `send` throws and `next`
 * rejects.
 *
 * @example
 * const client = await connect(app, '/ws/ada');
 * client.send('hi');
 * expect(await client.next()).toBe('hi');
 * client.close();
 * expect(await client.closed).toEqual({ code: 1000, reason: '', wasClean: true });
 */
export class TestClient implements Answer, AsyncIterable<string | Buffer> {
  /** The HTTP status; 101 if the handshake was accepted. */
  readonly status: number;
  /** The response headers by lower-case names, as in Node; `set-cookie` is an array. */
  readonly headers: IncomingHttpHeaders;
  /** The body of a refusal; empty for a 101. */
  readonly body: string;
  /** The connection's clock: heartbeats, timeouts and rates progress only when you advance it. */
  readonly clock: TestClock;
  /** Resolves when the connection has closed, or immediately if the handshake was refused. Never rejects. */
  readonly closed: Promise<Closed>;
  private readonly messages = new AsyncQueue<string | Buffer>();
  private readonly frames = new AsyncQueue<ServerFrame>();
  private readonly reader = new FrameReader();
  private readonly autoReplies: AutoReplies;
  private readonly socket: MemorySocket | undefined;
  private parts: Buffer[] = [];
  private partsOpcode: number = Opcode.Text;
  private heard: Omit<Closed, 'wasClean'> | undefined = undefined;
  private hasSaidClose = false;
  private resolveClosed!: (closed: Closed) => void;

  /** @internal Constructed by `connect`. */
  constructor(answer: Answer, clock: TestClock, autoReplies: AutoReplies, socket?: MemorySocket) {
    this.status = answer.status;
    this.headers = answer.headers;
    this.body = answer.body;
    this.clock = clock;
    this.autoReplies = autoReplies;
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      this.resolveClosed = resolve;
    });
    if (socket === undefined) this.gone();
    else this.listen(socket);
  }

  /** The negotiated subprotocol, or an empty string. */
  get subprotocol(): string {
    return this.status === 101 ? String(this.headers['sec-websocket-protocol'] ?? '') : '';
  }

  /**
   * Sends a message: a string as text, bytes as binary data.
   *
   * @throws TypeError for anything else; Error if there is no open connection
   */
  send(data: string | ArrayBufferView | ArrayBuffer): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : asBytes(data);
    if (bytes === undefined) throw invalidArgument('data', data, 'it must be a string, a Buffer or another view');
    this.sendFrame(typeof data === 'string' ? Opcode.Text : Opcode.Binary, bytes);
  }

  /**
   * Sends a ping. The pong arrives as a frame: see `nextFrame`.
   *
   * @throws TypeError for anything but a string or bytes, and for more than 125 bytes: use `sendRaw` for those
   */
  ping(data: string | Uint8Array = ''): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : asBytes(data);
    if (bytes === undefined) throw invalidArgument('ping data', data, 'it must be a string, a Buffer or another view');
    if (bytes.byteLength > 125) {
      throw invalidArgument(
        'ping data',
        data,
        'it must be at most 125 bytes (RFC 6455 section 5.5): sendRaw() sends more',
      );
    }
    this.sendFrame(Opcode.Ping, bytes);
  }

  /**
   * Sends raw bytes. `clientFrame` makes frames, well-formed or not.
   *
   * @throws TypeError for anything but bytes; Error if there is no open connection
   */
  sendRaw(bytes: Uint8Array): void {
    this.connected().write(Buffer.from(checkBytes('bytes', bytes)));
  }

  /**
   * Takes the next message, a string or a `Buffer`, waiting for it if necessary.
   *
   * @returns rejects if no message arrives in time, or the connection closes and none is left; the stack shows the
   *   line that waits. An unhandled rejection does not end the process
   * @throws TypeError (rejects) for an unknown option, or an invalid timeout
   * @example
   * expect(await client.next({ timeout: 200 })).toBe('hi');
   */
  next(options: WaitOptions = {}): Promise<string | Buffer> {
    return this.wait('message', options, this.next, (wait) => this.messages.give(wait));
  }

  /** Iterates over messages until the connection closes. Waits for each one as `next` does. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string | Buffer, void, undefined> {
    while (!this.messages.isOver) {
      const taken = this.wait<string | Buffer>('message', {}, this[Symbol.asyncIterator], (wait) =>
        this.messages.give(wait),
      );
      const message = await taken.catch((error: unknown) => {
        if (!this.messages.isOver) throw error;
      });
      if (message === undefined) return;
      yield message;
    }
  }

  /**
   * Takes the next frame of the server: frames of messages, which `next` returns as well, and pings, pongs and close
   * frames.
   *
   * @returns as `next`
   */
  nextFrame(options: WaitOptions = {}): Promise<ServerFrame> {
    return this.wait('frame', options, this.nextFrame, (wait) => this.frames.give(wait));
  }

  /**
   * Waits for the end of the connection like `closed`, but with a timeout.
   *
   * @returns rejects, as `next`, if the connection does not close in time
   * @example
   * expect(await client.whenClosed()).toMatchObject({ code: 1001 });
   */
  whenClosed(options: WaitOptions = {}): Promise<Closed> {
    return this.wait(
      'end',
      options,
      this.whenClosed,
      (wait) => void this.closed.then((closed) => wait.resolve(closed)),
    );
  }

  /**
   * Starts the closing handshake.
   *
   * @param code 1000 to 1003, 1007 to 1014, or 3000 to 4999. Default 1000
   * @param reason at most 123 bytes of UTF-8
   * @throws TypeError for another code or a longer reason
   */
  close(code: number = CloseCode.NORMAL_CLOSURE, reason = ''): void {
    checkCloseArguments(code, reason);
    if (!this.hasSaidClose && this.socket?.writable) this.sayClose(closePayload(code, reason));
  }

  /** Disconnects without a close frame, like a client that crashes. */
  terminate(): void {
    this.socket?.resetAndDestroy();
  }

  /** Stops reading, like a slow client: data from the server waits. */
  pause(): void {
    this.socket?.pause();
  }

  /** Resumes reading. */
  resume(): void {
    this.socket?.resume();
  }

  /**
   * @param method the method that the test called
   * @param begin starts what settles the wait
   */
  private wait<T>(
    what: string,
    options: WaitOptions,
    method: (...args: never[]) => unknown,
    begin: (wait: Wait<T>) => void,
  ): Promise<T> {
    const site = new CallSite(method);
    try {
      const timeout = timeoutOf(options, this.autoReplies.timeout);
      const wait = new Wait<T>(site, timeout, () => this.inVain(what, timeout));
      begin(wait);
      return wait.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private inVain(what: string, timeout: number): string {
    const why = this.socket?.isPaused() ? 'the client is paused: resume() it' : 'the connection is open';
    return `no ${what} came within ${timeout} ms; ${why}. The server's timers wait for clock.advance(ms)`;
  }

  private get refusal(): string {
    return `the handshake was refused with ${this.status}${this.body && `: ${this.body}`}`;
  }

  private connected(): Duplex {
    const { socket } = this;
    if (socket === undefined) throw new Error(this.refusal);
    if (!socket.writable) throw new Error('the connection is closed');
    return socket;
  }

  private sendFrame(opcode: number, payload: Uint8Array): void {
    this.connected().write(clientFrame({ opcode, payload }));
  }

  private sayClose(payload: Uint8Array): void {
    this.hasSaidClose = true;
    this.sendFrame(Opcode.Close, payload);
  }

  private listen(socket: MemorySocket): void {
    socket.on('data', (chunk: Buffer) => {
      for (const frame of this.reader.feed(chunk)) this.received(frame);
    });
    // The server closes the connection first (RFC 6455 section 7.1.1), cleanly or not.
    socket.on('end', () => socket.end());
    socket.on('error', () => {});
    socket.on('close', () => this.gone());
  }

  private received(frame: ServerFrame): void {
    const { opcode, fin, payload } = frame;
    this.frames.push(frame);
    if (opcode === Opcode.Ping) {
      const { answerPings = true } = this.autoReplies;
      if (answerPings && this.socket?.writable && !this.hasSaidClose) this.sendFrame(Opcode.Pong, payload);
    } else if (opcode === Opcode.Close) this.receivedClose(payload);
    else if (opcode < Opcode.Close) this.receivedData(opcode, fin, payload);
  }

  private receivedData(opcode: number, fin: boolean, payload: Buffer): void {
    if (opcode !== Opcode.Continuation) this.partsOpcode = opcode;
    // A copy, since the test may modify the frame.
    this.parts.push(ownCopy(payload, 0, payload.length));
    if (!fin) return;
    const joined = this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts);
    this.parts = [];
    this.messages.push(this.partsOpcode === Opcode.Text ? joined.toString() : ownCopy(joined, 0, joined.length));
  }

  private receivedClose(payload: Buffer): void {
    this.heard = parseClosePayload(payload);
    const { answerClose = true } = this.autoReplies;
    if (answerClose && !this.hasSaidClose && this.socket?.writable) this.sayClose(payload.subarray(0, 2));
  }

  private gone(): void {
    const { code, reason } = this.heard ?? { code: CloseCode.ABNORMAL_CLOSURE, reason: '' };
    const wasClean = this.heard !== undefined && this.hasSaidClose;
    const why =
      this.socket === undefined
        ? this.refusal
        : `the connection closed with ${code}${reason && `, "${reason}"`}: nothing more will come`;
    this.messages.end(why);
    this.frames.end(why);
    this.resolveClosed({ code, reason, wasClean });
  }
}
