/**
 * Logs errors that no hook handles: to the log of the route, or to the log of the process, which is the console
 * unless `setLog` changes it. A peer's error is one line; an error of user code includes its stack. An attacker can
 * provoke either as often as they like, so each kind is printed only a few times a minute and the rest is counted;
 * the count is printed with the first error after that minute. It is not printed by a timer, because a line without a
 * current cause would appear in the middle of something unrelated, such as the next test.
 *
 * Logging never throws, whatever the error or the log does.
 */
import {
  inspectValue,
  invalidArgument,
  invalidOption,
  isA,
  OverflowError,
  ProtocolError,
  propertyOf,
} from './errors.js';
import { abandon } from './thenables.js';

/**
 * The destination of log lines: `console`, or the loggers of winston and pino. Both methods may be async. Errors they
 * throw, or reject with, are dropped.
 *
 * @example
 * // pino takes the error first.
 * const log: Log = {
 *   warn: (line, error) => logger.warn({ err: error }, line),
 *   error: (line, error) => logger.error({ err: error }, line),
 * };
 */
export interface Log {
  /** An error caused by a peer: one line of at most 500 characters. */
  warn(line: string, error?: unknown): unknown;
  /**
   * An error in your code, or an operation that failed: one line with the name and message of the error, and the
   * error with its stack. `console` itself gets a shorter line, since it prints the error.
   */
  error(line: string, error?: unknown): unknown;
}

let ofProcess: Log = console;

/** The current log of the process: the default for routes without a log of their own. */
export const processLog: Log = {
  warn: (...line) => ofProcess.warn(...line),
  error: (...line) => ofProcess.error(...line),
};

/**
 * Sets the log of the process, used by all routes without the option `log` and for errors outside of routes. Default
 * `console`.
 *
 * @throws TypeError for anything without the methods `warn` and `error`
 * @example
 * setLog(winston.createLogger({ … }));
 */
export function setLog(log: Log): void {
  if (!isLog(log)) throw invalidArgument('log', log, LOG_RULE);
  ofProcess = log;
}

/** @throws TypeError unless the option is a log */
export function checkLog(value: unknown): void {
  if (!isLog(value)) throw invalidOption('log', value, LOG_RULE);
}

const LOG_RULE = 'it must have the methods warn and error, as console has';

function isLog(value: unknown): value is Log {
  if (typeof value !== 'object' || value === null) return false;
  return typeof propertyOf(value, 'warn') === 'function' && typeof propertyOf(value, 'error') === 'function';
}

/** In milliseconds. */
const MINUTE = 60_000;
/**
 * How many of one kind are printed per minute: errors of peers are alike, but a developer wants to see every attempt.
 */
const MOST_OF_PEERS = 1;
const MOST_OF_OURS = 20;
/** How many kinds are distinguished, to bound the memory for counting; the rest are counted as one. */
const MAX_KINDS = 100;
/** How many kinds per context, so that errors provoked in one hook cannot hide those of another. */
const MAX_KINDS_OF_ONE = 10;
const OTHER = '(other)';
/** In characters: the end of a stack, which contains the location. */
const PLACE = 2000;

interface Kind {
  readonly line: string;
  readonly log: Log;
  readonly level: keyof Log;
  printed: number;
  /** Those that were not printed. */
  more: number;
}

const kinds = new Map<string, Kind>();
/** Number of kinds by context. */
const counts = new Map<string, number>();
/** The end of the current minute. */
let end = 0;

/**
 * @param context what failed, and in which route
 * @param log the log of the route, or of another option
 */
export function logError(context: string, error: unknown, log: Log = processLog): void {
  turnMinute();
  const isPeers = isA(error, OverflowError) || isA(error, ProtocolError);
  const level = isPeers ? 'warn' : 'error';
  const kind = kindOf({ context, error, log, level }, isPeers ? nameOf(error) : placeOf(error));
  if (kind.printed >= (isPeers ? MOST_OF_PEERS : MOST_OF_OURS)) {
    kind.more++;
    return;
  }
  kind.printed++;
  const line = lineOf(context, error);
  if (isPeers) print(log, level, line);
  // The console prints the error itself, and its first argument is a format.
  else if (isConsole(log) && print(log, level, `websocket-route: ${context.replaceAll('%', '%%')}:`, error)) return;
  else if (isConsole(log) || !print(log, level, line, error)) print(log, level, line);
}

interface Entry {
  readonly context: string;
  readonly error: unknown;
  readonly log: Log;
  readonly level: keyof Log;
}

function kindOf(entry: Entry, what: string): Kind {
  const { context, error } = entry;
  const known = kinds.get(`${context}\n${what}`);
  if (known !== undefined) return known;
  const count = counts.get(context) ?? 0;
  if (kinds.size >= MAX_KINDS) return kinds.get(OTHER) ?? add(OTHER, 'websocket-route: errors of other kinds', entry);
  if (count >= MAX_KINDS_OF_ONE) {
    const rest = `${context}\n${OTHER}`;
    return kinds.get(rest) ?? add(rest, `websocket-route: ${context}: errors of other kinds`, entry);
  }
  counts.set(context, count + 1);
  return add(`${context}\n${what}`, lineOf(context, error), entry);
}

function add(key: string, line: string, { log, level }: Entry): Kind {
  const kind: Kind = { line, log, level, printed: 0, more: 0 };
  kinds.set(key, kind);
  return kind;
}

/** Starts a new minute if the current one is over, and prints the counts of the last one. */
function turnMinute(): void {
  const now = performance.now();
  if (now < end) return;
  end = now + MINUTE;
  const counted = [...kinds.values()];
  kinds.clear();
  counts.clear();
  for (const { line, log, level, more } of counted) {
    if (more > 0) print(log, level, `${line} (${more} more within a minute)`);
  }
}

/**
 * Where the error was thrown. Ignores its name and message: an attacker may put lines into them that look like a
 * location.
 */
function placeOf(error: unknown): string {
  const stack = propertyOf(error, 'stack');
  if (typeof stack !== 'string') return error === null ? 'null' : typeof error;
  const message = propertyOf(error, 'message');
  const header = typeof message === 'string' ? stack.indexOf(message) : -1;
  const places = header === -1 ? stack.slice(-PLACE) : stack.slice(header + String(message).length);
  const lines = places.slice(0, PLACE).split('\n');
  return lines.filter((line) => /^\s+at /.test(line)).join('\n');
}

function nameOf(error: unknown): string {
  const name = propertyOf(error, 'name');
  return typeof name === 'string' ? name.slice(0, 100) : '';
}

/** One line for any thrown value. */
function lineOf(context: string, error: unknown): string {
  const message = propertyOf(error, 'message');
  const text = typeof message === 'string' ? `${nameOf(error)}: ${message}` : inspectValue(error);
  const line = `websocket-route: ${context}: ${text}`.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
  return line.length > 500 ? `${line.slice(0, 497)}...` : line;
}

function isConsole(log: Log): boolean {
  return (log === processLog ? ofProcess : log) === console;
}

/** @returns false if printing failed */
function print(log: Log, level: keyof Log, ...line: [line: string, error?: unknown]): boolean {
  try {
    surviveBrokenPipe();
    // The log may be async.
    abandon(log[level](...line));
    return true;
  } catch {
    // An error that cannot be inspected, or a log that throws: it cannot be reported anywhere else.
    return false;
  }
}

/** A broken pipe emits its error after the write. The console expects one error for several writes in one turn. */
function surviveBrokenPipe(): void {
  const { stderr } = process;
  if (stderr.listenerCount('error') > 0) return;
  stderr.on('error', ignore);
  setImmediate(() => stderr.removeListener('error', ignore));
}

function ignore(): void {}
