/**
 * The memory budget of a process: how much memory all connections together may pin. Each connection reports the memory
 * it pins when that changes, and the sum is checked at the end of the turn of the event loop. Above the budget,
 * connections are closed until the sum fits, the one that pins most first, so that only those that fill memory pay for
 * it. Memory that several connections wait to send (a prepared message, or one buffer written to many) counts once, and
 * each of them bears an equal share.
 */
import { totalmem } from 'node:os';
import { checkOptions } from '../argument-checks.js';
import { invalidOption } from '../errors.js';
import { logError } from '../log.js';

/** The memory that a holder pins together with others. */
export interface Sharing {
  /** Reports new memory to the budget by `retain`, after which it no longer counts in `pinnedBytes`. */
  tell(limits: Limits): void;
  /** In bytes. Memory that several holders pin is shared equally among them. */
  readonly share: number;
}

/** A connection, as the budget sees it. */
export interface MemoryHolder {
  /** The memory that it pins alone, in bytes. */
  readonly pinnedBytes: number;
  readonly shared?: Sharing | undefined;
  /** The value of `pinnedBytes` that it reported last. Only `Limits` sets it. */
  accountedBytes: number;
  /** Closes the connection and frees the memory it pins. */
  evict(): void;
}

/** @internal Friend of `Limits`: reports that a connection now pins `bytes` bytes. */
export let account: (limits: Limits, holder: MemoryHolder, bytes: number) => void;

/**
 * @internal Friend of `Limits`: reports that these bytes are pinned once more. They count once however often they are
 * pinned.
 */
export let retain: (limits: Limits, bytes: Uint8Array) => Region;

/** A piece of memory that one or more connections pin. */
export class Region {
  readonly length: number;
  pins = 0;
  private readonly free: () => void;

  constructor(length: number, free: () => void) {
    this.length = length;
    this.free = free;
  }

  get share(): number {
    return this.length / this.pins;
  }

  /** Removes one pin. */
  release(): void {
    this.pins--;
    if (this.pins === 0) this.free();
  }
}

/**
 * Limits the memory that connections pin. To share one limit between routes, pass the same object to each. Three things
 * count, in bytes of memory: data received but not delivered, data written but not yet accepted by the operating
 * system, and compression state. A prepared message or buffer that many connections wait to send counts once. Above the
 * limit, connections are closed, the ones that pin most first: with 1013, or without a close frame if the peer does not
 * read.
 *
 * @example
 * const limits = new Limits({ maxBufferedBytes: 256 * 1024 * 1024 });
 * app.use(websocketRoute('/chat', Chat, { limits }));
 * app.use(websocketRoute('/feed', Feed, { limits }));
 */
export class Limits {
  /** The limit, in bytes. */
  readonly maxBufferedBytes: number;
  /** How many connections were closed to stay within the limit. */
  evicted = 0;
  #bytes = 0;
  #isDue = false;
  readonly #holders = new Set<MemoryHolder>();
  readonly #ended = new WeakSet<MemoryHolder>();
  /** Keyed by the memory, then by the position in it. */
  readonly #regions = new Map<ArrayBufferLike, Map<string, Region>>();

  /**
   * @param options.maxBufferedBytes in bytes; `Infinity` for no limit. Default: a quarter of the memory of the machine,
   * or of its container, which leaves room for the rest of the application
   * @throws TypeError if it is not a positive integer or `Infinity`, and for unknown options
   */
  constructor(options: { maxBufferedBytes?: number | undefined } = {}) {
    checkOptions('Limits', options, ['maxBufferedBytes'], '{ maxBufferedBytes: 256 * 1024 * 1024 }');
    const { maxBufferedBytes = aQuarterOfMemory() } = options;
    if (maxBufferedBytes !== Infinity && (!Number.isSafeInteger(maxBufferedBytes) || maxBufferedBytes < 1)) {
      const rule = 'it must be a positive integer, in bytes, or Infinity for no limit';
      throw invalidOption('maxBufferedBytes', maxBufferedBytes, rule);
    }
    this.maxBufferedBytes = maxBufferedBytes;
  }

  /** The memory that all connections together pin now, in bytes. */
  get bufferedBytes(): number {
    this.#refresh();
    return this.#bytes;
  }

  static {
    account = (limits, holder, bytes) => limits.#hold(holder, bytes);
    retain = (limits, bytes) => limits.#retain(bytes);
  }

  #hold(holder: MemoryHolder, bytes: number): void {
    this.#bytes += bytes - holder.accountedBytes;
    holder.accountedBytes = bytes;
    if (bytes === 0) this.#holders.delete(holder);
    else this.#holders.add(holder);
    this.#weigh();
  }

  #retain({ buffer, byteOffset, byteLength }: Uint8Array): Region {
    const regions = this.#regions.get(buffer) ?? new Map<string, Region>();
    const place = `${byteOffset} ${byteLength}`;
    let region = regions.get(place);
    if (region === undefined) {
      region = new Region(byteLength, () => {
        this.#bytes -= byteLength;
        regions.delete(place);
        if (regions.size === 0) this.#regions.delete(buffer);
      });
      regions.set(place, region);
      this.#regions.set(buffer, regions);
      this.#bytes += byteLength;
    }
    region.pins++;
    this.#weigh();
    return region;
  }

  #weigh(): void {
    if (this.#bytes <= this.maxBufferedBytes || this.#isDue) return;
    this.#isDue = true;
    // Not now, in the middle of the work that made it grow.
    setImmediate(() => this.#relieve());
  }

  #relieve(): void {
    // The kernel may have accepted data without a report, and shared memory may have been counted for each connection.
    this.#refresh();
    this.#isDue = false;
    if (this.#bytes <= this.maxBufferedBytes) return;
    const weighed = Array.from(this.#holders, (holder) => ({
      holder,
      weight: holder.accountedBytes + (holder.shared?.share ?? 0),
    }));
    weighed.sort((a, b) => b.weight - a.weight);
    for (const { holder } of weighed) {
      if (this.#bytes <= this.maxBufferedBytes) return;
      this.#evict(holder);
      this.#hold(holder, holder.pinnedBytes);
    }
  }

  #evict(holder: MemoryHolder): void {
    // A connection may still pin memory while it closes, and be evicted again.
    if (!this.#ended.has(holder)) this.evicted++;
    this.#ended.add(holder);
    try {
      holder.evict();
    } catch (error) {
      // A user's own stream may throw in `destroy`. The other connections must still be closed.
      logError('a connection could not be ended', error);
    }
  }

  #refresh(): void {
    for (const holder of this.#holders) {
      holder.shared?.tell(this);
      const bytes = holder.pinnedBytes;
      if (bytes !== holder.accountedBytes) this.#hold(holder, bytes);
    }
  }
}

function aQuarterOfMemory(): number {
  // Without a constraint the result differs between Node versions: 0, undefined, or more than the machine has.
  const constrained: unknown = process.constrainedMemory?.();
  const total = totalmem();
  const memory = typeof constrained === 'number' && constrained > 0 ? Math.min(constrained, total) : total;
  return Math.floor(memory / 4);
}
