/**
 * Memory for small frames on their way out, shared by all connections: a frame is written where the last one ended, and
 * leaves with the others of its connection and turn as one buffer. When every frame in the slab has been handed to the
 * kernel it is filled from the beginning again, so that a server that keeps up with its peers allocates nothing.
 */
const SLAB_SIZE = 64 * 1024;

/** Larger payloads are sent from where they are: copying them would cost more than another entry in the system call. */
export const MAX_COPIED = 8 * 1024;

export class Slab {
  readonly bytes = Buffer.allocUnsafeSlow(SLAB_SIZE);
  /** Where the next frame goes. */
  at = 0;
  /** How many connections have frames in it that the kernel may not have taken yet. */
  private users = 0;

  hasRoom(size: number): boolean {
    return this.at + size <= SLAB_SIZE;
  }

  acquire(): void {
    this.users++;
  }

  /** The kernel has taken one connection's frames. While it has not, that connection does not call this. */
  release(): void {
    this.users--;
    if (this.users === 0) this.at = 0;
  }
}

let current = new Slab();

/** The slab to write to, with room for `size` bytes: at most `MAX_COPIED` and a frame header. */
export function slabFor(size: number): Slab {
  if (!current.hasRoom(size)) current = new Slab();
  return current;
}
