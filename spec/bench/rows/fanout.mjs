/** One message to a thousand connections. */
import { Contestant } from '../contestant.mjs';
import { checker, frame, openMany, reply } from '../load.mjs';
import { later, textOf } from './common.mjs';

const MEMBERS = 1000;
const WARM_UP = 1000;
const SPAN = 2000;

async function fanout(server, path) {
  const contestant = await Contestant.start(server);
  const all = await openMany(MEMBERS, contestant.port, path);
  const payload = textOf(32);
  const one = frame(1, payload);
  const expected = reply(1, payload);
  let missing = 0;
  let done = 0;
  let running = true;
  const send = () => {
    missing = MEMBERS * expected.length;
    all[0].write(one);
  };
  for (const client of all) {
    let check = checker(expected);
    client.onBytes = (bytes) => {
      check?.(bytes);
      check = undefined;
      missing -= bytes.length;
      if (missing < 0) throw new Error('more came than was sent');
      if (missing > 0) return;
      done += MEMBERS;
      if (running) send();
    };
  }
  const gc = server !== 'bun';
  if (gc) await contestant.ask('watch');
  send();
  await later(WARM_UP);
  const before = { cpu: contestant.cpu, done, at: performance.now() };
  await later(SPAN);
  const after = { cpu: contestant.cpu, done, at: performance.now() };
  running = false;
  const pause = gc ? (await contestant.ask('pause')).longest : undefined;
  for (const client of all) client.close();
  await contestant.stop();
  const count = after.done - before.done;
  return { value: (count / (after.at - before.at)) * 1000, cpu: (after.cpu - before.cpu) / count / 1000, pause };
}

const CONTESTANTS = { 'websocket-route': ['route', '/fanout'], ws: ['ws', '/fanout'], bun: ['bun', '/fanout'] };

export const fanoutRows = [
  {
    name: 'fan-out: one message of 32 B to 1,000',
    unit: 'deliveries/s',
    contestants: { ...CONTESTANTS, prepared: ['route', '/fanout-prepared'] },
    targets: { ws: 1.4, bun: 0.95 },
    run: (how) => fanout(...how),
  },
  {
    name: 'fan-out: longest pause for garbage collection',
    unit: 'ms',
    contestants: { 'websocket-route': ['route', '/fanout'], ws: ['ws', '/fanout'] },
    run: async (how) => ({ value: (await fanout(...how)).pause }),
  },
];
