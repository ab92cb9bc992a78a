/**
 * Bytes whose owner will overwrite them: they may be read during the call that passes them, but not kept. A `Buffer`
 * can be passed as `BorrowedBytes` but not the other way round, so the compiler rejects code that would pass them to a
 * user. `ownCopy` copies them to a `Buffer`.
 */
type Reading = 'copy' | 'indexOf' | 'length' | 'toString';

export interface BorrowedBytes extends Pick<Buffer, Reading> {
  readonly [index: number]: number;
  subarray(start?: number, end?: number): BorrowedBytes;
}

/** For callees that read a `Uint8Array` and keep no view of it. The cast is safe because only buffers are ever lent. */
export function asUint8Array(bytes: Uint8Array | BorrowedBytes): Uint8Array {
  return bytes as Uint8Array;
}
