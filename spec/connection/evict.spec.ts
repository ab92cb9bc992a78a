import { Limits } from '../../lib/index.js';
import { serveHooks, turns } from './open.js';
import { serveSlow } from './slow.js';

const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };

describe('a connection that is ended for the budget', () => {
  it('no longer pins what zlib knows of its messages: nobody else is ended for that', async () => {
    const limits = new Limits({ maxBufferedBytes: 3 * 280 * 1024 });
    const compress = { threshold: 1, serverNoContextTakeover: false };
    const { open } = await serveHooks({}, { limits, compress });
    const all = [];
    for (let i = 0; i < 4; i++) all.push(await open(headers));
    for (const { client, handler } of all) {
      handler.write('to remember, to remember');
      // One of them is ended at this point, perhaps this one.
      await client.next().catch(() => {});
      await turns(3);
    }
    expect(limits.evicted).toBe(1);
    expect(all.filter(({ handler }) => handler.readyState === 1)).toHaveLength(3);
    expect(limits.bufferedBytes).toBeLessThanOrEqual(limits.maxBufferedBytes);
  });

  it('is cut when it still pins too much while it ends', async () => {
    const limits = new Limits({ maxBufferedBytes: 4000 });
    const { open } = await serveSlow({}, { limits });
    const dozing = [];
    for (let i = 0; i < 3; i++) {
      const slow = await open();
      // The kernel's room is full, and a little more than that waits.
      slow.client.socket.pause();
      while (slow.socket.writableLength === 0) slow.handler.write(Buffer.alloc(2000), { flush: true });
      dozing.push(slow);
      await turns(3);
    }
    expect(limits.bufferedBytes).toBeLessThanOrEqual(4000);
  });
});
