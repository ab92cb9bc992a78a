/**
 * Memory for what the user is given: theirs alone, to keep, to change, or to transfer. So it cannot be used again by us; each piece is
 * allocated, and freed when V8 collects it. For large pieces that has two costs, and both are avoided here.
 *
 * V8 looks through its whole heap when 32 MiB have been allocated outside of it, though a scavenge, which costs next to nothing, would
 * have freed nearly all: there is none, because the objects of some hundred large messages are few, and the young generation is not
 * full. So each piece is weighed down by a quarter of its size in an array that is garbage at once: then scavenges come first
 * (measured: 41 µs for a message of 64 KB instead of 72, with a heap of 10 MB, and more the larger the heap is).
 *
 * The allocator of the GNU C library gives back to the system what is freed at the end of the heap as soon as that is more than
 * 128 KiB, and takes it again, page by page, for the next piece: most of the time that bulk data takes is spent there (measured:
 * four fifths). It leaves that when a larger piece was freed: from then on twice that size may stay (mallopt(3), M_TRIM_THRESHOLD
 * and M_MMAP_THRESHOLD, "dynamic"). So one such piece is allocated, and never touched, which costs no memory, and dropped. It is
 * done when the first large piece is needed: a server of small messages is left alone. Other allocators do not care.
 */
import { zeros } from './view.js';

const BULK = 32 * 1024;

const SMALL = 4 * 1024;

/**
 * Up to 64 bytes V8 keeps typed arrays in its own heap, where they cost a tenth of what memory outside of it does. Of so few, to make the view
 * that `set` wants costs more than a loop.
 */
const TINY = 40;

/** The largest that counts there is 32 MiB. */
const LARGEST = 31 * 1024 * 1024;

/** What is larger is weighed down by no more than this: a few of them are as much as V8 waits for. */
const MOST_WEIGHED = 1024 * 1024;

let isPrepared = false;

/** The latest, where it can be seen: V8 would leave it out otherwise. */
const ballast: { slots: unknown[] } = { slots: [] };

/** `size` bytes that are not of Node's pool, of which a few would keep the 8 KiB that they are cut from. */
export function allocate(size: number): Buffer<ArrayBuffer> {
  // Node 24 and later fill small ones with zeros faster than they leave them as they are.
  if (size <= SMALL) return zeros(size);
  if (size >= BULK) {
    // A slot has eight bytes.
    ballast.slots = new Array(Math.min(size, MOST_WEIGHED) >>> 5);
    if (!isPrepared) {
      isPrepared = true;
      // Until V8 collects it, soon, it is among `process.memoryUsage()`.
      new ArrayBuffer(LARGEST);
    }
  }
  return Buffer.allocUnsafeSlow(size);
}

/**
 * bytes[start, end) as the user gets them: in memory that is theirs alone, which they may change, keep, or transfer to another thread.
 * Then a view of it ends, and so would all others of the same memory.
 */
export function ownCopy(bytes: Uint8Array, start: number, end: number): Buffer<ArrayBuffer> {
  const length = end - start;
  if (length > TINY) {
    const copy = allocate(length);
    copy.set(bytes.subarray(start, end));
    return copy;
  }
  const copy = zeros(length);
  for (let i = 0; i < length; i++) copy[i] = bytes[start + i]!;
  return copy;
}
