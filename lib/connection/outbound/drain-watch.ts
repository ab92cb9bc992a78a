/** Watches how the kernel takes what was written: for `drained()`, for `onWrite`, and to read on where that had to wait. */
import type { Transport } from '../../transport/transport.js';
import type { Writer } from './writer.js';

export interface DrainWatchOwner {
  /** All that had been flushed at some moment has been taken; more may have been written since. */
  onTaken(): void;
  /** Nothing is left to be taken. */
  onDrained(): void;
}

export class DrainWatch {
  private waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  private waiting = false;
  private over = false;
  private readonly transport: Transport;
  private readonly writer: Writer;
  private readonly owner: DrainWatchOwner;

  constructor(transport: Transport, writer: Writer, owner: DrainWatchOwner) {
    this.transport = transport;
    this.writer = writer;
    this.owner = owner;
  }

  drained(): Promise<void> {
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
  }

  /** To be called after each flush. */
  watch(): void {
    if (this.waiting || this.over || this.writer.waiting) return;
    this.waiting = true;
    // Whoever waits now has nothing unflushed any more: when this has been taken, so has all that they wait for.
    const due = this.waiters.length;
    if (this.transport.writableLength === 0) process.nextTick(() => this.taken(due));
    else this.transport.whenFlushed(() => this.taken(due));
  }

  /** The connection has gone, and what was not taken never will be. */
  stop(error: Error): void {
    this.over = true;
    for (const { reject } of this.waiters) reject(error);
    this.waiters = [];
  }

  private taken(due: number): void {
    this.waiting = false;
    if (this.over) return;
    this.owner.onTaken();
    for (const { resolve } of this.waiters.splice(0, due)) resolve();
    if (this.writer.bufferedAmount > 0 || this.writer.waiting) {
      // More has been written meanwhile: flushed already, or its flush calls `watch` again.
      this.watch();
      return;
    }
    const waiters = this.waiters;
    this.waiters = [];
    for (const { resolve } of waiters) resolve();
    this.owner.onDrained();
  }
}
