/** A message that is compressed when its turn has come, and sent in its place. */
import type { Deflation } from '../../deflate/deflation.js';
import type { MessageKind } from '../../framing/opcode.js';
import type { Loan } from './loans.js';
import type { Job } from './writer.js';

export class DeflateJob implements Job {
  readonly ownsSocket = false;
  readonly memory = 0;
  /** As it was written: its memory may be transferred meanwhile. */
  readonly size: number;
  /** The message, where its memory may be that of others, too. */
  readonly loan: Loan | undefined;
  private readonly deflation: Deflation;
  private readonly kind: MessageKind;
  private readonly message: Buffer;
  private readonly isOurs: boolean;

  /**
   * @param message not empty; it must stay as it is until its turn has come
   * @param isOurs whether it does so after that, too
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

  /** Where it is at work, the deflation is stopped with its connection. */
  cancel(): void {}
}
