/**
 * The options of a route: types, defaults with their reasons, and validation. This file has more than 300 lines because
 * each option is documented at its declaration.
 */
import type { IncomingMessage } from 'node:http';
import { checkBoolean, checkKeys, isPlainObject, withDefaults } from '../../argument-checks.js';
import type { AsyncContextChoice } from '../../connection/async-context.js';
import type { RateLimit, SlowConsumerPolicy } from '../../connection/hooks.js';
import type { CompressSettings } from '../../deflate/agreement.js';
import { type Delimiter, EntireMessage } from '../../dispatch/delimiter.js';
import { checkReadSetting, READ_SETTINGS } from '../../dispatch/read-settings.js';
import { invalidArgument, invalidOption, unknownOption } from '../../errors.js';
import { checkLog, type Log, processLog } from '../../log.js';
import { Limits } from '../../memory/memory-budget.js';
import {
  checkAsyncContext,
  checkCompress,
  checkKeyOf,
  checkLimit,
  checkLimits,
  checkName,
  checkPositive,
  checkRate,
  checkSlowConsumer,
  checkTimeout,
} from './option-checks.js';

/** Response headers by name. A number is sent in decimal, an array as one header per element. */
export type ResponseHeaders = Record<string, string | number | readonly string[]>;

/** The HTTP response with which `onHandshake` refuses a handshake. */
export interface Refusal {
  /** The HTTP status, 200 to 599. */
  status: number;
  /**
   * Sent in addition to the `headers` argument of `onHandshake`; on conflict these win, except that cookies
   * accumulate.
   */
  headers?: ResponseHeaders | undefined;
  /**
   * A string is sent as plain text, bytes as they are, any other object as JSON. Default: the status code and its
   * name.
   */
  body?: string | Uint8Array | object | undefined;
}

/**
 * A function whose request parameter may be declared as Express's: methods, unlike functions, are compared
 * bivariantly.
 */
type Bivariant<F extends (...args: never[]) => unknown> = { call(...args: Parameters<F>): ReturnType<F> }['call'];

/**
 * Which web pages may connect. `'same-origin'`: pages from the host of the request. `'*'`: all pages. A list: these
 * origins, each as `scheme://host[:port]` with any scheme, and `'same-origin'` for your own pages. A function decides
 * for itself. Requests without an `Origin` header do not come from a browser and are always accepted; the function is
 * not called for them.
 *
 * @example
 * app.use(websocketRoute('/ws', Handler, { origins: ['same-origin', 'capacitor://localhost'] }));
 */
export type OriginPolicy =
  | 'same-origin'
  | '*'
  | readonly string[]
  | Bivariant<(origin: string, request: IncomingMessage) => boolean | Promise<boolean>>;

/**
 * The subprotocols that the server supports, in order of preference; or a function that chooses from those offered.
 */
export type SubprotocolChoice =
  | readonly string[]
  | Bivariant<(offered: readonly string[], request: IncomingMessage) => string | undefined>;

/** Converts a route param to a value; `undefined` means that the path does not match. */
export type Converter<T = unknown> = (value: string) => T | undefined;

/** The key by which connections are counted. */
export type ConnectionKey = 'ip' | Bivariant<(request: IncomingMessage) => string | undefined>;

/** Settings for permessage-deflate (RFC 7692), used when the client offers it. */
export interface CompressOptions {
  /**
   * Messages of fewer bytes are sent uncompressed. Default 1,024: smaller ones fit into one packet anyway, and
   * compressing them costs more time than it saves.
   */
  threshold?: number | undefined;
  /**
   * Whether each message sent is compressed independently. If false, messages may refer to earlier ones: repetitive
   * messages become much smaller, at a cost of about 270 KiB of memory per connection. Default true: idle connections
   * then use no memory for compression.
   */
  serverNoContextTakeover?: boolean | undefined;
  /** The same for messages that the client sends; false costs about 60 KiB per connection. Default true. */
  clientNoContextTakeover?: boolean | undefined;
  /** Base-2 logarithm of the window size for messages sent, 8 to 15. Default 15: compresses best. */
  serverMaxWindowBits?: number | undefined;
  /**
   * Base-2 logarithm of the window size for messages received, 8 to 15. Values below 15 decline the offers of clients
   * that cannot limit their window: Chrome and `ws` can, Firefox and Safari cannot. Default 15.
   */
  clientMaxWindowBits?: number | undefined;
  /** zlib's compression level, 0 to 9, or -1 for zlib's own default. Default -1, which is level 6. */
  level?: number | undefined;
  /** zlib's memory level, 1 to 9. Default 8, as in zlib. */
  memLevel?: number | undefined;
}

export interface ConnectionOptions<D extends Delimiter = Delimiter> {
  /**
   * The initial `readDelimiter` of each connection. Default `EntireMessage`: one `onRead` call per message, as
   * WebSocket users expect.
   */
  readDelimiter?: D | undefined;
  /** The initial `regexSearch` of each connection. Default true, as in Pants. */
  regexSearch?: boolean | undefined;
  /** The initial `bufferSize` of each connection, in bytes. Default 65,536, as in Pants. */
  bufferSize?: number | undefined;
  /**
   * Maximum length of a delimiter found by searching for a pattern, in characters. Default 1,024: each arrival
   * searches that much data again, because a delimiter may have begun in it. Where a pattern must match
   * (`regexSearch` false), a unit may span at most twice as many messages, since each message repeats the whole
   * match.
   */
  maxDelimiterLength?: number | undefined;
  /**
   * Which web pages may connect. Default `'same-origin'`: browsers send cookies along, whichever page opens the
   * connection.
   */
  origins?: OriginPolicy | undefined;
  /** The subprotocols that the server supports. Default none. */
  subprotocols?: SubprotocolChoice | undefined;
  /** Whether draft-76 clients may connect, through `upgradeListener`. Default false: these clients date from 2010. */
  allowOldHandshake?: boolean | undefined;
  /**
   * How long a closing handshake may go without progress before the socket is destroyed, in milliseconds. Default
   * 5,000: long enough for a live peer, short enough to release the socket of a dead one.
   */
  closeTimeout?: number | undefined;
  /** Buffered bytes above which `write` returns false. Default 65,536, the same as `bufferSize`. */
  highWaterMark?: number | undefined;
  /**
   * Buffered bytes above which `write` sends nothing more, so a peer that does not read costs at most this much
   * memory plus the data written in one turn of the event loop. `Infinity` removes the limit. Above half of it,
   * reading from the peer pauses until it has caught up. Default 16,777,216: more than the bursts of most
   * applications, while 64 stalled peers cost a gigabyte.
   */
  maxBufferedAmount?: number | undefined;
  /**
   * What to do when a peer exceeds `maxBufferedAmount`: `'close'` closes the connection with 1013; `'drop'` drops
   * messages until the peer has caught up, and counts them in `dropped`. Default `'close'`: a peer should know that
   * it misses messages.
   */
  slowConsumer?: SlowConsumerPolicy | undefined;
  /**
   * The memory budget that this route shares with others. Default: one budget for all routes, a quarter of available
   * memory, so that the heaviest connections are closed before the process runs out.
   */
  limits?: Limits | undefined;
  /**
   * Whether messages are compressed for clients that offer it; an object sets how. Default false: compression costs
   * time and memory, and an attacker who controls part of a message can guess secrets in the rest from its compressed
   * length.
   */
  compress?: boolean | CompressOptions | undefined;
  /**
   * Milliseconds of silence after which the peer is sent a ping; 0 for never. Any byte from the peer ends the
   * silence. Default 25,000: proxies close silent connections after 30 or 60 seconds.
   */
  pingInterval?: number | undefined;
  /**
   * Milliseconds that the peer may stay silent after a ping before it is considered dead; `onClose` then gets 1006.
   * Default 20,000: longer than networks need to recover.
   */
  pongTimeout?: number | undefined;
  /**
   * Milliseconds without a message in either direction after which the connection is closed with 1001; 0 for never.
   * Pings do not count as messages. Default 0: many connections just wait for news.
   */
  idleTimeout?: number | undefined;
  /**
   * How long `onHandshake` and functions in `origins` may take in total, in milliseconds, before the handshake is
   * refused with 503; 0 for no limit. Default 10,000: clients time out as well.
   */
  handshakeTimeout?: number | undefined;
  /**
   * Maximum number of connections of this route, including pending handshakes; further ones are refused with 503.
   * Default `Infinity`.
   */
  maxConnections?: number | undefined;
  /** Maximum number of connections with the same key; further ones are refused with 429. Default `Infinity`. */
  maxConnectionsPerKey?: number | undefined;
  /**
   * The key that `maxConnectionsPerKey` counts by: `'ip'`, or a function of the request; requests with the key
   * `undefined` are not counted. The IP address is `request.ip`, which respects Express's `trust proxy`; for IPv6
   * only the first 64 bits count, since a single subscriber can choose the rest freely. Default `'ip'`.
   */
  keyOf?: ConnectionKey | undefined;
  /**
   * How fast a peer may send. When a peer is faster, reading pauses so that TCP slows it down; a peer that keeps
   * exceeding the rate is closed with 1008. Default `{}`: no limit.
   */
  rate?: RateLimit | undefined;
  /**
   * The async context (`AsyncLocalStorage`, spans of tracers) in which the hooks run, from `onConnect` on: `'none'`,
   * or `'handshake'` for the context of the request that opened the connection, which is then kept in memory for as
   * long as the connection lasts. Default `'none'`: a connection outlives its request, and the context of a request
   * may be large.
   */
  asyncContext?: AsyncContextChoice | undefined;
  /**
   * Logger for errors of this route that none of your hooks handles, and for protocol errors of peers: `console`, or
   * a logger with the methods `error` and `warn`. Default: the log of the process, which is `console` unless you call
   * `setLog`.
   */
  log?: Log | undefined;
  /**
   * The name of the route in metrics, channels and the log. Default: its path, or the name of its handler if it has
   * no path or the path is `/`. Routes with the same name are counted together.
   */
  name?: string | undefined;
}

export interface RouteOptions<D extends Delimiter = Delimiter> extends ConnectionOptions<D> {
  /** Converters by param name. Default none: params are strings. */
  convert?: Readonly<Record<string, Converter>> | undefined;
  /** Whether `/WS` and `/ws` are different paths. Default false, as in Express. */
  caseSensitive?: boolean | undefined;
  /** Whether `/ws/` and `/ws` are different paths. Default false, as in Express. */
  strict?: boolean | undefined;
}

/** Options with every default filled in. */
export type ResolvedOptions = { readonly [K in keyof ConnectionOptions]-?: Exclude<ConnectionOptions[K], undefined> };

const DEFAULTS: ResolvedOptions = {
  readDelimiter: EntireMessage,
  regexSearch: true,
  bufferSize: 64 * 1024,
  maxDelimiterLength: 1024,
  origins: 'same-origin',
  subprotocols: [],
  allowOldHandshake: false,
  closeTimeout: 5000,
  highWaterMark: 64 * 1024,
  maxBufferedAmount: 16 * 1024 * 1024,
  slowConsumer: 'close',
  limits: new Limits(),
  compress: false,
  pingInterval: 25_000,
  pongTimeout: 20_000,
  idleTimeout: 0,
  handshakeTimeout: 10_000,
  maxConnections: Infinity,
  maxConnectionsPerKey: Infinity,
  keyOf: 'ip',
  rate: {},
  asyncContext: 'none',
  log: processLog,
  name: '',
};

const COMPRESS_DEFAULTS: CompressSettings = {
  threshold: 1024,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
  level: -1,
  memLevel: 8,
};

const ROUTE_OPTIONS = ['convert', 'caseSensitive', 'strict'];

/**
 * Fills in the defaults.
 *
 * @param allowed names of additional options beyond those of a connection
 * @throws TypeError for an unknown option or an invalid value
 */
export function resolveOptions(options: ConnectionOptions, allowed: readonly string[] = []): ResolvedOptions {
  if (!isPlainObject(options)) {
    const rule = 'it must be an object, such as { bufferSize: 1024 }; a path comes first, arguments for onConnect last';
    throw invalidArgument('options', options, rule);
  }
  const known = [...Object.keys(DEFAULTS), ...allowed];
  for (const name of ROUTE_OPTIONS) {
    if (!Object.hasOwn(options, name) || known.includes(name)) continue;
    throw unknownOption('option', name, "it is only for a route with a path: websocketRoute('/ws/:id', …)");
  }
  checkKeys('option', options, known);
  const resolved = withDefaults<ResolvedOptions>(DEFAULTS, options);
  for (const name of READ_SETTINGS) checkReadSetting(name, resolved[name]);
  checkBoolean('allowOldHandshake', resolved.allowOldHandshake);
  checkPositive('maxDelimiterLength', resolved.maxDelimiterLength, 'in characters');
  checkPositive('highWaterMark', resolved.highWaterMark, 'in bytes');
  checkLimit('maxBufferedAmount', resolved.maxBufferedAmount, 'in bytes');
  if (resolved.maxBufferedAmount < resolved.highWaterMark) {
    const rule = `it must not be below highWaterMark (${resolved.highWaterMark}), or it would take effect first`;
    throw invalidOption('maxBufferedAmount', resolved.maxBufferedAmount, rule);
  }
  checkSlowConsumer(resolved.slowConsumer);
  checkLimits(resolved.limits);
  checkCompress(resolved.compress);
  for (const name of ['closeTimeout', 'pongTimeout'] as const) checkTimeout(name, resolved[name], 1);
  for (const name of ['pingInterval', 'idleTimeout', 'handshakeTimeout'] as const)
    checkTimeout(name, resolved[name], 0);
  for (const name of ['maxConnections', 'maxConnectionsPerKey'] as const) checkLimit(name, resolved[name]);
  checkKeyOf(resolved.keyOf);
  if (options.keyOf !== undefined && options.maxConnectionsPerKey === undefined) {
    throw invalidOption('keyOf', options.keyOf, 'it has no effect without maxConnectionsPerKey: set that, too');
  }
  checkRate(resolved.rate);
  checkAsyncContext(resolved.asyncContext);
  checkLog(resolved.log);
  checkName(resolved.name);
  const { readDelimiter } = resolved;
  // All connections of the route read with it, so the user must be able to change their own array without effect here.
  return readDelimiter instanceof Uint8Array ? { ...resolved, readDelimiter: Buffer.from(readDelimiter) } : resolved;
}

/** The option `compress` with its defaults filled in; undefined if compression is off. */
export function compressSettings(option: boolean | CompressOptions): CompressSettings | undefined {
  if (option === false) return undefined;
  return option === true ? COMPRESS_DEFAULTS : withDefaults<CompressSettings>(COMPRESS_DEFAULTS, option);
}

/** Whether the name is that of an option. */
export function isOptionName(name: string): boolean {
  return Object.hasOwn(DEFAULTS, name) || ROUTE_OPTIONS.includes(name);
}

/** The same for a route. Its own options are checked where paths are compiled. */
export function resolveRouteOptions(options: RouteOptions): ResolvedOptions {
  const resolved = resolveOptions(options, ROUTE_OPTIONS);
  for (const name of ['caseSensitive', 'strict'] as const) checkBoolean(name, options[name] ?? false);
  return resolved;
}
