/** What the stream adaptors need of a connection. */
export interface Endpoint<In, Out> {
  messages(): AsyncIterator<In, undefined>;
  /** @returns false when it is time to wait for `drained`, and where it was not sent: then `dropped` is more than before */
  write(data: Out): boolean;
  readonly dropped: number;
  drained(): Promise<void>;
  close(code?: number): void;
  /** A stream has failed, and nobody listens. */
  unheard(error: unknown): void;
}

/** Sends a chunk, and waits while the peer is behind. A stream loses nothing, whatever the policy for slow consumers. */
export async function send<Out>(endpoint: Endpoint<unknown, Out>, chunk: Out): Promise<void> {
  for (;;) {
    const before = endpoint.dropped;
    if (endpoint.write(chunk)) return;
    const wasDropped = endpoint.dropped > before;
    await endpoint.drained();
    if (!wasDropped) return;
  }
}
