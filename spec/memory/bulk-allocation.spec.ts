import { allocate } from '../../lib/memory/bulk-allocation.js';
import { build, start } from '../support/built.js';

it.each([0, 1, 31, 5000, 32 * 1024 - 1, 32 * 1024, 40_001, 1 << 20, 3_000_001])(
  'gives %d bytes of their own',
  (size) => {
    const piece = allocate(size);
    expect([piece.length, piece.byteOffset, piece.buffer.byteLength]).toEqual([size, 0, size]);
    expect(allocate(size).buffer).not.toBe(piece.buffer);
  },
);

/** What a process keeps of 32 MiB in large pieces that it does not need any more, in MiB. */
const PROGRAM = `
import { allocate } from './dist/memory/bulk-allocation.js';
const collect = async () => {
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
allocate(64 * 1024);
await collect();
const before = process.memoryUsage.rss();
let pieces = Array.from({ length: 512 }, () => allocate(64 * 1024).fill(1));
const isTaken = process.memoryUsage.rss() - before > 16 << 20;
pieces = undefined;
await collect();
console.log(JSON.stringify([isTaken, (process.memoryUsage.rss() - before) / 2 ** 20]));
`;

it('lets glibc keep what was freed of large pieces, to give it again', async () => {
  const built = await build();
  try {
    const program = await start(built, 'keep.mjs', PROGRAM, [], undefined, ['--expose-gc']);
    const [isTaken, kept] = JSON.parse(await program.line()) as [boolean, number];
    const report = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
    expect(isTaken).toBe(true);
    // Others have allocators of their own.
    expect(kept).toBeGreaterThan(report.header.glibcVersionRuntime === undefined ? -64 : 16);
    expect(await program.ended).toBe(0);
  } finally {
    await built.remove();
  }
});

/** How often V8 has collected its whole heap while 512 MiB were allocated, each piece garbage at once. */
const COLLECTIONS = `
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { allocate } from './dist/memory/bulk-allocation.js';
const counts = { scavenges: 0, others: 0 };
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) {
    counts[detail.kind === constants.NODE_PERFORMANCE_GC_MINOR ? 'scavenges' : 'others']++;
  }
}).observe({ entryTypes: ['gc'] });
for (let i = 0; i < 8192; i++) {
  allocate(64 * 1024)[0] = 1;
  if (i % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
}
// Entries are told in a later turn.
await new Promise((resolve) => setTimeout(resolve, 20));
console.log(JSON.stringify(counts));
`;

it('lets V8 free large pieces by scavenges, and not by collections of its whole heap', async () => {
  const built = await build();
  try {
    const program = await start(built, 'collect.mjs', COLLECTIONS);
    const { scavenges, others } = JSON.parse(await program.line()) as { scavenges: number; others: number };
    expect(others).toBe(0);
    expect(scavenges).toBeGreaterThan(20);
    expect(await program.ended).toBe(0);
  } finally {
    await built.remove();
  }
});
