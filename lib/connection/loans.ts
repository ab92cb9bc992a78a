/**
 * Large payloads that wait for one peer, and are sent from where they are. Their memory is whoever's wrote them, and often many peers' at
 * a time: the budget of the process (`limits.ts`) counts it once. It is told of those that still wait when a turn is over: nearly all have
 * left by then.
 */
import { type Limits, type Region, retain } from './limits.js';

export class Loan {
  readonly bytes: Buffer;
  /** As it was when its frame was begun: its memory may be transferred meanwhile. */
  readonly length: number;
  region: Region | undefined = undefined;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.length = bytes.length;
  }
}

/** About what the objects of one cost, in bytes. */
const LOAN_COST = 256;

export class Loans {
  /** Of all that wait, in bytes. */
  bytes = 0;
  private readonly waiting = new Set<Loan>();
  private untold: Loan[] = [];
  /** Those that the socket was given. */
  private given: Loan[] = [];

  get isEmpty(): boolean {
    return this.waiting.size === 0;
  }

  /** What the objects take, in bytes: the payloads themselves are no part of it. */
  get memory(): number {
    return this.waiting.size * LOAN_COST;
  }

  add(loan: Loan): void {
    this.waiting.add(loan);
    this.untold.push(loan);
    this.bytes += loan.length;
  }

  /** The socket has it: it is given back with all that it was given. */
  give(loan: Loan): void {
    this.given.push(loan);
  }

  /** The socket has sent all that it was given. */
  taken(): void {
    for (const loan of this.given) this.remove(loan);
    this.given = [];
    // Nearly always that is all there is.
    if (this.isEmpty) this.untold = [];
  }

  remove(loan: Loan): void {
    if (!this.waiting.delete(loan)) return;
    this.bytes -= loan.length;
    loan.region?.release();
    loan.region = undefined;
  }

  removeAll(): void {
    for (const loan of this.waiting) this.remove(loan);
    this.untold = [];
    this.given = [];
  }

  tell(limits: Limits): void {
    for (const loan of this.untold) if (this.waiting.has(loan)) loan.region = retain(limits, loan.bytes);
    this.untold = [];
  }

  /** How much of what the budget knows is this peer's: of what many wait for, its share. */
  get share(): number {
    let sum = 0;
    for (const { region } of this.waiting) sum += region?.share ?? 0;
    return sum;
  }
}
