/**
 * `WebSocketHandler`, the class that users extend. Each connection has an instance. The library calls the hooks on
 * it; the user writes, closes and chooses how to read through it.
 *
 * This file has more than 300 lines because it documents one public class. The methods only check their arguments and
 * delegate.
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
import type { Refusal, ResponseHeaders } from './options/options.js';
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

/** @internal Friend of `WebSocketHandler`: attaches the pending connection. Called by the handshake only. */
export let bindPending: (handler: WebSocketHandler, pending: PendingConnection) => void;

/** @internal Friend of `WebSocketHandler`: attaches the connection. Called by the handshake only. */
export let bind: (handler: WebSocketHandler, connection: Connection) => void;

/**
 * @internal Friend of `WebSocketHandler`: returns the connection of a handler, or undefined before the handshake
 *   completes. Throws a TypeError for anything but a handler.
 */
export let connectionOf: (handler: unknown) => Connection | undefined;

/**
 * @internal The names of the read settings in Pants. Assigning one would silently do nothing, so it throws instead.
 */
export const IN_PANTS: Readonly<Record<string, ReadSetting>> = {
  read_delimiter: 'readDelimiter',
  regex_search: 'regexSearch',
  buffer_size: 'bufferSize',
};

/**
 * Base class for WebSocket handlers. Extend it, override the hooks you need, and pass the class to `websocketRoute`.
 * Each connection gets its own instance.
 *
 * Hooks may be async: reading starts after `onConnect` has settled, and each `onRead` call starts after the previous
 * one has settled. Errors thrown by a hook go to `onError`.
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
  /** Stands in until the connection exists. */
  #pending: PendingConnection | undefined = undefined;

  /**
   * Your own data, set in `onHandshake` (such as the authenticated user) and available in every later hook. Undefined
   * until you assign it, whatever its declared type.
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
   * Decides what each `onRead` call receives; see `Delimiter`. You may change it at any time, including inside
   * `onRead`: buffered data is then split again. Default: the option of the route, or else `EntireMessage`.
   *
   * @throws TypeError for any other value
   */
  declare readDelimiter: Delimiter;
  /**
   * With a pattern as `readDelimiter`: true delivers the data before each match; false requires the match at the
   * start of the data and delivers the match itself, with its groups. Default true.
   */
  declare regexSearch: boolean;
  /**
   * Maximum size of one unit of incoming data, in bytes. A number or a struct as `readDelimiter` always fits. Default
   * 65,536: ample for messages, and ten thousand peers that fill it cost less than a gigabyte.
   *
   * @throws TypeError unless it is a positive integer
   */
  declare bufferSize: number;
  /**
   * The local address of the connection. Available from `onHandshake` on, and still after the connection has closed.
   * Assign to override it; `delete` restores it.
   */
  declare localAddress?: string | undefined;
  /**
   * The address of the peer. Available from `onHandshake` on, and still after the connection has closed. Behind a
   * proxy this is the address of the proxy, unless you assign the one that Express determined. `delete` restores it.
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
        'it must be a WebSocketHandler; for a Map of handlers, pass its values()',
      );
    };
    // Defined here rather than with `get` and `set` in the class body: subclasses set these as fields, and TypeScript
    // does not let a field override an accessor (TS2610).
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
        throw invalidHandler('handler member', name, `the correct spelling is ${right}`);
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
   * Called before the handshake is answered. Inspect the request here and accept or refuse it. `this.isSecure` and
   * the addresses are available.
   *
   * @param _request the request, as left by the middleware before the route
   * @param _headers response headers to send, whether you accept or refuse; initially empty
   * @returns true to accept, false (or any falsy value) to refuse with 403, or a `Refusal` of your own. Any other
   *   value is a programming error and is answered with 500
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
   * Called when the connection is open. Receives `(params, request)` from a route, or the extra arguments of
   * `acceptWebSocket`. The library releases the request afterwards: copy what you need rather than keeping it.
   */
  onConnect(..._args: ConnectArgs<T>): unknown {
    return undefined;
  }

  /**
   * Called with each unit of incoming data, as defined by `readDelimiter`. A struct passes each of its values as an
   * argument. Bytes have their own memory: you may keep, modify or transfer them.
   *
   * @example
   * onRead(data: Buffer) { worker.postMessage(data, [data.buffer]); }
   */
  onRead(..._data: ReadArgs<T>): unknown {
    return undefined;
  }

  /** Called when everything you wrote has been handed to the operating system. */
  onWrite(): unknown {
    return undefined;
  }

  /**
   * Called when the peer answers a `ping`.
   *
   * @param _answer the round-trip time in milliseconds, or the ping's data if it had any
   */
  onPong(_answer: number | Buffer): unknown {
    return undefined;
  }

  /**
   * Called once when the connection has closed, after the last `onRead` has settled.
   *
   * @param _code the peer's close code, or the code with which this end failed the connection; 1005 if the peer's
   *   close frame had no code; 1006 if there was no close frame
   * @param _reason the close reason
   * @param _wasClean whether both ends sent a close frame
   */
  onClose(_code: number, _reason: string, _wasClean: boolean): unknown {
    return undefined;
  }

  /**
   * Called when a unit exceeds `bufferSize`. Raise the limit, set another `readDelimiter`, or close. If the unit is
   * still too large afterwards, the connection closes with 1009. The default implementation closes with 1009 and logs
   * one line, at most once a minute.
   */
  onOverflowError(error: OverflowError): unknown {
    this.#log('onOverflowError', error);
    const rule =
      error.option === 'bufferSize' ? `at most ${error.limit} bytes` : `maxDelimiterLength is ${error.limit}`;
    this.close(CloseCode.MESSAGE_TOO_BIG, rule);
    return undefined;
  }

  /**
   * Called when a hook throws, or when the promise it returned rejects. The default implementation closes with 1011
   * and logs the error with the name of the route, at most twenty times a minute for errors from the same place.
   *
   * @param _hook the name of the hook that failed
   */
  onError(error: unknown, hook: HookName): unknown {
    this.#log(hook, error);
    if (hook !== 'onHandshake') this.close(CloseCode.INTERNAL_ERROR);
    return undefined;
  }

  // Methods.

  /**
   * Sends a message: a string as text, bytes as binary data, a `prepare`d message as it is. Messages written in one
   * turn of the event loop are sent together, in order. Byte arrays over 8 KiB are not copied: do not modify or
   * transfer them until they have been sent.
   *
   * @returns false when more than `highWaterMark` bytes are buffered: wait for `drained()` before you write more.
   *   Also false when the message was not sent, because of `maxBufferedAmount` or because the connection is closing
   * @throws InvalidStateError before the connection is open and after `onClose` was called; TypeError for anything
   *   but a string or bytes, for a string together with `opcode`, for bytes that are not UTF-8 with `opcode:
   *   Opcode.Text`, and for unknown options
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
   * Sends a file as one binary frame, streamed in constant memory however slowly the peer reads. Everything written
   * meanwhile waits behind it, including pongs and close frames.
   *
   * @param source a path, or an open file, which stays open
   * @returns resolves when the file has been sent. Rejects with a `FileError` if the file is shorter than requested
   *   (nothing is sent) or shrinks while being sent (the connection is closed, since the frame cannot be completed);
   *   with the error of the file system; with an `InvalidStateError` if the connection is not open or closes; or with
   *   a `TypeError` for an invalid argument or option. An unhandled rejection does not end the process
   * @example
   * await this.writeFile('/srv/maps/ada.bin', { offset: 512 });
   */
  writeFile(source: FileSource, options?: WriteFileOptions): Promise<void>;
  writeFile(source: FileSource, options: WriteFileOptions = NO_OPTIONS, misplaced?: unknown): Promise<void> {
    return uncaught(this.#sendFile(source, options, misplaced));
  }

  /**
   * Packs values with the current `readDelimiter`, which must be a `Struct` or `NetStruct`, and sends them as a
   * binary message.
   *
   * @returns as `write`
   * @throws StructError when the values do not fit; TypeError when `readDelimiter` is not a struct; InvalidStateError
   *   as `write`
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
        'for writePacked it must be a Struct or NetStruct; writePackedAs takes a format',
      );
    }
    return this.write(struct.pack(...values));
  }

  /**
   * Packs values with `format` and sends them as a binary message.
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
   * Sends a ping. When the peer answers, `onPong` receives the round-trip time in milliseconds, or `data` if you
   * passed any.
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
   * Sends everything written so far immediately, instead of at the end of this turn of the event loop.
   *
   * @returns false when the connection is closing: data written before then is sent without it
   * @throws InvalidStateError as `write`
   */
  flush(): boolean;
  flush(misplaced?: unknown): boolean {
    checkNothing('flush', misplaced, 'to send data at once, write(data, { flush: true })');
    return this.#open('flush').flush();
  }

  /**
   * Waits until everything written has been handed to the operating system.
   *
   * @returns rejects with an `InvalidStateError` when the connection is closing or closes meanwhile, so that a loop
   *   of writes ends
   */
  drained(): Promise<void>;
  drained(misplaced?: unknown): Promise<void> {
    checkNothing('drained', misplaced, 'to wait no longer than that, use Promise.race()');
    if (this.#pending !== undefined) return uncaught(Promise.reject(beforeOpen('drained')));
    return uncaught(this.#open('drained').drained());
  }

  /**
   * Returns an async iterator over incoming units; while it is in use `onRead` is not called. It reads only on
   * demand, so TCP holds the peer back while the loop is busy. Multiple arguments of `onRead` (the values of a
   * struct) become one array. The iterator ends when the connection does. Leaving the loop early hands later units
   * back to `onRead`.
   *
   * A hook may stay pending while it reads from the iterator: that does not block reading.
   *
   * @param readDelimiter becomes the `readDelimiter` and determines the type of the units. Default: the current one,
   *   with the type that the handler declares
   * @throws InvalidStateError before the handshake completes, and while another reader is active; TypeError as
   *   `readDelimiter`
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
    // Each delimiter has a reader that produces what `MessageOf` declares.
    return messages as MessageIterator<MessageOf<D>>;
  }

  /**
   * Returns the connection as a pair of web streams that preserve message boundaries: each chunk read is a unit as
   * from `messages()`, and each chunk written is data for `write`. Both apply backpressure. The readable closes with
   * the connection. Cancelling the readable, or closing or aborting the writable, closes the connection.
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
   * Returns the connection as a Node stream in object mode that preserves message boundaries; otherwise as
   * `toWebStreams`. Destroying the stream closes the connection, with 1011 if there is an error.
   *
   * @throws InvalidStateError as `messages`
   * @example
   * const reverseEach = async function* (lines) { for await (const line of lines) yield reverse(line); };
   * await pipeline(this.toDuplex(), reverseEach, …);
   */
  toDuplex(): Duplex;
  toDuplex(misplaced?: unknown): Duplex {
    checkNothing('toDuplex', misplaced, 'it is in object mode, one object a message, and nothing is read ahead');
    return toDuplex(this.#endpoint<DelimiterOf<T>>());
  }

  /**
   * Sends everything written so far, then a close frame, and waits for the peer's close frame (RFC 6455 section
   * 7.1.2). `onRead` is not called again. Does nothing if the connection is already closing or closed.
   *
   * @param code 1000 to 1003, 1007 to 1014, or 3000 to 4999; 4000 to 4999 are free for applications. Default 1000, a
   *   normal closure
   * @param reason at most 123 bytes of UTF-8
   * @throws TypeError for another code or a longer reason; InvalidStateError before the handshake completes
   */
  close(code: number = CloseCode.NORMAL_CLOSURE, reason = '', options: CloseOptions = NO_OPTIONS): void {
    checkCloseArguments(code, reason);
    checkOptions('close', options, CLOSE_OPTIONS, '{ flush: false }');
    const { flush = true } = options;
    checkBoolean('close flush', flush);
    if (flush) this.#open('close').close(code, reason);
    else this.#open('terminate').terminate();
  }

  /** Ends the connection immediately. Unsent data is lost, and the peer sees 1006. */
  terminate(): void;
  terminate(misplaced?: unknown): void {
    checkNothing('terminate', misplaced, 'it sends no close frame; close(code, reason) does');
    this.#open('terminate').terminate();
  }

  // Properties of the connection.

  /**
   * The state of the connection, as in the WHATWG's `WebSocket`: `ReadyState.CONNECTING` until `onConnect`, then
   * `OPEN`, `CLOSING`, `CLOSED`. Data written while `CLOSING` is not sent.
   *
   * @example
   * const isHere = members.some(({ readyState }) => readyState === ReadyState.OPEN);
   */
  get readyState(): ReadyState {
    return this.#connection?.readyState ?? ReadyState.CONNECTING;
  }

  /** Bytes written but not yet accepted by the operating system. */
  get bufferedAmount(): number {
    return this.#known.bufferedAmount;
  }

  /**
   * Number of messages dropped because more than `maxBufferedAmount` bytes were waiting; see the option
   * `slowConsumer`.
   */
  get dropped(): number {
    return this.#known.dropped;
  }

  /**
   * Aborts when the connection closes. Pass it to work that should stop then. Rejections it causes (with its reason,
   * an `InvalidStateError`) are not reported to `onError`.
   *
   * @example
   * const answer = await fetch(url, { signal: AbortSignal.any([this.signal, AbortSignal.timeout(5_000)]) });
   */
  get signal(): AbortSignal {
    return this.#known.signal;
  }

  /** Whether the request came over TLS; behind a proxy, as determined by Express's `trust proxy`. */
  get isSecure(): boolean {
    return this.#known.negotiated.isSecure;
  }

  /** The protocol version of the handshake: 13 (RFC 6455), 8 (a draft of the same), or 0 (draft-76). */
  get version(): Version {
    return this.#known.negotiated.version;
  }

  /** The negotiated subprotocol, or an empty string. */
  get subprotocol(): string {
    return this.#known.negotiated.subprotocol;
  }

  /**
   * The negotiated extension with its parameters, as the response names it, or an empty string. Available from
   * `onHandshake` on.
   *
   * @example
   * this.extensions; // 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
   */
  get extensions(): string {
    return this.#known.negotiated.extensions;
  }

  /** @param method named in the error that is thrown before the handshake completes */
  #open(method: string): Connection {
    if (this.#connection !== undefined) return this.#connection;
    if (this.#pending === undefined) inConstructor();
    throw beforeOpen(method);
  }

  /** The connection, or its stand-in during the handshake. */
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
      // The stream of a closed connection ends by itself; there is nothing left to close.
      close: (code) => this.close(code),
      unheard: (error) => {
        // A client that disconnects is not an error of the code that writes to it.
        if (!isA(error, InvalidStateError)) this.#log('a stream', error);
      },
    };
  }

  async #sendFile(source: FileSource, options: WriteFileOptions, misplaced: unknown): Promise<void> {
    checkOptions('writeFile', options, WRITE_FILE_OPTIONS, '{ length: 1000, offset: 0 }');
    if (misplaced !== undefined) {
      const rule =
        'options are one object, { length, offset, flush }; the promise resolves when the file has been sent';
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

/** Applies the settings made before there was a connection, in a class field or in the constructor. */
function passOnSettings(handler: WebSocketHandler): void {
  for (const name of READ_SETTINGS) {
    if (!Object.hasOwn(handler, name)) continue;
    // An own property would hide the accessor.
    const value: unknown = handler[name];
    Reflect.deleteProperty(handler, name);
    Reflect.set(handler, name, value);
  }
}

/** @throws InvalidStateError */
function inConstructor(): never {
  throw new InvalidStateError('a handler has no connection before onHandshake: the constructor is too early');
}

/**
 * Returns the promise unchanged, but a peer that disconnects must not end the process of a user who does not catch
 * the rejection.
 */
function uncaught(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}

/** Defines an own property, which hides the accessor of the prototype until it is deleted. */
function define(handler: WebSocketHandler, name: string, value: unknown): void {
  Object.defineProperty(handler, name, { value, writable: true, enumerable: true, configurable: true });
}
