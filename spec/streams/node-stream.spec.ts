import { once } from 'node:events';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { WebSocketHandler } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { deferred, open, turns } from '../connection/open.js';
import { binary, closeBody, frame, text } from '../support/frames.js';

const goodbye = (code: number): Buffer => frame({ opcode: 8, payload: closeBody(code) });

describe('toDuplex()', () => {
  it('is a stream of messages, that can be piped through others and back', async () => {
    const done = deferred();
    const { client, closes } = await open({
      async onConnect(this: WebSocketHandler) {
        const duplex = this.toDuplex();
        const number = new Transform({
          objectMode: true,
          transform: (data: string | Buffer, _encoding, callback) => callback(null, `${data.length}: ${data}`),
        });
        await pipeline(duplex, number, duplex);
        done.resolve();
      },
    });
    client.send(text('a'), text(''), binary(Buffer.from('bc')));
    expect(await client.nextText()).toBe('1: a');
    expect(await client.nextText()).toBe('0: ');
    expect(await client.nextText()).toBe('2: bc');
    await client.close(1000);
    await done.promise;
    expect(await closes.next()).toEqual([1000, '', true]);
  });

  it('reads hardly ahead of who asks', async () => {
    const { client, handler, socket } = await open();
    const duplex = handler.toDuplex();
    const big = binary(Buffer.alloc(60_000));
    for (let i = 0; i < 100; i++) client.socket.write(big);
    await turns(50);
    expect(socket.bytesRead).toBeLessThan(300_000);
    let count = 0;
    for await (const data of duplex) {
      expect(data).toHaveLength(60_000);
      if (++count === 100) break;
    }
    // Whoever leaves the loop destroys the stream, and so closes the connection.
    await expect(client).toCloseWith(1000, '');
  });

  it('makes whoever writes wait for a peer that reads slowly', async () => {
    const { client, handler } = await open({}, { highWaterMark: 1000 });
    client.socket.pause();
    const duplex = handler.toDuplex();
    let written = 0;
    const pump = (async () => {
      for (; written < 300; written++) {
        if (!duplex.write(Buffer.alloc(60_000, written))) await once(duplex, 'drain');
      }
    })();
    await turns(100);
    expect(written).toBeLessThan(300);
    expect(handler.bufferedAmount).toBeLessThan(130_000);
    client.socket.resume();
    for (let i = 0; i < 300; i++) expect((await client.next()).payload[0]).toBe(i & 0xff);
    await pump;
  });

  it.each([
    [1000, 'ended', undefined],
    [1000, 'destroyed', undefined],
    [1011, 'destroyed with an error', new Error('no more')],
  ])('closes with %i when it is %s', async (code, how, error) => {
    const { client, handler, closes } = await open();
    const duplex = handler.toDuplex();
    duplex.on('error', () => {});
    if (how === 'ended') duplex.end();
    else duplex.destroy(error);
    await expect(client).toCloseWith(code, '');
    client.send(goodbye(code));
    expect(await closes.next()).toEqual([code, '', true]);
  });

  it('ends when the connection does, and fails to write afterwards', async () => {
    const { client, handler, closes } = await open();
    const duplex = handler.toDuplex();
    duplex.resume();
    const ended = once(duplex, 'end');
    await client.close(1000);
    await closes.next();
    await ended;
    const failed = once(duplex, 'error');
    duplex.write('late');
    expect((await failed)[0]).toMatchObject({ code: 'ERR_WS_INVALID_STATE' });
  });

  it("loses nothing under the policy 'drop', also when somebody else has written too much", async () => {
    const { client, handler } = await open({}, { maxBufferedAmount: 65_536, slowConsumer: 'drop' });
    client.socket.pause();
    const duplex = handler.toDuplex();
    let others = 0;
    for (; handler.write(Buffer.alloc(60_000)) || handler.dropped === 0; others++) await turns(2);
    const written = new Promise<void>((resolve) => {
      duplex.write('row 1', () => duplex.write('row 2', () => resolve()));
    });
    await turns();
    client.socket.resume();
    for (; others > 0; others--) expect((await client.next()).opcode).toBe(2);
    expect(await client.nextText()).toBe('row 1');
    expect(await client.nextText()).toBe('row 2');
    await written;
  });

  it('ends no process where nobody listens: a client that leaves is no error, and others are logged', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation();
    const { client, handler, closes } = await open();
    const left = handler.toDuplex();
    const source = Readable.from(forEver());
    source.pipe(left);
    await client.next();
    client.socket.resetAndDestroy();
    await closes.next();
    // Not by `once`, which would listen for errors, too.
    await new Promise((resolve) => left.on('close', resolve));
    source.destroy();
    expect(log).not.toHaveBeenCalled();

    const other = await open();
    const duplex = other.handler.toDuplex();
    duplex.write({ not: 'a message' });
    await expect(other.client).toCloseWith(1011, '');
    expect(log).toHaveBeenCalledWith('websocket-route: a stream of Tested:', expect.any(TypeError));
    log.mockRestore();
  });

  it('hears a goodbye, and pongs, also where it is only written to', async () => {
    const pongs = new AsyncQueue<number | Buffer>();
    const { client, handler, closes } = await open({ onPong: (answer) => pongs.push(answer) });
    const duplex = handler.toDuplex();
    duplex.write('a download');
    expect(await client.nextText()).toBe('a download');
    handler.ping('there?');
    client.send(frame({ opcode: 10, payload: (await client.next()).payload }));
    expect(await pongs.next()).toEqual(Buffer.from('there?'));
    await client.close(1001);
    expect(await closes.next()).toEqual([1001, '', true]);
  });

  it('hears a goodbye also while a hook that writes to it is pending', async () => {
    const failed = new AsyncQueue<unknown>();
    const { client, closes } = await open({
      async onConnect(this: WebSocketHandler) {
        await turns(5);
        await pipeline(forEver, this.toDuplex()).catch((error: unknown) => failed.push(error));
      },
    });
    await client.next();
    client.send(goodbye(1001));
    expect(await failed.next()).toMatchObject({ code: 'ERR_WS_INVALID_STATE' });
    await client.ended;
    client.socket.end();
    expect(await closes.next()).toEqual([1001, '', true]);
  });

  it('passes on what write refuses', async () => {
    const { handler } = await open();
    const duplex = handler.toDuplex();
    const failed = once(duplex, 'error');
    duplex.write({ not: 'a message' });
    expect((await failed)[0]).toMatchObject({ code: 'ERR_WS_INVALID_ARGUMENT' });
  });
});

async function* forEver(): AsyncGenerator<Buffer> {
  for (;;) {
    yield Buffer.alloc(100);
    await turns();
  }
}
