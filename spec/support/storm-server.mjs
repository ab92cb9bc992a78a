/**
 * A server for `spec/faults/storm.slow.spec.ts`, in a process of its own so that what is left in it is left by the library. Argument:
 * a file to send. It says on which ports it listens: one for each door. Told so by SIGUSR2, it waits until nobody but witnesses is
 * connected, and says what it holds then.
 */
import { readdir } from 'node:fs/promises';
import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { setTimeout as later } from 'node:timers/promises';
import { queryObjects, setFlagsFromString } from 'node:v8';
import { DeflateRaw, InflateRaw } from 'node:zlib';

// What V8 compiles, and learns from, grows for long: more than what a storm may leave. So it compiles all it will at once.
for (const flag of ['--no-opt', '--always-sparkplug', '--no-lazy-feedback-allocation']) setFlagsFromString(flag);
const { metrics, ReadyState, upgradeListener, WebSocketHandler, websocketRoute } = await import('websocket-route');

const file = process.argv[2];
// `queryObjects` is an experiment of Node's, and a warning of it is no fault of the library's.
process.removeAllListeners('warning');
process.on('warning', (warning) => warning.name === 'ExperimentalWarning' || console.error(warning));
let connects = 0;
let closes = 0;
let witnesses = 0;

/** Does what the path says, and takes `ms` milliseconds over it. */
class Victim extends WebSocketHandler {
  async onHandshake(request) {
    const [, , what, ms] = request.url.split('/');
    if (what === 'onHandshake') await later(Number(ms));
    return true;
  }

  onConnect({ what, ms }) {
    connects++;
    this.what = what;
    this.ms = Number(ms);
    // Every second one of these reads what comes as lines, some of them by a pattern, and some take what there is.
    if (what === 'bytes') this.readDelimiter = ['\n', /\r?\n/, null, 64][this.ms % 4];
    if (what === 'onConnect') return later(this.ms);
    if (what === 'file') return this.writeFile(file);
    if (what === 'flood') void this.flood().catch(() => {});
    if (what === 'messages') return this.pull();
  }

  onRead(data) {
    if (this.what === 'onRead') return later(this.ms).then(() => this.write(data));
    this.write(data);
  }

  onClose() {
    closes++;
    return this.ms % 2 === 0 ? undefined : later(this.ms);
  }

  async pull() {
    for await (const data of this.messages()) {
      await later(this.ms);
      this.write(data);
    }
  }

  async flood() {
    const piece = `${this.ms} `.repeat(5000);
    // A megabyte at once, or as much as the peer takes.
    for (let i = 0; i < 60; i++) this.write(piece);
    while (this.readyState === ReadyState.OPEN) if (!this.write(piece)) await this.drained();
  }
}

/** Answers what it is sent, in its order; every second answer takes a while, and every third is not compressed. */
class Witness extends WebSocketHandler {
  count = 0;

  onConnect() {
    witnesses++;
  }

  onRead(data) {
    this.count++;
    if (this.count % 2 === 0) this.answer(data);
    else return later(this.count % 3).then(() => this.answer(data));
  }

  answer(data) {
    this.write(data, { compress: this.count % 3 !== 0 });
  }

  onClose() {
    witnesses--;
  }
}

const hurry = { closeTimeout: 500, pingInterval: 1000, pongTimeout: 500, allowOldHandshake: true };
/** @param compress for one door streams are shared, for the other each connection has its own */
function app(compress) {
  const victims = websocketRoute('/storm/:what/:ms', Victim, { ...hurry, compress });
  const others = websocketRoute('/witness', Witness, { compress });
  return (request, response) => victims(request, response, () => others(request, response));
}
const shared = app({ threshold: 100 });
const own = app({ threshold: 100, serverNoContextTakeover: false, clientNoContextTakeover: false });
const servers = [createServer(shared), createServer(own)];
servers[1].on('upgrade', upgradeListener(own));
for (const server of servers) await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

async function connections() {
  const counts = servers.map((server) => new Promise((resolve) => server.getConnections((_, count) => resolve(count))));
  return (await Promise.all(counts)).reduce((sum, count) => sum + count);
}

const listenersOf = (emitter) =>
  Object.fromEntries(emitter.eventNames().map((name) => [String(name), emitter.listenerCount(name)]));

/** How many of each there are. */
function tallyOf(names) {
  const tally = {};
  for (const name of names.sort()) tally[name] = (tally[name] ?? 0) + 1;
  return tally;
}

/** Timers that wait, also those that do not keep the process. */
const { constructor: Timeout } = setTimeout(() => {}, 0);

/** How many there are, when what nobody has any more has been collected. */
const countOf = (kind) => queryObjects(kind, { format: 'count' });

function memory() {
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return { arrayBuffers, heapUsed };
}

async function figures() {
  await later(20);
  const { open, bufferedAmount } = metrics();
  const objects = [WebSocketHandler, Socket, IncomingMessage, ServerResponse];
  return {
    // What must be as it was.
    held: {
      connections: (await connections()) - witnesses,
      open: open - witnesses,
      unclosed: connects - closes,
      bufferedAmount,
      resources: tallyOf(process.getActiveResourcesInfo()),
      descriptors: await readdir('/proc/self/fd').then(
        (all) => all.length,
        () => 0,
      ),
      processListeners: listenersOf(process),
      serverListeners: servers.map(listenersOf),
      objects: Object.fromEntries(objects.map((kind) => [kind.name, countOf(kind)])),
    },
    // Node has some of its own, which come and go.
    timers: countOf(Timeout),
    zlibs: countOf(InflateRaw) + countOf(DeflateRaw),
    // All has been collected by those who counted.
    ...memory(),
    connects,
  };
}

const isOver = async () => (await connections()) === witnesses && connects === closes;
let before;
process.on('SIGUSR2', async () => {
  // What stays too long is told as it is.
  for (let i = 0; i < 1000 && !(await isOver()); i++) await later(20);
  let now = await figures();
  // Timers that nobody waits for any more have yet to pass by.
  for (let i = 0; i < 50 && before !== undefined && JSON.stringify(now.held) !== before; i++) now = await figures();
  before ??= JSON.stringify(now.held);
  console.log(JSON.stringify(now));
});
console.log(JSON.stringify(servers.map((server) => server.address().port)));
