/**
 * The budget of a process: how much memory all connections together may pin. Each tells what it pins when that has changed; the
 * sum is looked at when the turn of the event loop is over. Above the budget it is the connection that pins most that is ended,
 * and then the next, until it fits: whoever fills memory pays for it, and nobody else. What several wait for in the same memory (a
 * prepared message, or one buffer that was written to many) counts once, and weighs on each of them by its part.
 */
import { totalmem } from 'node:os';
import { checkOptions } from '../argument-checks.js';
import { invalidOption } from '../errors.js';
import { logError } from '../log.js';

/** What a holder pins together with others. */
export interface Sharing {
  /** Tells the budget of what it was not told yet, by `retain`: from now on that is no part of `pinnedBytes`. */
  tell(limits: Limits): void;
  /** In bytes: of what several pin, to each the same part. */
  readonly share: number;
}

/** Who pins memory. */
export interface MemoryHolder {
  /** By itself, in bytes, now. */
  readonly pinnedBytes: number;
  readonly shared?: Sharing | undefined;
  /** What it told last. Only `Limits` sets it. */
  accountedBytes: number;
  /** Ends it, and frees what it pins. */
  evict(): void;
}

/** @internal Friend of `Limits`: tells the budget that a connection pins another amount now. */
export let account: (limits: Limits, holder: MemoryHolder, bytes: number) => void;

/** @internal Friend of `Limits`: tells the budget that these bytes are pinned once more. Wherever they are pinned as well, they count once. */
export let retain: (limits: Limits, bytes: Uint8Array) => Region;

/** Some memory that is pinned, perhaps by several. */
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

  /** It is pinned once less. */
  release(): void {
    this.pins--;
    if (this.pins === 0) this.free();
  }
}

/**
 * A bound on the memory that connections pin, for any number of routes: give the same object to each. What counts is what has
 * come and was not delivered, what was written and not taken by the operating system, and the state of compression, all in
 * bytes of memory: once, where many wait for the same prepared message or buffer. Over the budget connections are ended, those that pin most first: with 1013, or at once where the peer does not
 * read.
 *
 * @example
 * const limits = new Limits({ maxBufferedBytes: 256 * 1024 * 1024 });
 * app.use(websocketRoute('/chat', Chat, { limits }));
 * app.use(websocketRoute('/feed', Feed, { limits }));
 */
export class Limits {
  /** The budget, in bytes. */
  readonly maxBufferedBytes: number;
  /** Connections that were ended to keep to it. */
  evicted = 0;
  #bytes = 0;
  #isDue = false;
  readonly #holders = new Set<MemoryHolder>();
  readonly #ended = new WeakSet<MemoryHolder>();
  /** By the memory, and by the place in it. */
  readonly #regions = new Map<ArrayBufferLike, Map<string, Region>>();

  /**
   * @param options.maxBufferedBytes in bytes; `Infinity` for no bound. Default: a quarter of the memory that the process may use
   * (of the machine's, or of its container's), which leaves room for the rest of the application
   * @throws TypeError for anything but a positive integer or Infinity, and for an unknown option
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

  /** Bytes of memory that all connections together pin now. */
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
    // Not in the midst of whatever made it grow.
    setImmediate(() => this.#relieve());
  }

  #relieve(): void {
    // What has been taken by now was not told by anybody, and what is shared was counted for each.
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
    // It may still pin something while it ends, and be asked once more.
    if (!this.#ended.has(holder)) this.evicted++;
    this.#ended.add(holder);
    try {
      holder.evict();
    } catch (error) {
      // A stream of the user's own may throw, in `destroy`. The others are ended all the same.
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
  // Node 20 has it; what it says where there is no constraint differs: 0, undefined, or more than there is.
  const constrained: unknown = process.constrainedMemory?.();
  const total = totalmem();
  const memory = typeof constrained === 'number' && constrained > 0 ? Math.min(constrained, total) : total;
  return Math.floor(memory / 4);
}
