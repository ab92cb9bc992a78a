import express from 'express';
import { WebSocket as Undici } from 'undici';
import { Limits, metrics, type WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { DeflateClient } from '../conformance/deflate-client.js';
import { zlibIdle } from '../connection/compressed.js';
import { turns } from '../connection/open.js';
import { text } from '../support/frames.js';
import { serve } from '../support/server.js';
import { blocksOf, namesTakenForGranted, readPage, recipe, run } from './blocks.js';
import { connect } from './client.js';

const PAGE = 'docs/compression.md';
const NO_TAKEOVER = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

describe('docs/compression.md', () => {
  it('compresses with ws and undici, and with whoever does not offer it does not', async () => {
    const { url } = await serve(recipe(PAGE, 'class Feed'));
    const { socket, messages } = await connect(`${url}/feed`);
    expect(await messages.next()).toBe(JSON.stringify({ extensions: NO_TAKEOVER }));
    expect(socket.extensions).toBe('permessage-deflate');
    socket.close();

    const undici = new Undici(`${url}/feed`);
    const heard = new AsyncQueue<unknown>();
    undici.addEventListener('message', ({ data }) => heard.push(data));
    expect(await heard.next()).toBe(JSON.stringify({ extensions: NO_TAKEOVER }));
    undici.close();

    const without = await connect(`${url}/feed`, { perMessageDeflate: false });
    expect(await without.messages.next()).toBe('{"extensions":""}');
    without.socket.close();
  });

  it('makes updates that resemble each other a fraction of what they are, and counts what that takes', async () => {
    const block = blocksOf(PAGE).find(({ code }) => code.includes('class Ticker'));
    if (block === undefined) throw new Error('there is no ticker');
    const app = express();
    // The block's own limits, and no others.
    const made: Limits[] = [];
    class CountedLimits extends Limits {
      constructor(...args: ConstructorParameters<typeof Limits>) {
        super(...args);
        made.push(this);
      }
    }
    run(block, { ...namesTakenForGranted(app), Limits: CountedLimits });
    const server = await serve(app);
    const client = await DeflateClient.openWith(server, '/ticker', 'permessage-deflate; client_max_window_bits');
    expect(client.agreed).toMatchObject({ serverNoContextTakeover: false, serverMaxWindowBits: 12 });
    const sizes: number[] = [];
    for (const symbol of ['PIZZA', 'PASTA', 'GELATO', 'PANE']) {
      const before = client.raw.socket.bytesRead;
      client.raw.send(text(symbol));
      const { payload } = await client.next();
      expect(JSON.parse(payload.toString())).toMatchObject({ symbol, venue: 'XETR' });
      sizes.push(client.raw.socket.bytesRead - before);
    }
    expect(Math.max(...sizes.slice(1))).toBeLessThan(sizes[0]! / 3);
    await zlibIdle();
    await turns(5);
    // As the table says for the example.
    expect(made).toHaveLength(1);
    expect(made[0]?.bufferedBytes).toBe(48 * 1024);
    expect(readPage(PAGE)).toContain('48 KiB in the example');
    await client.raw.close();
    while (metrics().routes['/ticker']?.open !== 0) await turns();
    expect(made[0]?.bufferedBytes).toBe(0);
  });

  it('sends a message with a secret as it is', async () => {
    const block = blocksOf(PAGE).find(({ code }) => code.includes('class Account'));
    if (block === undefined) throw new Error('there is no account');
    const app = express();
    const { exports } = run({ ...block, code: `${block.code}export { Account };` }, namesTakenForGranted(app));
    const Account = exports['Account'] as new () => WebSocketHandler<{ context: { token: string } }>;
    class SignedIn extends Account {
      override onHandshake(): boolean {
        this.context = { token: 'secret' };
        return true;
      }
    }
    app.use(websocketRoute('/account', SignedIn, { compress: true }));
    const client = await DeflateClient.openWith(await serve(app), '/account', 'permessage-deflate');
    const query = 'secre'.repeat(1000);
    client.raw.send(text(query));
    expect(JSON.parse((await client.next()).payload.toString())).toEqual({ query, token: 'secret' });
    expect(client.compressed).toBe(0);
  });
});
