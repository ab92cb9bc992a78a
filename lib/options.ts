/** The options of a route: their types, their defaults, each with its reason, and their validation. */
import type { IncomingMessage } from 'node:http';
import {
  checkBufferSize,
  checkDelimiter,
  checkRegexSearch,
  type Delimiter,
  EntireMessage,
} from './dispatch/delimiter.js';
import { invalidArgument } from './errors.js';

/** Response headers by name. A number is sent in decimal, an array as one header per element. */
export type ResponseHeaders = Record<string, string | number | readonly string[]>;

/** How `onHandshake` refuses in its own words. */
export interface Refusal {
  /** The HTTP status, 200 to 599. */
  status: number;
  /** Sent together with those that were set on the `headers` of `onHandshake`, and instead of them. */
  headers?: ResponseHeaders | undefined;
  /** A string as plain text, bytes as they are, any other object as JSON. Default: the status and its name. */
  body?: string | Uint8Array | object | undefined;
}

/**
 * Who may connect from a browser. `'same-origin'`: pages of the host that is asked. `'*'`: everybody. A list: these origins,
 * each as `scheme://host[:port]`. A function decides for itself. A request without `Origin` comes from no browser and is let
 * through by all but the function's own design: it is not asked.
 */
export type OriginPolicy =
  | 'same-origin'
  | '*'
  | readonly string[]
  | ((origin: string, request: IncomingMessage) => boolean | Promise<boolean>);

/** The subprotocols the server speaks, the ones it likes best first; or a function that chooses from those offered. */
export type SubprotocolChoice =
  | readonly string[]
  | ((offered: readonly string[], request: IncomingMessage) => string | undefined);

/** Turns a route param into a value; `undefined` means that the path does not match. */
export type Converter<T = unknown> = (value: string) => T | undefined;

export interface ConnectionOptions<D extends Delimiter = Delimiter> {
  /** The `readDelimiter` each connection begins with. Default `EntireMessage`: what users of WebSockets expect. */
  readDelimiter?: D | undefined;
  /** The `regexSearch` each connection begins with. Default true, as in Pants. */
  regexSearch?: boolean | undefined;
  /** The `bufferSize` each connection begins with, in bytes. Default 65,536, as in Pants. */
  bufferSize?: number | undefined;
  /**
   * The most characters a delimiter may have that a pattern finds by searching. Default 1,024: each arrival searches that
   * much once more, because a delimiter may have begun in it.
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
};

const ROUTE_OPTIONS = ['convert', 'caseSensitive', 'strict'];

/**
 * Fills in the defaults.
 *
 * @param allowed names of options beyond those of a connection
 * @throws TypeError for an unknown option or a value that an option may not have
 */
export function resolveOptions(options: ConnectionOptions, allowed: readonly string[] = []): ResolvedOptions {
  if (!isPlainObject(options))
    throw invalidArgument(
      'options',
      options,
      'it must be an object, such as { bufferSize: 1024 }; the path comes first',
    );
  const known = [...Object.keys(DEFAULTS), ...allowed];
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      throw invalidArgument('option', name, `it is unknown; the options are ${known.join(', ')}`);
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const resolved: ResolvedOptions = { ...DEFAULTS, ...given };
  checkDelimiter(resolved.readDelimiter);
  checkRegexSearch(resolved.regexSearch);
  checkBufferSize(resolved.bufferSize);
  checkBoolean('allowOldHandshake', resolved.allowOldHandshake);
  checkPositive('maxDelimiterLength', resolved.maxDelimiterLength, 'in characters');
  checkPositive('highWaterMark', resolved.highWaterMark, 'in bytes');
  checkPositive('closeTimeout', resolved.closeTimeout, 'in milliseconds');
  if (resolved.closeTimeout > 0x7fff_ffff) {
    throw invalidArgument('closeTimeout', resolved.closeTimeout, 'a timer takes at most 2,147,483,647 milliseconds');
  }
  return resolved;
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

function checkBoolean(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw invalidArgument(name, value, 'it must be true or false');
}

function checkPositive(name: string, value: unknown, unit: string): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw invalidArgument(name, value, `it must be a positive integer, ${unit}`);
  }
}

/** Whether it was written as `{ … }`: a Map, an array or an instance of some class is a mistake, or something else. */
export function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
