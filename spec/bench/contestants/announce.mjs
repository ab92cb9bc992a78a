/** What the load generator wants to know of a server: its port, and, when it asks, its memory after garbage collection. */

import { PerformanceObserver } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');
const tell = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

let longest = 0;
export function announce(server) {
  server.on('listening', () => tell({ port: server.address().port }));
  const asked = createInterface(process.stdin);
  // The load generator has ended, however it did.
  asked.on('close', () => process.exit());
  asked.on('line', async (line) => {
    if (line === 'memory' || line === 'compact memory') {
      // So that no page is kept for one object on it: what the system says of a heap that garbage has passed through is noise else.
      if (line === 'compact memory') setFlagsFromString('--compact-on-every-full-gc');
      for (let i = 0; i < 4; i++) {
        collectGarbage();
        await new Promise(setImmediate);
      }
      const { heapUsed, external, rss } = process.memoryUsage();
      tell({ used: heapUsed + external, rss });
    } else if (line === 'connections') {
      server.getConnections((_error, count) => tell({ count }));
    } else if (line === 'watch') {
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
      }).observe({ entryTypes: ['gc'] });
      tell({});
    } else if (line === 'pause') tell({ longest });
  });
}
