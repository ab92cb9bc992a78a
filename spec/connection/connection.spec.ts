import { createHook } from 'node:async_hooks';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { InvalidStateError, type WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { binary, closeBody, frame, more, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';
import { deferred, type Hooks, open, roundTrip, serveHooks, turns, until } from './open.js';

const ping = frame({ opcode: 9, payload: 'sync' });
const close = (code: number, reason = ''): Buffer => frame({ opcode: 8, payload: closeBody(code, reason) });

let log: jest.SpyInstance;
beforeEach(() => {
  log = jest.spyOn(console, 'error').mockImplementation(() => {});
});
afterEach(() => {
  log.mockRestore();
});

describe('the closing handshake, RFC 6455 section 7.1', () => {
  it.each([
    [1000, ''],
    [1001, 'going away'],
    [3000, 'é'.repeat(61)],
    [4999, ''],
  ])(
    'a close of the peer with %i %p is answered with the same, and the server closes TCP first',
    async (code, reason) => {
      const { client, closes } = await open();
      client.send(close(code, reason));
      expect(await client.nextClose()).toEqual({ code, reason });
      await client.ended;
      client.socket.end();
      expect(await closes.next()).toEqual([code, reason, true]);
      expect(closes.left).toHaveLength(0);
    },
  );

  it('a close of the peer without a code is answered without one', async () => {
    const { client, closes } = await open();
    client.send(frame({ opcode: 8 }));
    expect(await client.bytes(2)).toEqual(Buffer.from([0x88, 0]));
    await client.ended;
    client.socket.end();
    expect(await closes.next()).toEqual([1005, '', true]);
  });

  it.each([
    [undefined, undefined, 1000, ''],
    [1001, undefined, 1001, ''],
    [4000, 'mine', 4000, 'mine'],
    [1014, 'x'.repeat(123), 1014, 'x'.repeat(123)],
  ])('close() with %p %p says %i %p, and tells what the peer answers', async (code, reason, sentCode, sentReason) => {
    const { client, handler, closes } = await open();
    handler.close(code, reason);
    await expect(client).toCloseWith(sentCode, sentReason);
    client.send(close(sentCode, 'heard'));
    await client.ended;
    client.socket.end();
    expect(await closes.next()).toEqual([sentCode, 'heard', true]);
    expect(closes.left).toHaveLength(0);
  });

  it('sends what was written before, and nothing after', async () => {
    const { client, handler } = await open();
    handler.write('first');
    handler.write(Buffer.alloc(100_000));
    handler.close(1000, 'done');
    expect([handler.write('late'), handler.ping(), handler.writePackedAs('B', 1)]).toEqual([false, false, false]);
    await expect(handler.writeFile(__filename)).rejects.toThrow(InvalidStateError);
    await expect(handler.drained()).rejects.toThrow(InvalidStateError);
    expect(handler.flush()).toBe(false);
    handler.close(4000, 'again');
    expect(await client.nextText()).toBe('first');
    expect((await client.next()).payload).toHaveLength(100_000);
    await expect(client).toCloseWith(1000, 'done');
    client.send(close(1000));
    expect(await client.rest()).toHaveLength(0);
  });

  it('delivers nothing more to onRead once this end has begun it', async () => {
    const reads: unknown[] = [];
    const { client, closes } = await open({
      onRead(data) {
        reads.push(data);
        this.close();
      },
    });
    client.send(text('a'), text('b'), text('c', false), more('d', true), close(1000));
    await expect(client).toCloseWith(1000, '');
    await client.ended;
    client.socket.end();
    expect(await closes.next()).toEqual([1000, '', true]);
    expect(reads).toEqual(['a']);
  });

  it('crosses with that of the peer', async () => {
    const { client, handler, closes } = await open();
    client.send(close(4001, 'peer'));
    handler.close(4002, 'server');
    await expect(client).toCloseWith(4002, 'server');
    expect(await client.rest()).toHaveLength(0);
    client.socket.end();
    expect(await closes.next()).toEqual([4001, 'peer', true]);
  });

  it('is what a browser-like client expects', async () => {
    const closed = new AsyncQueue<unknown[]>();
    const server = await serve(websocketRoute({ onRead: () => {}, onClose: (...args) => void closed.push(args) }));
    const client = new WebSocket(server.url);
    await new Promise((resolve) => client.once('open', resolve));
    client.close(4010, 'from ws');
    const [code, reason] = await new Promise<[number, Buffer]>((resolve) =>
      client.once('close', (...args) => resolve(args as [number, Buffer])),
    );
    expect([code, reason.toString()]).toEqual([4010, 'from ws']);
    expect(await closed.next()).toEqual([4010, 'from ws', true]);
  });

  it('close() in an asynchronous onConnect hears the answer of the peer', async () => {
    const { client, closes } = await open({
      async onConnect() {
        this.close(4001, 'not you');
      },
    });
    await expect(client).toCloseWith(4001, 'not you');
    client.send(close(4001));
    await client.ended;
    client.socket.end();
    expect(await closes.next()).toEqual([4001, '', true]);
  });

  it('close() while an onRead is pending does not wait for it', async () => {
    const gate = deferred();
    const events = new AsyncQueue<string>();
    const { client, handler } = await open({
      async onRead() {
        events.push('onRead');
        await gate.promise;
        events.push('settled');
      },
      onClose: (code) => void events.push(`onClose ${code}`),
    });
    client.send(text('a'), text('b'));
    expect(await events.next()).toBe('onRead');
    handler.close(1001);
    await expect(client).toCloseWith(1001);
    client.send(close(1001));
    await client.ended;
    client.socket.end();
    await turns(10);
    expect(events.left).toEqual([]);
    gate.resolve();
    expect(await events.take(2)).toEqual(['settled', 'onClose 1001']);
  });
});

describe('onClose is called exactly once', () => {
  const ways: [string, [number, string | RegExp, boolean], (opened: Awaited<ReturnType<typeof open>>) => unknown][] = [
    ['the peer closes', [1000, '', true], ({ client }) => client.close()],
    ['the peer ends TCP', [1006, '', false], ({ client }) => client.socket.end()],
    [
      'the peer ends TCP inside a frame',
      [1006, '', false],
      ({ client }) => client.socket.end(text('cut').subarray(0, 7)),
    ],
    ['the peer resets', [1006, '', false], ({ client }) => client.socket.resetAndDestroy()],
    [
      'the peer breaks the protocol',
      [1002, 'reserved opcode 3', false],
      ({ client }) => client.send(frame({ opcode: 3 })),
    ],
    [
      'the peer sends no UTF-8',
      [1007, 'text is not valid UTF-8', false],
      ({ client }) => client.send(frame({ opcode: 1, payload: Buffer.from([255]) })),
    ],
    ['this end terminates', [1006, '', false], ({ handler }) => handler.terminate()],
    ['this end terminates twice', [1006, '', false], ({ handler }) => [handler.terminate(), handler.terminate()]],
    [
      'this end closes without flush',
      [1006, '', false],
      ({ handler }) => handler.close(1000, 'unheard', { flush: false }),
    ],
    ['this end closes and terminates', [1006, '', false], ({ handler }) => [handler.close(), handler.terminate()]],
    ['the socket is destroyed', [1006, '', false], ({ socket }) => socket.destroy()],
    ['the socket fails', [1006, '', false], ({ socket }) => socket.destroy(new Error('broken'))],
  ];

  it.each(ways)('onClose is called once when %s', async (_what, expected, end) => {
    const opened = await open();
    await roundTrip(opened.client, ping);
    await end(opened);
    expect(await opened.closes.next()).toEqual(expected);
    await opened.client.ended;
    await turns(5);
    expect(opened.closes.left).toHaveLength(0);
    expect(opened.server.sockets.size).toBe(0);
    expect(log).not.toHaveBeenCalled();
  });

  it("the HTTP server's own closing of connections leaves WebSockets open", async () => {
    const { server, client, closes } = await open();
    server.server.closeIdleConnections();
    server.server.closeAllConnections();
    const stopped = new Promise((resolve) => server.server.close(resolve));
    await roundTrip(client, ping);
    expect(closes.left).toHaveLength(0);
    await client.close();
    expect(await closes.next()).toEqual([1000, '', true]);
    await stopped;
  });

  it('onClose is called after the last onRead has settled', async () => {
    const gate = deferred();
    const events = new AsyncQueue<string>();
    const { client } = await open({
      async onRead() {
        events.push('onRead');
        await gate.promise;
        events.push('settled');
      },
      onClose: (code) => void events.push(`onClose ${code}`),
    });
    client.send(text('a'));
    expect(await events.next()).toBe('onRead');
    client.socket.resetAndDestroy();
    await turns(20);
    expect(events.left).toEqual([]);
    gate.resolve();
    expect(await events.take(2)).toEqual(['settled', 'onClose 1006']);
  });
});

describe('terminate', () => {
  it('sends neither what was written nor a close frame', async () => {
    const { client, handler } = await open();
    handler.write('lost');
    handler.terminate();
    expect(await client.rest()).toHaveLength(0);
  });

  it('terminate() inside onRead leaves the rest undelivered', async () => {
    const reads: unknown[] = [];
    const { client, closes } = await open({
      onRead(data) {
        reads.push(data);
        this.terminate();
      },
    });
    client.send(text('a'), text('b'), frame({ opcode: 3 }));
    expect(await closes.next()).toEqual([1006, '', false]);
    expect(reads).toEqual(['a']);
  });
});

describe('_Fail the WebSocket Connection_, RFC 6455 section 7.1.7', () => {
  it.each([
    ['an unmasked frame', frame({ opcode: 1, payload: 'x', mask: false }), 1002],
    ['a reserved bit', frame({ opcode: 1, payload: 'x', rsv: 4 }), 1002],
    ['a reserved opcode', frame({ opcode: 11 }), 1002],
    ['a fragmented ping', frame({ opcode: 9, fin: false }), 1002],
    ['a ping that is too long', frame({ opcode: 9, payload: Buffer.alloc(126) }), 1002],
    ['a continuation of nothing', more('x'), 1002],
    ['a message inside another', Buffer.concat([text('a', false), text('b')]), 1002],
    ['a length above 2^53', frame({ opcode: 2, length: 2n ** 53n }), 1009],
    ['a length above bufferSize', frame({ opcode: 2, length: 2n ** 40n }), 1009],
    ['text that is no UTF-8', frame({ opcode: 1, payload: Buffer.from('c080', 'hex') }), 1007],
    ['a close frame of one octet', frame({ opcode: 8, payload: 'x' }), 1002],
    ['a close code that must not be sent', close(1005), 1002],
  ])('says the code of %s, then ends; nothing more reaches user code but onClose', async (_what, bytes, code) => {
    const calls: string[] = [];
    const { client, closes } = await open({
      onRead: (data) => void calls.push(`onRead ${data}`),
      onPong: () => void calls.push('onPong'),
      onError: () => void calls.push('onError'),
      onOverflowError() {},
    });
    client.send(text('before'), ping, bytes, text('after'), ping, frame({ opcode: 10, payload: 'x' }));
    expect((await client.next()).opcode).toBe(10);
    await expect(client).toCloseWith(code);
    expect(await client.rest()).toHaveLength(0);
    client.socket.end();
    expect(await closes.next()).toEqual([code, expect.any(String), false]);
    expect(calls).toEqual(['onRead before']);
  });

  it('leaves the other connections unharmed', async () => {
    const { open: connect } = await serveHooks({
      onRead(data) {
        this.write(data);
      },
    });
    const [good, bad] = [await connect(), await connect()];
    bad.client.send(frame({ opcode: 7, payload: 'x' }));
    await bad.client.ended;
    good.client.send(text('still here'));
    expect(await good.client.nextText()).toBe('still here');
  });

  it('waits until what came before the mistake was delivered to an asynchronous handler', async () => {
    const reads: string[] = [];
    const { client, closes } = await open({
      async onRead(data) {
        reads.push(`${data}`);
        await turns(2);
        this.write(`heard ${data}`);
      },
    });
    client.send(text('a'), text('b'), frame({ opcode: 3 }));
    expect(await client.nextText()).toBe('heard a');
    expect(await client.nextText()).toBe('heard b');
    await expect(client).toCloseWith(1002);
    client.socket.end();
    await closes.next();
    expect(reads).toEqual(['a', 'b']);
  });
});

describe('an asynchronous onConnect', () => {
  it('is waited for: nothing is delivered before it settles, and nothing is lost', async () => {
    const gate = deferred();
    const events: string[] = [];
    const { client } = await open(
      {
        async onConnect() {
          await gate.promise;
          this.write('ready');
          events.push('connected');
        },
        onRead: (data) => void events.push(`${data.length}`),
        onPong: () => void events.push('onPong'),
      },
      { bufferSize: 1 << 20 },
    );
    client.send(text('a'), binary(Buffer.alloc(500_000)), text('bc'), ping);
    await turns(20);
    expect(events).toEqual([]);
    gate.resolve();
    expect(await client.nextText()).toBe('ready');
    expect((await client.next()).opcode).toBe(10);
    expect(events).toEqual(['connected', '1', '500000', '2']);
  });

  it('a rejected onConnect reaches onError, and by default closes with 1011', async () => {
    const { client } = await open({ onConnect: () => Promise.reject(new Error('no database')) });
    await expect(client).toCloseWith(1011, '');
    expect(log).toHaveBeenCalledTimes(1);
    expect(log).toHaveBeenCalledWith(
      expect.stringContaining('onConnect of Tested'),
      expect.objectContaining({ message: 'no database' }),
    );
  });

  it('may find its connection gone', async () => {
    const gate = deferred();
    const errors: unknown[] = [];
    const { client, closes } = await open({
      async onConnect() {
        await gate.promise;
        this.write('too late');
      },
      onError: (error) => void errors.push(error),
    });
    client.socket.resetAndDestroy();
    await turns(20);
    gate.resolve();
    await closes.next();
    expect(errors).toEqual([]);
  });
});

describe('an asynchronous onRead', () => {
  it('onRead never overlaps with itself, and keeps the order, however the messages are cut', async () => {
    for (const cut of [0, 1, 7]) {
      const reads: string[] = [];
      let running = 0;
      let most = 0;
      const { client } = await open({
        async onRead(data) {
          running++;
          most = Math.max(most, running);
          if (reads.length % 2 === 0) await turns();
          else await Promise.resolve();
          reads.push(`${data}`);
          running--;
        },
      });
      const messages = Array.from({ length: 40 }, (_, i) => `message ${i}`);
      const frames = messages.map((one, i) =>
        i % 3 === 0 ? Buffer.concat([text(one.slice(0, 3), false), more(''), more(one.slice(3), true)]) : text(one),
      );
      const bytes = Buffer.concat([...frames, ping]);
      if (cut === 0) client.send(bytes);
      else await client.trickle(bytes, cut);
      expect((await client.next()).opcode).toBe(10);
      await until(() => reads.length === messages.length);
      expect(reads).toEqual(messages);
      expect(most).toBe(1);
    }
  });

  it('onRead never overlaps with itself for the units of one message, and the delimiter it sets holds for the next', async () => {
    const events: string[] = [];
    const { client } = await open(
      {
        async onRead(data) {
          events.push(`${data}`);
          await turns();
          if (data === 'b') this.readDelimiter = 2;
          events.push('settled');
        },
      },
      { readDelimiter: '\n' },
    );
    client.send(text('a\nb\ncdef'), ping);
    expect((await client.next()).opcode).toBe(10);
    await until(() => events.length === 8);
    expect(events).toEqual(['a', 'settled', 'b', 'settled', 'cd', 'settled', 'ef', 'settled']);
  });

  it('costs a handler that is synchronous nothing: no promise is made for its messages', async () => {
    const { client } = await open({
      onRead(data) {
        this.write(data);
      },
    });
    await roundTrip(client, ping);
    let promises = 0;
    const hook = createHook({
      init(_id, type) {
        if (type === 'PROMISE') promises++;
      },
    }).enable();
    client.send(...Array.from({ length: 1000 }, (_, i) => text(`${i}`)));
    await client.bytes(1000 * 2 + 2890);
    hook.disable();
    // Those of the client, which waits, and none of a thousand messages.
    expect(promises).toBeLessThan(100);
  });

  it('stops the peer: what it sends meanwhile stays in the network', async () => {
    const gate = deferred();
    const { client, socket, handler } = await open({
      async onRead() {
        await gate.promise;
      },
    });
    const part = binary(Buffer.alloc(60_000));
    const before = process.memoryUsage().arrayBuffers;
    let sent = 0;
    while (client.socket.writableLength < 1 << 20 && sent < 64 << 20) {
      client.send(part);
      sent += part.length;
      await turns(2);
    }
    // It is the network that is full, not the handler that has read it all.
    expect(sent).toBeLessThan(64 << 20);
    expect(socket.isPaused()).toBe(true);
    // The message that is being handled, the chunk it came with, and what Node had read when it was told to stop.
    expect(socket.bytesRead).toBeLessThan(part.length + 3 * 65_536);
    expect(process.memoryUsage().arrayBuffers - before - client.socket.writableLength).toBeLessThan(8 << 20);
    gate.resolve();
    await roundTrip(client, ping);
    expect(handler.bufferedAmount).toBe(0);
  });

  it('a rejected onRead reaches onError once, and the next onRead is called after that', async () => {
    const events: string[] = [];
    const { client } = await open({
      async onRead(data) {
        await turns();
        events.push(`read ${data}`);
        throw new Error(`${data}`);
      },
      onError: (error, hook) => void events.push(`${hook}: ${(error as Error).message}`),
    });
    client.send(text('a'), text('b'));
    await until(() => events.length === 4);
    expect(events).toEqual(['read a', 'onRead: a', 'read b', 'onRead: b']);
  });

  it('may answer with any thenable, even one that throws', async () => {
    const events: string[] = [];
    const { client } = await open({
      onRead(data) {
        // biome-ignore lint/suspicious/noThenProperty: some query builders are thenables
        if (data === 'good') return { then: (done: () => void) => void done() };
        return {
          // biome-ignore lint/suspicious/noThenProperty: and this is a broken one
          then() {
            throw new Error('broken thenable');
          },
        };
      },
      onError: (error) => void events.push((error as Error).message),
    });
    client.send(text('good'), text('bad'), text('good'));
    await roundTrip(client, ping);
    expect(events).toEqual(['broken thenable']);
  });

  it('may find its connection gone: InvalidStateError is dropped then', async () => {
    const gate = deferred();
    const errors: unknown[] = [];
    const { client, closes } = await open({
      async onRead() {
        await gate.promise;
        this.write('too late');
      },
      onError: (error) => void errors.push(error),
    });
    client.send(text('a'));
    await turns(20);
    client.socket.resetAndDestroy();
    await turns(20);
    gate.resolve();
    expect((await closes.next())[0]).toBe(1006);
    expect(errors).toEqual([]);
    expect(log).not.toHaveBeenCalled();
  });
});

describe('a hook that throws', () => {
  const boom = (): never => {
    throw new Error('boom');
  };
  const later = async (): Promise<never> => {
    await turns();
    return boom();
  };
  const triggers: [keyof Hooks, (opened: Awaited<ReturnType<typeof open>>) => unknown][] = [
    ['onConnect', () => {}],
    ['onRead', ({ client }) => client.send(text('x'))],
    ['onWrite', ({ handler }) => handler.write('x')],
    [
      'onPong',
      ({ handler, client }) => {
        handler.ping('p');
        client.send(frame({ opcode: 10, payload: 'p' }));
      },
    ],
    ['onClose', ({ handler }) => handler.terminate()],
    ['onOverflowError', ({ client }) => client.send(frame({ opcode: 2, length: 70_000n }))],
  ];

  describe.each([
    ['at once', boom],
    ['later', later],
  ])('%s', (_when, fail) => {
    it.each(triggers)('%s tells onError, and the other connections live on', async (name, trigger) => {
      const errors = new AsyncQueue<unknown[]>();
      const hooks: Hooks = {
        [name]: fail,
        onError: (error, hook) => void errors.push([hook, (error as Error).message]),
      };
      const { open: connect } = await serveHooks(hooks);
      const opened = await connect();
      await trigger(opened);
      expect(await errors.next()).toEqual([name, 'boom']);
      const other = await connect();
      await roundTrip(other.client, ping);
    });

    it.each(triggers)('%s by default is logged once, and the connection closes with 1011', async (name, trigger) => {
      const opened = await open({ [name]: fail } as Hooks);
      await trigger(opened);
      if (name === 'onClose') await opened.closes.next();
      else {
        let got = await opened.client.next();
        while (got.opcode !== 8) got = await opened.client.next();
        // An onOverflowError that fails later has not helped in time.
        const code = name === 'onOverflowError' && fail === later ? 1009 : 1011;
        expect(got.payload.readUInt16BE(0)).toBe(code);
      }
      while (log.mock.calls.length === 0) await turns();
      await turns(3);
      expect(log).toHaveBeenCalledTimes(1);
      expect(log).toHaveBeenCalledWith(
        `websocket-route: ${name} of Tested:`,
        expect.objectContaining({ message: 'boom' }),
      );
    });
  });

  it.each([
    ['at once', () => boom()],
    ['later', () => later()],
  ])('an onError that throws %s, too, is logged, and the connection closes with 1011', async (_when, onError) => {
    const { client } = await open({ onRead: boom, onError });
    client.send(text('x'));
    await expect(client).toCloseWith(1011, '');
    expect(log).toHaveBeenCalledTimes(1);
    expect(log.mock.calls[0]?.[0]).toMatch(/onError of Tested failed/);
  });

  it('a hook may throw any value at all', async () => {
    const errors: unknown[] = [];
    const values = [undefined, null, 'text', 0, Symbol.iterator, {}];
    const { client } = await open({
      onRead(index) {
        throw values[Number(index)];
      },
      onError: (error) => void errors.push(error),
    });
    client.send(...values.map((_, i) => text(`${i}`)));
    await roundTrip(client, ping);
    expect(errors).toEqual(values);
  });

  it('InvalidStateError on an open connection is an error like any other', async () => {
    const errors: unknown[] = [];
    const { client } = await open({
      onRead() {
        throw new InvalidStateError('mine');
      },
      onError: (error) => void errors.push(error),
    });
    client.send(text('x'));
    await roundTrip(client, ping);
    expect(errors).toHaveLength(1);
  });
});

describe('a peer that vanishes', () => {
  it('a peer that vanishes at any byte of its frames harms no other connection', async () => {
    const { open: connect, server } = await serveHooks({
      onRead(data) {
        this.write(data);
      },
    });
    const bytes = Buffer.concat([text('a', false), ping, more('b', true), binary(Buffer.alloc(130)), close(1000)]);
    for (let length = 0; length <= bytes.length; length += 3) {
      const { client, closes } = await connect();
      client.send(bytes.subarray(0, length));
      await turns();
      if (length % 2 === 0) client.socket.resetAndDestroy();
      else client.socket.destroy();
      await closes.next();
    }
    const { client } = await connect();
    await roundTrip(client, ping);
    expect(server.sockets.size).toBe(1);
  });
});

describe('listeners and timers', () => {
  it('are no more after many messages, pings and drains than at first', async () => {
    const seen: WebSocketHandler[] = [];
    const { client, handler, socket } = await open({
      async onRead(data) {
        seen.push(this);
        this.write(data);
        await this.drained();
      },
      onWrite() {},
    });
    const count = (): Record<string, number> =>
      Object.fromEntries(socket.eventNames().map((name) => [String(name), socket.listenerCount(name)]));
    await roundTrip(client, ping);
    const before = count();
    for (let i = 0; i < 50; i++) {
      client.send(text('x'), ping);
      handler.ping();
      await turns(2);
    }
    client.send(frame({ opcode: 9, payload: 'end' }));
    for (;;) if ((await client.next()).payload.toString() === 'end') break;
    expect(count()).toEqual(before);
    expect(seen).toHaveLength(50);
  });
});

describe('over TLS', () => {
  it('all is the same: messages, a peer that ends TCP, a closing handshake', async () => {
    const { open: connect } = await serveHooks(
      {
        onRead(data) {
          this.write(data);
        },
      },
      {},
      { tls: true },
    );
    const one = await connect();
    one.client.send(text('secret'));
    expect(await one.client.nextText()).toBe('secret');
    await one.client.close(1001);
    expect(await one.closes.next()).toEqual([1001, '', true]);
    const two = await connect();
    two.client.socket.end();
    expect(await two.closes.next()).toEqual([1006, '', false]);
    const three = await connect();
    three.client.socket.end(close(1000));
    expect(await three.closes.next()).toEqual([1000, '', true]);
    const four = await RawClient.open(three.server);
    four.send(text('still there'));
    expect(await four.nextText()).toBe('still there');
  });
});

describe.each([
  ['over TCP', false],
  ['over TLS', true],
])('a peer that sends all it has to say and ends TCP, %s, while a handler is at work', (_name, tls) => {
  it('has its messages delivered, and its close frame heard', async () => {
    const gate = deferred();
    const seen: unknown[] = [];
    const { open: connect } = await serveHooks(
      {
        async onRead(data) {
          seen.push(data);
          await gate.promise;
        },
      },
      {},
      { tls },
    );
    const said = await connect();
    said.client.socket.end(Buffer.concat([text('1'), text('2'), text('3'), close(1001)]));
    const silent = await connect();
    silent.client.socket.end(Buffer.concat([text('4'), text('5')]));
    await turns(20);
    gate.resolve();
    expect(await said.closes.next()).toEqual([1001, '', true]);
    expect(await silent.closes.next()).toEqual([1006, '', false]);
    expect(seen.sort()).toEqual(['1', '2', '3', '4', '5']);
  });
});

describe('a client that stopped writing while its handler was at work', () => {
  it('is not waited for when the handler closes', async () => {
    const begun = new AsyncQueue<unknown>();
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
    await expect(client).toCloseWith(1000, '');
    await client.ended;
    expect(await closes.next()).toEqual([1006, '', false]);
  });
});
