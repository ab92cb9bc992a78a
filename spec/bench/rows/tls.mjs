/** Messages that come back over TLS. The floor is a socket of `node:tls` that sends back the bytes it gets. */
import { echo } from './echo.mjs';

const LOADS = [
  ['64 in flight, 32 B, binary', { depth: 64, size: 32, opcode: 2 }],
  ['16 in flight, 1 KiB, binary', { depth: 16, size: 1024, opcode: 2 }],
  ['16 in flight, 1 KiB, text', { depth: 16, size: 1024, opcode: 1 }],
];

export const tlsRows = LOADS.map(([name, load]) => ({
  name: `tls: ${name}`,
  unit: 'µs of CPU',
  contestants: { 'websocket-route': 'route', ws: 'ws', 'bare TLS': 'net' },
  targets: { ws: -1, 'bare TLS': -1.3 },
  run: async (server) => ({ value: (await echo(server, { clients: 16, isSecure: true, ...load })).cpu }),
}));
