import express from 'express';
import * as library from '../../lib/index.js';
import { turns } from '../connection/open.js';
import { serve } from '../support/server.js';
import { blocksOf, namesTakenForGranted, recipe, run } from './blocks.js';
import { connect } from './client.js';

const PAGE = 'docs/backpressure.md';

const written = (route: string): number => library.metrics().routes[route]?.messagesSent ?? 0;

describe('docs/backpressure.md', () => {
  it('writes as fast as the client reads, and no more than that', async () => {
    const { url } = await serve(recipe(PAGE, 'class Feed'));
    const { socket, messages } = await connect(`${url}/feed`);
    socket.pause();
    socket.send('30000');
    for (let before = -1; before < written('/feed') || before === 0; await turns(100)) before = written('/feed');
    // What is missing of 30 MB is not in memory: it has not been made yet.
    expect(written('/feed')).toBeLessThan(30_000);
    expect(library.metrics().routes['/feed']?.bufferedAmount).toBeLessThan(100_000);
    socket.resume();
    for (let i = 0; i < 30_000; i++) expect(await messages.next()).toMatch(`tick ${i} `);
    expect(await messages.next()).toBe('done');
    socket.close();
  });

  it('drops prices for a client that does not read, and tells it all of them when it has caught up', async () => {
    const block = blocksOf(PAGE).find(({ code }) => code.includes('class Ticker'));
    if (block === undefined) throw new Error('there is no ticker');
    const app = express();
    const { exports } = run(block, namesTakenForGranted(app));
    const { setPrice } = exports as { setPrice(symbol: string, price: number): void };
    const { url } = await serve(app);
    const { socket, messages } = await connect(`${url}/ticker`);
    expect(await messages.next()).toBe('{}');
    setPrice('PIZZA', 1);
    expect(await messages.next()).toBe('{"PIZZA":1}');

    socket.pause();
    const dropped = (): number => library.metrics().routes['/ticker']?.dropped ?? 0;
    const symbol = 'GELATO'.repeat(1000);
    let price = 0;
    for (; dropped() < 10; await turns()) for (let i = 0; i < 10; i++) setPrice(symbol, ++price);
    socket.resume();
    const wanted = JSON.stringify({ PIZZA: 1, [symbol]: price });
    // Until the client has caught up the snapshot is dropped, too; some news, and then it comes.
    let heard = '';
    while (!heard.includes('PIZZA')) {
      if (messages.left.length > 0) heard = String(await messages.next());
      else {
        setPrice('PIZZA', 1);
        await turns();
      }
    }
    expect(heard).toBe(wanted);
    socket.close();
  });
});
