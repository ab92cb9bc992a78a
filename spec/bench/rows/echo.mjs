/** Messages that come back: one at a time, many at once, small and large, with few connections and with many. */
import { randomBytes } from 'node:crypto';
import { Contestant } from '../contestant.mjs';
import { frame, openMany, pump, reply } from '../load.mjs';
import { later, textOf } from './common.mjs';

const SERVERS = { 'websocket-route': 'route', ws: 'ws', bun: 'bun', net: 'net' };
const WARM_UP = 700;
const SPAN = 1500;

/** A client that sends `depth` messages, and the next so many when all have come back. */
export function batches(clients, one, back, depth) {
  const times = (bytes) => Buffer.concat(Array(depth).fill(bytes));
  return pump(clients, times(one), times(back), depth);
}

/** What a message costs that comes back, and how many do, once all that is hot has been compiled. */
export async function echo(server, { clients, depth, size, opcode, isSecure = false, load = batches }) {
  const contestant = await Contestant.start(server, ...(isSecure ? ['tls'] : []));
  const all = await openMany(clients, contestant.port, '/echo', { isSecure });
  const payload = opcode === 1 ? textOf(size) : randomBytes(size);
  const one = frame(opcode, payload);
  const state = load(all, one, server === 'net' ? one : reply(opcode, payload), depth);
  await later(WARM_UP);
  const before = { cpu: contestant.cpu, done: state.done, at: performance.now() };
  await later(SPAN);
  const after = { cpu: contestant.cpu, done: state.done, at: performance.now() };
  state.running = false;
  for (const client of all) client.close();
  await contestant.stop();
  const done = after.done - before.done;
  return { value: (done / (after.at - before.at)) * 1000, cpu: (after.cpu - before.cpu) / done / 1000 };
}

export const KINDS = { binary: 2, text: 1 };
const LOADS = [
  ['one in flight, 32 B', { clients: 64, depth: 1, size: 32 }, { ws: 1.15, net: 0.95 }],
  ['64 in flight, 32 B', { clients: 16, depth: 64, size: 32 }, { ws: 25, bun: 0.95 }],
  ['16 in flight, 1 KiB', { clients: 16, depth: 16, size: 1024 }, { ws: 5, bun: 0.95 }],
  ['4 in flight, 64 KB', { clients: 16, depth: 4, size: 65_536 }, { ws: 1.3, bun: 0.95 }],
];

export const echoRows = LOADS.flatMap(([name, load, targets]) =>
  Object.entries(KINDS).map(([kind, opcode]) => ({
    name: `echo: ${name}, ${kind}`,
    unit: 'messages/s',
    contestants: SERVERS,
    targets,
    run: (server) => echo(server, { ...load, opcode }),
  })),
);

/** The processor time of a message, whatever the number of connections. */
const MANY = [10, 100, 1000, 10_000].map((count) => [`${count.toLocaleString('en')} connections`, ['route', count]]);
echoRows.push({
  name: 'cost of a message with so many connections, each with one of 32 B in flight',
  unit: 'µs of CPU',
  contestants: Object.fromEntries(MANY),
  subject: '10,000 connections',
  targets: { '10 connections': -1.3 },
  run: async ([server, clients]) => ({ value: (await echo(server, { clients, depth: 1, size: 32, opcode: 2 })).cpu }),
});
