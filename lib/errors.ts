/**
 * All errors of this library. Each has a stable `code`; its message names the offending value, the rule it broke and
 * the remedy. A spec keeps the codes equal to those in `docs/reference.md`.
 */
import { inspect } from 'node:util';

/** The stable `code` of each error. Messages may change between releases; codes do not. */
export const ErrorCode = {
  /** The connection is not open (yet, or any more), or its protocol version does not support the operation. */
  INVALID_STATE: 'ERR_WS_INVALID_STATE',
  /** An argument is invalid. A `TypeError`, like the five that follow. */
  INVALID_ARGUMENT: 'ERR_WS_INVALID_ARGUMENT',
  /** An option, or one of the settings `readDelimiter`, `regexSearch` and `bufferSize`, has an invalid value. */
  INVALID_OPTION: 'ERR_WS_INVALID_OPTION',
  /** An option with this name does not exist. */
  UNKNOWN_OPTION: 'ERR_WS_UNKNOWN_OPTION',
  /** A handler is neither a class nor an object of hooks, or one of its members is invalid. */
  INVALID_HANDLER: 'ERR_WS_INVALID_HANDLER',
  /** A path is malformed. */
  INVALID_PATH: 'ERR_WS_INVALID_PATH',
  /** Your `onHandshake` or `keyOf` returned an invalid value. */
  INVALID_RETURN_VALUE: 'ERR_WS_INVALID_RETURN_VALUE',
  /**
   * A format string, or the values or bytes passed with it, is invalid; the counterpart of Python's `struct.error`.
   */
  STRUCT: 'ERR_WS_STRUCT',
  /** The peer broke the protocol, or sent text where bytes are expected or vice versa. */
  PROTOCOL: 'ERR_WS_PROTOCOL',
  /** A unit of incoming data is larger than `bufferSize`, or its delimiter longer than `maxDelimiterLength`. */
  OVERFLOW: 'ERR_WS_OVERFLOW',
  /** A header of the handshake response cannot be sent. */
  HEADER: 'ERR_WS_HEADER',
  /** A file is shorter than requested or than its frame announced, or is not a regular file. */
  FILE: 'ERR_WS_FILE',
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/**
 * The operation does not fit the state of the connection: writing before the handshake completes or after the close,
 * or sending binary data or pings on a draft-76 connection. When a hook throws it because its connection has closed
 * meanwhile, it is dropped rather than reported.
 */
export class InvalidStateError extends Error {
  override readonly name = 'InvalidStateError';
  readonly code = ErrorCode.INVALID_STATE;
}

export function beforeOpen(method: string): InvalidStateError {
  return new InvalidStateError(`${method}() before the handshake is done: call it in onConnect or later`);
}

/** A struct format is malformed, or values or bytes do not fit it. The counterpart of Python's `struct.error`. */
export class StructError extends Error {
  override readonly name = 'StructError';
  readonly code = ErrorCode.STRUCT;
}

/** The peer broke the protocol. `closeCode` is the code the connection is failed with (RFC 6455 section 7.1.7). */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code = ErrorCode.PROTOCOL;
  readonly closeCode: number;

  constructor(message: string, closeCode: number) {
    super(message);
    this.closeCode = closeCode;
  }
}

/** Incoming data exceeded `bufferSize` or `maxDelimiterLength`. Passed to `onOverflowError`. */
export class OverflowError extends Error {
  override readonly name = 'OverflowError';
  readonly code = ErrorCode.OVERFLOW;
  /** The option that was exceeded. */
  readonly option: 'bufferSize' | 'maxDelimiterLength';
  /** The value of that option: bytes for `bufferSize`, characters for `maxDelimiterLength`. */
  readonly limit: number;
  /**
   * The size that exceeded the limit. For `bufferSize`: the bytes announced or arrived so far, a lower bound of the
   * unit's size. For `maxDelimiterLength`: the characters of the delimiter or, where a pattern must match
   * (`regexSearch` false), the messages of the unit, of which twice as many are allowed.
   */
  readonly size: number;

  constructor(size: number, limit: number, what = 'a unit', other?: { message: string }) {
    super(
      other?.message ??
        `${what} of at least ${size} bytes exceeds the limit of ${limit} bytes: raise bufferSize, ` +
          'or choose a readDelimiter that delivers smaller units (null streams)',
    );
    this.option = other === undefined ? 'bufferSize' : 'maxDelimiterLength';
    this.size = size;
    this.limit = limit;
  }

  /** @internal A unit without a delimiter, whose delimiter may be too long to be found. */
  static ofSearch(size: number, limit: number, maxDelimiterLength: number): OverflowError {
    const error = new OverflowError(size, limit);
    error.message +=
      `. A delimiter of more than maxDelimiterLength (${maxDelimiterLength}) characters is not found: ` +
      'raise that as well if yours may be longer';
    return error;
  }

  /** @internal A delimiter of more than `maxDelimiterLength` characters. */
  static ofDelimiter(length: number, limit: number): OverflowError {
    const message =
      `a delimiter of ${length} characters exceeds the limit of ${limit} characters: raise maxDelimiterLength, ` +
      'or choose a readDelimiter that finds shorter ones';
    return new OverflowError(length, limit, 'a delimiter', { message });
  }

  /** @internal A unit that did not match within twice as many messages as `maxDelimiterLength` has characters. */
  static ofMessages(count: number, limit: number): OverflowError {
    const message =
      `a unit of at least ${count} messages exceeds the limit of ${2 * limit} messages, ` +
      `twice maxDelimiterLength (${limit}): ` +
      'raise maxDelimiterLength, or set regexSearch to true, which searches no byte again';
    return new OverflowError(count, limit, 'a unit', { message });
  }
}

/** A handshake response header that must not be sent; `header` is its name. The handshake is refused with 500. */
export class HeaderError extends Error {
  override readonly name = 'HeaderError';
  readonly code = ErrorCode.HEADER;
  readonly header: string;

  constructor(header: string, rule: string) {
    super(`handshake header ${inspectValue(header)} ${rule}`);
    this.header = header;
  }
}

/** `writeFile` cannot deliver the bytes requested or announced by its frame, or the source is not a regular file. */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code = ErrorCode.FILE;
}

/** A `TypeError` that names the argument, its value and the rule, with a stable `code`. */
export function invalidArgument(name: string, value: unknown, rule: string): TypeError {
  return typeError(ErrorCode.INVALID_ARGUMENT, name, value, rule);
}

/** The same for the value of an option. */
export function invalidOption(name: string, value: unknown, rule: string): TypeError {
  return typeError(ErrorCode.INVALID_OPTION, name, value, rule);
}

/** The same for the name of an option. */
export function unknownOption(what: string, name: string, rule: string): TypeError {
  return typeError(ErrorCode.UNKNOWN_OPTION, what, name, rule);
}

/** The same for a handler, or a member of it. */
export function invalidHandler(name: string, value: unknown, rule: string): TypeError {
  return typeError(ErrorCode.INVALID_HANDLER, name, value, rule);
}

/** The same for a path. */
export function invalidPath(name: string, value: unknown, rule: string): TypeError {
  return typeError(ErrorCode.INVALID_PATH, name, value, rule);
}

/** The same for a value that a user's function returned. */
export function invalidReturnValue(name: string, value: unknown, rule: string): TypeError {
  return typeError(ErrorCode.INVALID_RETURN_VALUE, name, value, rule);
}

function typeError(code: ErrorCode, name: string, value: unknown, rule: string): TypeError {
  return Object.assign(new TypeError(`${name} is ${inspectValue(value)}: ${rule}`), { code });
}

/** One line of bounded length, whatever the value. */
export function inspectValue(value: unknown): string {
  const text = textOf(value);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

function textOf(value: unknown): string {
  try {
    return inspect(value, { depth: 0, maxArrayLength: 4, maxStringLength: 60, breakLength: Infinity });
  } catch {
    // A view of transferred memory, or an object with a getter that throws.
  }
  try {
    return Object.prototype.toString.call(value);
  } catch {
    return 'a value that cannot be inspected';
  }
}

/** `value instanceof type` for any value: the operator throws for a revoked Proxy. */
export function isA<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** A property of any value; undefined if reading it throws. */
export function propertyOf(value: unknown, name: string): unknown {
  try {
    return Reflect.get(Object(value), name);
  } catch {
    return undefined;
  }
}
