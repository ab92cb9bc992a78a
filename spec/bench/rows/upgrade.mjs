/** What it costs to open a connection. */
import { Contestant } from '../contestant.mjs';
import { openMany } from '../load.mjs';

const WARM_UP = 1000;
const COUNT = 3000;

async function upgrades(server) {
  const contestant = await Contestant.start(server);
  for (const client of await openMany(WARM_UP, contestant.port, '/echo')) client.close();
  const before = contestant.cpu;
  const all = await openMany(COUNT, contestant.port, '/echo');
  const cpu = contestant.cpu - before;
  for (const client of all) client.close();
  await contestant.stop();
  return { value: cpu / COUNT / 1000 };
}

export const upgradeRows = [
  {
    name: 'upgrade: through Express with one route',
    unit: 'µs of CPU',
    contestants: { 'websocket-route': 'route', ws: 'ws', 'express-ws': 'express-ws', bun: 'bun', 'by hand': 'by-hand' },
    targets: { 'express-ws': -0.75, ws: -1.3 },
    run: upgrades,
  },
];
