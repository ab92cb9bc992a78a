/**
 * Whether memory stays flat: 200,000 messages on 500 connections, each sent by `ws`, answered with the same message and compared,
 * with compression in both modes and without. Every 20,000 messages, when all have been answered, the server's process collects its
 * garbage and says what memory it has.
 *
 *     npm run bench:soak
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';

const CONNECTIONS = 500;
const MESSAGES = 200_000;
const EACH = 20_000;

const takeover = { serverNoContextTakeover: false, clientNoContextTakeover: false };
/** What it is called, the options of the server, and those of `ws`. */
const MODES = [
  ['no compression', false, false],
  ['no context takeover', true, { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 }],
  ['context takeover', takeover, { ...takeover, threshold: 0 }],
];

/** JSON such as a feed has, of 55 bytes to 4 KiB: a quarter of them below the server's threshold. */
function messageOf(number) {
  const quotes = Array.from({ length: 1 + ((number * 7919) % 97) }, (_, i) => ({
    symbol: `S${(number * 31 + i * 17) % 5000}`,
    bid: ((number * 97 + i * 13) % 100_000) / 100,
    ask: ((number * 89 + i * 11) % 100_000) / 100,
  }));
  return JSON.stringify({ number, quotes });
}

async function connect(port, perMessageDeflate) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate });
  await once(socket, 'open');
  if ((perMessageDeflate !== false) !== (socket.extensions !== '')) throw new Error(`agreed on: ${socket.extensions}`);
  return socket;
}

/** Sends messages on one connection, each when the one before has been answered. */
async function converse(socket, first, count) {
  for (let number = first; number < first + count; number++) {
    const message = messageOf(number);
    socket.send(message);
    const [data] = await once(socket, 'message');
    if (String(data) !== message) throw new Error(`the answer to ${message} was ${data}`);
  }
}

async function soak([name, compress, perMessageDeflate]) {
  const server = fork(fileURLToPath(new URL('soak-server.mjs', import.meta.url)), [JSON.stringify(compress)], {
    execArgv: ['--expose-gc'],
  });
  const ask = async () => {
    const answer = once(server, 'message');
    server.send('memory');
    return (await answer)[0];
  };
  const [{ port }] = await once(server, 'message');
  const sockets = [];
  while (sockets.length < CONNECTIONS) sockets.push(await connect(port, perMessageDeflate));
  const rows = [['0', await ask()]];
  const start = performance.now();
  for (let sent = 0; sent < MESSAGES; sent += EACH) {
    const count = EACH / CONNECTIONS;
    await Promise.all(sockets.map((socket, i) => converse(socket, sent + i * count, count)));
    rows.push([(sent + EACH).toLocaleString('en'), await ask()]);
  }
  const seconds = (performance.now() - start) / 1000;
  const closed = sockets.map((socket) => once(socket, 'close'));
  for (const socket of sockets) socket.close();
  await Promise.all(closed);
  rows.push(['all closed', await ask()]);
  server.disconnect();
  print(name, rows, seconds);
}

/** So much of what was in use in the middle may be in use in the end. */
const MOST = 1.05;

const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);

function print(name, rows, seconds) {
  console.log(`\n### ${name}\n`);
  console.log('| messages | RSS | heap used | external | of these array buffers | `limits.bufferedBytes` |');
  console.log('|---:|---:|---:|---:|---:|---:|');
  for (const [messages, { rss, heapUsed, external, arrayBuffers, bufferedBytes }] of rows) {
    console.log(`| ${messages} | ${[rss, heapUsed, external, arrayBuffers, bufferedBytes].map(mib).join(' | ')} |`);
  }
  // By the middle V8 and the system's allocator have set aside what they want for such a load.
  const [middle, last] = [rows[MESSAGES / EACH / 2], rows.at(-2)];
  const ratio = (member) => last[1][member] / middle[1][member];
  const growth = (member) => `${(100 * (ratio(member) - 1)).toFixed(1)} %`;
  if (ratio('rss') > MOST || ratio('heapUsed') > MOST) {
    console.error(`\n${name}: memory has grown by more than ${(100 * (MOST - 1)).toFixed()} %.`);
    process.exitCode = 1;
  }
  console.log(`\nFrom ${middle[0]} to ${last[0]} messages: RSS ${growth('rss')}, heap ${growth('heapUsed')}.`);
  console.log(
    `${Math.round(MESSAGES / seconds).toLocaleString('en')} messages a second, with the clients on the same machine.`,
  );
}

console.log(
  `${MESSAGES.toLocaleString('en')} messages on ${CONNECTIONS} connections, in MiB, after garbage collection.`,
);
console.log(
  `Node ${process.version}, ${cpus()[0]?.model}, ${cpus().length} processors, ${process.platform} ${process.arch}.`,
);
for (const mode of MODES) await soak(mode);
