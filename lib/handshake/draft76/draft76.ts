/**
 * The handshake of draft-hixie-thewebsocketprotocol-76 (version 0), used by Safari 5 and its contemporaries. Section
 * numbers are those of the draft. Each of two keys hides a number between letters and spaces:
 *
 *     Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5     digits 4146546015 / 5 spaces  = 829309203
 *     Sec-WebSocket-Key2: 12998 5 Y3 1  .P00       digits 1299853100 / 5 spaces  = 259970620
 *     after the headers, 8 bytes: ^n:ds[4U         MD5(829309203, 259970620, ^n:ds[4U) = 8jKS'y:G*Co,Wxa-
 */
import { createHash } from 'node:crypto';
import { parseUrl } from '../request/url.js';

/** Properties of the request that appear in the draft's response. */
export interface Draft76Exchange {
  /** The request's `Origin`; undefined or '' if it had none. */
  origin: string | undefined;
  /** Whether the client uses TLS: `wss:`. */
  secure: boolean;
  /** The host, with the port unless it is the default, as the client wrote it. */
  host: string;
  /** The request target with its query. */
  url: string;
  /** The chosen subprotocol; undefined or '' if there is none. */
  subprotocol?: string | undefined;
}

/** Section 4.1, step 17: "the largest integer not greater than 4,294,967,295 divided by" the number of spaces. */
const LARGEST_KEY_NUMBER = 0xffffffff;

/**
 * The 16 bytes that follow the response's headers (section 5.2, "challenge" and "response").
 *
 * @param key3 the 8 bytes that follow the request's headers
 * @returns `undefined` when a key is malformed and the handshake must be refused
 * @example
 * challengeResponse('4 @1  46546xW%0l 1 5', '12998 5 Y3 1  .P00', Buffer.from('^n:ds[4U')); // "8jKS'y:G*Co,Wxa-"
 */
export function challengeResponse(key1: string, key2: string, key3: Uint8Array): Buffer | undefined {
  const part1 = keyPart(key1);
  const part2 = keyPart(key2);
  if (part1 === undefined || part2 === undefined || key3.length !== 8) return undefined;
  const challenge = Buffer.alloc(16);
  challenge.writeUInt32BE(part1, 0);
  challenge.writeUInt32BE(part2, 4);
  challenge.set(key3, 8);
  return createHash('md5').update(challenge).digest();
}

/** The number in a key, or `undefined` where section 5.2 says "abort the WebSocket connection". */
function keyPart(key: string): number | undefined {
  let digits = 0;
  let spaces = 0;
  let number = 0;
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code === 0x20) spaces++;
    if (code < 0x30 || code > 0x39) continue;
    digits++;
    number = number * 10 + (code - 0x30);
    // This also keeps the number exact, however long the header is.
    if (number > LARGEST_KEY_NUMBER) return undefined;
  }
  // "If either /spaces_1/ or /spaces_2/ is zero, then abort": a cross-protocol attack would send that, but not a
  // client.
  if (digits === 0 || spaces === 0) return undefined;
  // "If /key-number_1/ is not an integral multiple of /spaces_1/, then abort"
  return number % spaces === 0 ? number / spaces : undefined;
}

/**
 * The headers of the draft's 101 (section 5.2), in its order. The client compares origin and location with its own.
 *
 * @example
 * draft76Headers({ origin: 'http://example.com', secure: false, host: 'example.com', url: '/demo' });
 * // { ..., 'Sec-WebSocket-Origin': 'http://example.com', 'Sec-WebSocket-Location': 'ws://example.com/demo' }
 */
export function draft76Headers({ origin, secure, host, url, subprotocol }: Draft76Exchange): Record<string, string> {
  return {
    Upgrade: 'WebSocket',
    Connection: 'Upgrade',
    // Only clients other than browsers omit it; then there is nothing to echo.
    ...(origin ? { 'Sec-WebSocket-Origin': origin } : {}),
    'Sec-WebSocket-Location': `${secure ? 'wss' : 'ws'}://${host}${resourceName(url)}`,
    ...(subprotocol ? { 'Sec-WebSocket-Protocol': subprotocol } : {}),
  };
}

/** The path and query of a request target, which proxies may send as an absolute URI (RFC 9112 section 3.2.2). */
function resourceName(target: string): string {
  if (target.startsWith('/')) return target;
  const url = parseUrl(target);
  return url?.pathname.startsWith('/') ? url.pathname + url.search : '/';
}
