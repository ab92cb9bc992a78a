/** A peer that does not take what is written to it: made when more than `maxBufferedAmount` bytes wait for one. */
export class Backlog {
  /** Too much was waiting when this was last looked at. */
  isFull = false;
  /** Messages that were not sent for it. */
  dropped = 0;
  /** It was told that this peer is slow, this time. */
  isTold = false;
  private isDue = false;

  /** Of what is written in the same turn of the event loop the peer had no chance to take anything yet: that is not held against it. */
  exceeded(): void {
    if (this.isFull || this.isDue) return;
    this.isDue = true;
    setImmediate(() => {
      this.isDue = false;
      this.isFull = true;
    });
  }
}
