/**
 * Tracks large payloads that wait for one peer and are sent without copying. Their memory belongs to the writer, and
 * many peers may wait for the same memory, which the budget (`memory-budget.ts`) then counts once. Finding shared
 * memory has a cost, so it is done once per payload, when the sum is read or the budget seems exceeded. Until then a
 * payload counts as this peer's own.
 */
import { type Limits, type Region, retain } from '../../memory/memory-budget.js';

export class Loan {
  readonly bytes: Buffer;
  /** The length at the start of its frame. Its memory may be transferred later. */
  readonly length: number;
  region: Region | undefined = undefined;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.length = bytes.length;
  }
}

/** The approximate size of the objects of one loan, in bytes. */
const LOAN_COST = 256;

export class Loans {
  /** All waiting payloads, in bytes. */
  bytes = 0;
  /** The payloads that were reported to the budget, which counts them itself, in bytes. */
  told = 0;
  private readonly waiting = new Set<Loan>();
  private readonly untold = new Set<Loan>();
  /** The loans passed to the socket. */
  private given: Loan[] = [];

  get isEmpty(): boolean {
    return this.waiting.size === 0;
  }

  /** The memory of the objects, without the payloads, in bytes. */
  get memory(): number {
    return this.waiting.size * LOAN_COST;
  }

  add(loan: Loan): void {
    this.waiting.add(loan);
    this.untold.add(loan);
    this.bytes += loan.length;
  }

  /** Marks a loan as passed to the socket. */
  give(loan: Loan): void {
    this.given.push(loan);
  }

  /** Ends the loans passed to the socket, which has sent them all. */
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

  /** This peer's share of the memory reported to the budget. Shared memory is divided among its peers. */
  get share(): number {
    let sum = 0;
    for (const { region } of this.waiting) sum += region?.share ?? 0;
    return sum;
  }
}
