/** The end of a connection, for those who wait for it: a server that drains, work that a handler has begun. Made when somebody does. */
import { InvalidStateError } from '../errors.js';

export class Over {
  /** How to close when the handler is done with what it is doing. */
  leaving: { readonly code: number; readonly reason: string } | undefined = undefined;
  /** Fulfilled when the connection has gone and its handler has finished. */
  readonly promise: Promise<void>;
  resolve!: () => void;
  private readonly controller = new AbortController();

  constructor() {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  /** Aborted when the connection has gone; what is rejected with its reason is no error of the handler. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  gone(): void {
    this.controller.abort(new InvalidStateError('the connection has gone'));
  }
}
