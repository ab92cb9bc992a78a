/**
 * Where errors go that nobody else takes: to stderr, by `console.error`. What a peer did wrong is one line; what the user's code
 * did wrong comes with its stack. A stranger can provoke either as often as it likes. So of each kind a few are printed in a
 * minute, and the rest is counted; the count is told with the first error after that minute. No timer tells it: a line that nothing
 * has caused at that moment would come into whatever the process does then, such as the next test.
 *
 * Reporting never throws, whatever was thrown, and whatever became of the console.
 */
import { inspectValue, isA, OverflowError, ProtocolError, propertyOf } from './errors.js';
import { abandon } from './thenables.js';

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
  printed: number;
  /** Those that were not printed. */
  more: number;
}

const kinds = new Map<string, Kind>();
/** How many of them there are, by context. */
const counts = new Map<string, number>();
/** Of the minute at hand. */
let end = 0;

/** @param context what failed, and of which route */
export function logError(context: string, error: unknown): void {
  turnMinute();
  const isPeers = isA(error, OverflowError) || isA(error, ProtocolError);
  const kind = kindOf(context, isPeers ? nameOf(error) : placeOf(error), error);
  if (kind.printed >= (isPeers ? MOST_OF_PEERS : MOST_OF_OURS)) {
    kind.more++;
    return;
  }
  kind.printed++;
  if (isPeers) print(lineOf(context, error));
  // The first argument is a format.
  else if (!print(`websocket-route: ${context.replaceAll('%', '%%')}:`, error)) print(lineOf(context, error));
}

function kindOf(context: string, what: string, error: unknown): Kind {
  const known = kinds.get(`${context}\n${what}`);
  if (known !== undefined) return known;
  const count = counts.get(context) ?? 0;
  if (kinds.size >= MAX_KINDS) return kinds.get(OTHER) ?? add(OTHER, 'websocket-route: errors of other kinds');
  if (count >= MAX_KINDS_OF_ONE) {
    const rest = `${context}\n${OTHER}`;
    return kinds.get(rest) ?? add(rest, `websocket-route: ${context}: errors of other kinds`);
  }
  counts.set(context, count + 1);
  return add(`${context}\n${what}`, lineOf(context, error));
}

function add(key: string, line: string): Kind {
  const kind: Kind = { line, printed: 0, more: 0 };
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
  for (const { line, more } of counted) if (more > 0) print(`${line} (${more} more within a minute)`);
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

/** @returns false where it could not be printed */
function print(...line: unknown[]): boolean {
  try {
    surviveBrokenPipe();
    // Whoever has replaced it may have made it asynchronous.
    abandon(Reflect.apply(console.error, console, line));
    return true;
  } catch {
    // An error that cannot be inspected, or a console that throws: there is no other place to say so.
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
