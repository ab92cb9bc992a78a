/** How long a message takes when there is half as much to do as `ws` can do. */
import { Contestant } from '../contestant.mjs';
import { frame, openMany, reply } from '../load.mjs';
import { later, textOf } from './common.mjs';
import { echo } from './echo.mjs';

const CLIENTS = 64;
/** Until all that is hot has been compiled, which happens on the same core. */
const WARM_UP = 2500;
const SPAN = 2500;
let saturating;

/** Each client sends at its times, whatever has come back: who is slow has a queue. */
async function latency(server) {
  saturating ??= (await echo('ws', { clients: CLIENTS, depth: 1, size: 32, opcode: 1 })).value;
  const contestant = await Contestant.start(server);
  const all = await openMany(CLIENTS, contestant.port, '/echo');
  const payload = textOf(32);
  const one = frame(1, payload);
  const { length } = reply(1, payload);
  // The load makes no garbage of its own: its pauses would be taken for the server's.
  const delays = new Float64Array(1e6);
  let count = 0;
  let begin = Infinity;
  for (const client of all) {
    client.sent = [];
    let bytes = 0;
    client.onBytes = (chunk) => {
      const now = performance.now();
      for (bytes += chunk.length; bytes >= length; bytes -= length) {
        const due = client.sent.shift();
        if (due >= begin) delays[count++] = now - due;
      }
    };
  }
  const rate = saturating / 2 / 1000;
  const start = performance.now();
  begin = start + WARM_UP;
  let sent = 0;
  while (performance.now() < begin + SPAN) {
    const due = Math.floor((performance.now() - start) * rate);
    for (; sent < due; sent++) {
      const client = all[sent % CLIENTS];
      client.sent.push(start + sent / rate);
      client.write(one);
    }
    await new Promise(setImmediate);
  }
  await later(200);
  for (const client of all) client.close();
  await contestant.stop();
  return { value: delays.subarray(0, count).sort()[Math.floor(count * 0.99)] };
}

export const latencyRows = [
  {
    name: 'latency: p99 at half of what saturates ws',
    unit: 'ms',
    contestants: { 'websocket-route': 'route', ws: 'ws', bun: 'bun' },
    targets: { ws: -1 },
    run: latency,
  },
];
