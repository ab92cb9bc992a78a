/** What it costs to open a connection and to close it: in a process that has just begun, and in one that has done it often. */
import { Contestant } from '../contestant.mjs';
import { Client } from '../load.mjs';
import { later } from './common.mjs';

const AT_A_TIME = 32;
const COUNT = 4000;
const WARM_UP = 30_000;
/** Until the last of the server's work for what has been is done: its clients have seen the end before. */
const SETTLING = 200;

/** So many connections, each opened and closed with a handshake and gone before the next one. */
async function openAndClose(port, count) {
  let left = count;
  const inTurn = async () => {
    while (left-- > 0) {
      const client = await Client.open(port, '/echo');
      await client.shakeHandsAndClose();
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, inTurn));
  await later(SETTLING);
}

async function handshakes(server, warmUp) {
  const contestant = await Contestant.start(server);
  // What begins a process may go on for a moment after it has begun to listen.
  await later(SETTLING);
  await openAndClose(contestant.port, warmUp);
  const before = contestant.cpu;
  await openAndClose(contestant.port, COUNT);
  const cpu = contestant.cpu - before;
  const { count } = await contestant.ask('connections');
  if (count !== 0) throw new Error(`${count} connections of ${server} are still there`);
  await contestant.stop();
  return { value: cpu / COUNT / 1000 };
}

const CONTESTANTS = { 'websocket-route': 'route', 'express-ws': 'express-ws', ws: 'ws', 'by hand': 'by-hand' };

export const handshakeRows = [
  {
    name: 'handshake cold: one and its end, of the first 4,000 of a process',
    unit: 'µs of CPU',
    contestants: CONTESTANTS,
    targets: { 'express-ws': -1, ws: -1 },
    run: (server) => handshakes(server, 0),
  },
  {
    name: 'handshake warm: one and its end, after 30,000',
    unit: 'µs of CPU',
    contestants: CONTESTANTS,
    targets: { 'express-ws': -0.85, ws: -1.3 },
    run: (server) => handshakes(server, WARM_UP),
  },
];
