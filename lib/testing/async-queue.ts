/** A queue of items to await. */

/** Receives one item, or the reason why none will come. */
export interface Taker<T> {
  /** True once it has stopped waiting; it is then skipped. */
  readonly isOver: boolean;
  resolve(item: T): void;
  reject(reason: string): void;
}

export class AsyncQueue<T> {
  private readonly items: T[] = [];
  private readonly takers: Taker<T>[] = [];
  private endReason: string | undefined = undefined;

  push(item: T): void {
    let taker = this.takers.shift();
    while (taker?.isOver) taker = this.takers.shift();
    if (taker === undefined) this.items.push(item);
    else taker.resolve(item);
  }

  /** Ends the queue; takers are rejected with `reason` once it is empty. */
  end(reason: string): void {
    this.endReason ??= reason;
    for (const taker of this.takers.splice(0)) taker.reject(reason);
  }

  /** Whether the queue is empty and has ended. */
  get isOver(): boolean {
    return this.endReason !== undefined && this.items.length === 0;
  }

  /** Items not yet taken. */
  get left(): readonly T[] {
    return this.items;
  }

  /** Settles the taker, now or when the next item comes. */
  give(taker: Taker<T>): void {
    // Checks the length, since `undefined` may be an item.
    if (this.items.length > 0) taker.resolve(this.items.shift()!);
    else if (this.endReason !== undefined) taker.reject(this.endReason);
    else this.takers.push(taker);
  }

  /**
   * Takes the next item, waiting for it if necessary.
   *
   * @throws Error (rejects) with the reason passed to `end` if no item will come
   */
  next(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.give({ isOver: false, resolve, reject: (reason) => reject(new Error(reason)) });
    });
  }

  async take(count: number): Promise<T[]> {
    const taken: T[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }
}
