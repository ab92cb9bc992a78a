/** What has come and was not taken, and who waits for what is to come. */
import type { Wait } from './wait.js';

export class Queue<T> {
  private readonly items: T[] = [];
  private readonly takers: Wait<T>[] = [];
  private over: string | undefined = undefined;

  put(item: T): void {
    let taker = this.takers.shift();
    // Who has waited in vain does not get it.
    while (taker?.isOver) taker = this.takers.shift();
    if (taker === undefined) this.items.push(item);
    else taker.resolve(item);
  }

  /** Nothing more will come; `reason` is what takers are told when nothing is left. */
  end(reason: string): void {
    this.over ??= reason;
    for (const taker of this.takers.splice(0)) taker.reject(reason);
  }

  /** Whether nothing is left, nor will come. */
  get isOver(): boolean {
    return this.over !== undefined && this.items.length === 0;
  }

  /** Settles the wait, now or when the next item comes. */
  take(wait: Wait<T>): void {
    if (this.items.length > 0) wait.resolve(this.items.shift()!);
    else if (this.over !== undefined) wait.reject(this.over);
    else this.takers.push(wait);
  }
}
