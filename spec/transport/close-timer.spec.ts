import { deferred, open, sendAndSettle, turns } from '../connection/open.js';
import { openSlow } from '../connection/slow.js';
import { frame, text } from '../support/frames.js';

describe('the close timer', () => {
  it('ends a connection whose peer never answers our close frame: 1006', async () => {
    const { client, handler, closes } = await open({}, { closeTimeout: 50 });
    handler.close(1001, 'going');
    await expect(client).toCloseWith(1001, 'going');
    expect(await closes.next()).toEqual([1006, '', false]);
    await client.ended;
  });

  it('ends one whose peer goes on sending instead', async () => {
    const { client, handler, closes } = await open({}, { closeTimeout: 50 });
    handler.close();
    const sending = setInterval(() => client.send(frame({ opcode: 2, payload: Buffer.alloc(1000) })), 5);
    expect(await closes.next()).toEqual([1006, '', false]);
    clearInterval(sending);
  });

  it('ends one whose peer has answered and does not close its end', async () => {
    const { client, closes, socket } = await open({}, { closeTimeout: 50 });
    client.socket.allowHalfOpen = true;
    client.send(frame({ opcode: 8 }));
    await expect(client).toCloseWith(1005, '');
    expect(await closes.next()).toEqual([1005, '', true]);
    expect(socket.destroyed).toBe(true);
  });

  it('ends one that never takes what is owed to it', async () => {
    const { client, handler, closes } = await open({}, { closeTimeout: 50 });
    client.socket.pause();
    handler.write(Buffer.alloc(16 << 20));
    handler.close();
    expect(await closes.next()).toEqual([1006, '', false]);
  });

  it('waits for one that takes what is owed to it, slow as it may be', async () => {
    // Over a Unix domain socket: what the peer has read makes room at once, and TCP may take a while to say so.
    const slow = await openSlow({}, { closeTimeout: 500 });
    const { client, handler, closes } = slow;
    client.socket.pause();
    handler.write(Buffer.alloc(3 << 20));
    handler.close(4000);
    let received = 0;
    let allowed = 0;
    client.socket.removeAllListeners('data').on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received >= allowed) client.socket.pause();
    });
    // Little by little, more than twice the timeout in all.
    for (; handler.bufferedAmount > 0; allowed = received + 32 * 1024) {
      await new Promise((resolve) => setTimeout(resolve, 15));
      client.socket.resume();
    }
    allowed = Infinity;
    client.socket.resume();
    client.send(frame({ opcode: 8, payload: Buffer.from([0x0f, 0xa0]) }));
    expect(await closes.next()).toEqual([4000, '', true]);
  });

  it('is not needed for a peer that answers a hook that closed at once, when it was called for what had waited', async () => {
    const work = deferred();
    const opened = await open(
      {
        async onRead(data) {
          if (data === 'close') this.close(4000);
          else await work.promise;
        },
      },
      { closeTimeout: 600_000 },
    );
    await sendAndSettle(opened, text('work'), text('close'));
    work.resolve();
    await expect(opened.client).toCloseWith(4000, '');
    await opened.client.close(4000);
    expect(await opened.closes.next()).toEqual([4000, '', true]);
  });

  it('leaves nothing behind', async () => {
    const { client, handler, closes, socket } = await open({}, { closeTimeout: 50 });
    handler.close();
    await client.close();
    await closes.next();
    await turns(2);
    expect(socket.listenerCount('close')).toBeLessThanOrEqual(2);
    expect(socket.listenerCount('data')).toBeLessThanOrEqual(1);
  });
});
