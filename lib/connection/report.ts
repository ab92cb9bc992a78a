/**
 * Where errors go that nobody else takes: to stderr, by `console.error`. What a peer did wrong is one line; what the user's code
 * did wrong comes with its stack. A stranger can provoke either as often as it likes. So of each kind a few are printed in a
 * minute, and the rest is counted; the count is told with the first error after that minute. No timer tells it: a line that nothing
 * has caused at that moment would come into whatever the process does then, such as the next test.
 *
 * Reporting never throws, whatever was thrown, and whatever became of the console.
 */
import { inspectValue, isA, OverflowError, ProtocolError, propertyOf } from '../errors.js';
import { abandon } from './thenables.js';

/** In milliseconds. */
const MINUTE = 60_000;
/** How many of one kind are printed in that time: peers' mistakes are alike; at work on one's own one wants to see every attempt. */
const MOST_OF_PEERS = 1;
const MOST_OF_OURS = 20;
/** How many kinds are told apart: all others are one. Counting them must not cost more and more. */
const MAX_KINDS = 100;
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
/** Of the minute at hand. */
let end = 0;

/** @param context what failed, and of which route */
export function report(context: string, error: unknown): void {
  turnMinute();
  const isPeers = isA(error, OverflowError) || isA(error, ProtocolError);
  const kind = kindOf(isPeers ? `${context}\n${nameOf(error)}` : `${context}\n${placeOf(error)}`, context, error);
  if (kind.printed >= (isPeers ? MOST_OF_PEERS : MOST_OF_OURS)) {
    kind.more++;
    return;
  }
  kind.printed++;
  if (isPeers) print(lineOf(context, error));
  // The first argument is a format.
  else if (!print(`websocket-route: ${context.replaceAll('%', '%%')}:`, error)) print(lineOf(context, error));
}

function kindOf(key: string, context: string, error: unknown): Kind {
  const known = kinds.has(key) || kinds.size < MAX_KINDS ? key : OTHER;
  let kind = kinds.get(known);
  if (kind === undefined) {
    const line = known === OTHER ? 'websocket-route: errors of other kinds' : lineOf(context, error);
    kind = { line, printed: 0, more: 0 };
    kinds.set(known, kind);
  }
  return kind;
}

/** Begins another minute when the one at hand is over, and tells what was counted in that. */
function turnMinute(): void {
  const now = performance.now();
  if (now < end) return;
  end = now + MINUTE;
  const counted = [...kinds.values()];
  kinds.clear();
  for (const { line, more } of counted) if (more > 0) print(`${line} (${more} more within a minute)`);
}

/** Where it was thrown, whatever its message says: strangers may choose that. */
function placeOf(error: unknown): string {
  const stack = propertyOf(error, 'stack');
  if (typeof stack !== 'string') return error === null ? 'null' : typeof error;
  const lines = stack.slice(-PLACE).split('\n');
  const last = lines.findLastIndex((line) => !/^\s+at /.test(line));
  return `${nameOf(error)}\n${lines.slice(last + 1).join('\n')}`;
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
