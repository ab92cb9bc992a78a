/**
 * The options of a route: their types, their defaults, each with its reason, and their validation. The file is long because each
 * option is documented where it is declared.
 */
import type { IncomingMessage } from 'node:http';
import { checkBoolean, checkKeys, isPlainObject, withDefaults } from '../argument-checks.js';
import type { AsyncContextChoice } from '../connection/async-context.js';
import type { RateLimit, SlowConsumerPolicy } from '../connection/hooks.js';
import type { CompressSettings } from '../deflate/agreement.js';
import { type Delimiter, EntireMessage } from '../dispatch/delimiter.js';
import { checkReadSetting, READ_SETTINGS } from '../dispatch/read-settings.js';
import { invalidArgument, invalidOption, unknownOption } from '../errors.js';
import { checkLog, type Log, processLog } from '../log.js';
import { Limits } from '../memory/memory-budget.js';
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

/** How `onHandshake` refuses in its own words. */
export interface Refusal {
  /** The HTTP status, 200 to 599. */
  status: number;
  /** Sent together with those that were set on the `headers` of `onHandshake`, and instead of the same ones; cookies add up. */
  headers?: ResponseHeaders | undefined;
  /** A string as plain text, bytes as they are, any other object as JSON. Default: the status and its name. */
  body?: string | Uint8Array | object | undefined;
}

/** A function that may take the request for Express's, as a hook may: compared as methods are. */
type Bivariant<F extends (...args: never[]) => unknown> = { call(...args: Parameters<F>): ReturnType<F> }['call'];

/**
 * Who may connect from a browser. `'same-origin'`: pages of the host that is asked. `'*'`: everybody. A list: these origins,
 * each as `scheme://host[:port]`, of any scheme, and `'same-origin'` for the own pages. A function decides for itself. A
 * request without `Origin` comes from no browser and is let through, whatever the policy: a function is not asked about it.
 *
 * @example
 * app.use(websocketRoute('/ws', Handler, { origins: ['same-origin', 'capacitor://localhost'] }));
 */
export type OriginPolicy =
  | 'same-origin'
  | '*'
  | readonly string[]
  | Bivariant<(origin: string, request: IncomingMessage) => boolean | Promise<boolean>>;

/** The subprotocols the server speaks, the ones it likes best first; or a function that chooses from those offered. */
export type SubprotocolChoice =
  | readonly string[]
  | Bivariant<(offered: readonly string[], request: IncomingMessage) => string | undefined>;

/** Turns a route param into a value; `undefined` means that the path does not match. */
export type Converter<T = unknown> = (value: string) => T | undefined;

/** Tells by what connections are counted together. */
export type ConnectionKey = 'ip' | Bivariant<(request: IncomingMessage) => string | undefined>;

/** How messages are compressed by permessage-deflate (RFC 7692), where the client offers that. */
export interface CompressOptions {
  /**
   * Messages of fewer bytes are sent as they are. Default 1,024: smaller ones fit into one packet anyway, and compressing costs
   * more time than it saves.
   */
  threshold?: number | undefined;
  /**
   * Whether each message that we send is compressed by itself. If not, it refers to those before it: repetitive messages
   * become much smaller, for about 270 KiB of memory a connection. Default true: connections that send nothing cost nothing.
   */
  serverNoContextTakeover?: boolean | undefined;
  /** The same for what the client sends; if false, about 60 KiB a connection. Default true. */
  clientNoContextTakeover?: boolean | undefined;
  /** How far back we refer, as a power of two of bytes: 8 to 15. Default 15: compresses best. */
  serverMaxWindowBits?: number | undefined;
  /**
   * How far back the client may refer. With fewer than 15 the offer of a client that cannot be told so is declined: Chrome and
   * `ws` can, Firefox and Safari cannot. Default 15.
   */
  clientMaxWindowBits?: number | undefined;
  /** zlib's level, 0 to 9, or -1 for zlib's own default. Default -1, which is 6. */
  level?: number | undefined;
  /** zlib's memory level, 1 to 9. Default 8, as zlib's. */
  memLevel?: number | undefined;
}

export interface ConnectionOptions<D extends Delimiter = Delimiter> {
  /** The `readDelimiter` each connection begins with. Default `EntireMessage`: what users of WebSockets expect. */
  readDelimiter?: D | undefined;
  /** The `regexSearch` each connection begins with. Default true, as in Pants. */
  regexSearch?: boolean | undefined;
  /** The `bufferSize` each connection begins with, in bytes. Default 65,536, as in Pants. */
  bufferSize?: number | undefined;
  /**
   * The most characters a delimiter may have that a pattern finds by searching. Default 1,024: each arrival searches that
   * much once more, because a delimiter may have begun in it. Where a pattern has to match (`regexSearch` false), a unit may
   * span twice as many messages, since each of them tries all of it again.
   */
  maxDelimiterLength?: number | undefined;
  /** Who may connect from a browser. Default `'same-origin'`: cookies are sent along whoever's page asks. */
  origins?: OriginPolicy | undefined;
  /** Default none. */
  subprotocols?: SubprotocolChoice | undefined;
  /** Whether clients that speak draft-76 may connect, by way of the upgrade door. Default false: they are of 2010. */
  allowOldHandshake?: boolean | undefined;
  /**
   * How long a closing handshake may go without progress before the socket is destroyed, in milliseconds. Default 5,000:
   * long for a living peer, short for the socket of a dead one.
   */
  closeTimeout?: number | undefined;
  /** Buffered bytes above which `write` returns false. Default 65,536, the same as what one message may bring. */
  highWaterMark?: number | undefined;
  /**
   * Buffered bytes above which `write` sends nothing more, so that a peer that does not read costs no more memory than this
   * and what is written in one turn of the event loop; `Infinity` for no bound. Above half of it nothing more is read from the
   * peer until it has taken what it was sent. Default 16,777,216: more than the bursts of most applications, and 64 peers that
   * are stuck cost a gigabyte.
   */
  maxBufferedAmount?: number | undefined;
  /**
   * What becomes of a peer for which more than that is waiting: `'close'` closes the connection with 1013, `'drop'` drops
   * messages, and counts them in `dropped`, until the peer has caught up. Default `'close'`: a peer that misses messages should
   * know it.
   */
  slowConsumer?: SlowConsumerPolicy | undefined;
  /**
   * The budget of memory that this route shares with others. Default: one for all routes, of a quarter of the memory that the
   * process may use: rather end the connections that pin most than the process.
   */
  limits?: Limits | undefined;
  /**
   * Whether messages are compressed, with clients that offer it; an object says how. Default false: it costs time and memory, and
   * secrets that are compressed together with what a stranger writes can be guessed from the length.
   */
  compress?: boolean | CompressOptions | undefined;
  /**
   * After how much silence the peer is sent a ping, in milliseconds; 0 for never. Any byte of the peer ends the silence.
   * Default 25,000: proxies give up on silent connections after 30 or 60 seconds.
   */
  pingInterval?: number | undefined;
  /**
   * How long after a ping the peer may remain silent, in milliseconds, before it is given up: `onClose` gets 1006. Default
   * 20,000: longer than networks need to recover.
   */
  pongTimeout?: number | undefined;
  /**
   * After how many milliseconds without a message in either direction the connection is closed with 1001; 0 for never. Pings
   * are no messages. Default 0: many connections just wait for news.
   */
  idleTimeout?: number | undefined;
  /**
   * How long `onHandshake`, and functions in `origins`, may take in all, in milliseconds, before the handshake is refused with
   * 503; 0 for any time. Default 10,000: clients give up, too.
   */
  handshakeTimeout?: number | undefined;
  /**
   * How many connections this route may have, handshakes that are going on included; more are refused with 503. Default
   * `Infinity`.
   */
  maxConnections?: number | undefined;
  /** How many of them may have the same key; more are refused with 429. Default `Infinity`. */
  maxConnectionsPerKey?: number | undefined;
  /**
   * What `maxConnectionsPerKey` counts by: `'ip'`, or a function of the request; whatever has the key `undefined` is not counted.
   * The IP address is `request.ip`, which respects Express's `trust proxy`; of IPv6 the first 64 bits count, since one
   * subscriber has them all to choose the rest from. Default `'ip'`.
   */
  keyOf?: ConnectionKey | undefined;
  /**
   * How fast a peer may send. Reading pauses when it is faster, so that TCP slows it down; a peer that keeps at it without a
   * break is closed with 1008. Default `{}`: as fast as it can.
   */
  rate?: RateLimit | undefined;
  /**
   * In which async context (`AsyncLocalStorage`, the spans of tracers) the hooks run, from `onConnect` on: `'none'`, or
   * `'handshake'`, that of the request that opened the connection, which is kept with all that it holds for as long as the
   * connection lasts. Default `'none'`: a connection outlives its request, and what a request holds may be large.
   */
  asyncContext?: AsyncContextChoice | undefined;
  /**
   * Where the errors of this route go that no hook of yours takes, and what peers do wrong: `console`, or a logger that has its methods
   * `error` and `warn`. Default: the log of the process, which is `console` until `setLog` gives another.
   */
  log?: Log | undefined;
  /**
   * What metrics, channels and the log call the route. Default: its path; where it has none, or that is `/`, the name of its
   * handler. Routes of one name are counted as one.
   */
  name?: string | undefined;
}

export interface RouteOptions<D extends Delimiter = Delimiter> extends ConnectionOptions<D> {
  /** Converters by the name of the param. Default none: params are strings. */
  convert?: Readonly<Record<string, Converter>> | undefined;
  /** Whether `/WS` and `/ws` differ. Default false, as in Express. */
  caseSensitive?: boolean | undefined;
  /** Whether `/ws/` and `/ws` differ. Default false, as in Express. */
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
 * @param allowed names of options beyond those of a connection
 * @throws TypeError for an unknown option or a value that an option may not have
 */
export function resolveOptions(options: ConnectionOptions, allowed: readonly string[] = []): ResolvedOptions {
  if (!isPlainObject(options)) {
    const rule = 'it must be an object, such as { bufferSize: 1024 }; a path comes first, and what onConnect gets last';
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
    const rule = `it must not be below highWaterMark (${resolved.highWaterMark}), or nobody could wait for drained()`;
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
    throw invalidOption('keyOf', options.keyOf, 'nothing is counted by it: give maxConnectionsPerKey, too');
  }
  checkRate(resolved.rate);
  checkAsyncContext(resolved.asyncContext);
  checkLog(resolved.log);
  checkName(resolved.name);
  const { readDelimiter } = resolved;
  // All connections read with it, as long as the route lives: what becomes of the user's own memory is no matter then.
  return readDelimiter instanceof Uint8Array ? { ...resolved, readDelimiter: Buffer.from(readDelimiter) } : resolved;
}

/** The option `compress` with its defaults filled in; undefined where nothing is compressed. */
export function compressSettings(option: boolean | CompressOptions): CompressSettings | undefined {
  if (option === false) return undefined;
  return option === true ? COMPRESS_DEFAULTS : withDefaults<CompressSettings>(COMPRESS_DEFAULTS, option);
}

/** Whether a name means something only among the options. */
export function isOptionName(name: string): boolean {
  return Object.hasOwn(DEFAULTS, name) || ROUTE_OPTIONS.includes(name);
}

/** The same for a route, whose own options are checked where paths are compiled. */
export function resolveRouteOptions(options: RouteOptions): ResolvedOptions {
  const resolved = resolveOptions(options, ROUTE_OPTIONS);
  for (const name of ['caseSensitive', 'strict'] as const) checkBoolean(name, options[name] ?? false);
  return resolved;
}
