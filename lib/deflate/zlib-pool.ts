/**
 * Pools of zlib streams without context. A connection without context takeover starts each message afresh (RFC 7692
 * section 7.1.1), so any stream will do, and none is needed between messages.
 */
import { MAX_JOBS } from './zlib-jobs.js';
import { createDeflater, createInflater, type DeflateSettings, type ZlibStream } from './zlib-stream.js';

/** The idle streams of several pools, at most `MAX_JOBS` in all. The one idle for longest is dropped first. */
class IdleStreams {
  private readonly idle: { stream: ZlibStream; pool: ZlibPool }[] = [];

  /** @returns the most recently used stream of the pool */
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

  /** Returns an idle stream to the pool. */
  give(stream: ZlibStream): void {
    stream.user = undefined;
    stream.reset();
    this.shelf.put(stream, this);
  }
}

/** Shared by all connections, because an inflater with the largest window also reads data of smaller ones. */
export const inflaters = new ZlibPool(() => createInflater(15));

const deflaters = new Map<string, ZlibPool>();
/**
 * Shared by all settings, because clients choose the window bits and must not control how many idle streams are kept.
 */
const deflatersShelf = new IdleStreams();

/** @returns the pool for these settings. There are few pools, because only the window bits depend on the client. */
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
