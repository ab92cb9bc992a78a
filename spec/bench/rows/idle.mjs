/** What a connection costs that has spoken once. */
import { Contestant } from '../contestant.mjs';
import { frame, openMany } from '../load.mjs';
import { later, textOf } from './common.mjs';

const COUNT = 10_000;
const SOME = 200;

async function memory(contestant, how = 'memory') {
  await later(300);
  return contestant.ask(how);
}

async function speakOnce(clients) {
  const one = frame(1, textOf(32));
  await Promise.all(
    clients.map(
      (client) =>
        new Promise((resolve) => {
          client.onBytes = resolve;
          client.write(one);
        }),
    ),
  );
}

async function idle([server, what, ...args]) {
  const contestant = await Contestant.start(server, ...args);
  // What is made once for all is made before.
  await speakOnce(await openMany(SOME, contestant.port, '/idle'));
  const before = await memory(contestant);
  await speakOnce(await openMany(COUNT, contestant.port, '/idle'));
  const after = await memory(contestant);
  await contestant.stop();
  return { value: (after[what] - before[what]) / COUNT };
}

/**
 * What one more connection takes that has not spoken, once the process is as large as it gets by itself: the difference of 10,000
 * between a process that has 5,000 already, and has compiled what it runs and given V8's young generation its full size, and the
 * same process with all of them, with the heap compacted both times.
 */
async function idleMore([server, what, ...args]) {
  const contestant = await Contestant.start(server, ...args);
  await openMany(COUNT / 2, contestant.port, '/idle');
  const before = await memory(contestant, 'compact memory');
  await openMany(COUNT, contestant.port, '/idle');
  const after = await memory(contestant, 'compact memory');
  await contestant.stop();
  return { value: (after[what] - before[what]) / COUNT };
}

const asked = (what) => ({
  'websocket-route': ['route', what],
  ws: ['ws', what],
  'express-ws': ['express-ws', what],
  'bare upgraded socket': ['net', what, 'bare'],
});
const targets = { 'bare upgraded socket': -1.08 };

export const idleRows = [
  {
    name: 'idle: heap and buffers of a connection, of 10,000',
    unit: 'bytes',
    contestants: { ...asked('used'), net: ['net', 'used'] },
    targets,
    run: idle,
  },
  {
    name: 'idle: resident memory of a connection, of 10,000',
    unit: 'bytes',
    contestants: { ...asked('rss'), bun: ['bun', 'rss'] },
    targets,
    run: idle,
  },
  ...[
    ['heap and buffers', 'used'],
    ['resident memory', 'rss'],
  ].map(([name, what]) => ({
    name: `idle after GC: ${name} of one more connection, of 5,000 to 15,000`,
    unit: 'bytes',
    contestants: { 'websocket-route': ['route', what], ws: ['ws', what], 'upgrade listener': ['net', what, 'mute'] },
    targets: { ws: -1, 'upgrade listener': null },
    run: idleMore,
  })),
];
