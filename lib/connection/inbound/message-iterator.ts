/**
 * Pull style: what `onRead` would get, taken one by one by whoever asks. Reading waits while nobody does, so that nothing is
 * queued here: TCP holds the peer back. Only until somebody has asked for the first time is one unit read ahead: who just
 * writes, and never asks, hears of goodbyes and pongs all the same.
 */
import type { Unit } from '../../dispatch/reader.js';
import type { UnitConsumer } from '../../dispatch/unit-delivery.js';

export interface MessageIteratorOwner extends Pick<UnitConsumer, 'onOverflow' | 'onStale'> {
  /** Nobody asks for more. */
  onFull(): void;
  /** Somebody does. */
  onWanted(): void;
  /** Nobody ever will again. */
  onLeft(): void;
}

/** A unit as pull style gives it: what is one argument of `onRead` is itself, what are several is an array. */
export type Item = Unit | readonly unknown[];

export class MessageIterator implements UnitConsumer, AsyncIterableIterator<Item> {
  private readonly items: Item[] = [];
  private readonly pendingReads: ((result: IteratorResult<Item>) => void)[] = [];
  private ended = false;
  /** Somebody has asked for a unit. */
  wasAsked = false;
  private collectsAll = false;
  private readonly owner: MessageIteratorOwner;

  constructor(owner: MessageIteratorOwner) {
    this.owner = owner;
  }

  /** Whether nothing more is wanted for now: a unit was taken, and no other has been asked for, or one waits to be taken. */
  get isFull(): boolean {
    return this.pendingReads.length === 0 && (this.wasAsked || this.items.length > 0) && !this.collectsAll;
  }

  /** The memory of what waits to be taken, in bytes. */
  get pinned(): number {
    let sum = 0;
    for (const item of this.items) sum += sizeOf(item);
    return sum;
  }

  /** Keeps all that comes from now on for whoever asks later: the connection has gone, and what is left of it is not much. */
  collectAll(): void {
    this.collectsAll = true;
  }

  // What the dispatcher calls.

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

  /** Nothing more will come. What is here may still be taken. */
  end(): void {
    this.ended = true;
    for (const take of this.pendingReads.splice(0)) take(DONE);
  }

  // What the user calls, by way of `for await`.

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
  // What it was cut from is pinned as a whole.
  if (value instanceof Uint8Array) return value.buffer.byteLength;
  // Values of a struct, groups of a match.
  return Array.isArray(value) ? value.reduce<number>((sum, member) => sum + VALUE + sizeOf(member), 0) : 0;
}

/** About what a number, or the reference to another value, costs in bytes. */
const VALUE = 16;
