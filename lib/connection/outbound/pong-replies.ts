/**
 * Pongs for the peer's pings. Each is answered, in order, while the peer reads; one that pings without reading is owed only
 * the last answer: "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to previous Ping
 * frame(s), the endpoint MAY elect to send a Pong frame for only the most recently processed Ping frame" (5.5.3).
 */
import type { Transport } from '../../transport/transport.js';
import type { Writer } from './writer.js';

/** Buffered bytes from which on answers are held back. */
const MAX_BUFFERED = 16 * 1024;

/** Whether there is too much on its way to the peer to add an answer to it. */
export function mustDefer(writer: Writer): boolean {
  if (writer.bufferedAmount <= MAX_BUFFERED) return false;
  // Of many pings in one chunk: perhaps the kernel was just not asked yet.
  writer.flush();
  return writer.bufferedAmount > MAX_BUFFERED;
}

export class PongReplies {
  private latest: Buffer | undefined = undefined;
  private waiting = false;
  private readonly writer: Writer;
  private readonly transport: Transport;
  private readonly retry: (payload: Buffer) => void;

  /** @param retry called with the payload of the latest ping when the peer has read what was on its way */
  constructor(writer: Writer, transport: Transport, retry: (payload: Buffer) => void) {
    this.writer = writer;
    this.transport = transport;
    this.retry = retry;
  }

  defer(payload: Buffer): void {
    // A copy: the payload is only valid while its ping is being handled.
    this.latest = Buffer.allocUnsafeSlow(payload.length);
    payload.copy(this.latest);
    this.watch();
  }

  /**
   * To be called after each flush. While something waits to be flushed, or behind a file, the kernel has nothing to take, and
   * asking it would be answered at once, again and again.
   */
  watch(): void {
    if (this.latest === undefined || this.waiting || this.writer.waiting) return;
    this.waiting = true;
    this.transport.whenFlushed(() => this.release());
  }

  /** What is held back, and is so no more. */
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
