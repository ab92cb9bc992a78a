/** Programs as users write them, and clients that take their time over the goodbye: what a client does ends no process. */
import { type Built, build, start } from '../support/built.js';
import { certificate } from '../support/certificate.js';

const CLIENT = `
  import { once } from 'node:events';
  import { createServer as createTlsServer } from 'node:https';
  import { createServer } from 'node:http';
  import net from 'node:net';
  import tls from 'node:tls';
  import express from 'express';
  import { broadcast, Struct, upgradeListener, WebSocketHandler, websocketRoute } from 'websocket-route';

  const [door, transport, how, certificate] = process.argv.slice(2);
  const faults = [];
  process.on('uncaughtException', (error) => faults.push(String(error)));
  process.on('unhandledRejection', (error) => faults.push(String(error)));
  console.error = (...args) => faults.push(args.map(String).join(' '));

  const { key, cert } = JSON.parse(certificate);
  async function listen(route) {
    const app = express().use(route);
    const server = transport === 'tls' ? createTlsServer({ key, cert }, app) : createServer(app);
    if (door === 'upgrade') server.on('upgrade', upgradeListener(app));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  }
  const HANDSHAKE = 'GET /ws HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==\\r\\n\\r\\n';
  async function connect(server) {
    const how = { port: server.address().port, host: '127.0.0.1', rejectUnauthorized: false };
    const socket = transport === 'tls' ? tls.connect(how) : net.connect(how);
    socket.on('error', () => {});
    socket.write(HANDSHAKE);
    let seen = '';
    socket.on('data', (chunk) => { seen += chunk.toString('latin1'); socket.emit('seen'); });
    const sees = async (text) => { while (!seen.includes(text)) await once(socket, 'seen'); };
    await sees('\\r\\n\\r\\n');
    return { socket, sees };
  }
  /** A masked frame; the mask is zero. */
  const frame = (opcode, payload = '') => Buffer.concat([Buffer.of(0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0), Buffer.from(payload)]);
  const GOODBYE = frame(8, '\\x03\\xe8');
  const ticks = (count) => new Promise((resolve) => { wanted = ticked + count; reached = resolve; });
  let ticked = 0, wanted = Infinity, reached = () => {};
`;

const TIMER = `${CLIENT}
  let closing, closed;
  const isClosing = new Promise((resolve) => { closing = resolve; });
  const isClosed = new Promise((resolve) => { closed = resolve; });
  class Ticker extends WebSocketHandler {
    readDelimiter = new Struct('B');
    onConnect() {
      this.timer = setInterval(() => {
        this.write('x'.repeat(10_000));
        this.write(Buffer.alloc(10));
        this.writePacked(7);
        this.ping();
        this.flush();
        broadcast([this], 'news');
        if (this.readyState > 1) closing();
        if (++ticked >= wanted) reached();
      }, 1);
    }
    onRead() { this.close(); }
    onClose(code) { clearInterval(this.timer); closed(code); }
  }
  const server = await listen(websocketRoute('/ws', Ticker, { maxBufferedAmount: 2 ** 30 }));
  const { socket } = await connect(server);
  if (how === 'stops reading and says goodbye') { socket.pause(); await ticks(100); socket.write(GOODBYE); }
  if (how === 'does not answer our goodbye') socket.write(frame(2, 'x'));
  if (how === 'breaks the protocol') { socket.pause(); socket.write(frame(3)); }
  if (how === 'sends FIN and does not read') { socket.pause(); await ticks(100); socket.end(); }
  await isClosing;
  await Promise.race([ticks(20), isClosed]);
  socket.destroy();
  await isClosed;
  console.log(JSON.stringify(faults));
  process.exit();
`;

const CHAT = `${CLIENT}
  const members = new Set();
  let left = 0;
  class Member extends WebSocketHandler {
    onConnect() { members.add(this); }
    onRead(text) {
      if (how === 'a loop') for (const member of members) member.write(text);
      else broadcast(members, text);
      if (text === 'bye') this.close();
    }
    onClose() { members.delete(this); left++; }
  }
  const server = await listen(websocketRoute('/ws', Member));
  const speaker = await connect(server);
  const listener = await connect(server);
  const leaver = await connect(server);
  leaver.socket.write(frame(1, 'bye'));
  await speaker.sees('bye');
  speaker.socket.write(frame(1, 'still there?'));
  await speaker.sees('still there?');
  await listener.sees('still there?');
  console.log(JSON.stringify([members.size, left, ...faults]));
  process.exit();
`;

const certified = async (): Promise<string> => JSON.stringify(await certificate());

describe('an ordinary program', () => {
  let built: Built;
  beforeAll(async () => {
    built = await build();
  });
  afterAll(() => built.remove());

  const HOW = [
    'stops reading and says goodbye',
    'does not answer our goodbye',
    'breaks the protocol',
    'sends FIN and does not read',
  ];
  it.each(HOW.map((how, i) => [how, ['request', 'upgrade'][i % 2]!, ['tcp', 'tls'][i >> 1]!]))(
    'a program that writes from a timer lives on when a client %s (%s door, %s)',
    async (how, door, transport) => {
      const program = await start(built, 'timer.js', TIMER, [door, transport, how, await certified()]);
      expect(await program.line()).toBe('[]');
      expect(await program.ended).toBe(0);
    },
  );

  it.each([
    ['a loop', 'request', 'tcp'],
    ['broadcast', 'upgrade', 'tls'],
  ])('a chat, by %s, closes no speaker when a member says bye and does not answer', async (how, door, transport) => {
    const program = await start(built, 'chat.js', CHAT, [door, transport, how, await certified()]);
    expect(await program.line()).toBe('[3,0]');
    expect(await program.ended).toBe(0);
  });
});
