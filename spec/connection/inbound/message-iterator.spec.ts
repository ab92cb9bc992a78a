import { once } from 'node:events';
import { createServer } from 'node:http';
import {
  EntireMessage,
  InvalidStateError,
  Struct,
  upgradeListener,
  type WebSocketHandler,
  websocketRoute,
} from '../../../lib/index.js';
import { AsyncQueue } from '../../../lib/testing/async-queue.js';
import { type Equal, expectType } from '../../support/expect-type.js';
import { binary, closeBody, frame, text } from '../../support/frames.js';
import { RawClient } from '../../support/raw-client.js';
import { serve } from '../../support/server.js';
import { deferred, open, roundTrip, sendAndSettle, turns } from '../open.js';

/** Takes all that comes, and says so. */
async function takeAll(handler: WebSocketHandler, taken: AsyncQueue<unknown>): Promise<void> {
  for await (const data of handler.messages()) taken.push(data);
  taken.push('done');
}

describe('messages()', () => {
  it('gives in onConnect what onRead would get, in order, and ends with the connection', async () => {
    const taken = new AsyncQueue<unknown>();
    const reads: unknown[] = [];
    const { client, closes } = await open({
      async onConnect(this: WebSocketHandler) {
        await takeAll(this, taken);
        taken.push('settled');
      },
      onRead: (data) => void reads.push(data),
      onClose: () => void taken.push('onClose'),
    });
    client.send(text('one'), binary(Buffer.from('two')), text(''), text('three'));
    expect(await taken.take(4)).toEqual(['one', Buffer.from('two'), '', 'three']);
    await client.close(1000);
    expect(await taken.take(3)).toEqual(['done', 'settled', 'onClose']);
    expect(await closes.next()).toEqual([1000, '', true]);
    expect(reads).toEqual([]);
  });

  it('gives what was sent before the close frame first, however slowly it is taken', async () => {
    const gate = new AsyncQueue<void>();
    const taken = new AsyncQueue<unknown>();
    const { client, closes } = await open({
      async onConnect(this: WebSocketHandler) {
        for await (const data of this.messages()) {
          taken.push(data);
          await gate.next();
        }
        taken.push('done');
      },
    });
    client.send(text('a'), text('b'), text('c'), frame({ opcode: 8, payload: closeBody(4321, 'bye') }));
    for (const letter of ['a', 'b', 'c']) {
      expect(await taken.next()).toBe(letter);
      await turns(3);
      expect(taken.left).toEqual([]);
      gate.push();
    }
    expect(await taken.next()).toBe('done');
    expect(await closes.next()).toEqual([4321, 'bye', true]);
  });

  it.each(['FIN', 'a reset'])('ends when the peer goes with %s', async (how) => {
    const taken = new AsyncQueue<unknown>();
    const { client, closes } = await open({
      onConnect: function () {
        return takeAll(this as WebSocketHandler, taken);
      },
    });
    client.send(text('last'));
    expect(await taken.next()).toBe('last');
    if (how === 'FIN') client.socket.end();
    else client.socket.resetAndDestroy();
    expect(await taken.next()).toBe('done');
    expect(await closes.next()).toEqual([1006, '', false]);
  });

  it('gives what came before a FIN while it was being waited for', async () => {
    const taken = new AsyncQueue<unknown>();
    const gate = deferred();
    const { client, closes } = await open({
      async onConnect(this: WebSocketHandler) {
        for await (const data of this.messages()) {
          taken.push(data);
          await gate.promise;
        }
        taken.push('done');
      },
    });
    client.send(text('a'), text('b'), text('c'));
    client.socket.end();
    expect(await taken.next()).toBe('a');
    await turns(5);
    gate.resolve();
    expect(await taken.take(3)).toEqual(['b', 'c', 'done']);
    expect(await closes.next()).toEqual([1006, '', false]);
  });

  it('holds the peer back while nobody asks: nothing is read but what was on its way', async () => {
    const opened = await open();
    const { client, handler, socket } = opened;
    const messages = handler.messages();
    const big = Buffer.alloc(60_000, 1);
    let sent = 0;
    for (; sent < 1000; sent++) client.socket.write(binary(big));
    await turns(50);
    const before = socket.bytesRead;
    expect(before).toBeLessThan(big.length + 3 * 65_536);
    await turns(50);
    expect(socket.bytesRead).toBe(before);
    for (let i = 0; i < sent; i++) expect(big.equals((await messages.next()).value as Buffer)).toBe(true);
    expect(socket.bytesRead).toBeGreaterThan(sent * big.length);
  });

  it('gives the values of a struct as an array, and a delimiter of any kind its units', async () => {
    const { client, handler } = await open({}, { readDelimiter: new Struct('!BH') });
    const messages = handler.messages();
    client.send(binary(Buffer.from([1, 0, 2, 3, 0])), binary(Buffer.from([4])));
    expect((await messages.next()).value).toEqual([1, 2]);
    expect((await messages.next()).value).toEqual([3, 4]);
    handler.readDelimiter = '\n';
    client.send(text('one\ntw'), text('o\n'));
    expect((await messages.next()).value).toBe('one');
    expect((await messages.next()).value).toBe('two');
    handler.readDelimiter = EntireMessage;
    client.send(text('whole'));
    expect((await messages.next()).value).toBe('whole');
  });

  it('reads by the delimiter that it is given, from what is buffered on', async () => {
    const reads: unknown[] = [];
    const { client, handler } = await open({ onRead: (data) => reads.push(data) }, { readDelimiter: ';' });
    client.send(text('a;b\nc'));
    await roundTrip(client, frame({ opcode: 9 }));
    const lines = handler.messages('\n');
    expect(handler.readDelimiter).toBe('\n');
    const { value } = await lines.next();
    expectType<Equal<typeof value, string | undefined>>();
    expect([value, reads]).toEqual(['b', ['a']]);
    await lines.return();
    const stream = handler.messages(null);
    expect((await stream.next()).value).toBe('c');
    expect(handler.readDelimiter).toBeNull();
  });

  it('messages() with a wrong delimiter, or while another reader has not left, changes nothing', async () => {
    const { handler } = await open();
    expect(() => handler.messages('')).toThrow(expect.objectContaining({ code: 'ERR_WS_INVALID_OPTION' }));
    const messages = handler.messages();
    expect(() => handler.messages('\n')).toThrow(InvalidStateError);
    expect(() => handler.toWebStreams('\n')).toThrow(InvalidStateError);
    expect(handler.readDelimiter).toBe(EntireMessage);
    await messages.return();
  });

  it('answers several who ask at once in their order', async () => {
    const { client, handler } = await open();
    const messages = handler.messages();
    const asked = [messages.next(), messages.next(), messages.next()];
    client.send(text('1'), text('2'), text('3'), text('4'));
    expect(await Promise.all(asked)).toEqual(['1', '2', '3'].map((value) => ({ done: false, value })));
    expect((await messages.next()).value).toBe('4');
  });

  it('gives back to onRead what comes after whoever read it has left', async () => {
    const reads = new AsyncQueue<unknown>();
    const { client, handler } = await open({ onRead: (data) => reads.push(data) });
    const messages = handler.messages();
    client.send(text('pulled'), text('pushed'), text('pushed, too'));
    for await (const data of messages) {
      expect(data).toBe('pulled');
      break;
    }
    expect(await reads.take(2)).toEqual(['pushed', 'pushed, too']);
    expect(await messages.next()).toEqual({ done: true, value: undefined });
  });

  it('loses nothing between one loop and the next', async () => {
    const reads: unknown[] = [];
    const taken = new AsyncQueue<unknown>();
    const { client } = await open({
      async onConnect(this: WebSocketHandler) {
        for await (const first of this.messages()) {
          taken.push(first);
          break;
        }
        await turns(5);
        for await (const data of this.messages()) taken.push(data);
      },
      onRead: (data) => void reads.push(data),
    });
    client.send(text('first'), text('second'), text('third'));
    expect(await taken.take(3)).toEqual(['first', 'second', 'third']);
    expect(reads).toEqual([]);
  });

  it('may be read inside onRead: what follows a command, and then onRead again', async () => {
    const log = new AsyncQueue<unknown>();
    const { client } = await open({
      async onRead(this: WebSocketHandler, data) {
        log.push(`read ${data}`);
        if (data !== 'upload') return;
        for await (const part of this.messages()) {
          if (part === 'end') break;
          log.push(`part ${part}`);
        }
      },
    });
    client.send(text('hello'), text('upload'), text('a'), text('b'), text('end'), text('bye'));
    expect(await log.take(5)).toEqual(['read hello', 'read upload', 'part a', 'part b', 'read bye']);
  });

  it('has one reader at a time', async () => {
    const { handler } = await open();
    const messages = handler.messages();
    expect(() => handler.messages()).toThrow(InvalidStateError);
    await messages.return?.();
    expect(() => handler.messages()).not.toThrow();
  });

  it('ends at once when this end closes, and has ended when it is asked for later', async () => {
    const { client, handler, closes } = await open();
    const messages = handler.messages();
    const next = messages.next();
    handler.close(4000);
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await handler.messages().next()).toEqual({ done: true, value: undefined });
    await expect(client).toCloseWith(4000, '');
    client.send(frame({ opcode: 8, payload: closeBody(4000) }));
    expect(await closes.next()).toEqual([4000, '', true]);
    expect(await handler.messages().next()).toEqual({ done: true, value: undefined });
  });

  it('has control frames answered while it waits, and after what stands before them was taken', async () => {
    const opened = await open();
    const { client, handler } = opened;
    const messages = handler.messages();
    const next = messages.next();
    await roundTrip(client, frame({ opcode: 9, payload: 'waiting' }));
    await sendAndSettle(opened, text('a'), text('b'), frame({ opcode: 9, payload: 'later' }));
    expect((await next).value).toBe('a');
    expect((await messages.next()).value).toBe('b');
    void messages.next();
    expect((await client.next()).payload.toString()).toBe('later');
  });

  it('reports to onError what its loop throws, by the hook that it is in', async () => {
    const errors = new AsyncQueue<unknown>();
    const { client, closes } = await open({
      async onConnect(this: WebSocketHandler) {
        for await (const data of this.messages()) throw new Error(`cannot read ${data}`);
      },
      onError(this: WebSocketHandler, error, hook) {
        errors.push([error, hook]);
        this.close(1011);
      },
    });
    client.send(text('this'));
    expect(await errors.next()).toEqual([new Error('cannot read this'), 'onConnect']);
    await expect(client).toCloseWith(1011, '');
    await client.close(1011);
    expect(await closes.next()).toEqual([1011, '', true]);
  });

  it('reads one unit ahead, and no more, until somebody asks for the first time', async () => {
    const opened = await open();
    const { client, handler, closes } = opened;
    const messages = handler.messages();
    client.send(frame({ opcode: 9, payload: 'heard' }));
    expect((await client.next()).payload.toString()).toBe('heard');
    client.send(text('one'), text('two'), frame({ opcode: 9, payload: 'heard ahead' }));
    expect((await client.next()).payload.toString()).toBe('heard ahead');
    expect((await messages.next()).value).toBe('one');
    expect((await messages.next()).value).toBe('two');
    const next = messages.next();
    await client.close(1000);
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await closes.next()).toEqual([1000, '', true]);
  });

  it('is not waited for by onClose when it was forgotten, and what had come may still be taken', async () => {
    const { client, handler, socket, closes } = await open();
    const messages = handler.messages();
    client.send(text('one'));
    expect((await messages.next()).value).toBe('one');
    client.send(text('two'), text('three'));
    client.socket.end();
    while (!socket.readableEnded && !socket.destroyed) {
      socket.resume();
      await turns();
    }
    socket.destroy();
    expect(await closes.next()).toEqual([1006, '', false]);
    expect(await messages.next()).toEqual({ done: false, value: 'two' });
    expect(await messages.next()).toEqual({ done: false, value: 'three' });
    expect(await messages.next()).toEqual({ done: true, value: undefined });
  });

  it.each(['a reset', 'a close frame'])(
    'is not waited for when the hook that forgot it settles after %s',
    async (end) => {
      const work = deferred();
      const opened = await open(
        {
          async onConnect() {
            await this.messages().next();
            await work.promise;
          },
        },
        // Who has sent a close frame and left is noticed when it is sent something.
        { pingInterval: 50 },
      );
      const { client, closes, handler } = opened;
      await sendAndSettle(opened, text('one'), text('two'));
      const { signal } = handler;
      if (end === 'a reset') client.socket.resetAndDestroy();
      else {
        client.send(frame({ opcode: 8, payload: closeBody(1000) }));
        if (!signal.aborted) await once(signal, 'abort');
        client.socket.destroy();
      }
      while (handler.readyState !== 3) await turns();
      expect(closes.left).toEqual([]);
      work.resolve();
      expect((await closes.next())[0]).toBe(end === 'a reset' ? 1006 : 1000);
    },
  );
});

describe('a loop that leaves messages()', () => {
  /** The two ways of a peer to end, after which nothing comes. */
  const ends: [end: string, go: (client: RawClient) => void, closed: unknown[]][] = [
    ['FIN', (client) => client.socket.end(), [1006, '', false]],
    ['a close frame', (client) => client.send(frame({ opcode: 8, payload: closeBody(1000) })), [1000, '', true]],
  ];

  it.each(['onConnect', 'onRead'] as const)(
    'a loop that ends while it waits, in %s, has onRead called once that hook has settled, and not before',
    async (hook) => {
      const log = new AsyncQueue<string>();
      const work = deferred();
      async function leave(this: WebSocketHandler): Promise<void> {
        const messages = this.messages();
        const next = messages.next();
        await turns(2);
        await messages.return();
        log.push(`left: ${(await next).value}`);
        await work.promise;
        log.push('settled');
      }
      const opened = await open({
        onConnect() {
          return hook === 'onConnect' ? leave.call(this) : undefined;
        },
        onRead(data) {
          log.push(String(data));
          return data === 'leave' ? leave.call(this) : undefined;
        },
      });
      if (hook === 'onRead') {
        opened.client.send(text('leave'));
        expect(await log.next()).toBe('leave');
      }
      expect(await log.next()).toBe('left: undefined');
      await sendAndSettle(opened, text('one'), text('two'));
      await turns(5);
      expect(log.left).toEqual([]);
      work.resolve();
      expect(await log.take(3)).toEqual(['settled', 'one', 'two']);
    },
  );

  it.each(ends)('has what it left given to onRead also when %s comes in the same turn', async (_end, go, closed) => {
    const reads: unknown[] = [];
    const { client, handler, socket, closes } = await open({ onRead: (data) => void reads.push(data) });
    const messages = handler.messages();
    const next = messages.next();
    client.send(text('taken'), text('left'));
    expect((await next).value).toBe('taken');
    // In the phase of a turn after which the sockets are looked at, and only then comes the next `setImmediate`.
    await turns();
    const before = socket.bytesRead;
    void messages.return();
    go(client);
    await turns();
    // So it is here already.
    expect(socket.bytesRead > before || socket.readableEnded).toBe(true);
    expect(await closes.next()).toEqual(closed);
    expect(reads).toEqual(['left']);
  });

  it('a second loop gets all that the first left, when FIN comes between the two', async () => {
    const reads: unknown[] = [];
    const taken = new AsyncQueue<unknown>();
    const { client, handler, socket, closes } = await open({ onRead: (data) => void reads.push(data) });
    const first = handler.messages();
    const next = first.next();
    client.send(text('one'), text('two'), text('three'));
    expect((await next).value).toBe('one');
    await turns();
    void first.return();
    client.socket.end();
    await once(socket, 'end');
    await takeAll(handler, taken);
    expect(taken.left).toEqual(['two', 'three', 'done']);
    expect(reads).toEqual([]);
    expect(await closes.next()).toEqual([1006, '', false]);
  });

  it.each(ends)('a loop that ends in onRead leaves onRead all that came before %s', async (_end, go, closed) => {
    const log: string[] = [];
    const { client, closes } = await open(
      {
        async onRead(line) {
          log.push(`read ${line}`);
          if (line !== 'ask') return;
          for await (const answer of this.messages()) {
            log.push(`answer ${answer}`);
            if (answer === 'c') break;
          }
        },
      },
      { readDelimiter: '\n' },
    );
    client.send(text('hello\nask\na\nb\nc\nd\n'));
    go(client);
    expect(await closes.next()).toEqual(closed);
    expect(log).toEqual(['read hello', 'read ask', 'answer a', 'answer b', 'answer c', 'read d']);
  });

  it.each(ends)('return() leaves onRead all that came before %s', async (_end, go, closed) => {
    const log: unknown[] = [];
    const { client, closes } = await open(
      {
        async onRead(line) {
          log.push(line);
          if (line !== 'ask') return;
          const answers = this.messages();
          log.push(`answer ${(await answers.next()).value}`);
          await answers.return();
        },
      },
      { readDelimiter: /\n/ },
    );
    client.send(text('hi\nask\n42\nbye\n'));
    go(client);
    expect(await closes.next()).toEqual(closed);
    expect(log).toEqual(['hi', 'ask', 'answer 42', 'bye']);
  });
});

describe('messages() of a peer that has sent all it has to say, and FIN, with the handshake', () => {
  it('gives that, by the upgrade door', async () => {
    const log = new AsyncQueue<unknown>();
    const route = websocketRoute({
      onConnect() {
        return takeAll(this, log);
      },
      onClose: (code) => log.push(code),
    });
    const http = createServer();
    http.on('upgrade', upgradeListener(route));
    const client = await RawClient.connect(await serve(http));
    client.sendHandshake();
    client.send(text('first'), text('second'));
    client.socket.end();
    expect(await log.take(4)).toEqual(['first', 'second', 'done', 1006]);
  });
});
