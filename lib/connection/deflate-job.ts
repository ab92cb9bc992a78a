/** A message that is compressed when its turn has come, and sent in its place. */
import type { Deflation } from '../deflate/deflation.js';
import type { MessageKind } from '../framing/opcode.js';
import type { Job } from './writer.js';

export class DeflateJob implements Job {
  readonly ownsSocket = false;
  readonly memory = 0;
  /** As it was written: its memory may be transferred meanwhile. */
  readonly size: number;
  private readonly deflation: Deflation;
  private readonly kind: MessageKind;
  private readonly message: Buffer;

  /** @param message not empty; it must stay as it is until it was sent */
  constructor(deflation: Deflation, kind: MessageKind, message: Buffer) {
    this.deflation = deflation;
    this.kind = kind;
    this.message = message;
    this.size = message.length;
  }

  run(): Promise<Buffer | undefined> {
    return this.deflation.frame(this.kind, this.message);
  }

  /** Where it is at work, the deflation is stopped with its connection. */
  cancel(): void {}
}
