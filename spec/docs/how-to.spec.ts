import { once } from 'node:events';
import express, { type Express } from 'express';
import { io } from 'socket.io-client';
import { NetStruct, Struct, type WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { connect as connectInMemory } from '../../lib/testing/index.js';
import { serve } from '../support/server.js';
import { blocksOf, namesTakenForGranted, recipe as recipeOf, run } from './blocks.js';
import { type Client, closed, connect, refused } from './client.js';

const blocks = blocksOf('docs/how-to.md');
const recipe = (words: string): Express => recipeOf('docs/how-to.md', words);

async function client(words: string, path: string): Promise<Client> {
  const { url } = await serve(recipe(words));
  return connect(`${url}${path}`);
}

/** An `onConnect`. */
function say(words: string) {
  return function (this: WebSocketHandler): void {
    this.write(words);
  };
}

describe('docs/how-to.md', () => {
  let log: jest.SpyInstance;
  beforeEach(() => {
    log = jest.spyOn(console, 'error').mockImplementation();
  });
  afterEach(() => log.mockRestore());

  it('authenticates with a session, and refuses in its own words', async () => {
    const { url } = await serve(recipe('class Private'));
    expect(await refused(`${url}/private`)).toEqual({ status: 401, body: '{"error":"log in first"}' });
  });

  it('declares the request as that of Express, in a literal too', async () => {
    const { url } = await serve(recipe("'/local'"));
    await connect(`${url.replace('localhost', '127.0.0.1')}/local`);
  });

  it('refuses with a status, headers and a body', async () => {
    const { url } = await serve(recipe('class Paid'));
    await expect(refused(`${url}/paid`)).toBeRefusedWith(402);
    const { headers } = await connect(`${url}/paid`, { headers: { 'X-Pizza': 'margherita' } });
    expect(headers['x-served-by']).toBe('node-7');
  });

  it('allows other origins', async () => {
    const { url } = await serve(recipe("origins: '*'"));
    for (const origin of ['https://example.com', 'capacitor://localhost', url, url.replace('ws', 'http')]) {
      await connect(`${url}/a`, { origin });
    }
    await connect(`${url}/b`, { origin: 'https://x.example.com' });
    await connect(`${url}/c`, { origin: 'https://anything.test' });
    expect((await refused(`${url}/a`, { origin: 'https://x.example.com' })).body).toContain('origins: [');
    await expect(refused(`${url}/b`, { origin: 'https://anything.test' })).toBeRefusedWith(403);
  });

  it('knows the client behind a proxy', async () => {
    const { url } = await serve(recipe('class Behind'));
    for (const proto of ['https', 'wss']) {
      const headers = { 'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Proto': proto };
      const { messages } = await connect(`${url}/behind`, { headers });
      expect(await messages.next()).toBe('You are 203.0.113.9, and this is secure.');
    }
  });

  it('translates the scheme of the WebSocket for Express', async () => {
    const app = recipe("headers['x-forwarded-proto'] = ").set('trust proxy', true);
    app.use((request, response) => void response.send(request.protocol));
    const { httpUrl } = await serve(app);
    for (const [proto, protocol] of [
      ['wss', 'https'],
      ['WS, wss', 'http'],
      ['HTTPS', 'https'],
    ] as const) {
      const response = await fetch(httpUrl, { headers: { 'X-Forwarded-Proto': proto } });
      expect(await response.text()).toBe(protocol);
    }
  });

  it('mounts under a prefix, in a router and in a sub-app', async () => {
    const { url } = await serve(recipe('const admin = express()'));
    for (const path of ['/api/ws/ada', '/v1/echo', '/admin/echo']) {
      const { socket, messages } = await connect(`${url}${path}`);
      socket.send('here');
      expect(await messages.next()).toBe('here');
    }
  });

  it('serves a page and a socket at the same path', async () => {
    const { url, httpUrl } = await serve(recipe('class Board'));
    expect(await (await fetch(`${httpUrl}/board`)).text()).toContain('Board');
    await connect(`${url}/board`);
  });

  it('accepts by hand', async () => {
    const { url } = await serve(recipe('class Member extends WebSocketHandler {\n  onConnect(room'));
    await connect(`${url}/by-hand/garden`);
    expect(await refused(`${url}/by-hand/cellar`)).toEqual({ status: 404, body: 'No such room.' });
  });

  it('answers beside socket.io what nobody claims', async () => {
    const app = express();
    app.use(websocketRoute('/ws', { onRead() {} }));
    const block = blocks.find(({ code }) => code.includes('const rest ='));
    if (block === undefined) throw new Error('no such recipe');
    const [server] = run(block, namesTakenForGranted(app)).servers;
    if (server === undefined) throw new Error('the recipe starts no server');
    const { url, httpUrl } = await serve(server);
    const other = io(httpUrl, { transports: ['websocket'] });
    await new Promise<void>((resolve) => other.on('connect', resolve));
    await connect(`${url}/ws`);
    await expect(refused(`${url}/nobody`)).toBeRefusedWith(404);
    expect(other.connected).toBe(true);
    other.disconnect();
  });

  it('answers beside a proxy middleware, before and after that has served its first request', async () => {
    const behind = express();
    behind.get('/live/page', (_request, response) => void response.send('theirs'));
    behind.use(websocketRoute('/live', { onConnect: say('theirs') }));
    const { httpUrl: target } = await serve(behind);
    const app = express();
    app.use(websocketRoute('/ws', { onConnect: say('ours') }));
    const block = blocks.find(({ code }) => code.includes("from 'http-proxy-middleware'"));
    if (block === undefined) throw new Error('no such recipe');
    process.env['TARGET'] = target;
    const [server] = run(block, namesTakenForGranted(app)).servers;
    delete process.env['TARGET'];
    if (server === undefined) throw new Error('the recipe starts no server');
    const { url, httpUrl } = await serve(server);
    for (let round = 0; round < 2; round++) {
      expect(await (await connect(`${url}/ws`)).messages.next()).toBe('ours');
      expect(await (await connect(`${url}/live`)).messages.next()).toBe('theirs');
      expect(await (await fetch(`${httpUrl}/live/page`)).text()).toBe('theirs');
    }
  });

  it('lets app.param decide', async () => {
    const { url } = await serve(recipe("app.param('club'"));
    const { messages } = await connect(`${url}/clubs/garden`, { headers: { 'X-User': 'ada' } });
    expect(await messages.next()).toBe('Welcome to the garden.');
    expect(await refused(`${url}/clubs/garden`)).toEqual({ status: 403, body: 'Members only.' });
  });

  it('does not call app.param for the path of a route', async () => {
    const app = express();
    app.param('club', () => {
      throw new Error('it was called');
    });
    app.use(websocketRoute('/clubs/:club', { onConnect: say('in') }));
    const { url } = await serve(app);
    expect(await (await connect(`${url}/clubs/garden`)).messages.next()).toBe('in');
  });

  it('converts params', async () => {
    const { url } = await serve(recipe('toColor'));
    const { messages } = await connect(`${url}/games/41/red`);
    expect(await messages.next()).toBe('player 42 is red');
    await expect(refused(`${url}/games/41/green`)).toBeRefusedWith(404);
    await expect(refused(`${url}/games/x/red`)).toBeRefusedWith(404);
  });

  it('takes an object literal as handler', async () => {
    const { socket, messages } = await client("'/sums/:start'", '/sums/10');
    socket.send(new Struct('!2f').pack(1, 2));
    expect(await messages.next()).toEqual(new Struct('!d').pack(13));
  });

  it('switches delimiters in a class', async () => {
    const { socket, messages } = await client('class Switching', '/switching');
    for (const part of ['a\nbcd', 'ef\n']) socket.send(part);
    expect(await messages.take(3)).toEqual(['a', 'bcde', 'f']);
  });

  it('reads NDJSON', async () => {
    const ndjson = await client('class Ndjson', '/ndjson');
    for (const part of ['{"a"', ':1}\n\n[', '2]\n']) ndjson.socket.send(part);
    expect(await ndjson.messages.take(2)).toEqual(['{"got":{"a":1}}\n', '{"got":[2]}\n']);
    ndjson.socket.send('no\n');
    expect(await closed(ndjson)).toBe(1007);
  });

  it('reads length-prefixed records', async () => {
    const records = await client('class Records', '/records');
    const bytes = new NetStruct('H$').pack(Buffer.from('hello'));
    records.socket.send(bytes.subarray(0, 3));
    records.socket.send(bytes.subarray(3));
    expect(await records.messages.next()).toEqual(bytes);

    const packets = await client('class Packets', '/packets');
    const header = new Struct('!BI');
    packets.socket.send(Buffer.concat([header.pack(1, 0), header.pack(2, 3), Buffer.from('abc'), header.pack(3, 1)]));
    packets.socket.send(Buffer.from('x'));
    expect(await packets.messages.take(2)).toEqual(['type 2, 3 bytes', 'type 3, 1 bytes']);
    packets.socket.send(header.pack(4, 1_000_001));
    expect(await closed(packets)).toBe(1009);
  });

  it('reads records', async () => {
    const telemetry = await client('class Telemetry', '/telemetry');
    telemetry.socket.send(new Struct('!QIf').pack(7n, 1, 31));
    expect(await telemetry.messages.next()).toEqual(new Struct('!QI?').pack(7n, 1, true));

    const messages = await client('class Messages', '/messages');
    messages.socket.send(new NetStruct('IH$B').pack(1, Buffer.from('hi'), 3));
    expect(await messages.messages.next()).toBe('1 hi 3');
  });

  it('reads by patterns', async () => {
    const lines = await client('class Lines', '/lines');
    for (const part of ['a\r\nb\rc', 'd\r', '\ne\n']) lines.socket.send(part);
    expect(await lines.messages.take(5)).toEqual(['a', 'b', 'cd', '', 'e']);

    const settings = await client('class Settings', '/settings');
    for (const part of ['a=1; b', '=2', '2;']) settings.socket.send(part);
    expect(await settings.messages.take(2)).toEqual(['a is 1', 'b is 22']);

    const markers = await client('class Markers', '/markers');
    markers.socket.send(Buffer.from([1, 2, 0xff, 0xd8, 3, 0xff]));
    markers.socket.send(Buffer.from([0xd9]));
    expect(await markers.messages.take(2)).toEqual(['2 bytes before a marker', '1 bytes before a marker']);
  });

  it('handles an overflow', async () => {
    const growing = await client('class Growing', '/growing');
    growing.socket.send('x'.repeat(100_000));
    growing.socket.send('x'.repeat(1_000_001));
    expect(await once(growing.socket, 'close')).toEqual([1009, Buffer.from('at most 1000000 bytes, not 1000001')]);
    expect(log).not.toHaveBeenCalled();
  });

  it('waits for a slow client', async () => {
    const { messages } = await client('class Feed', '/feed');
    expect(await messages.take(1000)).toContain('tick 999');
  });

  it('measures the round-trip time', async () => {
    const { socket, messages } = await client('class Measured', '/measured');
    socket.send('');
    expect(await messages.next()).toMatch(/^\d+\.\d ms$/);
  });

  it('broadcasts', async () => {
    const { url } = await serve(recipe('const members'));
    const [a, b] = [await connect(`${url}/members`), await connect(`${url}/members`)];
    a.socket.send('hello');
    expect(await b.messages.next()).toBe('hello');
  });

  it('closes as it is asked to', async () => {
    const ends = new AsyncQueue<unknown[]>();
    const print = jest.spyOn(console, 'log').mockImplementation((...end) => ends.push(end));
    const { url } = await serve(recipe('class Closing'));
    const codes = ['now', 'why', 'else'].map(async (wish) => {
      const asking = await connect(`${url}/closing`);
      asking.socket.send(wish);
      return closed(asking);
    });
    expect(await Promise.all(codes)).toEqual([1006, 4001, 1000]);
    const told = [
      [1006, '', false],
      [4001, 'because you asked', true],
      [1000, '', true],
    ];
    expect(await ends.take(3)).toEqual(expect.arrayContaining(told));
    print.mockRestore();
  });

  it('handles errors in async hooks', async () => {
    const { socket, messages } = await client('class Careful', '/careful');
    socket.send('{');
    socket.send('{ "a": 1 }');
    expect(await messages.take(2)).toEqual(['{"error":"not JSON"}', '{"a":1}']);
  });

  it('knows why a route is not found: a prefix counts, and a handshake is a GET', async () => {
    const app = express();
    app.use('/chat', websocketRoute('/chat', {}));
    app.use('/short', websocketRoute('/', {}));
    app.post('/post', websocketRoute('/post', {}));
    app.get('/get', websocketRoute('/get', {}));
    app.all('/all', websocketRoute('/all', {}));
    const statusOf = async (path: string): Promise<number> => (await connectInMemory(app, path)).status;
    expect((await connectInMemory(app, '/chat')).body).toContain('Cannot GET /chat');
    for (const path of ['/chat', '/post']) expect([path, await statusOf(path)]).toEqual([path, 404]);
    for (const path of ['/chat/chat', '/short', '/get', '/all']) {
      expect([path, await statusOf(path)]).toEqual([path, 101]);
    }
  });
});
