/** What happens, as something to await: hooks push into it, tests take from it. */
export class Happenings<T> {
  private readonly items: T[] = [];
  private waiting: ((item: T) => void)[] = [];

  push(item: T): void {
    const first = this.waiting.shift();
    if (first === undefined) this.items.push(item);
    else first(item);
  }

  /** The next thing that happens, or has happened and was not taken. */
  next(): Promise<T> {
    // Not by the item: `undefined` may be one.
    if (this.items.length > 0) return Promise.resolve(this.items.shift()!);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async take(count: number): Promise<T[]> {
    const taken: T[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  /** What has happened and was not taken. */
  get left(): readonly T[] {
    return this.items;
  }
}
