/**
 * The writes to a socket of TLS, which takes each of them in another turn of the event loop, even when the kernel has room. That it has
 * taken the last of them is told by the callback of that one: an empty write behind it, as for TCP, would cost a turn more, and a
 * system call.
 */
export class WatchedWrites {
  /** Whether nothing else was written since the last of these. */
  isLast = false;
  private begun = 0;
  private taken = 0;
  /** In the order of their writes. */
  private waiting: { readonly write: number; readonly callback: () => void }[] = [];

  /** @returns the callback of the write */
  begin(): (error?: Error | null) => void {
    this.begun++;
    this.isLast = true;
    return this.onTaken;
  }

  /**
   * Calls back when what was written so far has been taken; never, if the connection is lost before.
   *
   * @returns false where no callback of these tells that
   */
  whenTaken(callback: () => void): boolean {
    if (!this.isLast || this.taken === this.begun) return false;
    this.waiting.push({ write: this.begun, callback });
    return true;
  }

  private readonly onTaken = (error?: Error | null): void => {
    if (error) return;
    this.taken++;
    while (this.waiting[0] !== undefined && this.waiting[0].write <= this.taken) this.waiting.shift()?.callback();
  };
}
