/**
 * What zlib is doing in this process, seen from outside: its own handles, which Node tells `async_hooks` of. Begin to watch before
 * the first stream is made: a pool keeps some, and of those that were there before nothing is seen.
 */
import { createHook } from 'node:async_hooks';

/** The handle of a zlib stream, as far as it is looked at here. Its jobs are calls of `write`, each of which fills one piece of output. */
interface Handle {
  init(...args: unknown[]): unknown;
  write(...args: unknown[]): unknown;
  writeSync(...args: unknown[]): unknown;
  close(): unknown;
  onerror: (...args: unknown[]) => void;
}

export class ZlibWatch {
  /** Streams that have not been closed. */
  open = 0;
  /** Jobs that are in zlib's threads. */
  atWork = 0;
  /** Since `begin`: the streams that were made. */
  made = 0;
  /** How many more of them are open, or fewer. */
  get more(): number {
    return this.open - this.before;
  }

  /** The pieces of output that zlib was asked for, of at most 16 KiB each. */
  pieces = 0;
  /** The most jobs that were in zlib's threads at a time. */
  mostAtWork = 0;
  private before = 0;
  private readonly hook = createHook({
    init: (_id, type, _trigger, resource) => {
      if (type === 'ZLIB') this.watch(resource as Handle);
    },
  });

  constructor() {
    this.hook.enable();
  }

  begin(): void {
    this.before = this.open;
    this.made = 0;
    this.pieces = 0;
    this.mostAtWork = this.atWork;
  }

  stop(): void {
    this.hook.disable();
  }

  private watch(handle: Handle): void {
    const { init, write, writeSync, close } = handle;
    this.made++;
    this.open++;
    let isOpen = true;
    let isSync = false;
    // A job ends with one of two calls: of what `init` was given, or of `onerror`.
    const ending = (callback: (...args: unknown[]) => void) => {
      return (...args: unknown[]): void => {
        if (!isSync) this.atWork--;
        callback.apply(handle, args);
      };
    };
    handle.init = (...args) => {
      const isCallback = (arg: unknown): arg is () => void => typeof arg === 'function';
      return init.apply(
        handle,
        args.map((arg) => (isCallback(arg) ? ending(arg) : arg)),
      );
    };
    let failed = (): void => {};
    Object.defineProperty(handle, 'onerror', {
      get: () => failed,
      set: (callback: () => void) => {
        failed = ending(callback);
      },
    });
    handle.write = (...args) => {
      this.pieces++;
      this.atWork++;
      this.mostAtWork = Math.max(this.mostAtWork, this.atWork);
      return write.apply(handle, args);
    };
    // In this thread: no job, whatever becomes of it.
    handle.writeSync = (...args) => {
      isSync = true;
      return writeSync.apply(handle, args);
    };
    handle.close = () => {
      if (isOpen) this.open--;
      isOpen = false;
      return close.apply(handle);
    };
  }
}
