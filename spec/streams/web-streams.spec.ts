import { type Data, Struct, type WebSocketHandler } from '../../lib/index.js';
import { deferred, open, turns } from '../connection/open.js';
import { binary, closeBody, frame, text } from '../support/frames.js';

const goodbye = (code: number): Buffer => frame({ opcode: 8, payload: closeBody(code) });

describe('toWebStreams()', () => {
  it('is a pair that keeps the boundaries of messages, and can be piped', async () => {
    const done = deferred();
    const { client, closes } = await open({
      async onConnect(this: WebSocketHandler) {
        const { readable, writable } = this.toWebStreams();
        const double = new TransformStream<string | Buffer, Data>({
          transform: (chunk, controller) => controller.enqueue(typeof chunk === 'string' ? chunk + chunk : chunk),
        });
        await readable.pipeThrough(double).pipeTo(writable);
        done.resolve();
      },
    });
    client.send(text('a'), text('bc'), binary(Buffer.from([1, 2])), text(''));
    expect(await client.nextText()).toBe('aa');
    expect(await client.nextText()).toBe('bcbc');
    expect(await client.next()).toMatchObject({ opcode: 2, payload: Buffer.from([1, 2]) });
    expect(await client.nextText()).toBe('');
    await client.close(1000);
    await done.promise;
    expect(await closes.next()).toEqual([1000, '', true]);
  });

  it('reads nothing ahead of who asks', async () => {
    const opened = await open();
    const { client, handler, socket } = opened;
    const reader = handler.toWebStreams().readable.getReader();
    const big = binary(Buffer.alloc(60_000));
    for (let i = 0; i < 100; i++) client.socket.write(big);
    await turns(50);
    expect(socket.bytesRead).toBeLessThan(300_000);
    for (let i = 0; i < 100; i++) expect((await reader.read()).value).toHaveLength(60_000);
  });

  it('makes its writer wait for a peer that reads slowly', async () => {
    const { client, handler } = await open({}, { highWaterMark: 1000 });
    client.socket.pause();
    const writer = handler.toWebStreams().writable.getWriter();
    let written = 0;
    const pump = (async () => {
      for (; written < 300; written++) await writer.write(Buffer.alloc(60_000, written));
    })();
    await turns(100);
    expect(written).toBeLessThan(300);
    expect(handler.bufferedAmount).toBeLessThan(130_000);
    client.socket.resume();
    for (let i = 0; i < 300; i++) expect((await client.next()).payload[0]).toBe(i & 0xff);
    await pump;
  });

  it('closes the connection with 1000 when it is closed or cancelled, with 1011 when it fails', async () => {
    const ways: [code: number, how: (handler: WebSocketHandler) => Promise<unknown>][] = [
      [1000, (handler) => handler.toWebStreams().writable.close()],
      [1000, (handler) => handler.toWebStreams().readable.cancel()],
      [1000, (handler) => handler.toWebStreams().writable.abort()],
      [1011, (handler) => handler.toWebStreams().readable.cancel(new Error('no room'))],
      [1011, (handler) => handler.toWebStreams().writable.abort(new Error('no data'))],
    ];
    for (const [code, how] of ways) {
      const { client, handler, closes } = await open();
      await how(handler);
      await expect(client).toCloseWith(code, '');
      client.send(goodbye(code));
      expect(await closes.next()).toEqual([code, '', true]);
    }
  });

  it('fails to write when the connection has gone, and has closed what is read', async () => {
    const { client, handler, closes } = await open();
    const { readable, writable } = handler.toWebStreams();
    const reader = readable.getReader();
    const read = reader.read();
    await client.close(1000);
    await closes.next();
    expect(await read).toEqual({ done: true, value: undefined });
    await expect(writable.getWriter().write('late')).rejects.toMatchObject({ code: 'ERR_WS_INVALID_STATE' });
  });

  it('gives the values of a struct as an array', async () => {
    const { client, handler } = await open();
    const reader = handler.toWebStreams(new Struct('!HB')).readable.getReader();
    client.send(binary(Buffer.from([1, 2, 3])));
    const values: readonly [number, number] | undefined = (await reader.read()).value;
    expect(values).toEqual([258, 3]);
  });

  it('hears a goodbye also where it is only written to', async () => {
    const { client, handler, closes } = await open();
    const writer = handler.toWebStreams().writable.getWriter();
    await writer.write('a download');
    expect(await client.nextText()).toBe('a download');
    await client.close(1001);
    expect(await closes.next()).toEqual([1001, '', true]);
  });
});
