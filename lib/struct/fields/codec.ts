/**
 * Reads and writes one value of a field. Neither function checks its arguments: the caller ensures that the field's
 * bytes are there, and that the target is zeroed.
 */
import type { StructValue } from '../types.js';

export type Read = (bytes: Uint8Array, at: number) => StructValue;

/**
 * Returns the rule that the value violates, with the remedy. The caller, which knows the format and the position,
 * throws.
 */
export type Write = (target: Uint8Array, at: number, value: unknown) => string | undefined;

export interface Codec {
  readonly read: Read;
  readonly write: Write;
}

/** Eight bytes for converting 64-bit integers and floats: `DataView` converts exactly, but only in its own memory. */
export const scratch: Uint8Array = new Uint8Array(8);
export const scratchView: DataView = new DataView(scratch.buffer);

/** Copies the eight bytes at `at` to `scratch`. Unrolled, because a loop or `set` costs more than the copy itself. */
export function loadScratch(bytes: Uint8Array, at: number): void {
  scratch[0] = bytes[at]!;
  scratch[1] = bytes[at + 1]!;
  scratch[2] = bytes[at + 2]!;
  scratch[3] = bytes[at + 3]!;
  scratch[4] = bytes[at + 4]!;
  scratch[5] = bytes[at + 5]!;
  scratch[6] = bytes[at + 6]!;
  scratch[7] = bytes[at + 7]!;
}

/** Copies the first `size` bytes of `scratch` to `at`. */
export function storeScratch(target: Uint8Array, at: number, size: number): void {
  for (let i = 0; i < size; i++) target[at + i] = scratch[i]!;
}
