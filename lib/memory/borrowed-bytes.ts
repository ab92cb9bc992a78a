/**
 * Bytes that somebody else owns, and will write to again: they may be read during the call that brings them, and not
 * kept. A `Buffer` may be passed where these are wanted, and they may not be passed where a `Buffer` is: so the
 * compiler refuses to hand them to a user. `ownCopy` makes a `Buffer` of them.
 */
type Reading = 'copy' | 'indexOf' | 'length' | 'toString';

export interface BorrowedBytes extends Pick<Buffer, Reading> {
  readonly [index: number]: number;
  subarray(start?: number, end?: number): BorrowedBytes;
}

/** The same for what reads a `Uint8Array` and keeps no view of it. Only buffers are ever lent. */
export function asUint8Array(bytes: Uint8Array | BorrowedBytes): Uint8Array {
  return bytes as Uint8Array;
}
