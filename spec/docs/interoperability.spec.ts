import { once } from 'node:events';
import { createServer } from 'node:http';
import express from 'express';
import helmet from 'helmet';
import { upgradeListener, websocketRoute } from '../../lib/index.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';
import { readPage, recipe } from './blocks.js';
import { connect, refused } from './client.js';

const PAGE = 'docs/interoperability.md';

/** How many bytes the 101 has. */
async function sizeOf101(server: Running, path: string): Promise<number> {
  const client = await RawClient.connect(server);
  const arrived = once(client.socket, 'data');
  client.sendHandshake(path);
  const [head] = (await arrived) as [Buffer];
  expect(String(head)).toMatch(/^HTTP\/1\.1 101 .*\r\n\r\n$/s);
  return head.length;
}

/** What the page says of it. */
function saidSize(before: string): number {
  return Number(readPage(PAGE).split(`\n| ${before} | `)[1]?.split(' ')[0]);
}

describe('docs/interoperability.md', () => {
  it('serves the page from where the socket is; one opened from disk is refused', async () => {
    const { url, httpUrl } = await serve(recipe(PAGE, 'express.static'));
    const { socket, messages } = await connect(`${url}/ws`, { origin: httpUrl });
    socket.send('hi');
    expect(await messages.next()).toBe('hi');
    for (const origin of ['null', 'file://']) await expect(refused(`${url}/ws`, { origin })).toBeRefusedWith(403);
  });

  it('delivers frames before the 101 at the upgrade door', async () => {
    const app = express();
    app.use(
      websocketRoute('/ws', {
        async onHandshake() {
          await new Promise((resolve) => setImmediate(resolve));
          return true;
        },
        onRead(data) {
          this.write(data);
        },
      }),
    );
    const server = createServer(app);
    server.on('upgrade', upgradeListener(app));
    const client = await RawClient.connect(await serve(server));
    client.sendHandshake('/ws');
    client.send(text('early'));
    await expect(client.response()).toBeAccepted();
    expect(await client.nextText()).toBe('early');
  });

  it.each([
    ['nothing', []],
    ['helmet', [helmet()]],
  ])('knows the size of a 101 behind %s', async (before, middleware) => {
    const app = express();
    for (const one of middleware) app.use(one);
    app.use(websocketRoute('/ws', {}));
    expect(await sizeOf101(await serve(app), '/ws')).toBe(saidSize(before));
  });

  it('leaves helmet out of handshakes, and in for pages', async () => {
    const server = await serve(recipe(PAGE, 'const protect'));
    expect(await sizeOf101(server, '/devices')).toBe(saidSize('nothing'));
    expect((await fetch(`${server.httpUrl}/page`)).headers.get('x-frame-options')).toBe('SAMEORIGIN');
  });

  it('leaves the configuration of nginx to its page', () => {
    expect(readPage(PAGE)).not.toMatch(/^```nginx$/m);
    expect(readPage(PAGE)).toContain('(behind-nginx.md)');
  });

  it('ends silent connections later than the heartbeat pings', () => {
    const seconds = Array.from(readPage(PAGE).matchAll(/^\| \S+ \| [\d.]+ \|.*?\| (\d+) s\b/gm), ([, n]) => Number(n));
    expect(seconds.length).toBeGreaterThan(3);
    expect(Math.min(...seconds)).toBeGreaterThan(25);
  });
});
