/** Streams inside messages: lines, records, and one message that is larger than memory should be. */
import { Contestant } from '../contestant.mjs';
import { frame, openMany } from '../load.mjs';

const MIB = 1024 * 1024;

/** Sends the batch again and again, as fast as it is taken, then the end; done when the count has come back. */
async function stream(server, path, { first, batch, units, times, last }) {
  const contestant = await Contestant.start(server);
  const [client] = await openMany(1, contestant.port, path);
  const send = async (bytes) => {
    if (!client.socket.write(bytes)) await new Promise((resolve) => client.socket.once('drain', resolve));
  };
  const answer = () =>
    new Promise((resolve) => {
      let text = '';
      client.onBytes = (bytes) => {
        text += bytes.latin1Slice();
        const found = /\d+$/.exec(text);
        if (found !== null) resolve(Number(found[0]));
      };
    });
  // Until it is compiled.
  let isCounted = answer();
  if (first === undefined) {
    for (let i = 0; i < times / 4; i++) await send(batch);
    await send(last);
    await isCounted;
    isCounted = answer();
  } else await send(first);
  const rss = contestant.rss;
  let most = rss;
  const looking = setInterval(() => (most = Math.max(most, contestant.rss)), 20);
  const before = contestant.cpu;
  for (let i = 0; i < times; i++) await send(batch);
  await send(last);
  await isCounted;
  const cpu = contestant.cpu - before;
  clearInterval(looking);
  client.close();
  await contestant.stop();
  return { value: ((units * times) / cpu) * 1e9, growth: (most - rss) / MIB };
}

const repeat = (bytes, size) => Buffer.alloc(Math.floor(size / bytes.length) * bytes.length, bytes);
const LINE = Buffer.from('a line of thirty-two characters\n');
const RECORD = Buffer.from([0, 0, 0, 1, 0, 0, 0, 2, 0, 3]);
const LAST_RECORD = Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2, 0, 3]);
const lines = repeat(LINE, 60_000);
const records = repeat(RECORD, 60_000);
const LINES = { batch: frame(1, lines), units: lines.length / 32, times: 4000, last: frame(1, Buffer.from('done\n')) };
const CUT = (() => {
  const frames = [];
  for (let at = 0; at < lines.length; at += 7) {
    const end = Math.min(lines.length, at + 7);
    frames.push(frame(at === 0 ? 1 : 0, lines.subarray(at, end), { fin: end === lines.length }));
  }
  return { ...LINES, batch: Buffer.concat(frames), times: 1000 };
})();
const SPREAD = (() => {
  const line = Buffer.alloc(2000, 'x');
  line[1999] = 10;
  const frames = [];
  for (let at = 0; at < 2000; at += 2)
    frames.push(frame(at === 0 ? 1 : 0, line.subarray(at, at + 2), { fin: at === 1998 }));
  return { batch: Buffer.concat(frames), units: 1000, times: 1000, last: LINES.last };
})();
const RECORDS = { batch: frame(2, records), units: records.length / 10, times: 4000, last: frame(2, LAST_RECORD) };

const both = (path, load) => ({ 'websocket-route': ['route', path, load], ws: ['ws', path, load] });

/** A frame of a gibibyte: its header, its payload (masked with zeros), and the octet that ends it. */
const GIB = 1024 * MIB;
function huge(header) {
  const piece = Buffer.alloc(MIB);
  return {
    first: header,
    batch: piece,
    units: MIB,
    times: GIB / MIB - 1,
    last: Buffer.concat([Buffer.alloc(MIB - 1), Buffer.of(0xff)]),
  };
}
const HEADER = Buffer.concat([Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0]), Buffer.alloc(4)]);

export const streamRows = [
  {
    name: 'lines of 32 B in messages of 60 KB',
    unit: 'lines per CPU second',
    contestants: both('/lines', LINES),
    targets: { ws: 1 },
    run: (how) => stream(...how),
  },
  {
    name: 'lines of 32 B in frames of 7 B',
    unit: 'lines per CPU second',
    contestants: both('/lines', CUT),
    targets: { ws: 10 },
    run: (how) => stream(...how),
  },
  {
    name: "records of Struct('!ILH') in messages of 60 KB",
    unit: 'records per CPU second',
    contestants: both('/records', RECORDS),
    targets: { ws: 0.5 },
    run: (how) => stream(...how),
  },
  {
    name: 'a line in 1,000 frames',
    unit: 'frames per CPU second',
    contestants: { 'websocket-route': ['route', '/lines', SPREAD], EntireMessage: ['route', '/whole', SPREAD] },
    targets: { EntireMessage: 1 / 3 },
    run: (how) => stream(...how),
  },
  {
    name: 'a frame of 1 GiB, delimiter null',
    unit: 'bytes per CPU second',
    contestants: { 'websocket-route': ['route', '/sink', huge(HEADER)], net: ['net', '/sink', huge(HEADER)] },
    targets: { net: 0.8 },
    run: (how) => stream(...how),
  },
  {
    name: 'a frame of 1 GiB, delimiter null: memory beyond that of the idle process',
    unit: 'MiB',
    contestants: { 'websocket-route': ['route', '/sink', huge(HEADER)] },
    run: async (how) => ({ value: (await stream(...how)).growth }),
  },
];
