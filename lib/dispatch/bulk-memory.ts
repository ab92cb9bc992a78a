/**
 * Memory for what the user is given in large pieces. It cannot be used again by us, since the user may keep it; so each piece is
 * allocated, and freed when V8 collects it: 32 MiB of them at a time, as that is when it begins to.
 *
 * The allocator of the GNU C library gives back to the system what is freed at the end of the heap as soon as that is more than
 * 128 KiB, and takes it again, page by page, for the next piece: most of the time that bulk data takes is spent there (measured:
 * four fifths). It leaves that when a larger piece was freed: from then on twice that size may stay (mallopt(3), M_TRIM_THRESHOLD
 * and M_MMAP_THRESHOLD, "dynamic"). So one such piece is allocated, and never touched, which costs no memory, and dropped. It is
 * done when the first large piece is needed: a server of small messages is left alone. Other allocators do not care.
 */
const BULK = 32 * 1024;

/** The largest that counts there is 32 MiB. */
const LARGEST = 31 * 1024 * 1024;

let isPrepared = false;

/** `size` bytes that are not of Node's pool, of which a few would keep the 8 KiB that they are cut from. */
export function allocate(size: number): Buffer<ArrayBuffer> {
  if (size >= BULK && !isPrepared) {
    isPrepared = true;
    // Until V8 collects it, soon, it is among `process.memoryUsage()`.
    new ArrayBuffer(LARGEST);
  }
  return Buffer.allocUnsafeSlow(size);
}
