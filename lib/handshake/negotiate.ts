/**
 * The opening handshake as a pure function: a request, and either what to accept or the refusal to send. One check is one
 * function; those that quote a numbered sentence quote RFC 6455 section 4.2.1, which lists what a request must have.
 */
import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type PlainRefusal, refuse } from './refusal.js';
import { type ExtensionOffer, parseExtensions } from './request/extensions.js';
import { parseSubprotocols } from './request/subprotocols.js';
import { elementsOf } from './request/tokens.js';

/** What the handshake reads of a request; an `IncomingMessage` is one. */
export interface HandshakeRequest {
  method?: string | undefined;
  httpVersionMajor: number;
  httpVersionMinor: number;
  headers: IncomingHttpHeaders;
  /** Names and values in turn; shows what Node dropped from `headers`. */
  rawHeaders?: readonly string[];
}

/** A request that may become a WebSocket. */
export interface Accepting {
  /** 13 is RFC 6455, 8 its drafts (the same on the wire), 0 draft-76. */
  version: 13 | 8 | 0;
  /** The value of `Sec-WebSocket-Accept`; '' for draft-76. */
  accept: string;
  /** What the client offers, in its order of preference. */
  subprotocols: string[];
  /** Likewise. */
  extensions: readonly ExtensionOffer[];
  /** The page that connects; only browsers need say. */
  origin: string | undefined;
}

/** Section 1.3: the value that only a server which knows this protocol appends to the key. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Section 4.4: which version would do. */
const VERSION = { 'Sec-WebSocket-Version': '13' };
/** RFC 9110 section 15.5.22: a 426 "MUST send an Upgrade header field"; section 7.8: Connection names it. */
export const UPGRADE_REQUIRED = { Upgrade: 'websocket', Connection: 'Upgrade', ...VERSION };

/**
 * Judges a handshake request.
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
 * Whether the request asks for a WebSocket at all, well or badly; others are for other middleware. 3. "An |Upgrade| header
 * field containing the value "websocket", treated as an ASCII case-insensitive value."
 */
export function isUpgradeRequest(request: Pick<HandshakeRequest, 'headers'>): boolean {
  return hasToken(request.headers.upgrade, 'websocket');
}

/**
 * Whether a request is a WebSocket handshake, well-formed or not: a GET with `Upgrade: websocket`. As the server option
 * `shouldUpgradeCallback` (Node 22.21, 24.9 and later) it leaves all other requests that have an `Upgrade` header to the app,
 * with their bodies, also where something listens to `upgrade`.
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
  return refuse(405, 'method', 'A WebSocket handshake is a GET request.', { Allow: 'GET' });
}

/** RFC 9113 section 8.6 has no Upgrade in HTTP/2; there an extended CONNECT (RFC 8441) opens a WebSocket, which is not spoken here. */
function checkHttp2({ httpVersionMajor }: HandshakeRequest): PlainRefusal | undefined {
  if (httpVersionMajor < 2) return undefined;
  const text = 'This is a WebSocket endpoint, for HTTP/1.1 only: connect to it with a WebSocket client.';
  return refuse(426, 'http-version', text, UPGRADE_REQUIRED);
}

function checkUpgrade(request: HandshakeRequest): PlainRefusal | undefined {
  if (isUpgradeRequest(request)) return undefined;
  const text = 'This is a WebSocket endpoint: connect to it with a WebSocket client, that sends Upgrade: websocket.';
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

/** Stricter than the RFC, which does not say: what follows the headers is frames, and must not be read as a body as well. */
function checkBody({ headers }: HandshakeRequest): PlainRefusal | undefined {
  const length = headers['content-length'];
  if ((length === undefined || length === '0') && headers['transfer-encoding'] === undefined) return undefined;
  return refuse(400, 'body', 'A WebSocket handshake has no body: send no Content-Length and no Transfer-Encoding.');
}

/** 2. "A |Host| header field containing the server's authority." One, says RFC 9112 section 3.2; Node keeps the first. */
function checkHost({ headers, rawHeaders = [] }: HandshakeRequest): PlainRefusal | undefined {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  if (headers.host && hosts <= 1) return undefined;
  return refuse(400, 'host', 'A WebSocket handshake has exactly one Host header, and it is not empty.');
}

/** 6. "A |Sec-WebSocket-Version| header field, with a value of 13." Version 8, of Firefox 7 and Chrome 14, has the same frames. */
function negotiateVersion(headers: IncomingHttpHeaders, allowOldHandshake: boolean): Accepting | PlainRefusal {
  const version = field(headers, 'sec-websocket-version');
  if (version === '13') return negotiateKey(headers, 13, field(headers, 'origin'));
  if (version === '8') {
    // Draft hybi-08 section 4.2: the header was called so until version 13.
    return negotiateKey(headers, 8, field(headers, 'sec-websocket-origin') ?? field(headers, 'origin'));
  }
  if (version === undefined) return negotiateOldHandshake(headers, allowOldHandshake);
  if (isVersionNumber(version)) {
    // Section 4.2.2: "send an appropriate HTTP error code (such as 426 Upgrade Required)" and the versions understood.
    return refuse(426, 'version', 'This version of the WebSocket protocol is not spoken here.', UPGRADE_REQUIRED);
  }
  return refuse(400, 'version', 'Sec-WebSocket-Version must be one number, 13.', VERSION);
}

/** Draft-76 has no version header; its two keys tell it apart. */
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
 * 5. "A |Sec-WebSocket-Key| header field with a base64-encoded [...] value that, when decoded, is 16 bytes in length."
 * Section 11.3.1: it "MUST NOT appear more than once"; Node joins several with commas, and no key has one.
 */
function negotiateKey(
  headers: IncomingHttpHeaders,
  version: 13 | 8,
  origin: string | undefined,
): Accepting | PlainRefusal {
  const key = field(headers, 'sec-websocket-key');
  if (key === undefined || !isKey(key)) {
    return refuse(400, 'key', 'Sec-WebSocket-Key must be there once, 16 bytes in base64 (24 characters).');
  }
  const extensions = offeredExtensions(headers);
  if (extensions === undefined) {
    return refuse(
      400,
      'extension',
      'Sec-WebSocket-Extensions must be a list of extensions, as of RFC 6455 section 9.1.',
    );
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

/** A header by one of our own names, several fields of it joined as RFC 9110 section 5.3 has it. */
function field(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Whether a comma-separated list has the token. `websocket/13`, a product with a version, is another one. */
function hasToken(list: string | undefined, token: string): boolean {
  // Nearly always it is the only one.
  if (list?.length === token.length) return list.toLowerCase() === token;
  return list !== undefined && elementsOf(list).some((element) => element.toLowerCase() === token);
}

/** Section 4.3: 1 to 3 digits, "Limited to 0-255 range, with no leading zeros". */
function isVersionNumber(version: string): boolean {
  const number = version.length <= 3 ? Number(version) : -1;
  return Number.isInteger(number) && number >= 0 && number <= 255 && String(number) === version;
}

/**
 * 16 bytes in base64 (RFC 4648 section 4), which Node's forgiving decoder would not insist on. The bits that are left over may
 * be any: in RFC 6455's own example, `AQIDBAUGBwgJCgsMDQ4PEC==`, they are not zero.
 */
function isKey(key: string): boolean {
  return key.length === 24 && KEY.test(key);
}

const KEY = /^[A-Za-z0-9+/]{22}==$/;
