/** A client in memory: what a test sends by it, and what it gets. */
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

/** How a connection ended, as a browser's `close` event has it. */
export interface Closed {
  /** The code of the server's close frame; 1005: it had none; 1006: there was no close frame, or no connection. */
  code: number;
  reason: string;
  /** Whether both ends have sent a close frame. */
  wasClean: boolean;
}

/** How the handshake was answered. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface AutoReplies {
  /** Whether pings are answered, as browsers do by themselves. Default true. */
  answerPings?: boolean | undefined;
  /** Whether the server's close frame is answered. Default true. */
  answerClose?: boolean | undefined;
  /**
   * How many milliseconds of real time each wait may take: for the answer to the handshake, a message, a frame, the end; 0 for any
   * number. Default 2,000: in memory an answer takes a few, and test runners give up after 5,000, without a word about the line.
   */
  timeout?: number | undefined;
}

/**
 * The client's end of a WebSocket, or the refusal of one: then `status` is not 101, `send` throws and `next` rejects.
 *
 * @example
 * const client = await connect(app, '/ws/ada');
 * client.send('hi');
 * expect(await client.next()).toBe('hi');
 * client.close();
 * expect(await client.closed).toEqual({ code: 1000, reason: '', wasClean: true });
 */
export class TestClient implements Answer, AsyncIterable<string | Buffer> {
  /** 101 where the handshake was accepted. */
  readonly status: number;
  /** By their names in lower case, as Node has them; `set-cookie` is an array. */
  readonly headers: IncomingHttpHeaders;
  /** Of a refusal; of a 101 it is empty. */
  readonly body: string;
  /** The connection's own time: heartbeats, timeouts and rates pass only as it is advanced. */
  readonly clock: TestClock;
  /** Fulfilled when the connection has gone, or at once where the handshake was refused. Never rejected. */
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

  /** @internal Made by `connect`. */
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

  /** The subprotocol that was agreed on, or an empty string. */
  get subprotocol(): string {
    return this.status === 101 ? String(this.headers['sec-websocket-protocol'] ?? '') : '';
  }

  /**
   * Sends a message: a string as text, bytes as binary data.
   *
   * @throws TypeError for anything else; Error where there is no connection (any more)
   */
  send(data: string | ArrayBufferView | ArrayBuffer): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : asBytes(data);
    if (bytes === undefined) throw invalidArgument('data', data, 'it must be a string, a Buffer or another view');
    this.sendFrame(typeof data === 'string' ? Opcode.Text : Opcode.Binary, bytes);
  }

  /**
   * Sends a ping. The answer comes as a frame: see `nextFrame`.
   *
   * @throws TypeError for anything but a string or bytes, and for more than 125 bytes: `sendRaw` sends those
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
   * Raw mode: sends these bytes as they are. `clientFrame` makes frames, well formed or not.
   *
   * @throws TypeError for anything but bytes; Error where there is no connection (any more)
   */
  sendRaw(bytes: Uint8Array): void {
    this.connected().write(Buffer.from(checkBytes('bytes', bytes)));
  }

  /**
   * The next message, a string or a `Buffer`, that has come and was not taken.
   *
   * @returns rejected when none comes in time, and when the connection is gone and nothing is left, with the stack of the line that
   *   waits; where nobody catches that, the process goes on
   * @throws TypeError (rejects) for an unknown option, or a timeout that is no integer from 0 on
   * @example
   * expect(await client.next({ timeout: 200 })).toBe('hi');
   */
  next(options: WaitOptions = {}): Promise<string | Buffer> {
    return this.wait('message', options, this.next, (wait) => this.messages.give(wait));
  }

  /** Messages one by one, until the connection is gone. Each is waited for as by `next`. */
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
   * Every frame of the server, one by one: those of messages, which `next` gives, too, and pings, pongs and close frames.
   *
   * @returns as `next`
   */
  nextFrame(options: WaitOptions = {}): Promise<ServerFrame> {
    return this.wait('frame', options, this.nextFrame, (wait) => this.frames.give(wait));
  }

  /**
   * Waits for the end of the connection, as `closed` does, and not for ever.
   *
   * @returns rejected, as `next`, when the connection is not gone in time
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

  /** Vanishes, as a client does that crashes: without a close frame. */
  terminate(): void {
    this.socket?.resetAndDestroy();
  }

  /** Stops reading: what the server writes waits there, as for a client that is slow. */
  pause(): void {
    this.socket?.pause();
  }

  /** Reads on. */
  resume(): void {
    this.socket?.resume();
  }

  /**
   * @param method the one that the test has called
   * @param begin has the wait settled
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
    return `no ${what} came within ${timeout} ms; ${why}. What the server times waits for clock.advance(ms)`;
  }

  private get refusal(): string {
    return `the handshake was refused with ${this.status}${this.body && `: ${this.body}`}`;
  }

  private connected(): Duplex {
    const { socket } = this;
    if (socket === undefined) throw new Error(this.refusal);
    if (!socket.writable) throw new Error('the connection is gone');
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
    // The server closes the connection first (RFC 6455 section 7.1.1), in one way or another.
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
    // The frame is the test's, which may do with it as it likes.
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
        : `the connection is gone, with ${code}${reason && `, "${reason}"`}: nothing more will come`;
    this.messages.end(why);
    this.frames.end(why);
    this.resolveClosed({ code, reason, wasClean });
  }
}
