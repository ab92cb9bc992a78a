/** Clients that others wrote, against a server of ours. */
import type { IncomingMessage } from 'node:http';
import { WebSocket as Undici } from 'undici';
import { WebSocket as Ws } from 'ws';
import { WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { type Running, serve } from '../support/server.js';

type Close = [code: number, reason: string, wasClean: boolean];

/** An echo that tells how each of its connections ended. */
function echo(closes = new AsyncQueue<Close>()): ReturnType<typeof websocketRoute> {
  class Echo extends WebSocketHandler {
    override onConnect(_params: object, request: IncomingMessage): void {
      const greeting = request.headers['x-greeting'];
      if (typeof greeting === 'string') this.write(greeting);
    }

    override onPong(answer: number | Buffer): void {
      this.write(typeof answer === 'number' ? 'pong' : `pong ${answer}`);
    }

    override onRead(data: string | Buffer): void {
      if (data === 'ping me') {
        this.ping('payload');
        this.ping();
      } else if (data === 'bye') this.close(4321, 'so long');
      else this.write(data);
    }

    override onClose(...close: Close): void {
      closes.push(close);
    }
  }
  return websocketRoute('/echo', Echo, { bufferSize: 16 * 1024 * 1024, subprotocols: ['chat.v2', 'chat.v1'] });
}

/** One client, whatever its library: what it receives, and how it ends. */
interface Client {
  opened: Promise<void>;
  messages: AsyncQueue<string | Buffer>;
  closed: Promise<{ code: number; reason: string; wasClean: boolean }>;
  send(data: string | Buffer): void;
  close(code?: number, reason?: string): void;
  protocol(): string;
}

function connect(Socket: typeof Ws | typeof Undici, server: Running, protocols: string[] = []): Client {
  // Both follow the WHATWG's interface, and only that is used.
  const socket = new Socket(`${server.url}/echo`, protocols) as Undici;
  socket.binaryType = 'arraybuffer';
  const messages = new AsyncQueue<string | Buffer>();
  socket.addEventListener('message', ({ data }: { data: unknown }) =>
    messages.push(typeof data === 'string' ? data : Buffer.from(data as ArrayBuffer)),
  );
  return {
    messages,
    opened: new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve());
      socket.addEventListener('error', () => reject(new Error('refused')));
    }),
    closed: new Promise((resolve) => {
      socket.addEventListener('close', ({ code, reason, wasClean }) => resolve({ code, reason, wasClean }));
    }),
    send: (data) => socket.send(data),
    close: (code, reason) => socket.close(code, reason),
    protocol: () => socket.protocol,
  };
}

describe.each([
  ['ws', Ws],
  ['undici', Undici],
])('the client of %s', (_name, Socket) => {
  let client: Client;
  let closes: AsyncQueue<Close>;

  beforeEach(async () => {
    closes = new AsyncQueue();
    client = connect(Socket, await serve(echo(closes)), ['chat.v1', 'chat.v2']);
    await client.opened;
  });

  it('agrees on the subprotocol that the server likes best', () => {
    expect(client.protocol()).toBe('chat.v2');
  });

  it('gets back text, bytes and empty messages, each as what it was', async () => {
    const all = ['Grüße, 世界 🎈', '', Buffer.from([0, 255, 1]), Buffer.alloc(0), 'x'.repeat(126), 'y'.repeat(65536)];
    for (const data of all) client.send(data);
    expect(await client.messages.take(all.length)).toEqual(all);
    client.close();
    await client.closed;
  });

  it.each([
    ['1 MiB', 1 << 20],
    ['16 MiB', 16 << 20],
  ])('gets back %s whole', async (_size, length) => {
    const data = Buffer.alloc(length, 'websocket-route ');
    client.send(data);
    const back = await client.messages.next();
    // Comparing with toEqual would take longer than the network.
    expect(Buffer.isBuffer(back) && data.equals(back)).toBe(true);
    client.close();
    await client.closed;
  });

  it('gets back a thousand messages in order', async () => {
    const all = Array.from({ length: 1000 }, (_, i) => `message ${i}`);
    for (const data of all) client.send(data);
    expect(await client.messages.take(all.length)).toEqual(all);
    client.close();
    await client.closed;
  });

  it('answers pings, and the server hears of it', async () => {
    client.send('ping me');
    expect(await client.messages.take(2)).toEqual(['pong payload', 'pong']);
    client.close();
    await client.closed;
  });

  it('sends headers of its own, which the handler sees', async () => {
    const headers = { 'X-Greeting': 'Hello, header!' };
    const { url } = await serve(echo());
    const messages = new AsyncQueue<unknown>();
    // The options are not the WHATWG's, and each has its own.
    const socket = Socket === Ws ? new Ws(`${url}/echo`, { headers }) : new Undici(`${url}/echo`, { headers });
    (socket as Undici).addEventListener('message', ({ data }: { data: unknown }) => messages.push(data));
    expect(await messages.next()).toBe('Hello, header!');
    socket.close();
    client.close();
  });

  it('closes with a code and a reason, which both ends learn', async () => {
    client.close(4001, 'enough');
    expect(await client.closed).toEqual({ code: 4001, reason: 'enough', wasClean: true });
    expect(await closes.next()).toEqual([4001, 'enough', true]);
  });

  it('closes without a code', async () => {
    client.close();
    expect((await client.closed).wasClean).toBe(true);
    expect(await closes.next()).toEqual([1005, '', true]);
  });

  it('is closed by the server with a code and a reason', async () => {
    client.send('bye');
    expect(await client.closed).toEqual({ code: 4321, reason: 'so long', wasClean: true });
    // Whether the reason comes back with the code is up to the peer.
    expect(await closes.next()).toEqual([4321, expect.any(String), true]);
  });
});

describe.each([
  ['ws', Ws],
  ['undici', Undici],
])('the client of %s, refused', (_name, Socket) => {
  it('hears of an error and no message, and never opens', async () => {
    const server = await serve(websocketRoute('/echo', { onHandshake: () => false }));
    const client = connect(Socket, server);
    await expect(client.opened).rejects.toThrow('refused');
    expect(await client.closed).toMatchObject({ code: 1006, wasClean: false });
  });
});

describe('the client of ws', () => {
  it('sends a message in fragments with pings between them', async () => {
    const server = await serve(echo());
    const socket = new Ws(`${server.url}/echo`);
    await new Promise((resolve) => socket.once('open', resolve));
    const pongs = new AsyncQueue<string>();
    socket.on('pong', (data) => pongs.push(data.toString()));
    socket.send('one ', { fin: false });
    socket.ping('first');
    socket.send('two ', { fin: false });
    socket.ping('second');
    const back = new Promise<string>((resolve) => socket.once('message', (data) => resolve(data.toString())));
    socket.send('three', { fin: true });
    expect(await back).toBe('one two three');
    expect(await pongs.take(2)).toEqual(['first', 'second']);
    socket.close();
    await new Promise((resolve) => socket.once('close', resolve));
  });
});
