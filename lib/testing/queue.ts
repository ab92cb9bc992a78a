/** What has come and was not taken, and who waits for what is to come. */
export class Queue<T> {
  private readonly items: T[] = [];
  private readonly takers: { resolve(item: T): void; reject(error: Error): void }[] = [];
  private over: string | undefined = undefined;

  put(item: T): void {
    const taker = this.takers.shift();
    if (taker === undefined) this.items.push(item);
    else taker.resolve(item);
  }

  /** Nothing more will come; `reason` is what takers are told when nothing is left. */
  end(reason: string): void {
    this.over ??= reason;
    for (const taker of this.takers.splice(0)) taker.reject(new Error(reason));
  }

  /** Whether nothing is left, nor will come. */
  get isOver(): boolean {
    return this.over !== undefined && this.items.length === 0;
  }

  take(): Promise<T> {
    const item = this.next();
    // A test may look at it later, or never: its rejection must not end the process before.
    item.catch(() => {});
    return item;
  }

  private next(): Promise<T> {
    if (this.items.length > 0) return Promise.resolve(this.items.shift()!);
    if (this.over !== undefined) return Promise.reject(new Error(this.over));
    return new Promise((resolve, reject) => this.takers.push({ resolve, reject }));
  }
}
