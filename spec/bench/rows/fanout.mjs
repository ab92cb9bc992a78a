/** Messages to a thousand connections: one at a time, and of several members at a time, as in a room where people talk. */
import { Contestant } from '../contestant.mjs';
import { checker, frame, openMany, reply } from '../load.mjs';
import { later, textOf } from './common.mjs';

const MEMBERS = 1000;
const WARM_UP = 1000;
const SPAN = 2000;

async function fanout(server, path, speakers = 1) {
  const contestant = await Contestant.start(server);
  const all = await openMany(MEMBERS, contestant.port, path);
  const payload = textOf(32);
  const one = frame(1, payload);
  const expected = server === 'net' ? one : reply(1, payload);
  const inAll = MEMBERS * expected.length;
  let came = 0;
  let sent = 0;
  let done = 0;
  let running = true;
  const send = () => all[sent++ % MEMBERS].write(one);
  for (const client of all) {
    let check = checker(expected);
    client.onBytes = (bytes) => {
      check?.(bytes);
      check = undefined;
      came += bytes.length;
      if (came > sent * inAll) throw new Error('more came than was sent');
      while (came >= (done + 1) * inAll) {
        done++;
        if (running) send();
      }
    };
  }
  const gc = server !== 'bun';
  if (gc) await contestant.ask('watch');
  for (let i = 0; i < speakers; i++) send();
  await later(WARM_UP);
  const before = { cpu: contestant.cpu, done, at: performance.now() };
  await later(SPAN);
  const after = { cpu: contestant.cpu, done, at: performance.now() };
  running = false;
  const pause = gc ? (await contestant.ask('pause')).longest : undefined;
  for (const client of all) client.close();
  await contestant.stop();
  const count = (after.done - before.done) * MEMBERS;
  return { value: (count / (after.at - before.at)) * 1000, cpu: (after.cpu - before.cpu) / count / 1000, pause };
}

const CONTESTANTS = { 'websocket-route': ['route', '/fanout'], ws: ['ws', '/fanout'], bun: ['bun', '/fanout'] };

export const fanoutRows = [
  {
    name: 'fan-out: one message of 32 B to 1,000',
    unit: 'deliveries/s',
    contestants: { ...CONTESTANTS, net: ['net', '/fanout'], prepared: ['route', '/fanout-prepared'] },
    targets: { ws: 1.4, bun: 0.95 },
    run: (how) => fanout(...how),
  },
  {
    name: 'fan-out: the same, of 4 members at a time',
    unit: 'deliveries/s',
    contestants: { ...CONTESTANTS, net: ['net', '/fanout'] },
    targets: { ws: 1.4, bun: 0.95 },
    run: ([server, path]) => fanout(server, path, 4),
  },
  {
    name: 'fan-out: longest pause for garbage collection',
    unit: 'ms',
    contestants: { 'websocket-route': ['route', '/fanout'], ws: ['ws', '/fanout'] },
    limit: 20,
    run: async (how) => ({ value: (await fanout(...how)).pause }),
  },
];
