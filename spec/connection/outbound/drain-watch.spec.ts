import { Duplex } from 'node:stream';
import { DrainWatch } from '../../../lib/connection/outbound/drain-watch.js';
import { Writer } from '../../../lib/connection/outbound/writer.js';
import { InvalidStateError } from '../../../lib/index.js';
import { AsyncQueue } from '../../../lib/testing/async-queue.js';
import { Transport } from '../../../lib/transport/transport.js';
import { closeBody, frame, text } from '../../support/frames.js';
import { deferred, open, turns } from '../open.js';
import { openSlow, stall } from '../slow.js';

/** More than the kernel takes for a peer that does not read. */
const LARGE = Buffer.alloc(16 << 20, 1);

describe('drained', () => {
  it('is fulfilled at once when nothing was written', async () => {
    const { handler } = await open();
    await expect(handler.drained()).resolves.toBeUndefined();
  });

  it('is fulfilled when the kernel has taken what was written', async () => {
    const { handler, client } = await open();
    handler.write('a');
    expect(handler.bufferedAmount).toBe(3);
    await handler.drained();
    expect(handler.bufferedAmount).toBe(0);
    expect(await client.nextText()).toBe('a');
  });

  it('waits for a peer that reads late, for all who wait', async () => {
    const { handler, client } = await open();
    client.socket.pause();
    expect(handler.write(LARGE)).toBe(false);
    const done: string[] = [];
    const waiting = [
      handler.drained().then(() => done.push('first')),
      handler.drained().then(() => done.push('second')),
    ];
    await turns(20);
    expect(done).toEqual([]);
    expect(handler.bufferedAmount).toBeGreaterThan(65536);
    client.socket.resume();
    await Promise.all(waiting);
    expect(done).toEqual(['first', 'second']);
    expect(handler.bufferedAmount).toBe(0);
    expect((await client.next()).payload).toHaveLength(LARGE.length);
  });

  it('waits for a file, too', async () => {
    const { handler, client } = await open();
    const sent = handler.writeFile(__filename);
    await handler.drained();
    await sent;
    expect((await client.next()).opcode).toBe(2);
  });

  it('is rejected when the connection goes away, and when it has gone', async () => {
    const { handler, client, closes } = await open();
    client.socket.pause();
    handler.write(LARGE);
    const waiting = expect(handler.drained()).rejects.toThrow(InvalidStateError);
    await turns(2);
    client.socket.resetAndDestroy();
    await waiting;
    await closes.next();
    await expect(handler.drained()).rejects.toThrow(InvalidStateError);
  });

  it.each([
    ['a socket', false],
    ['TLS', true],
  ])('says so also when FIN was written meanwhile, over %s', async (_name, tls) => {
    const slow = await openSlow({}, {}, { tls });
    await stall(slow);
    const { handler, client } = slow;
    const first = handler.drained();
    for (let i = 0; i < 100; i++) handler.write(Buffer.alloc(8000), { flush: true });
    const second = handler.drained();
    client.send(frame({ opcode: 8, payload: closeBody(1000) }));
    await turns(3);
    client.socket.resume();
    await client.ended;
    client.socket.end();
    await Promise.all([first, second]);
  });

  it('bothers nobody who does not catch it', async () => {
    const rejections: unknown[] = [];
    const onRejection = (reason: unknown): void => void rejections.push(reason);
    process.on('unhandledRejection', onRejection);
    const { handler, client, closes } = await open();
    client.socket.pause();
    handler.write(LARGE);
    void handler.drained();
    await turns(2);
    client.socket.resetAndDestroy();
    await closes.next();
    void handler.drained();
    await turns(5);
    process.off('unhandledRejection', onRejection);
    expect(rejections).toEqual([]);
  });

  it('lets a server stream at the speed of its peer', async () => {
    const largest: number[] = [];
    const { client } = await open({
      async onRead() {
        for (let i = 0; i < 200; i++) {
          if (!this.write(Buffer.alloc(32768, i))) await this.drained();
          largest.push(this.bufferedAmount);
        }
      },
    });
    client.send(text('go'));
    for (let i = 0; i < 200; i++) expect((await client.next()).payload[0]).toBe(i);
    expect(Math.max(...largest)).toBeLessThan(65536 + 2 * 32778);
  });

  it('drained() and the pings of the peer do not keep each other waiting for ever', async () => {
    const { client } = await open({
      async onRead() {
        for (let i = 0; i < 100; i++) if (!this.write(Buffer.alloc(200_000))) await this.drained();
        this.write('done');
      },
    });
    client.socket.pause();
    client.send(text('go'));
    await turns(10);
    client.socket.resume();
    let opcode = 0;
    for (let i = 0; opcode !== 1; i++) {
      client.send(frame({ opcode: 9, payload: `${i}` }));
      ({ opcode } = await client.next());
    }
  });
});

describe('a drain watch', () => {
  /** Takes one write a turn. */
  class Slow extends Duplex {
    override _write(_chunk: Buffer, _encoding: string, taken: () => void): void {
      setImmediate(taken);
    }

    override _read(): void {}
  }

  it('watches on when more was flushed while it waited', async () => {
    const transport = new Transport(new Slow());
    const all = deferred();
    let watch: DrainWatch | undefined;
    const writer = new Writer(transport, { onFlush: () => watch?.watch(), onHeld() {} });
    const taken: number[] = [];
    watch = new DrainWatch(transport, writer, {
      onTaken: () => void taken.push(writer.bufferedAmount),
      onDrained: all.resolve,
    });
    writer.text(1, 'first');
    writer.flush();
    writer.text(1, 'second');
    writer.flush();
    await all.promise;
    expect(taken).toEqual([8, 0]);
  });
});

describe('what was written before drained() is called', () => {
  class OneByOne extends Duplex {
    override _write(_chunk: Buffer, _encoding: string, taken: () => void): void {
      setTimeout(taken, 5);
    }

    override _read(): void {}
  }

  it('is all that it waits for: who writes on does not keep it from being fulfilled', async () => {
    const transport = new Transport(new OneByOne());
    let watch: DrainWatch | undefined;
    const writer = new Writer(transport, { onFlush: () => watch?.watch(), onHeld() {} });
    watch = new DrainWatch(transport, writer, { onTaken() {}, onDrained() {} });
    writer.text(1, 'asked for');
    writer.flush();
    let isDrained = false;
    void watch.drained().then(() => {
      isDrained = true;
    });
    watch.watch();
    for (let i = 0; i < 200 && !isDrained; i++) {
      writer.text(1, 'news');
      writer.flush();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(isDrained).toBe(true);
    expect(writer.bufferedAmount).toBeGreaterThan(0);
  });
});

describe('bufferedAmount', () => {
  it('falls while a large message is being taken, and not only when the last of it has been', async () => {
    const { client, handler } = await open();
    const { socket } = client;
    const SIZE = 40 << 20;
    let received = 0;
    socket.removeAllListeners('data');
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received >= SIZE / 2) socket.pause();
    });
    handler.write(Buffer.alloc(SIZE));
    while (received < SIZE / 2) await turns();
    await turns(20);
    expect(handler.bufferedAmount).toBeGreaterThan(0);
    expect(handler.bufferedAmount).toBeLessThanOrEqual(SIZE + 10 - received);
  });
});

describe('onWrite', () => {
  it('is called when all that was written has been taken, once', async () => {
    const calls = new AsyncQueue<number>();
    const { client, handler } = await open({
      onWrite() {
        calls.push(this.bufferedAmount);
      },
    });
    handler.write('a');
    handler.write('b');
    expect(await calls.next()).toBe(0);
    await turns(3);
    expect(calls.left).toHaveLength(0);
    client.socket.pause();
    handler.write(LARGE);
    await turns(10);
    expect(calls.left).toHaveLength(0);
    client.socket.resume();
    expect(await calls.next()).toBe(0);
  });

  it('may write on', async () => {
    let left = 5;
    const { client } = await open({
      onConnect() {
        this.write('first');
      },
      onWrite() {
        if (left > 0) this.write(`${left--}`);
      },
    });
    for (const expected of ['first', '5', '4', '3', '2', '1']) expect(await client.nextText()).toBe(expected);
  });

  it('is not called for pongs, pings and close frames', async () => {
    const calls: string[] = [];
    const { client, handler } = await open({
      onWrite() {
        calls.push('onWrite');
      },
    });
    client.send(frame({ opcode: 9, payload: 'x' }));
    expect((await client.next()).opcode).toBe(10);
    handler.ping();
    expect((await client.next()).opcode).toBe(9);
    handler.close();
    await client.nextClose();
    await turns(3);
    expect(calls).toEqual([]);
  });
});
