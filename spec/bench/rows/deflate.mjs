/** Compressed messages that come back compressed. */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { Contestant } from '../contestant.mjs';
import { frame, openMany } from '../load.mjs';
import { later } from './common.mjs';

const WARM_UP = 700;
const SPAN = 2000;
const CLIENTS = 16;
const DEPTH = 4;
const SIZE = 500;

/** JSON as applications have it: names that repeat, values that do not. */
function json() {
  const rows = [];
  for (let i = 0; JSON.stringify(rows).length < SIZE - 60; i++) {
    rows.push({
      id: i * 7919,
      user: `user-${(i * 31) % 97}`,
      at: 1_764_000_000_000 + i * 12_345,
      isOnline: i % 3 === 0,
    });
  }
  return Buffer.from(JSON.stringify(rows));
}

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

/** Tells of each frame that is complete, for what comes in any pieces. */
function walker(onFrame) {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([rest, bytes]);
    for (;;) {
      if (rest.length < 4) return;
      const isShort = rest[1] < 126;
      const at = isShort ? 2 : 4;
      const length = isShort ? rest[1] : rest.readUInt16BE(2);
      if (rest.length < at + length) return;
      onFrame(rest[0], rest.subarray(at, at + length));
      rest = rest.subarray(at + length);
    }
  };
}

async function deflate(server, path) {
  const contestant = await Contestant.start(server);
  const headers = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n';
  const all = await openMany(CLIENTS, contestant.port, path, { headers });
  const message = json();
  const packed = deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -TAIL.length);
  const one = frame(1, packed, { rsv1: true });
  const batch = Buffer.concat(Array(DEPTH).fill(one));
  let done = 0;
  let running = true;
  for (const client of all) {
    if (!client.extensions.startsWith('permessage-deflate')) throw new Error('it does not compress');
    let left = DEPTH;
    let isFirst = true;
    client.onBytes = walker((first, payload) => {
      if (isFirst) {
        isFirst = false;
        const text = inflateRawSync(Buffer.concat([payload, TAIL]), { finishFlush: constants.Z_SYNC_FLUSH });
        if (first !== 0xc1 || !text.equals(message)) throw new Error('what came back differs');
      }
      done++;
      left--;
      if (left > 0 || !running) return;
      left = DEPTH;
      client.write(batch);
    });
    client.write(batch);
  }
  await later(WARM_UP);
  const before = { cpu: contestant.cpu, done, at: performance.now() };
  await later(SPAN);
  const after = { cpu: contestant.cpu, done, at: performance.now() };
  running = false;
  for (const client of all) client.close();
  await contestant.stop();
  const count = after.done - before.done;
  return { value: (count / (after.at - before.at)) * 1000, cpu: (after.cpu - before.cpu) / count / 1000 };
}

export const deflateRows = ['/deflate', '/deflate-takeover'].map((path) => ({
  name: `compressed echo, JSON of ${SIZE} B, ${path === '/deflate' ? 'no context takeover' : 'context takeover'}`,
  unit: 'messages/s',
  contestants: { 'websocket-route': 'route', ws: 'ws' },
  targets: { ws: 1.2 },
  run: (server) => deflate(server, path),
}));
