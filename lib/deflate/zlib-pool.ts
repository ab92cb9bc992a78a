/**
 * Streams without a past. A connection without context takeover begins each message anew (RFC 7692 section 7.1.1), so that
 * any stream will do for it, and it needs none in between.
 */
import { MAX_JOBS } from './zlib-jobs.js';
import { createDeflater, createInflater, type DeflateSettings, type ZlibStream } from './zlib-stream.js';

export class ZlibPool {
  private readonly idle: ZlibStream[] = [];
  private readonly create: () => ZlibStream;

  constructor(create: () => ZlibStream) {
    this.create = create;
  }

  take(): ZlibStream {
    return this.idle.pop() ?? this.create();
  }

  /** Gives back one that is not at work. Of more than can be at work at a time the rest is closed. */
  give(stream: ZlibStream): void {
    stream.user = undefined;
    if (this.idle.length >= MAX_JOBS) {
      stream.close();
      return;
    }
    stream.reset();
    this.idle.push(stream);
  }
}

/** For all: an inflater with the largest window reads what was written with a smaller one. */
export const inflaters = new ZlibPool(() => createInflater(15));

const deflaters = new Map<string, ZlibPool>();

/** One pool for all who compress alike. There are few: settings are the user's, and window bits are seven numbers. */
export function deflatersFor(settings: DeflateSettings): ZlibPool {
  const { windowBits, level, memLevel } = settings;
  const key = `${windowBits} ${level} ${memLevel}`;
  let pool = deflaters.get(key);
  if (pool === undefined) {
    pool = new ZlibPool(() => createDeflater(settings));
    deflaters.set(key, pool);
  }
  return pool;
}
