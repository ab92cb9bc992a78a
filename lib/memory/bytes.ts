import { invalidArgument } from '../errors.js';

/**
 * The memory of `value` as bytes, not copied; `undefined` if it has none. Strings have none: they need an encoding. Nor
 * has what was transferred to somebody else.
 */
export function asBytes(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value.length === 0 && isGone(value) ? undefined : value;
  if (ArrayBuffer.isView(value)) {
    return isTransferred(value.buffer) ? undefined : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  if (value instanceof ArrayBuffer) return isTransferred(value) ? undefined : new Uint8Array(value);
  return undefined;
}

/** Also where its memory was made smaller, and it reaches beyond. */
function isGone(empty: Uint8Array): boolean {
  try {
    NOTHING.set(empty);
    return false;
  } catch {
    return true;
  }
}

const NOTHING = new Uint8Array(0);

/** Node 20 has no `ArrayBuffer.prototype.detached`; but nobody can look at such memory. */
function isTransferred(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** The bytes of an argument. Any view is taken, whatever the declared type says. */
export function checkBytes(name: string, value: Uint8Array): Uint8Array {
  const bytes = asBytes(value);
  if (bytes === undefined) throw invalidArgument(name, value, 'it must be a Buffer or Uint8Array');
  return bytes;
}
