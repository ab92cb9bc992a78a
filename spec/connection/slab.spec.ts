import { MAX_COPIED, slabFor } from '../../lib/connection/slab.js';

describe('the slab', () => {
  it('is filled from the beginning again when everything in it has been taken', () => {
    const slab = slabFor(100);
    const at = slab.at;
    slab.acquire();
    slab.at += 100;
    slab.acquire();
    slab.release();
    expect(slab.at).toBe(at + 100);
    slab.release();
    expect(slab.at).toBe(0);
  });

  it('has room for the largest frame that is copied, or is another one', () => {
    const full = slabFor(MAX_COPIED + 10);
    full.acquire();
    full.at = full.bytes.length - MAX_COPIED;
    expect(slabFor(MAX_COPIED)).toBe(full);
    const next = slabFor(MAX_COPIED + 1);
    expect(next).not.toBe(full);
    expect(next.at).toBe(0);
    expect(next.hasRoom(next.bytes.length)).toBe(true);
    expect(next.hasRoom(next.bytes.length + 1)).toBe(false);
  });
});
