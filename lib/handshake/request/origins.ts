/**
 * Which web pages may connect. Browsers let any page open a WebSocket to any server and send the user's cookies
 * along, so without this check every page the user visits could act in the user's name. RFC 6455 section 10.2:
 * servers "SHOULD verify the |Origin| field is an origin they expect".
 */
import type { IncomingMessage } from 'node:http';
import { invalidOption } from '../../errors.js';
import { parseUrl } from './url.js';

/** Properties of the request besides its `Origin`. */
export interface OriginContext {
  /**
   * Whether the client uses TLS with us or with a trusted proxy. Also true if that proxy reports an unknown scheme.
   */
  secure: boolean;
  /** The `Host` header, or the `X-Forwarded-Host` of a trusted proxy. */
  host: string | undefined;
  request: IncomingMessage;
}

/** Whether the origin may connect. */
export type OriginCheck = (origin: string | undefined, context: OriginContext) => boolean | Promise<boolean>;

const SAME_ORIGIN = 'same-origin';
/** Sent by every sandboxed frame of any page, and by some pages opened from disk (RFC 6454 section 6.1). */
const OPAQUE = 'null';

/**
 * Validates the option once and returns the check that runs for each handshake. A list is exact: the server's own
 * origin may connect only if it, or `'same-origin'`, is listed. A function accepts an origin only by `true`, or a
 * promise of it.
 *
 * @param policy an `OriginPolicy`; default `'same-origin'`
 * @throws TypeError (ERR_WS_INVALID_OPTION) naming the value, the rule and the remedy
 */
export function compileOrigins(policy: unknown = SAME_ORIGIN): OriginCheck {
  if (policy === '*') return () => true;
  if (policy === SAME_ORIGIN) return compileOrigins([SAME_ORIGIN]);
  if (typeof policy === 'function') {
    return (origin, { request }) => origin === undefined || onlyTrue(policy(origin, request));
  }
  if (Array.isArray(policy)) {
    // A copy, so that later changes to the user's array have no effect.
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
 * The second line of the 403: names the origin, and explains how to allow it without excluding the server's own
 * pages. Both values come from the peer, so they are quoted, truncated, and stripped of control characters.
 */
export function originRefusalText(origin: string, host: string | undefined): string {
  const where = host === undefined ? 'here' : `on ${quote(host, '"')}`;
  // A list may contain valid origins only.
  const remedy = parseOrigin(origin)
    ? `origins: ['${SAME_ORIGIN}', ${quote(origin, "'")}]`
    : `origins: (origin) => origin === ${quote(origin, "'")} || isOurs(origin)`;
  return (
    `The origin ${quote(origin, '"')} may not open a WebSocket ${where}. ` +
    `If it should, allow it in the options of the route: ${remedy}` +
    (origin === OPAQUE ? '. But every sandboxed frame of any page sends this one.' : '')
  );
}

/** Only `true`, or a promise of it, accepts: a policy that forgets to return must not accept everyone. */
function onlyTrue(verdict: unknown): boolean | Promise<boolean> {
  if (typeof verdict !== 'object' || verdict === null || !('then' in verdict)) return verdict === true;
  return Promise.resolve<unknown>(verdict).then((settled) => settled === true);
}

/**
 * Only web pages can share an origin with a web server, unlike an extension whose id resembles the host. Some mobile
 * and embedded clients send the URL they connect to, with `wss:` or `ws:`; no page does, so accepting it is safe.
 */
const SHARED_SCHEMES: ReadonlySet<string> = new Set(['https', 'http', 'wss', 'ws']);

function isSameOrigin({ scheme, serialized }: Origin, { secure, host }: OriginContext): boolean {
  if (host === undefined || !SHARED_SCHEMES.has(scheme)) return false;
  // If the client uses TLS, a page loaded without it may have been forged on the way. The reverse proves nothing: TLS
  // usually ends at a proxy, so that an https page reaches a server that sees plain text.
  if (secure && scheme === 'http') return false;
  // Parses the host with the page's scheme, so that `example.com:443` matches https://example.com.
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
  /** In lower case; '' for `null`. */
  scheme: string;
  /** The normalized origin. */
  serialized: string;
}

/**
 * Parses a serialized origin (RFC 6454 section 6.2): `null`, or exactly `scheme://host[:port]` with any scheme; some
 * schemes, such as `file:`, have an empty host. Lists of origins, and everything that a URL parser would repair
 * (userinfo, paths, backslashes, white space), are refused.
 */
function parseOrigin(text: string): Origin | undefined {
  if (text === OPAQUE) return { scheme: '', serialized: text };
  const colon = text.indexOf('://');
  if (colon < 1) return undefined;
  const scheme = text.slice(0, colon).toLowerCase();
  if (containsAny(scheme, NOT_IN_SCHEME) || containsAny(text.slice(colon + 3), NOT_IN_AUTHORITY)) return undefined;
  const url = parseUrl(text);
  if (url === undefined) return undefined;
  // The URL standard gives schemes of apps and browser extensions the opaque origin 'null', so that all of them would
  // be equal.
  const serialized = url.origin === OPAQUE ? `${url.protocol}//${url.host.toLowerCase()}` : url.origin;
  return { scheme, serialized };
}

/** `blob:https://example.com` has the origin of the wrapped URL, but is not itself an origin. */
const NOT_IN_SCHEME: ReadonlySet<string> = new Set(':/\\?#@, \t');
/**
 * Characters that end an authority, precede it (userinfo), join two origins, or are silently dropped by `new URL`.
 */
const NOT_IN_AUTHORITY: ReadonlySet<string> = new Set('/\\?#@, \t\r\n');

function containsAny(text: string, characters: ReadonlySet<string>): boolean {
  for (const character of text) {
    if (characters.has(character)) return true;
  }
  return false;
}

/** A string literal in printable ASCII; JSON.stringify alone would not escape DEL and the C1 controls. */
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
