import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import nodeTimers from 'node:timers';
import { WebSocketServer } from 'ws';
import { type ConnectionOptions, type Refusal, type WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { type ConnectOptions, clientFrame, connect, type TestClient } from '../../lib/testing/index.js';
import { turns } from '../connection/open.js';

interface Hooks {
  onHandshake?(): boolean | Refusal;
  onConnect?(this: WebSocketHandler): void;
  onRead?(this: WebSocketHandler, data: string | Buffer): void;
  onPong?(answer: number | Buffer): void;
  onClose?(...args: unknown[]): void;
}

function open(hooks: Hooks, options: ConnectionOptions = {}, how: ConnectOptions = {}): Promise<TestClient> {
  return connect(websocketRoute(hooks, options), '/', how);
}

/** A 101 by hand. */
function acceptance({ headers }: IncomingMessage): Buffer {
  const accept = createHash('sha1')
    .update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  const lines = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`];
  return Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`);
}

const echo = {
  onRead(this: WebSocketHandler, data: string | Buffer): void {
    this.write(data);
  },
};

describe('a TestClient', () => {
  it('sends strings as text, views as bytes, and nothing else', async () => {
    const client = await open(echo);
    client.send('grüße');
    client.send(new Uint16Array([0x4142]));
    client.send(new Uint8Array([1, 2]).buffer);
    expect(await client.next()).toBe('grüße');
    expect(await client.next()).toEqual(Buffer.from('BA'));
    expect(await client.next()).toEqual(Buffer.from([1, 2]));
    expect(() => client.send(7 as never)).toThrow('data is 7: it must be a string, a Buffer or another view');
  });

  it('sends any bytes in raw mode, and shows every frame', async () => {
    const client = await open(echo);
    client.sendRaw(clientFrame({ opcode: 1, payload: 'hel', fin: false }));
    client.sendRaw(clientFrame({ opcode: 9, payload: 'between' }));
    client.sendRaw(clientFrame({ opcode: 0, payload: 'lo' }));
    expect(await client.nextFrame()).toMatchObject({ opcode: 10, payload: Buffer.from('between') });
    expect(await client.nextFrame()).toMatchObject({ opcode: 1, fin: true, rsv: 0, masked: false });
    expect(await client.next()).toBe('hello');
    client.sendRaw(clientFrame({ opcode: 3 }));
    expect((await client.nextFrame()).opcode).toBe(8);
    expect(await client.closed).toMatchObject({ code: 1002 });
  });

  it('does not change the bytes that it is given', async () => {
    const client = await open(echo);
    const bytes = clientFrame({ opcode: 2, payload: 'twice', mask: Buffer.from([1, 2, 3, 4]) });
    client.sendRaw(bytes);
    client.sendRaw(bytes);
    expect(await client.next()).toEqual(Buffer.from('twice'));
    expect(await client.next()).toEqual(Buffer.from('twice'));
  });

  it('puts messages together that another server has fragmented', async () => {
    const server = createServer();
    new WebSocketServer({ server }).on('connection', (socket) => {
      socket.send('he', { fin: false });
      socket.send('llo', { fin: true });
      socket.send(Buffer.from([1]), { fin: false });
      socket.send(Buffer.from([2]), { fin: true });
    });
    const client = await connect(server);
    expect(await client.next()).toBe('hello');
    expect(await client.next()).toEqual(Buffer.from([1, 2]));
    expect(await client.nextFrame()).toMatchObject({ opcode: 1, fin: false });
    expect(await client.nextFrame()).toMatchObject({ opcode: 0, fin: true });
    client.terminate();
  });

  it('answers pings and the close frame by itself, unless it is told not to', async () => {
    const answers: (number | Buffer)[] = [];
    const hooks = {
      onConnect(this: WebSocketHandler): void {
        this.ping('a');
      },
      onRead(this: WebSocketHandler): void {
        this.close(4000);
      },
      onPong(answer: number | Buffer): void {
        answers.push(answer);
      },
    };
    const polite = await open(hooks);
    await polite.clock.advance(0);
    expect(answers).toEqual([Buffer.from('a')]);
    const rude = await open(hooks, {}, { answerPings: false, answerClose: false });
    expect((await rude.nextFrame()).opcode).toBe(9);
    await rude.clock.advance(0);
    expect(answers).toHaveLength(1);
    rude.send('close, please');
    expect(await rude.nextFrame()).toMatchObject({ opcode: 8 });
    await rude.clock.advance(5_000);
    expect(await rude.closed).toEqual({ code: 4000, reason: '', wasClean: false });
    polite.send('close, please');
    expect(await polite.closed).toEqual({ code: 4000, reason: '', wasClean: true });
  });

  it('lets heartbeats and timeouts pass as its clock is advanced', async () => {
    const closes: unknown[] = [];
    const onClose = (...args: unknown[]): void => void closes.push(args);
    const lost = await open({ onClose }, {}, { answerPings: false });
    await lost.clock.advance(24_999);
    await lost.clock.advance(20_001);
    expect(await lost.closed).toMatchObject({ code: 1006 });
    expect(closes).toEqual([[1006, 'no answer to a ping within 20000 ms', false]]);
    const kept = await open({}, {});
    await kept.clock.advance(3_600_000);
    kept.close();
    expect(await kept.closed).toMatchObject({ wasClean: true });
    const idle = await open({}, { idleTimeout: 1000 });
    await idle.clock.advance(999);
    idle.send('here');
    await idle.clock.advance(999);
    await idle.clock.advance(1);
    expect(await idle.closed).toMatchObject({ code: 1001, reason: 'idle for 1000 ms' });
  });

  it('makes round trips take as long as the test wants', async () => {
    const answers: (number | Buffer)[] = [];
    const client = await open(
      {
        onConnect(this: WebSocketHandler): void {
          this.ping();
        },
        onPong: (answer) => void answers.push(answer),
      },
      {},
      { answerPings: false },
    );
    const { payload } = await client.nextFrame();
    await client.clock.advance(40);
    client.sendRaw(clientFrame({ opcode: 10, payload }));
    await client.clock.advance(0);
    expect(answers).toEqual([40]);
  });

  it('is refused: everything but the answer says so', async () => {
    const client = await open({ onHandshake: () => false });
    expect(client.status).toBe(403);
    expect(client.subprotocol).toBe('');
    expect(() => client.send('x')).toThrow('the handshake was refused with 403: 403 Forbidden');
    await expect(client.next()).rejects.toThrow('refused with 403');
    await expect(client.nextFrame()).rejects.toThrow('refused with 403');
    expect(await client.closed).toEqual({ code: 1006, reason: '', wasClean: false });
    for (const end of [client.close, client.terminate, client.pause, client.resume]) end.call(client);
    const mute = await open({ onHandshake: () => ({ status: 401, body: '' }) });
    await expect(mute.next()).rejects.toThrow(/^the handshake was refused with 401$/);
  });

  it('tells who waits for a message that the connection is gone, after what had come', async () => {
    const client = await open({
      onConnect(this: WebSocketHandler): void {
        this.write('first');
        this.close(4001, 'done');
      },
    });
    await client.closed;
    expect(await client.next()).toBe('first');
    await expect(client.next()).rejects.toThrow('the connection closed with 4001, "done"');
    expect(() => client.send('x')).toThrow('the connection is closed');
    client.close();
  });

  describe('that waits in vain', () => {
    /** The line of this file that is first on the stack of what `wait` is rejected with. */
    async function failure(wait: () => Promise<unknown>): Promise<{ message: string; line: string; first: string }> {
      const error = await wait().then(
        () => new Error('it is fulfilled'),
        (reason: Error) => reason,
      );
      const [first = '', ...frames] = String(error.stack).split('\n');
      const [, number] =
        /test-client\.spec\.ts:(\d+):/.exec(frames.find((line) => line.includes(__filename)) ?? '') ?? [];
      const source = readFileSync(__filename, 'utf8').split('\n');
      return { message: error.message, line: source[Number(number) - 1]?.trim() ?? '', first };
    }

    it('fails at the line that waits, after the time that is given to it', async () => {
      const client = await open(echo);
      const { message, line, first } = await failure(async () => {
        return await client.next({ timeout: 5 }); // here
      });
      expect(message).toBe(
        "no message came within 5 ms; the connection is open. The server's timers wait for clock.advance(ms)",
      );
      expect(line).toBe('return await client.next({ timeout: 5 }); // here');
      expect(first).toBe(`Error: ${message}`);
      const frame = await failure(() => client.nextFrame({ timeout: 5 }) /* a frame */);
      expect(frame).toMatchObject({
        message: expect.stringMatching(/^no frame/),
        line: expect.stringMatching(/a frame/),
      });
      const end = await failure(() => client.whenClosed({ timeout: 5 }) /* the end */);
      expect(end).toMatchObject({ message: expect.stringMatching(/^no end/), line: expect.stringMatching(/the end/) });
      // What comes later is for who asks later.
      client.send('late');
      expect(await client.next()).toBe('late');
    });

    it('fails by the time that connect was given, also in a loop', async () => {
      const client = await open(echo, {}, { timeout: 300 });
      client.send('one');
      const got: unknown[] = [];
      const { message, line } = await failure(async () => {
        for await (const text of client) got.push(text); // the loop
      });
      expect([message, line, got]).toEqual([
        expect.stringMatching(/^no message came within 300 ms/),
        'for await (const text of client) got.push(text); // the loop',
        ['one'],
      ]);
      client.pause();
      await expect(client.next()).rejects.toThrow('within 300 ms; the client is paused: resume() it');
    });

    it('fails where the handshake is not answered', async () => {
      const hangs = (): Promise<TestClient> => connect(() => {}, '/never', { timeout: 5 }); // the handshake
      const { message, line } = await failure(hangs);
      expect(message).toBe('no answer to GET /never came within 5 ms');
      expect(line).toContain('// the handshake');
    });

    it('fails at that line also when the connection goes away', async () => {
      const client = await open(echo);
      const waiting = failure(async () => await client.next() /* as it ends */);
      client.close(1000);
      expect(await waiting).toMatchObject({ line: expect.stringMatching(/as it ends/) });
      const gone = await failure(() => connect((request) => request.socket.destroy()) /* no answer */);
      expect(gone.line).toMatch(/no answer/);
    });

    it('gives up after two seconds by default, and never with 0', async () => {
      const client = await open(echo);
      const timers = jest.spyOn(nodeTimers, 'setTimeout');
      try {
        const patient = client.next({ timeout: 0 });
        expect(timers).not.toHaveBeenCalled();
        const usual = client.next();
        expect(timers).toHaveBeenLastCalledWith(expect.any(Function), 2000);
        client.send('a');
        client.send('b');
        expect(await Promise.all([patient, usual])).toEqual(['a', 'b']);
      } finally {
        timers.mockRestore();
      }
    });

    it('ends no process where nobody looks', async () => {
      const unhandled = jest.fn();
      process.on('unhandledRejection', unhandled);
      const client = await open(echo);
      void client.next({ timeout: 1 });
      void client.whenClosed({ timeout: 1 });
      await expect(client.nextFrame({ timeout: 5 })).rejects.toThrow('no frame');
      process.off('unhandledRejection', unhandled);
      expect(unhandled).not.toHaveBeenCalled();
    });

    it.each([
      [5, /^options is 5: it must be an object, such as \{ timeout: 500 \}/],
      [{ timout: 5 }, /^option is 'timout': it is unknown .*; the only option is timeout/],
      [{ timeout: -1 }, /^timeout is -1: .*0 for never/],
    ])('refuses the options %p', async (options, complaint) => {
      const client = await open(echo);
      const wrong = options as { timeout: number };
      for (const wait of [client.next(wrong), client.nextFrame(wrong), client.whenClosed(wrong)]) {
        await expect(wait).rejects.toMatchObject({ name: 'TypeError', message: expect.stringMatching(complaint) });
      }
      await expect(open(echo, {}, { timeout: 1.5 })).rejects.toThrow(/^timeout is 1.5/);
    });
  });

  it('is iterated until the connection is gone', async () => {
    const client = await open({
      onConnect(this: WebSocketHandler): void {
        for (const text of ['a', 'b', '']) this.write(text);
        this.close();
      },
    });
    const got: (string | Buffer)[] = [];
    for await (const message of client) got.push(message);
    expect(got).toEqual(['a', 'b', '']);
    for await (const message of client) got.push(message);
    expect(got).toHaveLength(3);
  });

  it('closes with a code and reason that may be sent', async () => {
    const client = await open(echo);
    expect(() => client.close(1005)).toThrow('close code is 1005');
    expect(() => client.close(1000, 'x'.repeat(124))).toThrow('at most 123 bytes');
    expect(() => client.close('bye' as never)).toThrow("the reason comes second: close(1000, 'bye')");
    client.close(1001, 'leaving');
    client.close();
    expect(await client.closed).toEqual({ code: 1001, reason: 'leaving', wasClean: true });
  });

  it('says goodbye once', async () => {
    const server = createServer();
    let got = Buffer.alloc(0);
    server.on('upgrade', (request, socket) => {
      socket.on('error', () => {});
      socket.write(acceptance(request));
      socket.on('data', (chunk) => {
        got = Buffer.concat([got, chunk]);
      });
    });
    const client = await connect(server);
    client.close(1000);
    client.close(1001);
    await client.clock.advance(0);
    expect(got).toHaveLength(8);
    client.terminate();
  });

  it('gets what came in one piece with the 101', async () => {
    const server = createServer();
    server.on('upgrade', (request, socket) => {
      socket.on('error', () => {});
      socket.write(Buffer.concat([acceptance(request), clientFrame({ opcode: 1, payload: 'early', mask: false })]));
    });
    const client = await connect(server);
    expect(await client.next()).toBe('early');
    client.terminate();
  });

  it('pings, and gets the answer as a frame', async () => {
    const client = await open(echo);
    client.ping('now');
    expect(await client.nextFrame()).toMatchObject({ opcode: 10, payload: Buffer.from('now') });
  });

  it('holds the server back while it is paused', async () => {
    let handler: WebSocketHandler | undefined;
    const client = await open({
      onConnect(this: WebSocketHandler): void {
        handler = this;
      },
    });
    client.pause();
    await turns();
    for (let i = 0; i < 64; i++) handler?.write(Buffer.alloc(10_000, i));
    expect(handler?.write('last')).toBe(false);
    await client.clock.advance(0);
    expect(handler?.bufferedAmount).toBeGreaterThan(100_000);
    const drained = handler?.drained();
    client.resume();
    await drained;
    for (let i = 0; i < 64; i++) expect((await client.next())[0]).toBe(i);
    expect(await client.next()).toBe('last');
  });
});
