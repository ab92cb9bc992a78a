/**
 * Memory for small outgoing frames, shared by all connections. Each frame is written after the previous one, and leaves
 * with the other frames of its connection and turn as one buffer. Once the kernel has accepted every frame in the slab,
 * it is filled from the start again, so a server whose peers keep up allocates nothing.
 */
const SLAB_SIZE = 64 * 1024;

/** Larger payloads are sent without copying, because a copy would cost more than another entry in the system call. */
export const MAX_COPIED = 8 * 1024;

/**
 * How many full slabs may wait for peers: 4 MiB. A peer that stops reading pins the whole slab that holds its frames;
 * two hundred such peers, one after the other, would pin two hundred slabs.
 */
const MAX_LEFT = 64;

let left = 0;

export class Slab {
  readonly bytes = Buffer.allocUnsafeSlow(SLAB_SIZE);
  /** The position of the next frame. */
  at = 0;
  /** How many connections have frames in it that the kernel may not have accepted yet. */
  private users = 0;
  private isLeft = false;

  hasRoom(size: number): boolean {
    return this.at + size <= SLAB_SIZE;
  }

  acquire(): void {
    this.users++;
  }

  /** Called when the kernel has accepted the frames of a connection, or never will. */
  release(): void {
    this.users--;
    if (this.users > 0) return;
    this.at = 0;
    if (this.isLeft) left--;
    this.isLeft = false;
  }

  /** Called when the slab is full and another one replaces it. */
  retire(): void {
    if (this.users === 0) return;
    this.isLeft = true;
    left++;
  }
}

let current = new Slab();

/** @returns a slab with room for `size` bytes, which are at most `MAX_COPIED` and a frame header */
export function slabFor(size: number): Slab {
  if (!current.hasRoom(size)) {
    current.retire();
    current = new Slab();
  }
  return current;
}

/** Whether a socket may be given the memory of a slab. If too many slabs wait, it gets a copy. */
export function mayLend(): boolean {
  return left < MAX_LEFT;
}
