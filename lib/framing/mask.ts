/**
 * Masking (RFC 6455 section 5.3): octet i of the payload is XORed with octet i modulo 4 of the key. This is done in
 * place, and by 32-bit words if the payload is long enough to pay for the view.
 */

/** The byte order of the host, which is that of the words of a view. */
export const LITTLE_ENDIAN: boolean = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Below this many bytes, creating the view costs more than it saves. */
const WORDWISE = 192;

/**
 * Unmasks bytes[start, end) in place.
 *
 * @param key the masking key as a big-endian 32-bit integer, its first octet due at `start`
 * @returns the key as due at `end`, for the rest of a payload that came in parts
 */
export function unmask(bytes: Buffer, start: number, end: number, key: number): number {
  let at = start;
  if (end - start >= WORDWISE) {
    for (; ((bytes.byteOffset + at) & 3) !== 0; at++) {
      bytes[at]! ^= key >>> 24;
      key = (key << 8) | (key >>> 24);
    }
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >>> 2);
    const word = LITTLE_ENDIAN ? swapBytes(key) : key;
    for (let i = 0; i < words.length; i++) words[i]! ^= word;
    at += words.length << 2;
  }
  const key0 = key >>> 24;
  const key1 = (key >>> 16) & 0xff;
  const key2 = (key >>> 8) & 0xff;
  const key3 = key & 0xff;
  for (; at + 3 < end; at += 4) {
    bytes[at]! ^= key0;
    bytes[at + 1]! ^= key1;
    bytes[at + 2]! ^= key2;
    bytes[at + 3]! ^= key3;
  }
  for (; at < end; at++) {
    bytes[at]! ^= key >>> 24;
    key = (key << 8) | (key >>> 24);
  }
  return key;
}

export function swapBytes(word: number): number {
  return (word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | (word << 24);
}
