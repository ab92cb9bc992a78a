/** Watches the kernel accept output: for `drained()`, for `onWrite`, and to resume reading that waited for it. */
import type { Transport } from '../../transport/transport.js';
import type { Writer } from './writer.js';

export interface DrainWatchOwner {
  /** The kernel has accepted everything flushed up to some moment. More may have been written since. */
  onTaken(): void;
  /** The kernel has accepted all output. */
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
    // The output of all current waiters has been flushed, so they are done when the kernel accepts it.
    const due = this.waiters.length;
    if (this.transport.writableLength === 0) process.nextTick(() => this.taken(due));
    else this.transport.whenFlushed(() => this.taken(due));
  }

  /** Rejects all waiters, because the connection is closed and the rest of the output is lost. */
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
      // More has been written meanwhile. If it is not flushed yet, its flush calls `watch` again.
      this.watch();
      return;
    }
    const waiters = this.waiters;
    this.waiters = [];
    for (const { resolve } of waiters) resolve();
    this.owner.onDrained();
  }
}
