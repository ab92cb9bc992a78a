/**
 * Where errors go that nobody else takes: to the log of the route, or to that of the process, which is the console until `setLog`
 * gives another. What a peer did wrong is one line; what the user's code did wrong comes with its stack. A stranger can provoke either as often as it likes. So of each kind a few are printed in a
 * minute, and the rest is counted; the count is told with the first error after that minute. No timer tells it: a line that nothing
 * has caused at that moment would come into whatever the process does then, such as the next test.
 *
 * Reporting never throws, whatever was thrown, and whatever became of the log.
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
 * Where log lines go. `console` is one, and so are the loggers of winston and pino. Both methods may be asynchronous. What they throw,
 * or reject with, is dropped.
 *
 * @example
 * // pino takes the error first.
 * const log: Log = {
 *   warn: (line, error) => logger.warn({ err: error }, line),
 *   error: (line, error) => logger.error({ err: error }, line),
 * };
 */
export interface Log {
  /** What a peer did wrong: one line, of at most 500 characters. */
  warn(line: string, error?: unknown): unknown;
  /**
   * What your code did wrong, or what failed: one line with the name and the message of the error, and the error with its stack.
   * `console` itself gets the line without them, since it prints the error.
   */
  error(line: string, error?: unknown): unknown;
}

let ofProcess: Log = console;

/** The log of the process, whichever that is at the time: the log of a route that has none of its own. */
export const processLog: Log = {
  warn: (...line) => ofProcess.warn(...line),
  error: (...line) => ofProcess.error(...line),
};

/**
 * Sets the log of the process: of all routes that have no option `log`, and of what belongs to no route. Until then it is `console`.
 *
 * @throws TypeError for anything without the methods `warn` and `error`
 * @example
 * setLog(winston.createLogger({ … }));
 */
export function setLog(log: Log): void {
  if (!isLog(log)) throw invalidArgument('log', log, LOG_RULE);
  ofProcess = log;
}

/** @throws TypeError for an option that is no log */
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
/** How many of one kind are printed in that time: peers' mistakes are alike; at work on one's own one wants to see every attempt. */
const MOST_OF_PEERS = 1;
const MOST_OF_OURS = 20;
/** How many kinds are told apart: all others are one. Counting them must not cost more and more. */
const MAX_KINDS = 100;
/** And how many of one context, so that what strangers make of one hook hides nothing of another. */
const MAX_KINDS_OF_ONE = 10;
const OTHER = '(other)';
/** In characters: the end of a stack that tells where it was. */
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
/** How many of them there are, by context. */
const counts = new Map<string, number>();
/** Of the minute at hand. */
let end = 0;

/**
 * @param context what failed, and of which route
 * @param log that of the route, or of whatever else has one
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

/** Begins another minute when the one at hand is over, and tells what was counted in that. */
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

/** Where it was thrown, whatever its name and its message say: strangers may choose those, with lines that look like a place. */
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

/** One line, however it was thrown. */
function lineOf(context: string, error: unknown): string {
  const message = propertyOf(error, 'message');
  const text = typeof message === 'string' ? `${nameOf(error)}: ${message}` : inspectValue(error);
  const line = `websocket-route: ${context}: ${text}`.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
  return line.length > 500 ? `${line.slice(0, 497)}...` : line;
}

function isConsole(log: Log): boolean {
  return (log === processLog ? ofProcess : log) === console;
}

/** @returns false where it could not be printed */
function print(log: Log, level: keyof Log, ...line: [line: string, error?: unknown]): boolean {
  try {
    surviveBrokenPipe();
    // It may be asynchronous.
    abandon(log[level](...line));
    return true;
  } catch {
    // An error that cannot be inspected, or a log that throws: there is no other place to say so.
    return false;
  }
}

/** Where nobody reads stderr any more it says so after the write. Of several writes in one turn the console expects one error. */
function surviveBrokenPipe(): void {
  const { stderr } = process;
  if (stderr.listenerCount('error') > 0) return;
  stderr.on('error', ignore);
  setImmediate(() => stderr.removeListener('error', ignore));
}

function ignore(): void {}
