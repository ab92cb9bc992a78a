/**
 * Messages on their way out, compressed (RFC 7692 section 7.2.1), one after the other: with context takeover each is written
 * with reference to those before it.
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
  /** Messages of fewer bytes are not worth it. */
  readonly threshold: number;
  private stream: ZlibStream | undefined = undefined;
  private kind: MessageKind | 0 = 0;
  private message: Buffer | undefined = undefined;
  private isOurs = true;
  /** What zlib reads. */
  private input: Buffer | undefined = undefined;
  private output: Buffer[] = [];
  private resolve: ((frame: Buffer | undefined) => void) | undefined = undefined;
  private hasTurn = false;
  private readonly keepsContext: boolean;
  private readonly settings: DeflateSettings;

  constructor(agreement: DeflateAgreement, settings: CompressSettings) {
    this.threshold = settings.threshold;
    this.keepsContext = !agreement.serverNoContextTakeover;
    // zlib makes raw streams with windows of 512 bytes or more. Of 512 it uses 250, which is within the 256 of 8 bits.
    const windowBits = Math.max(9, agreement.serverMaxWindowBits);
    this.settings = { windowBits, level: settings.level, memLevel: settings.memLevel };
  }

  /** The memory that is pinned here, in bytes; that of the message belongs to whoever gave it. */
  get pinned(): number {
    const copied = this.isOurs ? 0 : (this.input?.length ?? 0);
    return (this.stream?.memory ?? 0) + copied;
  }

  /**
   * Not before the last is done. The message must not be empty: zlib writes nothing for it.
   *
   * @param isOurs whether nobody else can change it, or transfer its memory, while zlib reads it in another thread
   * @returns the frame; undefined if there is none any more. Never rejected
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

  /** The connection has gone. */
  stop(): void {
    if (!cancelTurn(this)) this.leaveTurn();
    this.stream?.close();
    this.stream = undefined;
    this.finish(undefined);
  }

  // What the queue of jobs calls.

  onTurn(): void {
    this.hasTurn = true;
    const { isOurs, message } = this;
    if (message === undefined) return;
    if (message.length === 0) {
      // It was not when it was given: its memory has been transferred, and nothing of it is left to be sent.
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

  // What zlib calls.

  onOutput(bytes: Buffer): void {
    this.output.push(bytes);
  }

  onDone(): void {
    const { input, stream } = this;
    if (!this.keepsContext && stream !== undefined) {
      this.stream = undefined;
      deflatersFor(this.settings).give(stream);
    }
    // Not before: whoever is next borrows it.
    this.leaveTurn();
    if (input !== undefined) this.finish(this.assemble(input));
  }

  /** zlib has got no memory: the message goes as it is. What it knew of the messages before is lost, and not needed by the peer. */
  onFailed(): void {
    const { input, kind } = this;
    this.leaveTurn();
    this.stream?.close();
    this.stream = undefined;
    if (input !== undefined) this.finish(frameOf(kind, input.length, [input]));
  }

  // How it works.

  private assemble(message: Buffer): Buffer {
    const { kind, output } = this;
    const length = output.reduce((sum, piece) => sum + piece.length, 0) - TAIL_LENGTH;
    // What has become longer goes as it is, unless later messages will refer to it.
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

/** A frame of the first `length` bytes of the payload. */
function frameOf(opcode: number, length: number, payload: readonly Buffer[]): Buffer {
  const frame = Buffer.allocUnsafe(headerLength(length) + length);
  let at = writeHeader(frame, 0, opcode, length);
  // The last pieces may be beyond it: what does not fit is left out.
  for (const piece of payload) at += piece.copy(frame, at);
  return frame;
}
