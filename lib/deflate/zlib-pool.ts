/**
 * Streams without a past. A connection without context takeover begins each message anew (RFC 7692 section 7.1.1), so that
 * any stream will do for it, and it needs none in between.
 */
import { MAX_JOBS } from './zlib-jobs.js';
import { createDeflater, createInflater, type DeflateSettings, type ZlibStream } from './zlib-stream.js';

/** Idle streams, as many of all its pools together as can be at work at a time. The one that is idle for longest goes first. */
class IdleStreams {
  private readonly idle: { stream: ZlibStream; pool: ZlibPool }[] = [];

  /** The one of that pool that was at work last. */
  take(pool: ZlibPool): ZlibStream | undefined {
    const at = this.idle.findLastIndex((entry) => entry.pool === pool);
    return at < 0 ? undefined : this.idle.splice(at, 1)[0]?.stream;
  }

  put(stream: ZlibStream, pool: ZlibPool): void {
    if (this.idle.length >= MAX_JOBS) this.idle.shift()?.stream.close();
    this.idle.push({ stream, pool });
  }
}

export class ZlibPool {
  private readonly shelf: IdleStreams;
  private readonly create: () => ZlibStream;

  constructor(create: () => ZlibStream, shelf = new IdleStreams()) {
    this.create = create;
    this.shelf = shelf;
  }

  take(): ZlibStream {
    return this.shelf.take(this) ?? this.create();
  }

  /** Gives back one that is not at work. */
  give(stream: ZlibStream): void {
    stream.user = undefined;
    stream.reset();
    this.shelf.put(stream, this);
  }
}

/** For all: an inflater with the largest window reads what was written with a smaller one. */
export const inflaters = new ZlibPool(() => createInflater(15));

const deflaters = new Map<string, ZlibPool>();
/** Clients choose the window bits: were it one for each, they would choose how much is kept. */
const deflatersShelf = new IdleStreams();

/** One pool for all who compress alike. There are few: settings are the user's, and window bits are seven numbers. */
export function deflatersFor(settings: DeflateSettings): ZlibPool {
  const { windowBits, level, memLevel } = settings;
  const key = `${windowBits} ${level} ${memLevel}`;
  let pool = deflaters.get(key);
  if (pool === undefined) {
    pool = new ZlibPool(() => createDeflater(settings), deflatersShelf);
    deflaters.set(key, pool);
  }
  return pool;
}
