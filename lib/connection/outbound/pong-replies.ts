/**
 * Answers the peer's pings, each in order while the peer reads. A peer that does not read gets only the last
 * answer: "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to previous Ping
 * frame(s), the endpoint MAY elect to send a Pong frame for only the most recently processed Ping frame" (5.5.3).
 */
import type { Transport } from '../../transport/transport.js';
import type { Writer } from './writer.js';

/** Answers are held back from this many buffered bytes on. */
const MAX_BUFFERED = 16 * 1024;

/** Whether too much output is buffered to add an answer. */
export function mustDefer(writer: Writer): boolean {
  if (writer.bufferedAmount <= MAX_BUFFERED) return false;
  // After many pings in one chunk, the answers may just not have been flushed yet.
  writer.flush();
  return writer.bufferedAmount > MAX_BUFFERED;
}

export class PongReplies {
  private latest: Buffer | undefined = undefined;
  private waiting = false;
  private readonly writer: Writer;
  private readonly transport: Transport;
  private readonly retry: (payload: Buffer) => void;

  /** @param retry called with the payload of the latest ping once the buffered output has been sent */
  constructor(writer: Writer, transport: Transport, retry: (payload: Buffer) => void) {
    this.writer = writer;
    this.transport = transport;
    this.retry = retry;
  }

  defer(payload: Buffer): void {
    this.latest = payload;
    this.watch();
  }

  /**
   * To be called after each flush. While output waits for a flush or for a file, the kernel has nothing to accept, and
   * would call back immediately, again and again.
   */
  watch(): void {
    if (this.latest === undefined || this.waiting || this.writer.waiting) return;
    this.waiting = true;
    this.transport.whenFlushed(() => this.release());
  }

  /** Removes and returns the answer that was held back. */
  take(): Buffer | undefined {
    const { latest } = this;
    this.latest = undefined;
    return latest;
  }

  private release(): void {
    this.waiting = false;
    const payload = this.take();
    if (payload !== undefined) this.retry(payload);
  }
}
