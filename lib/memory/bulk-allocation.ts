/**
 * Allocates memory for data that is delivered to the user, who may keep, change or transfer it. So it cannot be reused:
 * each piece is allocated, and freed when V8 collects it. For large pieces that has two costs, and both are avoided here.
 *
 * V8 collects its whole heap once 32 MiB have been allocated outside of it, although a scavenge would free nearly all of
 * that at almost no cost. A hundred large messages create too few objects to cause one. So each large piece comes with an
 * array of a quarter of its size that is garbage at once: scavenges come first (an echo of 64 KB takes 35 µs instead of
 * 100).
 *
 * The allocator of the GNU C library returns free memory at the end of the heap to the system once it exceeds 128 KiB,
 * and requests it again, page by page, for the next piece. Bulk data spends two thirds of its time there, or more.
 * After a larger piece has been freed, twice its size may stay free (mallopt(3), M_TRIM_THRESHOLD and M_MMAP_THRESHOLD,
 * "dynamic"). So one large piece is allocated and dropped. It is never touched, so it costs no memory. This happens
 * when the first bulk piece is needed, so servers of small messages are unaffected, as are other allocators.
 */
import { asUint8Array, type BorrowedBytes } from './borrowed-bytes.js';
import { zeros } from './view.js';

const BULK = 32 * 1024;

const SMALL = 4 * 1024;

/**
 * V8 keeps typed arrays of up to 64 bytes in its own heap, at a tenth of the cost of external memory. For so few bytes,
 * a loop is cheaper than creating the view that `set` needs.
 */
const TINY = 40;

/** The allocator ignores pieces above 32 MiB. */
const LARGEST = 31 * 1024 * 1024;

let isPrepared = false;

/** Larger pieces carry no more ballast than this size does. */
const MOST_WEIGHED = 1024 * 1024;

/** The latest ballast, in a place where V8 cannot optimize it away. */
const ballast: { slots: unknown[] } = { slots: [] };

/** Allocates outside Node's pool, where a few bytes would keep an 8 KiB block alive. */
export function allocate(size: number): Buffer<ArrayBuffer> {
  // From Node 24 on, small zeroed buffers are faster to allocate than uninitialized ones.
  if (size <= SMALL) return zeros(size);
  if (size >= BULK) {
    // A slot has eight bytes.
    ballast.slots = new Array(Math.min(size, MOST_WEIGHED) >>> 5);
    if (!isPrepared) {
      isPrepared = true;
      // `process.memoryUsage()` includes it until V8 collects it, which is soon.
      new ArrayBuffer(LARGEST);
    }
  }
  return Buffer.allocUnsafeSlow(size);
}

/**
 * Copies bytes[start, end) for the user, to memory of their own, which they may change, keep, or transfer to another
 * thread. A transfer detaches every view of the memory, so it must not be shared.
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
