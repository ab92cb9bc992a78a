/**
 * The opening handshake as a pure function: takes a request and returns what to accept, or the refusal to send. Each
 * check is one function; numbered quotations are from RFC 6455 section 4.2.1, which lists the requirements for a
 * request.
 */
import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type PlainRefusal, refuse } from './refusal.js';
import { type ExtensionOffer, parseExtensions } from './request/extensions.js';
import { parseSubprotocols } from './request/subprotocols.js';
import { elementsOf } from './request/tokens.js';

/** The part of a request that the handshake reads; an `IncomingMessage` fits. */
export interface HandshakeRequest {
  method?: string | undefined;
  httpVersionMajor: number;
  httpVersionMinor: number;
  headers: IncomingHttpHeaders;
  /** Alternating names and values; includes headers that Node dropped from `headers`. */
  rawHeaders?: readonly string[];
}

/** A request that may become a WebSocket. */
export interface Accepting {
  /** 13 is RFC 6455, 8 its drafts (with the same frames), 0 draft-76. */
  version: 13 | 8 | 0;
  /** The value of `Sec-WebSocket-Accept`; '' for draft-76. */
  accept: string;
  /** Subprotocols offered by the client, in its order of preference. */
  subprotocols: string[];
  /** Extensions offered, likewise. */
  extensions: readonly ExtensionOffer[];
  /** The origin of the page that connects; only browsers have to send it. */
  origin: string | undefined;
}

/** Section 1.3: the value appended to the key, which proves that the server knows the protocol. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Section 4.4: the supported version. */
const VERSION = { 'Sec-WebSocket-Version': '13' };
/** RFC 9110 section 15.5.22: a 426 "MUST send an Upgrade header field"; section 7.8: Connection names it. */
export const UPGRADE_REQUIRED = { Upgrade: 'websocket', Connection: 'Upgrade', ...VERSION };

/**
 * Checks a handshake request.
 *
 * @param options.allowOldHandshake whether draft-76 (version 0) may connect
 * @example
 * const result = negotiate(request, { allowOldHandshake: false });
 * if (result instanceof PlainRefusal) return send(result);
 */
export function negotiate(
  request: HandshakeRequest,
  options: { readonly allowOldHandshake: boolean },
): Accepting | PlainRefusal {
  return (
    checkMethod(request) ??
    checkHttp2(request) ??
    checkUpgrade(request) ??
    checkConnection(request) ??
    checkHttpVersion(request) ??
    checkBody(request) ??
    checkHost(request) ??
    negotiateVersion(request.headers, options.allowOldHandshake)
  );
}

/**
 * Whether the request asks for a WebSocket, well-formed or not; other requests are left to other middleware. 3. "An
 * |Upgrade| header field containing the value "websocket", treated as an ASCII case-insensitive value."
 */
export function isUpgradeRequest(request: Pick<HandshakeRequest, 'headers'>): boolean {
  return hasToken(request.headers.upgrade, 'websocket');
}

/**
 * Whether a request is a WebSocket handshake, well-formed or not: a GET with `Upgrade: websocket`. Use it as the
 * server option `shouldUpgradeCallback` (Node 22.21, 24.9 and later) so that all other requests with an `Upgrade`
 * header reach the app, including their bodies, even if the server has `upgrade` listeners.
 *
 * @example
 * const server = createServer({ shouldUpgradeCallback: isWebSocketHandshake }, app);
 * server.on('upgrade', upgradeListener(app));
 */
export function isWebSocketHandshake(request: Pick<HandshakeRequest, 'method' | 'headers'>): boolean {
  return request.method === 'GET' && isUpgradeRequest(request);
}

/** 1. "An HTTP/1.1 or higher GET request" */
function checkMethod({ method }: HandshakeRequest): PlainRefusal | undefined {
  if (method === 'GET') return undefined;
  return refuse(405, 'method', 'A WebSocket handshake must be a GET request.', { Allow: 'GET' });
}

/**
 * HTTP/2 has no Upgrade (RFC 9113 section 8.6). Its WebSockets use an extended CONNECT (RFC 8441), which is not
 * supported.
 */
function checkHttp2({ httpVersionMajor }: HandshakeRequest): PlainRefusal | undefined {
  if (httpVersionMajor < 2) return undefined;
  const text = 'This is a WebSocket endpoint over HTTP/1.1: connect to it with a WebSocket client.';
  return refuse(426, 'http-version', text, UPGRADE_REQUIRED);
}

function checkUpgrade(request: HandshakeRequest): PlainRefusal | undefined {
  if (isUpgradeRequest(request)) return undefined;
  const text = 'This is a WebSocket endpoint: connect to it with a WebSocket client, which sends Upgrade: websocket.';
  return refuse(426, 'not-an-upgrade', text, UPGRADE_REQUIRED);
}

/** 4. "A |Connection| header field that includes the token "Upgrade", treated as an ASCII case-insensitive value." */
function checkConnection({ headers }: HandshakeRequest): PlainRefusal | undefined {
  if (hasToken(headers.connection, 'upgrade')) return undefined;
  const text =
    'The request has an Upgrade header but no Connection: Upgrade. A proxy in front may drop it; nginx needs ' +
    'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";';
  return refuse(400, 'connection', text);
}

/** 1. "An HTTP/1.1 or higher GET request" */
function checkHttpVersion({ httpVersionMajor, httpVersionMinor }: HandshakeRequest): PlainRefusal | undefined {
  if (httpVersionMajor === 1 && httpVersionMinor >= 1) return undefined;
  return refuse(400, 'http-version', 'A WebSocket handshake needs HTTP/1.1 (nginx: proxy_http_version 1.1;).');
}

/**
 * Stricter than the RFC, which does not cover this: the data after the headers is frames, and must not also be read
 * as a body.
 */
function checkBody({ headers }: HandshakeRequest): PlainRefusal | undefined {
  const length = headers['content-length'];
  if ((length === undefined || length === '0') && headers['transfer-encoding'] === undefined) return undefined;
  return refuse(
    400,
    'body',
    'A WebSocket handshake must not have a body: send neither Content-Length nor Transfer-Encoding.',
  );
}

/**
 * 2. "A |Host| header field containing the server's authority." RFC 9112 section 3.2 allows only one; Node keeps the
 * first.
 */
function checkHost({ headers, rawHeaders = [] }: HandshakeRequest): PlainRefusal | undefined {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  if (headers.host && hosts <= 1) return undefined;
  return refuse(400, 'host', 'A WebSocket handshake must have exactly one Host header, and it must not be empty.');
}

/**
 * 6. "A |Sec-WebSocket-Version| header field, with a value of 13." Version 8 (Firefox 7, Chrome 14) has the same
 * frames.
 */
function negotiateVersion(headers: IncomingHttpHeaders, allowOldHandshake: boolean): Accepting | PlainRefusal {
  const version = field(headers, 'sec-websocket-version');
  if (version === '13') return negotiateKey(headers, 13, field(headers, 'origin'));
  if (version === '8') {
    // Draft hybi-08 section 4.2: the name of the header before version 13.
    return negotiateKey(headers, 8, field(headers, 'sec-websocket-origin') ?? field(headers, 'origin'));
  }
  if (version === undefined) return negotiateOldHandshake(headers, allowOldHandshake);
  if (isVersionNumber(version)) {
    // Section 4.2.2: "send an appropriate HTTP error code (such as 426 Upgrade Required)" and the supported versions.
    return refuse(426, 'version', 'This version of the WebSocket protocol is not supported: use 13.', UPGRADE_REQUIRED);
  }
  return refuse(400, 'version', 'Sec-WebSocket-Version must be one number, 13.', VERSION);
}

/** Draft-76 has no version header; it is recognized by its two keys. */
function negotiateOldHandshake(headers: IncomingHttpHeaders, allowed: boolean): Accepting | PlainRefusal {
  if (headers['sec-websocket-key1'] === undefined || headers['sec-websocket-key2'] === undefined) {
    return refuse(400, 'version', 'The Sec-WebSocket-Version header is missing: send 13.', VERSION);
  }
  if (!allowed) {
    const text = 'The draft-76 handshake is not accepted here: use RFC 6455, or set allowOldHandshake.';
    return refuse(426, 'version', text, UPGRADE_REQUIRED);
  }
  return negotiateSubprotocols(headers, { version: 0, accept: '', extensions: [], origin: field(headers, 'origin') });
}

/**
 * 5. "A |Sec-WebSocket-Key| header field with a base64-encoded [...] value that, when decoded, is 16 bytes in
 * length." Section 11.3.1: it "MUST NOT appear more than once"; Node joins duplicates with commas, which a key cannot
 * contain.
 */
function negotiateKey(
  headers: IncomingHttpHeaders,
  version: 13 | 8,
  origin: string | undefined,
): Accepting | PlainRefusal {
  const key = field(headers, 'sec-websocket-key');
  if (key === undefined || !isKey(key)) {
    return refuse(400, 'key', 'Sec-WebSocket-Key must appear exactly once, as 16 bytes in base64 (24 characters).');
  }
  const extensions = offeredExtensions(headers);
  if (extensions === undefined) {
    return refuse(400, 'extension', 'Sec-WebSocket-Extensions must be a list of extensions (RFC 6455 section 9.1).');
  }
  return negotiateSubprotocols(headers, { version, accept: acceptFor(key), extensions, origin });
}

/** 9. "Optionally, a |Sec-WebSocket-Extensions| header field, with a list of values" */
function offeredExtensions(headers: IncomingHttpHeaders): ExtensionOffer[] | undefined {
  const offered = field(headers, 'sec-websocket-extensions');
  return offered === undefined ? [] : parseExtensions(offered);
}

/** The value of `Sec-WebSocket-Accept`. Section 4.2.2, 5.4: the key "concatenated with" the GUID, SHA-1, base64. */
export function acceptFor(key: string): string {
  return hash('sha1', key + GUID, 'base64');
}

/** 8. "Optionally, a |Sec-WebSocket-Protocol| header field, with a list of values [...] ordered by preference." */
function negotiateSubprotocols(
  headers: IncomingHttpHeaders,
  rest: Omit<Accepting, 'subprotocols'>,
): Accepting | PlainRefusal {
  const offered = field(headers, 'sec-websocket-protocol');
  const subprotocols = offered === undefined ? [] : parseSubprotocols(offered);
  const { version, accept, extensions, origin } = rest;
  if (subprotocols !== undefined) return { version, accept, subprotocols, extensions, origin };
  return refuse(400, 'subprotocol', 'Sec-WebSocket-Protocol must be a list of distinct tokens, separated by commas.');
}

/** Returns a header of the protocol, with duplicates joined as in RFC 9110 section 5.3. */
function field(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/**
 * Whether a comma-separated list contains the token. `websocket/13`, a product with a version, is a different one.
 */
function hasToken(list: string | undefined, token: string): boolean {
  // Usually the token is the only element.
  if (list?.length === token.length) return list.toLowerCase() === token;
  return list !== undefined && elementsOf(list).some((element) => element.toLowerCase() === token);
}

/** Section 4.3: 1 to 3 digits, "Limited to 0-255 range, with no leading zeros". */
function isVersionNumber(version: string): boolean {
  const number = version.length <= 3 ? Number(version) : -1;
  return Number.isInteger(number) && number >= 0 && number <= 255 && String(number) === version;
}

/**
 * 16 bytes in base64 (RFC 4648 section 4), which Node's lenient decoder does not enforce. The unused bits may have
 * any value: in RFC 6455's own example, `AQIDBAUGBwgJCgsMDQ4PEC==`, they are not zero.
 */
function isKey(key: string): boolean {
  return key.length === 24 && KEY.test(key);
}

const KEY = /^[A-Za-z0-9+/]{22}==$/;
