/**
 * Which pages may connect. A browser lets any page open a WebSocket to any server and sends the user's cookies along, so
 * without this check every page the user visits could speak in the user's name. RFC 6455 section 10.2: servers "SHOULD
 * verify the |Origin| field is an origin they expect".
 */
import type { IncomingMessage } from 'node:http';
import { invalidArgument } from '../errors.js';

/** What is known of the request beside its `Origin`. */
export interface OriginContext {
  /** Whether the client is known to speak TLS with us, or with a proxy we trust. */
  secure: boolean;
  /** The `Host` header, or the `X-Forwarded-Host` of a trusted proxy. */
  host: string | undefined;
  request: IncomingMessage;
}

/** Whether the origin may connect. */
export type OriginCheck = (origin: string | undefined, context: OriginContext) => boolean | Promise<boolean>;

/**
 * Checks the option once and returns the function that is asked for each handshake. A list is exact: the server's own
 * origin connects only if it is listed. Of a function, only `true`, or a promise of it, lets the origin in.
 *
 * @param policy an `OriginPolicy`; default `'same-origin'`
 * @throws TypeError (ERR_WS_INVALID_ARGUMENT) naming the value, the rule and the remedy
 */
export function compileOrigins(policy: unknown = 'same-origin'): OriginCheck {
  if (policy === '*') return () => true;
  if (policy === 'same-origin') {
    return (origin, context) => origin === undefined || isSameOrigin(origin, context);
  }
  if (typeof policy === 'function') {
    return (origin, { request }) => origin === undefined || onlyTrue(policy(origin, request));
  }
  if (Array.isArray(policy)) {
    // An array of its own: changing the user's later must not change what was checked.
    const allowed = new Set(Array.from(policy, serialized));
    return (origin) => {
      if (origin === undefined) return true;
      const parsed = parseOrigin(origin);
      return parsed !== undefined && allowed.has(parsed.origin);
    };
  }
  throw invalidArgument(
    'origins',
    policy,
    "use 'same-origin', '*', an array of origins such as ['https://example.com'], or a function",
  );
}

/**
 * The second line of the 403: what was refused and how to allow it. Both values come from the peer, so they are quoted, cut
 * to a sane length, and bare of control characters.
 */
export function originRefusalText(origin: string, host: string | undefined): string {
  const remedy = parseOrigin(origin)
    ? `origins: [${quote(origin, "'")}]`
    : // No array can hold what is no origin: 'null' is every sandboxed frame and every local file.
      `origins: (origin) => origin === ${quote(origin, "'")}`;
  const where = host === undefined ? 'here' : `on ${quote(host, '"')}`;
  return (
    `The origin ${quote(origin, '"')} may not open a WebSocket ${where}. ` +
    `If it should, allow it in the options of the route: ${remedy}`
  );
}

/** Anything but `true`, or a promise of it, refuses: a policy that forgets to return must not let everyone in. */
function onlyTrue(verdict: unknown): boolean | Promise<boolean> {
  if (typeof verdict !== 'object' || verdict === null || !('then' in verdict)) return verdict === true;
  return Promise.resolve<unknown>(verdict).then((settled) => settled === true);
}

function isSameOrigin(origin: string, { secure, host }: OriginContext): boolean {
  const page = parseOrigin(origin);
  if (page === undefined || host === undefined) return false;
  // Only web pages share an origin with a web server: not an extension whose id happens to read like the host.
  if (page.scheme !== 'https' && page.scheme !== 'http') return false;
  // Where the client speaks TLS, a page that came without it may have been forged on the way. The reverse says nothing:
  // TLS usually ends at a proxy in front, so that an https page arrives at a server that sees plain text.
  if (secure && page.scheme !== 'https') return false;
  // The host is read with the page's scheme, so that `example.com:443` is where https://example.com came from.
  return parseOrigin(`${page.scheme}://${host}`)?.origin === page.origin;
}

function serialized(entry: unknown): string {
  const origin = typeof entry === 'string' && !entry.includes('*') ? parseOrigin(entry)?.origin : undefined;
  if (origin !== undefined) return origin;
  throw invalidArgument(
    'an entry of origins',
    entry,
    "an origin is scheme://host[:port], without a path or a wildcard: use 'https://example.com', or origins: '*', or a function",
  );
}

/**
 * Reads a serialized origin (RFC 6454 section 6.2): exactly `scheme://host[:port]`. `null`, several origins, and everything
 * that a URL parser would generously repair (userinfo, paths, backslashes, white space) is none.
 */
function parseOrigin(text: string): { scheme: string; origin: string } | undefined {
  const colon = text.indexOf('://');
  if (colon < 1) return undefined;
  const scheme = text.slice(0, colon).toLowerCase();
  const authority = text.slice(colon + 3);
  if (authority === '' || containsAny(scheme, NOT_IN_SCHEME) || containsAny(authority, NOT_IN_AUTHORITY))
    return undefined;
  const url = parseUrl(text);
  if (url === undefined) return undefined;
  // The URL standard gives the schemes of browser extensions an opaque origin, 'null', that would equal every other one.
  const origin = url.origin === 'null' ? `${url.protocol}//${url.host.toLowerCase()}` : url.origin;
  return { scheme, origin };
}

/** Not by `URL.canParse`: once it is optimized, that of Node 20 takes Latin-1 for UTF-8, and lets pass what `new URL` throws at. */
function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
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
