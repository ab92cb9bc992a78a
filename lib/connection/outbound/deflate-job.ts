/** A message that is compressed when its turn comes, and sent in its place in the queue. */
import type { Deflation } from '../../deflate/deflation.js';
import type { MessageKind } from '../../framing/opcode.js';
import type { Loan } from './loans.js';
import type { Job } from './writer.js';

export class DeflateJob implements Job {
  readonly ownsSocket = false;
  readonly memory = 0;
  /** The size when the message was written. Its memory may be transferred later. */
  readonly size: number;
  /** Set if others may share the memory of the message. */
  readonly loan: Loan | undefined;
  private readonly deflation: Deflation;
  private readonly kind: MessageKind;
  private readonly message: Buffer;
  private readonly isOurs: boolean;

  /**
   * @param message not empty, and unchanged until its turn comes
   * @param isOurs whether it also stays unchanged after that
   */
  constructor(deflation: Deflation, kind: MessageKind, message: Buffer, isOurs = true, loan?: Loan) {
    this.deflation = deflation;
    this.kind = kind;
    this.message = message;
    this.isOurs = isOurs;
    this.size = message.length;
    this.loan = loan;
  }

  run(): Promise<Buffer | undefined> {
    return this.deflation.frame(this.kind, this.message, this.isOurs);
  }

  /** A running deflation is stopped with its connection. */
  cancel(): void {}
}
