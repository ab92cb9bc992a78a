/**
 * Compresses outgoing messages (RFC 7692 section 7.2.1), one at a time: with context takeover each message refers to
 * those before it.
 */
import { type MessageKind, RSV1 } from '../framing/opcode.js';
import { headerLength, writeHeader } from '../framing/serializer.js';
import type { CompressSettings, DeflateAgreement } from './agreement.js';
import { cancelTurn, enterQueue, releaseTurn, type ZlibJob } from './zlib-jobs.js';
import { deflatersFor } from './zlib-pool.js';
import { createDeflater, type DeflateSettings, type ZlibStream, type ZlibUser } from './zlib-stream.js';

/** 7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end." */
const TAIL_LENGTH = 4;

export class Deflation implements ZlibJob, ZlibUser {
  /** Compressing messages of fewer bytes is not worthwhile. */
  readonly threshold: number;
  private stream: ZlibStream | undefined = undefined;
  private kind: MessageKind | 0 = 0;
  private message: Buffer | undefined = undefined;
  private isOurs = true;
  /** The message that zlib reads. */
  private input: Buffer | undefined = undefined;
  private output: Buffer[] = [];
  private resolve: ((frame: Buffer | undefined) => void) | undefined = undefined;
  private hasTurn = false;
  private readonly keepsContext: boolean;
  private readonly settings: DeflateSettings;

  constructor(agreement: DeflateAgreement, settings: CompressSettings) {
    this.threshold = settings.threshold;
    this.keepsContext = !agreement.serverNoContextTakeover;
    // zlib needs at least 9 bits for raw streams. Of those 512 bytes it uses 250, which fit in the 256 bytes of 8 bits.
    const windowBits = Math.max(9, agreement.serverMaxWindowBits);
    this.settings = { windowBits, level: settings.level, memLevel: settings.memLevel };
  }

  /** The pinned memory, in bytes, without the message, which the caller counts. */
  get pinned(): number {
    const copied = this.isOurs ? 0 : (this.input?.length ?? 0);
    return (this.stream?.memory ?? 0) + copied;
  }

  /**
   * Compresses one message. The previous one must be done. The message must not be empty, because zlib produces no
   * output for it.
   *
   * @param isOurs whether no other code can change the message, or transfer its memory, while a thread of zlib reads it
   * @returns the frame, or undefined if the message can no longer be sent. Never rejects
   */
  frame(kind: MessageKind, message: Buffer, isOurs = true): Promise<Buffer | undefined> {
    this.kind = kind;
    this.isOurs = isOurs;
    this.message = message;
    return new Promise((resolve) => {
      this.resolve = resolve;
      enterQueue(this);
    });
  }

  /** Called when the connection has closed. */
  stop(): void {
    if (!cancelTurn(this)) this.leaveTurn();
    this.stream?.close();
    this.stream = undefined;
    this.finish(undefined);
  }

  // Called by the job queue.

  onTurn(): void {
    this.hasTurn = true;
    const { isOurs, message } = this;
    if (message === undefined) return;
    if (message.length === 0) {
      // The message was not empty when it was written, so its memory has been transferred and its data is lost.
      this.leaveTurn();
      this.finish(undefined);
      return;
    }
    try {
      this.input = isOurs ? message : copyOf(message);
      this.stream ??= this.openStream();
      this.stream.write(this.input);
    } catch {
      this.onFailed();
    }
  }

  // Called by zlib.

  onOutput(bytes: Buffer): void {
    this.output.push(bytes);
  }

  onDone(): void {
    const { input, stream } = this;
    if (!this.keepsContext && stream !== undefined) {
      this.stream = undefined;
      deflatersFor(this.settings).give(stream);
    }
    // Only now, because the next job borrows the stream.
    this.leaveTurn();
    if (input !== undefined) this.finish(this.assemble(input));
  }

  /** Sends the message uncompressed, because zlib ran out of memory. The peer does not need the lost context. */
  onFailed(): void {
    const { input, kind } = this;
    this.leaveTurn();
    this.stream?.close();
    this.stream = undefined;
    if (input !== undefined) this.finish(frameOf(kind, input.length, [input]));
  }

  private assemble(message: Buffer): Buffer {
    const { kind, output } = this;
    const length = output.reduce((sum, piece) => sum + piece.length, 0) - TAIL_LENGTH;
    // If compression made the message longer, send it uncompressed, unless later messages will refer to it.
    if (length >= message.length && !this.keepsContext) return frameOf(kind, message.length, [message]);
    return frameOf(kind | RSV1, length, output);
  }

  private finish(frame: Buffer | undefined): void {
    const { resolve } = this;
    this.message = undefined;
    this.input = undefined;
    this.output = [];
    this.resolve = undefined;
    resolve?.(frame);
  }

  private openStream(): ZlibStream {
    const stream = this.keepsContext ? createDeflater(this.settings) : deflatersFor(this.settings).take();
    stream.user = this;
    return stream;
  }

  private leaveTurn(): void {
    if (!this.hasTurn) return;
    this.hasTurn = false;
    releaseTurn();
  }
}

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

/** @returns a frame with the first `length` bytes of the payload */
function frameOf(opcode: number, length: number, payload: readonly Buffer[]): Buffer {
  const frame = Buffer.allocUnsafe(headerLength(length) + length);
  let at = writeHeader(frame, 0, opcode, length);
  // `copy` drops the bytes beyond `length`.
  for (const piece of payload) at += piece.copy(frame, at);
  return frame;
}
