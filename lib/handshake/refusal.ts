/**
 * A refused handshake gets an ordinary HTTP response. The library's refusals explain themselves in plain text; a
 * user's may have any status, headers and body.
 */
import { STATUS_CODES } from 'node:http';
import { types } from 'node:util';
import { inspectValue, invalidReturnValue, propertyOf } from '../errors.js';
import type { RefusalReason } from '../telemetry/refusal-reasons.js';
import { checkResponseHeaders } from './response-headers.js';

/**
 * A refusal ready to be sent. Each step of the handshake returns its result or one of these, distinguished by
 * `instanceof`.
 */
export class PlainRefusal {
  readonly status: number;
  /** With `Content-Type` and `Content-Length`. */
  readonly headers: Record<string, string | string[]>;
  readonly body: Buffer;
  /** The reason reported by telemetry. */
  readonly reason: RefusalReason;

  constructor(status: number, headers: Record<string, string | string[]>, body: Buffer, reason: RefusalReason) {
    this.status = status;
    this.headers = headers;
    this.body = body;
    this.reason = reason;
  }
}

const TEXT = 'text/plain; charset=utf-8';

/**
 * Makes a refusal by the library.
 *
 * @param explanation one line for developers who read the response in a browser's network tab: the error and the
 *   remedy
 * @example
 * refuse(405, 'method', 'A WebSocket handshake must be a GET request.', { Allow: 'GET' });
 */
export function refuse(
  status: number,
  reason: RefusalReason,
  explanation: string,
  headers: Readonly<Record<string, string>> = {},
): PlainRefusal {
  const body = Buffer.from(`${statusLine(status)}${explanation}\n`);
  const all = { ...headers, 'Content-Type': TEXT, 'Content-Length': String(body.length) };
  return new PlainRefusal(status, all, body, reason);
}

/** Returns the result of a step. A refusal is thrown, which ends the handshake and is then sent. */
export function granted<T>(result: T | PlainRefusal): T {
  if (result instanceof PlainRefusal) throw result;
  return result;
}

/**
 * Validates what `onHandshake` returned and prepares it for sending. Unless it sets a `Content-Type`, a string is
 * sent as `text/plain; charset=utf-8`, bytes as `application/octet-stream`, an object as `application/json`; without
 * a body, the status is sent in words.
 *
 * @param refusal a `Refusal`, if the user's code is correct
 * @param extraHeaders the `headers` argument of `onHandshake`, also validated here
 * @throws TypeError (ERR_WS_INVALID_RETURN_VALUE) for a status or a body that cannot be sent, HeaderError for such a
 *   header
 */
export function toPlainRefusal(refusal: unknown, extraHeaders: Readonly<Record<string, unknown>> = {}): PlainRefusal {
  if (!isObject(refusal)) {
    throw invalidReturnValue(
      'the result of onHandshake',
      refusal,
      'return true to accept, false for a 403, or a refusal such as { status: 401, body: "log in" }; ' +
        'other truthy values do not accept a handshake: write Boolean(…)',
    );
  }
  const { status, headers: ownHeaders = {}, body: content } = refusal;
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599) {
    throw invalidReturnValue(
      'refusal.status',
      status,
      'a refusal is a final response, an integer from 200 to 599: use 401, 403 or 404; to accept, return true',
    );
  }
  if (!isObject(ownHeaders)) {
    throw invalidReturnValue('refusal.headers', ownHeaders, 'give an object of names to values, or leave it out');
  }
  const { type, bytes } = encodeBody(status, content);

  const headers: Headers = new Map();
  if (type !== undefined) put(headers, 'Content-Type', type);
  for (const [name, value] of checkResponseHeaders(extraHeaders, status, [])) put(headers, name, value);
  for (const [name, value] of checkResponseHeaders(ownHeaders, status, [])) put(headers, name, value);
  if (type !== undefined) put(headers, 'Content-Length', String(bytes.length));

  // fromEntries defines own properties: `__proto__`, a legal header name, does not change the prototype.
  return new PlainRefusal(status, Object.fromEntries(headers.values()), bytes, 'hook');
}

/** Keyed by lower-case names, since header names are case-insensitive; a Map, so that no name is special. */
type Headers = Map<string, [name: string, value: string | string[]]>;

/** A header replaces one with the same name, but cookies accumulate. */
function put(headers: Headers, name: string, value: string | string[]): void {
  const key = name.toLowerCase();
  const before = key === 'set-cookie' ? headers.get(key)?.[1] : undefined;
  headers.set(key, [name, before === undefined ? value : [before, value].flat()]);
}

/** The bytes of a body and their media type; no type if the status does not allow content. */
function encodeBody(status: number, content: unknown): { type: string | undefined; bytes: Buffer } {
  // RFC 9110 section 6.4.1: "All 204 (No Content) and 304 (Not Modified) responses do not include content"; a 205 must
  // not have any either.
  if (status === 204 || status === 205 || status === 304) {
    if (content === undefined) return { type: undefined, bytes: Buffer.alloc(0) };
    throw invalidReturnValue('refusal.body', content, `a ${status} has no body: leave it out, or use another status`);
  }
  if (content === undefined) return { type: TEXT, bytes: Buffer.from(statusLine(status)) };
  if (typeof content === 'string') return { type: TEXT, bytes: Buffer.from(content) };
  if (types.isAnyArrayBuffer(content)) return { type: 'application/octet-stream', bytes: Buffer.from(content) };
  if (ArrayBuffer.isView(content)) {
    const { buffer, byteOffset, byteLength } = content;
    return { type: 'application/octet-stream', bytes: Buffer.from(buffer, byteOffset, byteLength) };
  }
  if (isObject(content)) return { type: 'application/json', bytes: Buffer.from(toJson(content)) };
  throw invalidReturnValue('refusal.body', content, 'give a string, bytes, or an object to be sent as JSON');
}

function toJson(content: object): string {
  let json: string | undefined;
  let why = 'it has no JSON form';
  try {
    json = JSON.stringify(content);
  } catch (error) {
    const message = propertyOf(error, 'message');
    why = typeof message === 'string' ? message : inspectValue(error);
  }
  if (json === undefined) {
    throw invalidReturnValue(
      'refusal.body',
      content,
      `it cannot be sent as JSON (${why}): give a plain object or a string`,
    );
  }
  return json;
}

function statusLine(status: number): string {
  const text = STATUS_CODES[status];
  return text === undefined ? `${status}\n` : `${status} ${text}\n`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
