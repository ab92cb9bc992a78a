/**
 * Memory for what the user is given: theirs alone, to keep, to change, or to transfer. So it cannot be used again by
 * us; each piece is allocated, and freed when V8 collects it.
 *
 * The allocator of the GNU C library gives back to the system what is freed at the end of the heap as soon as that is
 * more than 128 KiB, and takes it again, page by page, for the next piece: two thirds and more of the time that bulk
 * data takes are spent there. It leaves that when a larger piece was freed: from then on twice that size may stay
 * (mallopt(3), M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, "dynamic"). So one such piece is allocated, and never touched,
 * which costs no memory, and dropped. It is done when the first large piece is needed: a server of small messages is
 * left alone. Other allocators do not care.
 */
import { asUint8Array, type BorrowedBytes } from './borrowed-bytes.js';
import { zeros } from './view.js';

const BULK = 32 * 1024;

const SMALL = 4 * 1024;

/**
 * Up to 64 bytes V8 keeps typed arrays in its own heap, where they cost a tenth of what memory outside of it does. Of
 * so few, to make the view that `set` wants costs more than a loop.
 */
const TINY = 40;

/** The largest that counts there is 32 MiB. */
const LARGEST = 31 * 1024 * 1024;

let isPrepared = false;

/** `size` bytes that are not of Node's pool, of which a few would keep the 8 KiB that they are cut from. */
export function allocate(size: number): Buffer<ArrayBuffer> {
  // Node 24 and later fill small ones with zeros faster than they leave them as they are.
  if (size <= SMALL) return zeros(size);
  if (size >= BULK && !isPrepared) {
    isPrepared = true;
    // Until V8 collects it, soon, it is among `process.memoryUsage()`.
    new ArrayBuffer(LARGEST);
  }
  return Buffer.allocUnsafeSlow(size);
}

/**
 * bytes[start, end) as the user gets them: in memory that is theirs alone, which they may change, keep, or transfer to
 * another thread. Then a view of it ends, and so would all others of the same memory.
 */
export function ownCopy(bytes: Uint8Array | BorrowedBytes, start: number, end: number): Buffer<ArrayBuffer> {
  const length = end - start;
  if (length > TINY) {
    const copy = allocate(length);
    copy.set(asUint8Array(bytes.subarray(start, end)));
    return copy;
  }
  const copy = zeros(length);
  for (let i = 0; i < length; i++) copy[i] = bytes[start + i]!;
  return copy;
}
