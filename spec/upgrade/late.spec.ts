import { once } from 'node:events';
import { drain } from '../../lib/index.js';
import { deferred, open, turns } from '../connection/open.js';
import { text } from '../support/frames.js';
import { Happenings } from '../support/happenings.js';

const isSettled = async (promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, 'pending'))])) !== 'pending';

describe('a handler whose client had gone before its server began to drain', () => {
  it('is waited for in onRead', async () => {
    const begun = new Happenings<unknown>();
    const work = deferred();
    const { server, client, socket, closes } = await open({
      onRead(data) {
        begun.push(data);
        return work.promise;
      },
    });
    client.send(text('one'));
    await begun.next();
    socket.destroy();
    await once(socket, 'close');
    const result = drain(server.server);
    await turns(5);
    expect(await isSettled(result)).toBe(false);
    work.resolve();
    expect(await closes.next()).toEqual([1006, '', false]);
    expect(await result).toEqual({ closed: 1, terminated: 0 });
  });

  it('is waited for in onClose', async () => {
    const work = deferred();
    const { server, client, closes } = await open({ onClose: () => work.promise });
    client.socket.destroy();
    await closes.next();
    const result = drain(server.server);
    await turns(5);
    expect(await isSettled(result)).toBe(false);
    work.resolve();
    expect(await result).toEqual({ closed: 1, terminated: 0 });
  });
});

describe('a client that stopped writing while its handler was at work', () => {
  it('is not waited for when the handler closes', async () => {
    const begun = new Happenings<unknown>();
    const work = deferred();
    const { client, socket, closes } = await open(
      {
        async onRead(data) {
          begun.push(data);
          await work.promise;
          this.write('done');
          this.close();
        },
      },
      { closeTimeout: 600_000 },
    );
    client.send(text('one'));
    await begun.next();
    client.socket.end();
    while (!socket.readableEnded) await Promise.race([once(socket, 'end'), turns(20)]).then(() => socket.resume());
    work.resolve();
    expect(await client.nextText()).toBe('done');
    expect(await client.nextClose()).toEqual({ code: 1000, reason: '' });
    await client.ended;
    expect(await closes.next()).toEqual([1006, '', false]);
  });
});
