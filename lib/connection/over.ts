/** The end of a connection, for those who wait for it: a server that drains. Made when somebody does. */
export class Over {
  /** How to close when the handler is done with what it is doing. */
  leaving: { readonly code: number; readonly reason: string } | undefined = undefined;
  readonly promise: Promise<void>;
  resolve!: () => void;

  constructor() {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }
}
