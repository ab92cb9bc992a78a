import { once } from 'node:events';
import { WebSocket } from 'ws';
import { resolveOptions } from '../../lib/handler/options/options.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { setClock } from '../../lib/transport/clock.js';
import { turns } from '../connection/open.js';
import { proxyOf } from '../support/proxy.js';
import { type Running, serve } from '../support/server.js';
import { blocksOf, readPage, recipe, run } from './blocks.js';
import { closed, connect, refused } from './client.js';

const PAGE = 'docs/liveness.md';

/** The recipe that contains these words, and its time. */
async function timed(words: string): Promise<Running & { clock: TestClock }> {
  const server = await serve(recipe(PAGE, words));
  const clock = new TestClock();
  server.server.on('connection', (socket) => setClock(socket, clock));
  return { ...server, clock };
}

describe('docs/liveness.md', () => {
  it('tells the defaults as they are', () => {
    const row = (name: string): string => readPage(PAGE).match(new RegExp(`^\\| \`${name}\` \\|.*$`, 'm'))?.[0] ?? '';
    const defaults = resolveOptions({});
    for (const name of ['pingInterval', 'pongTimeout', 'handshakeTimeout', 'closeTimeout'] as const) {
      expect(row(name)).toContain(`| ${defaults[name] / 1000} s`);
    }
    expect([defaults.idleTimeout, row('idleTimeout')]).toEqual([0, expect.stringContaining('| off |')]);
  });

  it('knows who is online, also of those who went without a word', async () => {
    const server = await timed('class Presence');
    const online = async (): Promise<unknown> => (await fetch(`${server.httpUrl}/online`)).json();
    const proxy = await proxyOf(server);
    const lost = await connect(`${proxy.url}/presence/ada`);
    const stays = await connect(`${server.url}/presence/bob`);
    proxy.swallow();
    await server.clock.advance(4000);
    expect(await online()).toEqual(['ada', 'bob']);
    await server.clock.advance(6000);
    expect(await online()).toEqual(['bob']);
    lost.socket.terminate();
    stays.socket.close();
    await closed(stays);
    while (((await online()) as string[]).length > 0) await turns();
  });

  it('closes a terminal that nobody uses', async () => {
    const { url, clock } = await timed('class Terminal');
    const client = await connect(`${url}/terminal`);
    const reason = once(client.socket, 'close').then(([code, text]) => [code, String(text)]);
    await clock.advance(500_000);
    client.socket.send('ls');
    expect(await client.messages.next()).toBe('$ ls');
    await clock.advance(599_000);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
    await clock.advance(1000);
    expect(await reason).toEqual([1001, 'idle for 600000 ms']);
  });

  it('refuses a handshake that takes too long', async () => {
    const { url } = await serve(recipe(PAGE, 'class Guarded'));
    expect(await refused(`${url}/guarded?wait=1000`)).toMatchObject({ status: 503 });
    (await connect(`${url}/guarded?wait=1`)).socket.close();
  });

  it('measures round trips', async () => {
    const { url } = await serve(recipe(PAGE, 'class Measured'));
    const { socket, messages } = await connect(`${url}/measured`);
    expect(await messages.next()).toMatch(/^\d+\.\d ms$/);
    socket.close();
    await once(socket, 'close');
  });

  it('has a client that notices when the server has gone', async () => {
    const block = blocksOf(PAGE).find(({ code }) => code.includes('watchOver'));
    if (block === undefined) throw new Error('there is no client');
    const { watchOver } = run(block).exports as { watchOver(socket: WebSocket, interval?: number): void };
    const server = await serve(recipe(PAGE, 'class Meter'));
    const proxy = await proxyOf(server);
    const client = await connect(`${proxy.url}/meter`);
    watchOver(client.socket, 50);
    await once(client.socket, 'pong');
    await once(client.socket, 'pong');
    proxy.swallow();
    expect(await closed(client)).toBe(1006);
  });

  it('leaves a silent meter alone, and closes a dead one after an hour', async () => {
    const { url, clock, sockets } = await timed('class Meter');
    const client = await connect(`${url}/meter`);
    const [socket] = sockets;
    const before = socket?.bytesWritten;
    await clock.advance(3_599_000);
    expect([socket?.bytesWritten, client.socket.readyState]).toEqual([before, WebSocket.OPEN]);
    client.socket.send('17');
    expect(await client.messages.next()).toBe('stored 17');
    const code = closed(client);
    await clock.advance(3_600_000);
    expect(await code).toBe(1001);
  });
});
