/**
 * Validates the headers that `onHandshake` adds to the response, before any byte is sent: no header injection (CR,
 * LF, NUL), no conflict with headers of the protocol, no subprotocol that the client did not offer.
 */
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { HeaderError, inspectValue } from '../errors.js';

/**
 * RFC 6455 section 4.2.2 defines these in the 101; the others frame a body, which a 101 does not have (RFC 9110
 * section 15.2).
 */
const OWNED_ON_101: ReadonlySet<string> = new Set([
  'upgrade',
  'connection',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-version',
  'content-length',
  'transfer-encoding',
  'trailer',
]);

/** The library frames the body of a refusal (RFC 9112 section 6); an accept value would be wrong on a refusal. */
const OWNED_ON_REFUSAL: ReadonlySet<string> = new Set([
  'connection',
  'sec-websocket-accept',
  'content-length',
  'transfer-encoding',
  'trailer',
]);

/**
 * Checks headers that user code adds to the handshake response.
 *
 * @param headers names to values: a string, a finite number, or a non-empty array of those
 * @param status the status of the response; the rules for 101 are the strictest
 * @param offeredSubprotocols the client's offer, for `Sec-WebSocket-Protocol` on a 101
 * @returns the headers in order, numbers as text
 * @throws HeaderError naming the first header that must not be sent
 * @example
 * checkResponseHeaders({ 'Set-Cookie': ['a=1', 'b=2'] }, 101, []); // [['Set-Cookie', ['a=1', 'b=2']]]
 */
export function checkResponseHeaders(
  headers: Readonly<Record<string, unknown>>,
  status: number,
  offeredSubprotocols: readonly string[],
): Array<[name: string, value: string | string[]]> {
  const owned = status === 101 ? OWNED_ON_101 : OWNED_ON_REFUSAL;
  const seen = new Set<string>();
  const checked: Array<[string, string | string[]]> = [];
  // Own enumerable properties only: neither a polluted prototype nor a `__proto__` key adds a header.
  for (const [name, value] of Object.entries(headers)) {
    checkName(name);
    const key = name.toLowerCase();
    if (owned.has(key)) throw new HeaderError(name, 'is set by the library: remove it');
    // Cookies accumulate; of other duplicate headers one would be lost.
    if (seen.has(key) && key !== 'set-cookie')
      throw new HeaderError(name, 'appears twice, in different case: give one name an array of values');
    seen.add(key);
    const text = Array.isArray(value) ? checkList(name, value) : checkValue(name, value);
    if (key === 'sec-websocket-protocol' && status === 101) checkSubprotocol(name, text, offeredSubprotocols);
    checked.push([name, text]);
  }
  return checked;
}

function checkName(name: string): void {
  try {
    validateHeaderName(name);
  } catch {
    throw new HeaderError(name, 'is not a header name: use letters, digits and hyphens (RFC 9110 section 5.1)');
  }
}

function checkList(name: string, values: readonly unknown[]): string[] {
  if (values.length === 0) throw new HeaderError(name, 'has an empty array: delete the header instead');
  // Not map(), which would skip the holes of a sparse array.
  return Array.from(values, (value) => checkValue(name, value));
}

function checkValue(name: string, value: unknown): string {
  if (value === undefined || value === null) {
    throw new HeaderError(name, `is ${value}: delete the header instead`);
  }
  if (typeof value !== 'string' && !(typeof value === 'number' && Number.isFinite(value))) {
    throw new HeaderError(name, `is ${inspectValue(value)}: give a string, a finite number, or an array of those`);
  }
  const text = String(value);
  try {
    validateHeaderValue(name, text);
  } catch {
    // RFC 9110 section 5.5: "CR, LF, and NUL [...] are invalid and dangerous".
    throw new HeaderError(
      name,
      `is ${inspectValue(text)}: CR, LF, NUL, other control characters and characters above U+00FF cannot be sent, ` +
        'encode the value (encodeURIComponent)',
    );
  }
  return text;
}

/** RFC 6455 section 4.1: the client fails the connection for "a subprotocol that was not present" in its request. */
function checkSubprotocol(name: string, value: string | string[], offered: readonly string[]): void {
  if (typeof value !== 'string' || !offered.includes(value)) {
    throw new HeaderError(
      name,
      `is ${inspectValue(value)}: it must be one of the names that the client offered, ${inspectValue(offered)}`,
    );
  }
}
