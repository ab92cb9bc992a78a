/** The end of a connection, for those who wait for it: a server that drains, work that a handler has begun. Made when somebody does. */
import { InvalidStateError } from '../errors.js';

export class Completion {
  /** How to close when the handler is done with what it is doing. */
  pendingClose: { readonly code: number; readonly reason: string } | undefined = undefined;
  /** Fulfilled when the connection is closed and its handler has finished. */
  readonly finished: Promise<void>;
  finish!: () => void;
  private readonly controller = new AbortController();

  constructor() {
    this.finished = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  /** Aborted when the peer listens no more; what is rejected with its reason is not an error of the handler. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  abort(): void {
    this.controller.abort(new InvalidStateError('the connection is closed'));
  }
}
