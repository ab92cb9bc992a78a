/** Messages that come back, each of which lets the next one go: no batch, whose last message is waited for. */
import { slide } from '../load.mjs';
import { echo, KINDS } from './echo.mjs';

const LOADS = [
  ['32 B', { size: 32 }],
  ['1 KiB', { size: 1024 }],
];

export const windowRows = LOADS.flatMap(([size, load]) =>
  Object.entries(KINDS).map(([kind, opcode]) => ({
    name: `window: 16 in flight, ${size}, ${kind}`,
    unit: 'messages per CPU second',
    contestants: { 'websocket-route': 'route', ws: 'ws', bun: 'bun' },
    targets: { ws: 1, bun: 0.95 },
    run: async (server) => {
      const { cpu } = await echo(server, { clients: 16, depth: 16, ...load, opcode, load: slide });
      return { value: 1e6 / cpu, cpu };
    },
  })),
);
