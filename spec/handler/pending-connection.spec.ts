/** What a handler may do in `onHandshake`, before it has a connection, and what becomes of it. */
import { createHook } from 'node:async_hooks';
import { EntireMessage, InvalidStateError, ReadyState, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';

it('what onHandshake sets for reading holds for the connection', async () => {
  const route = websocketRoute({
    async onHandshake() {
      this.readDelimiter = 3;
      this.bufferSize = 10;
      this.regexSearch = false;
      await Promise.resolve();
      expect([this.readDelimiter, this.bufferSize, this.regexSearch]).toEqual([3, 10, false]);
      return true;
    },
    onRead(data) {
      this.write(`${data} ${this.readDelimiter} ${this.bufferSize} ${this.regexSearch}`);
    },
  });
  const client = await RawClient.open(await serve(route));
  client.send(text('abcdef'));
  expect(await client.nextText()).toBe('abc 3 10 false');
});

it('what onHandshake sets wrongly throws there, and changes nothing', async () => {
  const route = websocketRoute({
    onHandshake() {
      for (const wrong of [{ readDelimiter: '' }, { bufferSize: 0 }, { regexSearch: 1 }]) {
        expect(() => Object.assign(this, wrong)).toThrow(TypeError);
      }
      expect([this.readDelimiter, this.bufferSize, this.regexSearch]).toEqual([EntireMessage, 65536, true]);
      return true;
    },
  });
  await RawClient.open(await serve(route));
});

it('what the handshake has found out is known in onHandshake', async () => {
  const route = websocketRoute(
    {
      onHandshake(_request, headers) {
        const { readyState, version, isSecure, subprotocol, extensions, bufferedAmount, dropped } = this;
        expect({ readyState, version, isSecure, subprotocol, bufferedAmount, dropped }).toEqual({
          readyState: ReadyState.CONNECTING,
          version: 13,
          isSecure: false,
          subprotocol: 'one',
          bufferedAmount: 0,
          dropped: 0,
        });
        expect(extensions).toContain('permessage-deflate');
        headers['Sec-WebSocket-Protocol'] = 'two';
        return true;
      },
      onConnect() {
        this.write(this.subprotocol);
      },
    },
    { subprotocols: ['one'], compress: true },
  );
  const offers = { 'Sec-WebSocket-Protocol': 'one, two', 'Sec-WebSocket-Extensions': 'permessage-deflate' };
  const client = await RawClient.open(await serve(route), '/', offers);
  expect(await client.nextText()).toBe('two');
});

it('what waits for the connection is refused in onHandshake, in the way in which it fails later', async () => {
  const route = websocketRoute({
    async onHandshake() {
      expect(() => this.flush()).toThrow(InvalidStateError);
      expect(() => this.messages()).toThrow(InvalidStateError);
      expect(() => this.toDuplex()).toThrow(InvalidStateError);
      expect(() => this.close(1000, '', { flush: false })).toThrow('terminate() before the handshake is done');
      await expect(this.drained()).rejects.toThrow(
        'drained() before the handshake is done: call it in onConnect or later',
      );
      await expect(this.writeFile('/etc/hosts')).rejects.toThrow(InvalidStateError);
      return true;
    },
  });
  await RawClient.open(await serve(route));
});

it('a signal that onHandshake was given is aborted when the connection has gone', async () => {
  const aborted = new AsyncQueue<unknown>();
  const route = websocketRoute({
    onHandshake() {
      const { signal } = this;
      expect(this.signal).toBe(signal);
      signal.addEventListener('abort', () => aborted.push(signal.reason));
      return true;
    },
  });
  const client = await RawClient.open(await serve(route));
  client.socket.destroy();
  expect(await aborted.next()).toBeInstanceOf(InvalidStateError);
});

it('a refusal costs no connection', async () => {
  let made = 0;
  // Each connection that keeps the context of its request has a resource of this name.
  const hook = createHook({
    init(_id, type) {
      if (type === 'WebSocketConnection') made++;
    },
  }).enable();
  try {
    const answers = [false, true];
    const route = websocketRoute({ onHandshake: () => answers.shift()! }, { asyncContext: 'handshake' });
    const server = await serve(route);
    expect((await (await RawClient.connect(server)).handshake()).status).toBe(403);
    expect(made).toBe(0);
    await RawClient.open(server);
    expect(made).toBe(1);
  } finally {
    hook.disable();
  }
});
