/**
 * Header fields that describe the connection, not the message (RFC 9110 section 7.6.1). HTTP/1 uses them to say what
 * happens to the connection after the response; HTTP/2 does not have them.
 */
import type { ServerResponse } from 'node:http';

/**
 * RFC 9113 section 8.2.2: "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header
 * fields."
 */
const CONNECTION_SPECIFIC = ['Connection', 'Upgrade', 'Keep-Alive', 'Proxy-Connection', 'Transfer-Encoding', 'TE'];
const NOT_IN_HTTP2: ReadonlySet<string> = new Set(CONNECTION_SPECIFIC.map((name) => name.toLowerCase()));

type Header = readonly [name: string, value: string | string[]];

/**
 * Filters headers by the HTTP version of the response. Over HTTP/2 it also removes those that middleware has set,
 * since Node would throw for them.
 */
export function headersFor(response: ServerResponse, headers: Readonly<Record<string, string | string[]>>): Header[] {
  const all = Object.entries(headers);
  if (response.req?.httpVersionMajor >= 2) {
    for (const name of CONNECTION_SPECIFIC) response.removeHeader(name);
    return all.filter(([name]) => !NOT_IN_HTTP2.has(name.toLowerCase()));
  }
  // Node takes a Connection header without `close` as the wish to keep the connection, whatever the client requested
  // (HTTP/1.0, say).
  if (response.shouldKeepAlive) return all;
  return all.map(([name, value]) =>
    name === 'Connection' && value !== 'close' ? [name, `${value}, close`] : [name, value],
  );
}
