/**
 * Iterates over the units that `onRead` would receive. Reading waits until the consumer asks for a unit, so that TCP
 * holds the peer back and no queue grows here. Before the first request one unit is read ahead, so that a handler that
 * only writes still notices close frames and pongs.
 */
import type { Unit } from '../../dispatch/reader.js';
import type { UnitConsumer } from '../../dispatch/unit-delivery.js';

export interface MessageIteratorOwner extends Pick<UnitConsumer, 'onOverflow' | 'onStale'> {
  /** The consumer wants no further unit for now. */
  onFull(): void;
  /** The consumer has asked for a unit. */
  onWanted(): void;
  /** The consumer has left the loop. */
  onLeft(): void;
}

/** A unit as the iterator yields it: the argument of `onRead`, or an array if there are several. */
export type Item = Unit | readonly unknown[];

export class MessageIterator implements UnitConsumer, AsyncIterableIterator<Item> {
  private readonly items: Item[] = [];
  private readonly pendingReads: ((result: IteratorResult<Item>) => void)[] = [];
  private ended = false;
  /** Whether the consumer has ever asked for a unit. */
  wasAsked = false;
  private collectsAll = false;
  private readonly owner: MessageIteratorOwner;

  constructor(owner: MessageIteratorOwner) {
    this.owner = owner;
  }

  /** Whether no further unit is wanted for now: the consumer is still busy with one, or one waits to be taken. */
  get isFull(): boolean {
    return this.pendingReads.length === 0 && (this.wasAsked || this.items.length > 0) && !this.collectsAll;
  }

  /** The memory of units that wait to be taken, in bytes. */
  get pinned(): number {
    let sum = 0;
    for (const item of this.items) sum += sizeOf(item);
    return sum;
  }

  /** Queues all further units. To be called once the connection is closed, when little input is left. */
  collectAll(): void {
    this.collectsAll = true;
  }

  // Called by the dispatcher.

  onUnit(value: Unit): void {
    this.put(value);
  }

  onUnits(values: readonly unknown[]): void {
    this.put(values);
  }

  onValues4(count: number, a: unknown, b: unknown, c: unknown, d: unknown): void {
    this.put([a, b, c, d].slice(0, count));
  }

  onOverflow(error: Parameters<UnitConsumer['onOverflow']>[0]): void {
    this.owner.onOverflow(error);
  }

  onStale(): void {
    this.owner.onStale();
  }

  /** Ends the iteration after the units that are already here. */
  end(): void {
    this.ended = true;
    for (const take of this.pendingReads.splice(0)) take(DONE);
  }

  // Called by the user's `for await`.

  next(): Promise<IteratorResult<Item>> {
    this.wasAsked = true;
    const [value] = this.items.splice(0, 1);
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.ended) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      this.pendingReads.push(resolve);
      this.owner.onWanted();
    });
  }

  return(): Promise<IteratorResult<Item>> {
    if (!this.ended) {
      this.end();
      this.owner.onLeft();
    }
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private put(item: Item): void {
    const take = this.pendingReads.shift();
    if (take === undefined) this.items.push(item);
    else take({ done: false, value: item });
    if (this.isFull) this.owner.onFull();
  }
}

const DONE: IteratorResult<never> = { done: true, value: undefined };

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  // A view pins all of its memory.
  if (value instanceof Uint8Array) return value.buffer.byteLength;
  // Values of a struct, groups of a match.
  return Array.isArray(value) ? value.reduce<number>((sum, member) => sum + VALUE + sizeOf(member), 0) : 0;
}

/** The approximate size of a number or a reference, in bytes. */
const VALUE = 16;
