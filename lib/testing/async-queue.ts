/** Items that come one by one, as something to await. */

/** Gets one item, or is told that none will come. */
export interface Taker<T> {
  /** It has stopped waiting, and is passed over. */
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

  /** Nothing more will come; `reason` is what takers are told when nothing is left. */
  end(reason: string): void {
    this.endReason ??= reason;
    for (const taker of this.takers.splice(0)) taker.reject(reason);
  }

  /** Whether nothing is left, nor will come. */
  get isOver(): boolean {
    return this.endReason !== undefined && this.items.length === 0;
  }

  /** What has come and was not taken. */
  get left(): readonly T[] {
    return this.items;
  }

  /** Settles the taker, now or when the next item comes. */
  give(taker: Taker<T>): void {
    // Not by the item: `undefined` may be one.
    if (this.items.length > 0) taker.resolve(this.items.shift()!);
    else if (this.endReason !== undefined) taker.reject(this.endReason);
    else this.takers.push(taker);
  }

  /**
   * The next item that comes, or has come and was not taken.
   *
   * @throws Error (rejects) with the reason of `end` when none will come
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
