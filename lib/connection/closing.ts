/**
 * The end of a connection: made when the first close frame is sent or heard, or the connection fails. It knows what was said
 * and by whom, and when the TCP connection may be closed: as the server, we close it first (RFC 6455 section 7.1.1).
 */
import type { Duplex } from 'node:stream';
import { CloseCode } from '../framing/close-code.js';
import { closePayload } from '../framing/close-payload.js';
import { draft76Close } from '../framing/draft76-frames.js';
import { Opcode } from '../framing/opcode.js';
import { type CloseTimer, destroyWithoutProgress } from '../transport/close-timer.js';
import type { Writer } from './outbound/writer.js';

export class Closing {
  /** What `onClose` will be told. */
  code: number = CloseCode.ABNORMAL_CLOSURE;
  reason = '';
  /** The peer's close frame has come. */
  private heard = false;
  /** Nothing more will be said, and the TCP connection is to be closed. */
  private ending = false;
  /** FIN is on its way: the socket takes no more writes. */
  private ended = false;
  private readonly socket: Duplex;
  private readonly writer: Writer;
  private readonly isDraft76: boolean;
  private readonly timer: CloseTimer;

  /** @param timeout how long the peer may take over each step, in milliseconds */
  constructor(socket: Duplex, writer: Writer, isDraft76: boolean, timeout: number) {
    this.socket = socket;
    this.writer = writer;
    this.isDraft76 = isDraft76;
    this.timer = destroyWithoutProgress(socket, timeout, writer);
  }

  /** Writes our close frame, behind everything else. */
  say(code: number, reason: string): void {
    if (!this.isDraft76) {
      this.writer.binary(Opcode.Close, closePayload(code, reason));
      return;
    }
    // Draft-76 knows no codes, and a server does not wait for the peer's word.
    this.writer.raw(draft76Close);
    this.hear(CloseCode.NO_STATUS_RECEIVED, '');
  }

  /** The peer has said its last word. */
  hear(code: number, reason: string): void {
    this.heard = true;
    this.code = code;
    this.reason = reason;
  }

  /** The socket is gone. */
  gone(): void {
    this.timer.stop();
  }

  /** Whether both ends have said goodbye: the peer's last word was heard, and ours is on its way. */
  get wasClean(): boolean {
    return this.heard && this.ended;
  }

  /** Whether both close frames have passed, or nothing more will be said, and nothing is left to be sent. */
  get isDone(): boolean {
    return (this.heard || this.ending) && !this.writer.waiting && !this.ended;
  }

  /** Sends the rest, then FIN. What the peer still sends is read and dropped: a reset would destroy our last words. */
  end(): void {
    if (this.ended) return;
    this.ending = true;
    // Flushing asks `isDone`.
    this.ended = true;
    // A file that began now could not be finished.
    this.writer.cancelWaitingFiles();
    this.writer.flushAll();
    // A file's frame cannot be ended early, and nothing can be said inside it.
    if (this.writer.busy) this.socket.destroy();
    // Messages that are being compressed leave first; after that `isDone` is asked again.
    else if (this.writer.waiting) this.ended = false;
    else this.socket.end();
    this.socket.resume();
  }
}
