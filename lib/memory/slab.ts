/**
 * Memory for small frames on their way out, shared by all connections: a frame is written where the last one ended, and
 * leaves with the others of its connection and turn as one buffer. When every frame in the slab has been handed to the
 * kernel it is filled from the beginning again, so that a server that keeps up with its peers allocates nothing.
 */
const SLAB_SIZE = 64 * 1024;

/** Larger payloads are sent from where they are: copying them would cost more than another entry in the system call. */
export const MAX_COPIED = 8 * 1024;

/**
 * How many full slabs may wait for peers: 4 MiB. A peer that stops reading pins the slab that it was being sent from,
 * whoever else that was for; two hundred such peers, one after the other, would pin two hundred of them.
 */
const MAX_LEFT = 64;

let left = 0;

export class Slab {
  readonly bytes = Buffer.allocUnsafeSlow(SLAB_SIZE);
  /** Where the next frame goes. */
  at = 0;
  /** How many connections have frames in it that the kernel may not have taken yet. */
  private users = 0;
  private isLeft = false;

  hasRoom(size: number): boolean {
    return this.at + size <= SLAB_SIZE;
  }

  acquire(): void {
    this.users++;
  }

  /** The kernel has taken one connection's frames, or never will. */
  release(): void {
    this.users--;
    if (this.users > 0) return;
    this.at = 0;
    if (this.isLeft) left--;
    this.isLeft = false;
  }

  /** It is full, and another one takes its place. */
  retire(): void {
    if (this.users === 0) return;
    this.isLeft = true;
    left++;
  }
}

let current = new Slab();

/** The slab to write to, with room for `size` bytes: at most `MAX_COPIED` and a frame header. */
export function slabFor(size: number): Slab {
  if (!current.hasRoom(size)) {
    current.retire();
    current = new Slab();
  }
  return current;
}

/** Whether a socket may be given what stands in a slab. Where too many wait, it gets a copy. */
export function mayLend(): boolean {
  return left < MAX_LEFT;
}
