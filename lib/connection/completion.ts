/** The end of a connection, for a draining server or for unfinished work of the handler. Created on first use. */
import { InvalidStateError } from '../errors.js';

export class Completion {
  /** The close to perform once the handler has finished its current work. */
  pendingClose: { readonly code: number; readonly reason: string } | undefined = undefined;
  /** Fulfills when the connection is closed and its handler has finished. */
  readonly finished: Promise<void>;
  finish!: () => void;
  private readonly controller = new AbortController();

  constructor() {
    this.finished = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  /** Aborts when the peer stops reading. Rejections with its reason do not count as errors of the handler. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  abort(): void {
    this.controller.abort(new InvalidStateError('the connection is closed'));
  }
}
