/**
 * Which pages may connect. A browser lets any page open a WebSocket to any server and sends the user's cookies along, so
 * without this check every page the user visits could speak in the user's name. RFC 6455 section 10.2: servers "SHOULD
 * verify the |Origin| field is an origin they expect".
 */
import type { IncomingMessage } from 'node:http';
import { invalidOption } from '../../errors.js';
import { parseUrl } from './url.js';

/** What is known of the request beside its `Origin`. */
export interface OriginContext {
  /** Whether the client speaks TLS with us or with a proxy we trust. Also true where that proxy names an unknown scheme. */
  secure: boolean;
  /** The `Host` header, or the `X-Forwarded-Host` of a trusted proxy. */
  host: string | undefined;
  request: IncomingMessage;
}

/** Whether the origin may connect. */
export type OriginCheck = (origin: string | undefined, context: OriginContext) => boolean | Promise<boolean>;

const SAME_ORIGIN = 'same-origin';
/** Every sandboxed frame of any page sends it, and so do some pages that were opened from disk (RFC 6454 section 6.1). */
const OPAQUE = 'null';

/**
 * Checks the option once and returns the function that is asked for each handshake. A list is exact: the server's own
 * origin connects only if it, or `'same-origin'`, is listed. Of a function, only `true`, or a promise of it, lets the origin
 * in.
 *
 * @param policy an `OriginPolicy`; default `'same-origin'`
 * @throws TypeError (ERR_WS_INVALID_ARGUMENT) naming the value, the rule and the remedy
 */
export function compileOrigins(policy: unknown = SAME_ORIGIN): OriginCheck {
  if (policy === '*') return () => true;
  if (policy === SAME_ORIGIN) return compileOrigins([SAME_ORIGIN]);
  if (typeof policy === 'function') {
    return (origin, { request }) => origin === undefined || onlyTrue(policy(origin, request));
  }
  if (Array.isArray(policy)) {
    // A set of its own: changing the user's array later must not change what was checked.
    const allowed = new Set(Array.from(policy, checkedEntry));
    const isOwnAllowed = allowed.has(SAME_ORIGIN);
    return (text, context) => {
      if (text === undefined) return true;
      const origin = parseOrigin(text);
      if (origin === undefined) return false;
      return allowed.has(origin.serialized) || (isOwnAllowed && isSameOrigin(origin, context));
    };
  }
  throw invalidOption(
    'origins',
    policy,
    "use 'same-origin', '*', an array of origins such as ['same-origin', 'https://example.com'], or a function",
  );
}

/**
 * The second line of the 403: what was refused, and how to allow it without locking out the server's own pages. Both values
 * come from the peer, so they are quoted, cut to a sane length, and bare of control characters.
 */
export function originRefusalText(origin: string, host: string | undefined): string {
  const where = host === undefined ? 'here' : `on ${quote(host, '"')}`;
  // A list holds origins only.
  const remedy = parseOrigin(origin)
    ? `origins: ['${SAME_ORIGIN}', ${quote(origin, "'")}]`
    : `origins: (origin) => origin === ${quote(origin, "'")} || isOurs(origin)`;
  return (
    `The origin ${quote(origin, '"')} may not open a WebSocket ${where}. ` +
    `If it should, allow it in the options of the route: ${remedy}` +
    (origin === OPAQUE ? '. But this one is sent by every sandboxed frame, of any page.' : '')
  );
}

/** Anything but `true`, or a promise of it, refuses: a policy that forgets to return must not let everyone in. */
function onlyTrue(verdict: unknown): boolean | Promise<boolean> {
  if (typeof verdict !== 'object' || verdict === null || !('then' in verdict)) return verdict === true;
  return Promise.resolve<unknown>(verdict).then((settled) => settled === true);
}

/**
 * Only web pages share an origin with a web server: not an extension whose id happens to read like the host. Some mobile and
 * embedded clients send the URL they connect to, `wss:` or `ws:`. No page does, so this lets no page in.
 */
const SHARED_SCHEMES: ReadonlySet<string> = new Set(['https', 'http', 'wss', 'ws']);

function isSameOrigin({ scheme, serialized }: Origin, { secure, host }: OriginContext): boolean {
  if (host === undefined || !SHARED_SCHEMES.has(scheme)) return false;
  // Where the client speaks TLS, a page that came without it may have been forged on the way. The reverse says nothing:
  // TLS usually ends at a proxy in front, so that an https page arrives at a server that sees plain text.
  if (secure && scheme === 'http') return false;
  // The host is read with the page's scheme, so that `example.com:443` is where https://example.com came from.
  return parseOrigin(`${scheme}://${host}`)?.serialized === serialized;
}

function checkedEntry(entry: unknown): string {
  if (entry === SAME_ORIGIN) return entry;
  const origin = typeof entry === 'string' && !entry.includes('*') ? parseOrigin(entry) : undefined;
  if (origin !== undefined) return origin.serialized;
  throw invalidOption(
    'an entry of origins',
    entry,
    "an origin is 'same-origin', or scheme://host[:port] without a path or a wildcard: use 'https://example.com', " +
      "or origins: '*', or a function",
  );
}

interface Origin {
  /** In lower case; '' of `null`. */
  scheme: string;
  /** In the one form in which each origin is written. */
  serialized: string;
}

/**
 * Reads a serialized origin (RFC 6454 section 6.2): `null`, or exactly `scheme://host[:port]`, of any scheme; of some, such as
 * `file:`, the host is empty. Several origins, and everything that a URL parser would generously repair (userinfo, paths,
 * backslashes, white space), are refused.
 */
function parseOrigin(text: string): Origin | undefined {
  if (text === OPAQUE) return { scheme: '', serialized: text };
  const colon = text.indexOf('://');
  if (colon < 1) return undefined;
  const scheme = text.slice(0, colon).toLowerCase();
  if (containsAny(scheme, NOT_IN_SCHEME) || containsAny(text.slice(colon + 3), NOT_IN_AUTHORITY)) return undefined;
  const url = parseUrl(text);
  if (url === undefined) return undefined;
  // The URL standard gives the schemes of apps and browser extensions the opaque origin, 'null', that would equal every other.
  const serialized = url.origin === OPAQUE ? `${url.protocol}//${url.host.toLowerCase()}` : url.origin;
  return { scheme, serialized };
}

/** `blob:https://example.com` has the origin of what it wraps, and is not one itself. */
const NOT_IN_SCHEME: ReadonlySet<string> = new Set(':/\\?#@, \t');
/** What ends an authority, precedes it (userinfo), joins two origins, or is quietly dropped by `new URL`. */
const NOT_IN_AUTHORITY: ReadonlySet<string> = new Set('/\\?#@, \t\r\n');

function containsAny(text: string, characters: ReadonlySet<string>): boolean {
  for (const character of text) {
    if (characters.has(character)) return true;
  }
  return false;
}

/** A string literal in printable ASCII; JSON.stringify alone would let DEL and the C1 controls pass. */
function quote(text: string, mark: '"' | "'"): string {
  const shown = text.length > 200 ? `${text.slice(0, 200)}...` : text;
  let quoted = '';
  for (let i = 0; i < shown.length; i++) {
    const code = shown.charCodeAt(i);
    const printable = code >= 0x20 && code <= 0x7e;
    if (shown[i] === mark || shown[i] === '\\') quoted += `\\${shown[i]}`;
    else quoted += printable ? shown[i] : `\\u${code.toString(16).padStart(4, '0')}`;
  }
  return mark + quoted + mark;
}
