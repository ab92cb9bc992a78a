/**
 * Large payloads that wait for one peer, and are sent from where they are. Their memory is whoever's wrote them, and often many peers' at
 * a time: the budget of the process (`limits.ts`) counts it once. To find that out costs something, so it is done when somebody asks for the
 * sum, or the budget seems to be exceeded, and once for each. Until then they count as this peer's own.
 */
import { type Limits, type Region, retain } from '../../memory/memory-budget.js';

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
  /** Of those that the budget knows, which counts them itself, in bytes. */
  told = 0;
  private readonly waiting = new Set<Loan>();
  private readonly untold = new Set<Loan>();
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
    this.untold.add(loan);
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
  }

  remove(loan: Loan): void {
    if (!this.waiting.delete(loan)) return;
    this.untold.delete(loan);
    this.bytes -= loan.length;
    if (loan.region === undefined) return;
    this.told -= loan.length;
    loan.region.release();
    loan.region = undefined;
  }

  removeAll(): void {
    for (const loan of this.waiting) this.remove(loan);
    this.given = [];
  }

  tell(limits: Limits): void {
    for (const loan of this.untold) {
      loan.region = retain(limits, loan.bytes);
      this.told += loan.length;
    }
    this.untold.clear();
  }

  /** How much of what the budget knows is this peer's: of what many wait for, its share. */
  get share(): number {
    let sum = 0;
    for (const { region } of this.waiting) sum += region?.share ?? 0;
    return sum;
  }
}
