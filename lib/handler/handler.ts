/**
 * `WebSocketHandler`: what users extend. One instance per connection; the hooks are called on it, and through it the user
 * writes, closes, and says how incoming data is to be read.
 *
 * It is long because it is one public class, and more than half of it documents that class; what its methods do is elsewhere.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { checkBoolean, checkNothing, checkOptions, nameOnly } from '../argument-checks.js';
import type { Connection } from '../connection/connection.js';
import type { HookName } from '../connection/hooks.js';
import { ReadyState } from '../connection/lifecycle.js';
import type { Version } from '../connection/negotiated.js';
import type { FileSource } from '../connection/outbound/file-job.js';
import { PreparedMessage } from '../connection/outbound/prepared-message.js';
import { checkDelimiter, type Delimiter, type MessageOf } from '../dispatch/delimiter.js';
import { READ_SETTINGS, type ReadSetting } from '../dispatch/read-settings.js';
import { beforeOpen, InvalidStateError, invalidArgument, invalidHandler, isA, type OverflowError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { checkCloseArguments } from '../framing/close-payload.js';
import { Opcode } from '../framing/opcode.js';
import { logError } from '../log.js';
import type { Endpoint } from '../streams/endpoint.js';
import { toDuplex } from '../streams/node-stream.js';
import { toWebStreams, type WebStreams } from '../streams/web-streams.js';
import { NetStruct } from '../struct/net-struct.js';
import { Struct } from '../struct/struct.js';
import { structOf } from '../struct/struct-cache.js';
import type { NetStructInputs, StructInputs } from '../struct/types.js';
import type {
  BackedBy,
  ConnectArgs,
  ContextOf,
  DelimiterOf,
  HandlerTypes,
  MessageIterator,
  ReadArgs,
} from './handler-arguments.js';
import type { Refusal, ResponseHeaders } from './options.js';
import type { PendingConnection } from './pending-connection.js';
import {
  bytesOf,
  CLOSE_OPTIONS,
  type CloseOptions,
  checkOpcode,
  checkWriteOptions,
  type Data,
  misplacedOption,
  NO_OPTIONS,
  opcodeOf,
  pingDataOf,
  preparedAlready,
  WRITE_FILE_OPTIONS,
  type WriteFileOptions,
  type WriteOptions,
} from './write-options.js';

/** @internal Friend of `WebSocketHandler`: gives a handler what it has until there is a connection. Only the handshake calls it. */
export let bindPending: (handler: WebSocketHandler, pending: PendingConnection) => void;

/** @internal Friend of `WebSocketHandler`: gives a handler its connection. Only the handshake calls it. */
export let bind: (handler: WebSocketHandler, connection: Connection) => void;

/**
 * @internal Friend of `WebSocketHandler`: the connection of a handler; undefined before the handshake is done. Throws a TypeError for
 * anything but a handler.
 */
export let connectionOf: (handler: unknown) => Connection | undefined;

/** @internal What the read settings are called in Pants. To assign one would do nothing, and say nothing. */
export const IN_PANTS: Readonly<Record<string, ReadSetting>> = {
  read_delimiter: 'readDelimiter',
  regex_search: 'regexSearch',
  buffer_size: 'bufferSize',
};

/**
 * Extend it, override the hooks you need, and give the class to `websocketRoute`. Each connection gets an instance of its own.
 *
 * Hooks may be asynchronous: nothing is read until `onConnect` has settled, and no `onRead` begins before the one before it
 * has settled. What a hook throws reaches `onError`.
 *
 * @example
 * class Echo extends WebSocketHandler {
 *   onConnect({ name }: { name: string }) {
 *     this.write(`Hello, ${name}!`);
 *   }
 *   onRead(data: string | Buffer) {
 *     this.write(data);
 *   }
 * }
 * app.use(websocketRoute('/ws/:name', Echo));
 */
export class WebSocketHandler<T extends HandlerTypes = HandlerTypes> {
  #connection: Connection | undefined = undefined;
  /** What it has before. */
  #pending: PendingConnection | undefined = undefined;

  /**
   * Yours: what `onHandshake` found out (who it is, what they may do), for the hooks that come after it. Assign it in
   * `onHandshake`; until then it is undefined, whatever its type.
   *
   * @example
   * class Private extends WebSocketHandler<{ context: { user: string } }> {
   *   onHandshake(request: Request) {
   *     this.context = { user: request.session.user };
   *     return true;
   *   }
   *   onConnect() {
   *     this.write(`Hello, ${this.context.user}!`);
   *   }
   * }
   */
  declare context: ContextOf<T>;

  /**
   * When incoming data reaches `onRead`; see `Delimiter`. May be changed at any time, also inside `onRead`: what is buffered
   * is dispatched anew. Default: the option of the route, or else `EntireMessage`.
   *
   * @throws TypeError for any other value
   */
  declare readDelimiter: Delimiter;
  /**
   * With a pattern as `readDelimiter`: true delivers what stands before each match, false wants the match at the beginning
   * and delivers the match itself, with its groups. Default true.
   */
  declare regexSearch: boolean;
  /**
   * The most bytes one unit of incoming data may have. A number or a struct as `readDelimiter` always fits. Default 65,536:
   * ample for messages, and ten thousand peers that fill it cost less than a gigabyte.
   *
   * @throws TypeError when it is no positive integer
   */
  declare bufferSize: number;
  /**
   * The address of the connection at this end, known from `onHandshake` on and kept when the connection has gone. Assign to
   * show another one, `delete` to restore it.
   */
  declare localAddress?: string | undefined;
  /**
   * The address of the peer, known from `onHandshake` on and kept when the connection has gone; behind a proxy that of the
   * proxy, unless you assign what Express knows. `delete` restores it.
   *
   * @example
   * onConnect(params, request) { this.remoteAddress = request.ip; }
   */
  declare remoteAddress?: string | undefined;

  static {
    bindPending = (handler, pending) => {
      handler.#pending = pending;
      passOnSettings(handler);
    };
    bind = (handler, connection) => {
      const pending = handler.#pending;
      handler.#connection = connection;
      handler.#pending = undefined;
      if (pending === undefined) passOnSettings(handler);
      else pending.handOver(connection);
    };
    connectionOf = (handler) => {
      if (typeof handler === 'object' && handler !== null && #connection in handler) return handler.#connection;
      throw invalidArgument(
        'a connection',
        handler,
        'it must be a WebSocketHandler; of a Map of them give its values()',
      );
    };
    // Not by `get` and `set` in the body of the class: a subclass sets them by fields, and TypeScript does not let a field override an
    // accessor (TS2610). So they are declared as fields, and defined here.
    for (const name of READ_SETTINGS) {
      Object.defineProperty(WebSocketHandler.prototype, name, {
        configurable: true,
        get(this: WebSocketHandler) {
          return (this.#connection?.dispatcher ?? this.#pending ?? inConstructor())[name];
        },
        set(this: WebSocketHandler, value: unknown) {
          const holder = this.#connection?.dispatcher ?? this.#pending;
          if (holder === undefined) define(this, name, value);
          else Reflect.set(holder, name, value);
        },
      });
    }
    for (const [name, right] of Object.entries(IN_PANTS)) {
      const refuse = (): never => {
        throw invalidHandler('handler member', name, `it is spelt ${right}`);
      };
      Object.defineProperty(WebSocketHandler.prototype, name, { configurable: true, get: refuse, set: refuse });
    }
    for (const name of ['localAddress', 'remoteAddress'] as const) {
      Object.defineProperty(WebSocketHandler.prototype, name, {
        configurable: true,
        get(this: WebSocketHandler) {
          return (this.#connection ?? this.#pending)?.negotiated[name];
        },
        set(this: WebSocketHandler, value: unknown) {
          define(this, name, value);
        },
      });
    }
  }

  // Hooks.

  /**
   * Called before the handshake is answered: the place to look at the request. `this.isSecure` and the addresses are known.
   *
   * @param _request the request, as the middleware before the route left it
   * @param _headers headers to send, on accepting as on refusing; empty at first
   * @returns true to accept, false (or any falsy value) to refuse with 403, or a refusal of your own; any other value is a
   *   mistake, answered with 500
   * @example
   * onHandshake(request: IncomingMessage, headers: ResponseHeaders) {
   *   headers['X-Served-By'] = hostname();
   *   return request.headers['x-pizza'] ? true : { status: 402, body: 'No pizza, no socket.' };
   * }
   */
  onHandshake(_request: IncomingMessage, _headers: ResponseHeaders): boolean | Refusal | Promise<boolean | Refusal> {
    return true;
  }

  /**
   * The connection is open. From a route: `(params, request)`; from `acceptWebSocket`: its extra arguments. The request is
   * forgotten after it: keep what you need of it, not the request.
   */
  onConnect(..._args: ConnectArgs<T>): unknown {
    return undefined;
  }

  /**
   * A unit of incoming data, as `readDelimiter` says. A struct gives each of its values as an argument. Bytes are in memory of their own:
   * keep, change or transfer them as you like.
   *
   * @example
   * onRead(data: Buffer) { worker.postMessage(data, [data.buffer]); }
   */
  onRead(..._data: ReadArgs<T>): unknown {
    return undefined;
  }

  /** All that you wrote has been handed to the operating system. */
  onWrite(): unknown {
    return undefined;
  }

  /**
   * The peer has answered a `ping`.
   *
   * @param _answer the round-trip time in milliseconds, or the data, if the ping had any
   */
  onPong(_answer: number | Buffer): unknown {
    return undefined;
  }

  /**
   * The connection is gone. Called once, after the last `onRead` has settled.
   *
   * @param _code the peer's close code, or the one this end failed the connection with; 1005: it gave none; 1006: there was
   *   no close frame
   * @param _reason the text that came with it
   * @param _wasClean whether both ends said goodbye
   */
  onClose(_code: number, _reason: string, _wasClean: boolean): unknown {
    return undefined;
  }

  /**
   * A unit exceeds `bufferSize`. Raise it, set another `readDelimiter`, or close; if the unit is still too large then, the
   * connection closes with 1009. By default logs one line, once a minute, and closes with 1009.
   */
  onOverflowError(error: OverflowError): unknown {
    this.#log('onOverflowError', error);
    const rule =
      error.option === 'bufferSize' ? `at most ${error.limit} bytes` : `maxDelimiterLength is ${error.limit}`;
    this.close(CloseCode.MESSAGE_TOO_BIG, rule);
    return undefined;
  }

  /**
   * A hook threw, or the promise it returned was rejected. By default logs the error with the route, twenty times a minute if it
   * comes from one place, and closes with 1011.
   *
   * @param _hook which one
   */
  onError(error: unknown, hook: HookName): unknown {
    this.#log(hook, error);
    if (hook !== 'onHandshake') this.close(CloseCode.INTERNAL_ERROR);
    return undefined;
  }

  // Methods.

  /**
   * Sends a message: a string as text, bytes as binary data, what `prepare` made as it is. What one turn of the event loop
   * writes leaves together, in order. Bytes over 8 KiB are not copied: leave them as they are, and do not
   * transfer them, until they have been sent.
   *
   * @returns false when more than `highWaterMark` bytes are buffered: wait for `drained()` before you write on; also when it
   *   was not sent, because of `maxBufferedAmount`, or because the connection is closing
   * @throws InvalidStateError before the connection is open, and once `onClose` was called; TypeError for anything but a string
   *   or bytes, for a string together with `opcode`, for bytes that are not UTF-8 with `opcode: Opcode.Text`, and for
   *   options that it does not have
   * @example
   * if (!this.write(chunk)) await this.drained();
   */
  write(data: Data | PreparedMessage, options?: WriteOptions): boolean;
  write(data: Data | PreparedMessage, options: WriteOptions = NO_OPTIONS, misplaced?: unknown): boolean {
    if (options !== NO_OPTIONS) checkWriteOptions(options);
    if (misplaced !== undefined) throw misplacedOption(misplaced);
    const { flush = false, compress = true } = options;
    const opcode = opcodeOf(options);
    if (opcode === undefined) {
      if (typeof data === 'string') return this.#open('write').writeText(data, flush, compress);
      if (data instanceof PreparedMessage) return this.#open('write').writePrepared(data, flush, compress);
      const bytes = bytesOf(data);
      return this.#open('write').writeBytes(Opcode.Binary, bytes, flush, compress);
    }
    if (data instanceof PreparedMessage) throw preparedAlready('write', opcode);
    const bytes = bytesOf(data);
    const kind = opcode ?? Opcode.Binary;
    checkOpcode(kind, bytes);
    return this.#open('write').writeBytes(kind, bytes, flush, compress);
  }

  /**
   * Sends a file as one binary frame, streamed in constant memory however slowly the peer reads. What is written meanwhile
   * waits behind it, so that a pong or a close does, too.
   *
   * @param source a path, or an open file, which stays open
   * @returns fulfilled when the file has been sent. Rejected with a `FileError` when it is shorter than was asked for (then
   *   nothing was sent) or shrinks while it is sent (then the connection is gone: its frame cannot be completed), with the
   *   error of the file system, with an `InvalidStateError` when the connection is not open or goes away, or with a `TypeError`
   *   for an argument or an option that it does not take. A rejection that nobody waits for does not end the process
   * @example
   * await this.writeFile('/srv/maps/ada.bin', { offset: 512 });
   */
  writeFile(source: FileSource, options?: WriteFileOptions): Promise<void>;
  writeFile(source: FileSource, options: WriteFileOptions = NO_OPTIONS, misplaced?: unknown): Promise<void> {
    return uncaught(this.#sendFile(source, options, misplaced));
  }

  /**
   * Sends values packed by the current `readDelimiter`, which must be a `Struct` or `NetStruct`, as a binary message.
   *
   * @returns as `write`
   * @throws StructError when the values do not fit; TypeError when `readDelimiter` is no struct; InvalidStateError as `write`
   * @example
   * this.readDelimiter = new Struct('!IH');
   * this.writePacked(sequence, temperature);
   */
  writePacked(...values: StructInputs<string>): boolean {
    const struct = this.readDelimiter;
    if (!(struct instanceof Struct || struct instanceof NetStruct)) {
      throw invalidArgument(
        'readDelimiter',
        struct,
        'writePacked packs by it, so it must be a Struct or NetStruct; writePackedAs takes a format',
      );
    }
    return this.write(struct.pack(...values));
  }

  /**
   * Sends values packed by `format`, as a binary message.
   *
   * @returns as `write`
   * @throws StructError when the format is malformed or the values do not fit; InvalidStateError as `write`
   * @example
   * this.writePackedAs('!IH', 7, 4242);
   */
  writePackedAs<const F extends string>(format: F | Struct<F>, ...values: StructInputs<F>): boolean;
  writePackedAs<const F extends string>(format: NetStruct<F>, ...values: NetStructInputs<F>): boolean;
  writePackedAs(format: string | Struct | NetStruct, ...values: StructInputs<string>): boolean {
    const struct = structOf(format);
    return this.write(struct.pack(...values));
  }

  /**
   * Sends a ping. When the peer answers, `onPong` gets the round-trip time in milliseconds, or `data` if there was any.
   *
   * @param data at most 125 bytes (RFC 6455 section 5.5); a string is sent as UTF-8
   * @returns as `write`
   * @throws InvalidStateError as `write`, and on a draft-76 connection, which has no pings; TypeError for other data
   */
  ping(data?: Data): boolean;
  ping(data?: Data, misplaced?: unknown): boolean {
    if (misplaced !== undefined) {
      throw invalidArgument(
        'the second argument of ping()',
        nameOnly(misplaced),
        'it takes data only: onPong gets the answer',
      );
    }
    const payload = pingDataOf(data);
    return this.#open('ping').sendPing(payload);
  }

  /**
   * Sends at once what was written, instead of at the end of this turn of the event loop.
   *
   * @returns false when the connection is closing: then what was written before leaves by itself
   * @throws InvalidStateError as `write`
   */
  flush(): boolean;
  flush(misplaced?: unknown): boolean {
    checkNothing('flush', misplaced, 'to send data at once, write(data, { flush: true })');
    return this.#open('flush').flush();
  }

  /**
   * Waits until all that was written has been handed to the operating system.
   *
   * @returns rejected with an `InvalidStateError` when the connection is closing or goes away, so that a loop which writes ends
   */
  drained(): Promise<void>;
  drained(misplaced?: unknown): Promise<void> {
    checkNothing('drained', misplaced, 'to wait no longer than that, use Promise.race()');
    if (this.#pending !== undefined) return uncaught(Promise.reject(beforeOpen('drained')));
    return uncaught(this.#open('drained').drained());
  }

  /**
   * Takes the place of `onRead`: what it would get comes out here, one by one, when it is asked for. Reading waits while
   * nobody asks, so that TCP holds the peer back. Several arguments of `onRead` (the values of a struct) are one array here.
   * It ends when the connection does. Whoever leaves the loop before gives what comes later to `onRead` again.
   *
   * A hook may read it and be pending meanwhile: that does not hold up what it reads.
   *
   * @param readDelimiter becomes the `readDelimiter`, and gives what comes out its type. Default: the one that is set, with the
   *   type that the handler declares
   * @throws InvalidStateError before the handshake is done, and while another reader has not left; TypeError as `readDelimiter`
   * @example
   * async onConnect() {
   *   for await (const line of this.messages('\n')) this.write(await translate(line));
   * }
   */
  messages<const D extends Delimiter = DelimiterOf<T>>(
    ...[readDelimiter]: BackedBy<DelimiterOf<T>, D>
  ): MessageIterator<MessageOf<D>> {
    if (readDelimiter !== undefined) checkDelimiter(readDelimiter);
    const messages = this.#open('messages').messages();
    if (readDelimiter !== undefined) this.readDelimiter = readDelimiter;
    // Each delimiter has a reader that makes what `MessageOf` says.
    return messages as MessageIterator<MessageOf<D>>;
  }

  /**
   * The connection as a pair of web streams, which keep the boundaries of messages: each chunk is what `messages()` would
   * give, or what `write` takes. Both exert backpressure. The readable closes with the connection; to cancel it, and to close
   * or abort the writable, closes the connection.
   *
   * @param readDelimiter as for `messages`
   * @throws InvalidStateError, TypeError as `messages`
   * @example
   * const { readable, writable } = this.toWebStreams();
   * await readable.pipeThrough(new Uppercase()).pipeTo(writable);
   */
  toWebStreams<const D extends Delimiter = DelimiterOf<T>>(
    ...readDelimiter: BackedBy<DelimiterOf<T>, D>
  ): WebStreams<MessageOf<D>, Data> {
    return toWebStreams(this.#endpoint<D>(...readDelimiter));
  }

  /**
   * The connection as a Node stream in object mode, which keeps the boundaries of messages; otherwise as `toWebStreams`. To
   * destroy it closes the connection, with 1011 if there is an error.
   *
   * @throws InvalidStateError as `messages`
   * @example
   * await pipeline(this.toDuplex(), async function* (lines) { for await (const line of lines) yield reverse(line); }, …);
   */
  toDuplex(): Duplex;
  toDuplex(misplaced?: unknown): Duplex {
    checkNothing('toDuplex', misplaced, 'it is in object mode, one object a message, and nothing is read ahead');
    return toDuplex(this.#endpoint<DelimiterOf<T>>());
  }

  /**
   * Sends what was written, then a close frame, and waits for the peer's (RFC 6455 section 7.1.2). Nothing more reaches
   * `onRead`. Does nothing on a connection that is closing or closed.
   *
   * @param code 1000 to 1003, 1007 to 1014, or 3000 to 4999, of which 4000 to 4999 are yours. Default 1000, a normal closure
   * @param reason at most 123 bytes of UTF-8
   * @throws TypeError for another code or a longer reason; InvalidStateError before the handshake is done
   */
  close(code: number = CloseCode.NORMAL_CLOSURE, reason = '', options: CloseOptions = NO_OPTIONS): void {
    checkCloseArguments(code, reason);
    checkOptions('close', options, CLOSE_OPTIONS, '{ flush: false }');
    const { flush = true } = options;
    checkBoolean('close flush', flush);
    if (flush) this.#open('close').close(code, reason);
    else this.#open('terminate').terminate();
  }

  /** Ends the connection at once. What was not sent is lost; the peer sees 1006. */
  terminate(): void;
  terminate(misplaced?: unknown): void {
    checkNothing('terminate', misplaced, 'it sends no close frame; close(code, reason) does');
    this.#open('terminate').terminate();
  }

  // What is known of the connection.

  /**
   * Where the connection stands, as of the WHATWG's `WebSocket`: `ReadyState.CONNECTING` until `onConnect`, `OPEN`, `CLOSING`,
   * `CLOSED`. What is written while it is `CLOSING` is not sent.
   *
   * @example
   * const isHere = members.some(({ readyState }) => readyState === ReadyState.OPEN);
   */
  get readyState(): ReadyState {
    return this.#connection?.readyState ?? ReadyState.CONNECTING;
  }

  /** Bytes that were written and that the operating system has not taken yet. */
  get bufferedAmount(): number {
    return this.#known.bufferedAmount;
  }

  /** Messages that were dropped because more than `maxBufferedAmount` bytes were waiting; see the option `slowConsumer`. */
  get dropped(): number {
    return this.#known.dropped;
  }

  /**
   * Aborted when the connection has gone: for work that is of no use then. What is rejected for its reason, an
   * `InvalidStateError`, is no error of the hook that waited for it.
   *
   * @example
   * const answer = await fetch(url, { signal: AbortSignal.any([this.signal, AbortSignal.timeout(5_000)]) });
   */
  get signal(): AbortSignal {
    return this.#known.signal;
  }

  /** Whether the request came over TLS; behind a proxy, what Express's `trust proxy` makes of it. */
  get isSecure(): boolean {
    return this.#known.negotiated.isSecure;
  }

  /** The protocol version of the handshake: 13 (RFC 6455), 8 (a draft of the same), or 0 (draft-76). */
  get version(): Version {
    return this.#known.negotiated.version;
  }

  /** The subprotocol that was agreed on, or an empty string. */
  get subprotocol(): string {
    return this.#known.negotiated.subprotocol;
  }

  /**
   * The extension that was agreed on, with its parameters, as the response names it, or an empty string. From `onHandshake` on.
   *
   * @example
   * this.extensions; // 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
   */
  get extensions(): string {
    return this.#known.negotiated.extensions;
  }

  /** @param method for the error that is thrown before the handshake is done */
  #open(method: string): Connection {
    if (this.#connection !== undefined) return this.#connection;
    if (this.#pending === undefined) inConstructor();
    throw beforeOpen(method);
  }

  /** The connection, or what it has until there is one. */
  get #known(): Connection | PendingConnection {
    return this.#connection ?? this.#pending ?? inConstructor();
  }

  #endpoint<const D extends Delimiter>(...readDelimiter: BackedBy<DelimiterOf<T>, D>): Endpoint<MessageOf<D>, Data> {
    const connection = this.#known;
    return {
      messages: () => this.messages<D>(...readDelimiter),
      get dropped() {
        return connection.dropped;
      },
      write: (data) => this.write(data),
      drained: () => this.drained(),
      // A stream that ends when its connection has ended has nothing left to close.
      close: (code) => this.close(code),
      unheard: (error) => {
        // A client that leaves is no mistake of whoever writes to it.
        if (!isA(error, InvalidStateError)) this.#log('a stream', error);
      },
    };
  }

  async #sendFile(source: FileSource, options: WriteFileOptions, misplaced: unknown): Promise<void> {
    checkOptions('writeFile', options, WRITE_FILE_OPTIONS, '{ length: 1000, offset: 0 }');
    if (misplaced !== undefined) {
      const rule = 'options are one object, { length, offset, flush }; the promise tells when the file has been sent';
      throw invalidArgument('the third argument of writeFile()', nameOnly(misplaced), rule);
    }
    const { flush = false } = options;
    checkBoolean('writeFile flush', flush);
    await this.#open('writeFile').writeFile(source, options, flush);
  }

  #log(hook: string, error: unknown): void {
    const settings = (this.#connection ?? this.#pending)?.settings;
    logError(`${hook} of ${settings?.name ?? 'a handler'}`, error, settings?.log);
  }
}

/** What was set where there was nothing to set it on yet, as a class field or in the constructor. */
function passOnSettings(handler: WebSocketHandler): void {
  for (const name of READ_SETTINGS) {
    if (!Object.hasOwn(handler, name)) continue;
    // It stands on the instance and hides the accessor.
    const value: unknown = handler[name];
    Reflect.deleteProperty(handler, name);
    Reflect.set(handler, name, value);
  }
}

/** @throws InvalidStateError */
function inConstructor(): never {
  throw new InvalidStateError('a handler has no connection before onHandshake: the constructor is too early');
}

/** The promise as it is; but a peer that goes away must not end the process of a user who does not catch its rejection. */
function uncaught(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}

/** An own property, which hides the accessor of the prototype until it is deleted. */
function define(handler: WebSocketHandler, name: string, value: unknown): void {
  Object.defineProperty(handler, name, { value, writable: true, enumerable: true, configurable: true });
}
