import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
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
    await expect(client.next()).rejects.toThrow('the connection is gone, with 4001, "done"');
    expect(() => client.send('x')).toThrow('the connection is gone');
    client.close();
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
