import { invalidArgument } from '../errors.js';

/**
 * Views the memory of `value` as bytes, without copying.
 *
 * @returns undefined if `value` has no memory: strings, which need an encoding, and memory that was transferred
 */
export function asBytes(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value.length === 0 && isGone(value) ? undefined : value;
  if (ArrayBuffer.isView(value)) {
    return isTransferred(value.buffer) ? undefined : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  if (value instanceof ArrayBuffer) return isTransferred(value) ? undefined : new Uint8Array(value);
  return undefined;
}

/** Whether the memory of an empty view was transferred, or shrunk so that the view is out of bounds. */
function isGone(empty: Uint8Array): boolean {
  try {
    NOTHING.set(empty);
    return false;
  } catch {
    return true;
  }
}

const NOTHING = new Uint8Array(0);

/** Node 20 lacks `ArrayBuffer.prototype.detached`, but creating a view of detached memory throws. */
function isTransferred(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** @returns the bytes of an argument. Accepts any view, whatever the declared type says */
export function checkBytes(name: string, value: Uint8Array): Uint8Array {
  const bytes = asBytes(value);
  if (bytes === undefined) throw invalidArgument(name, value, 'it must be a Buffer or Uint8Array');
  return bytes;
}
