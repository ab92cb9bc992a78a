/** The part of a connection that the stream adaptors need. */
export interface Endpoint<In, Out> {
  messages(): AsyncIterator<In, undefined>;
  /**
   * @returns false when the caller should wait for `drained`, and when the message was not sent: `dropped` has then
   *   increased
   */
  write(data: Out): boolean;
  readonly dropped: number;
  drained(): Promise<void>;
  close(code?: number): void;
  /** Reports an error of a stream that has no error listener. */
  unheard(error: unknown): void;
}

/**
 * Sends a chunk, and waits while the peer is behind. Retries dropped chunks: a stream must not lose data, whatever
 * the policy for slow consumers.
 */
export async function send<Out>(endpoint: Endpoint<unknown, Out>, chunk: Out): Promise<void> {
  for (;;) {
    const before = endpoint.dropped;
    if (endpoint.write(chunk)) return;
    const wasDropped = endpoint.dropped > before;
    await endpoint.drained();
    if (!wasDropped) return;
  }
}
