/**
 * Header fields that speak of the connection, not of the message (RFC 9110 section 7.6.1). In HTTP/1 they say what happens to
 * the connection after the response; in HTTP/2 there are none.
 */
import type { ServerResponse } from 'node:http';

/** RFC 9113 section 8.2.2: "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header fields." */
const CONNECTION_SPECIFIC = ['Connection', 'Upgrade', 'Keep-Alive', 'Proxy-Connection', 'Transfer-Encoding', 'TE'];
const NOT_IN_HTTP2: ReadonlySet<string> = new Set(CONNECTION_SPECIFIC.map((name) => name.toLowerCase()));

type Header = readonly [name: string, value: string | string[]];

/**
 * Of the headers that a response is to have those that fit the version it goes out by. Over HTTP/2 it also loses those that a
 * middleware has set, since Node would throw for them.
 */
export function headersFor(response: ServerResponse, headers: Readonly<Record<string, string | string[]>>): Header[] {
  const all = Object.entries(headers);
  if (response.req?.httpVersionMajor >= 2) {
    for (const name of CONNECTION_SPECIFIC) response.removeHeader(name);
    return all.filter(([name]) => !NOT_IN_HTTP2.has(name.toLowerCase()));
  }
  // To Node a Connection header without `close` is the wish to keep the connection, whatever the client asked for (HTTP/1.0, say).
  if (response.shouldKeepAlive) return all;
  return all.map(([name, value]) =>
    name === 'Connection' && value !== 'close' ? [name, `${value}, close`] : [name, value],
  );
}
