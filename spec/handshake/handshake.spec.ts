/** The order of the handshake, and what a handler knows of its connection at each step. `middleware.spec.ts` has its answers. */
import type { IncomingMessage } from 'node:http';
import { acceptWebSocket, type ResponseHeaders, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { connect } from '../../lib/testing/index.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';

describe('the handshake', () => {
  it('asks for the origin, the subprotocol and the hook, in this order, and then opens', async () => {
    const steps: string[] = [];
    class Stepping extends WebSocketHandler {
      override onHandshake(): boolean {
        steps.push('onHandshake');
        return true;
      }

      override onConnect(): void {
        steps.push('onConnect');
        this.write(steps.join());
      }
    }
    const route = websocketRoute(Stepping, {
      origins: async () => {
        steps.push('origins');
        return true;
      },
      subprotocols: ([first]) => {
        steps.push('subprotocols');
        return first;
      },
    });
    const headers = { Origin: 'http://a.example', 'Sec-WebSocket-Protocol': 'chat' };
    const client = await RawClient.open(await serve(route), '/', headers);
    expect(await client.nextText()).toBe('origins,subprotocols,onHandshake,onConnect');
  });

  it('makes no handler for a request that is refused before its hook', async () => {
    let made = 0;
    class Counted extends WebSocketHandler {
      constructor() {
        super();
        made += 1;
      }
    }
    const server = await serve(websocketRoute(Counted));
    for (const headers of [{ Origin: 'http://evil.example' }, { 'Sec-WebSocket-Key': '' }, { Upgrade: 'h2c' }]) {
      const response = await (await RawClient.connect(server)).handshake('/', headers);
      expect(response.status).toBeGreaterThanOrEqual(400);
    }
    expect(made).toBe(0);
  });

  it('is refused where a field hides what the library has by that name, which only an instance shows', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation();
    class Chat extends WebSocketHandler {
      constructor() {
        super();
        // In JavaScript, and by mistake: `messages = [];`
        Object.defineProperty(this, 'messages', { value: [] });
      }
    }
    expect(await connect(websocketRoute(Chat))).toMatchObject({ status: 500 });
    const complaint = expect.objectContaining({ message: expect.stringContaining("handler member is 'messages'") });
    expect(log.mock.calls).toEqual([['websocket-route: handshake of Chat:', complaint]]);
    log.mockRestore();
  });

  it('tells the hook all that is known already', async () => {
    const known = new AsyncQueue<object>();
    class Knowing extends WebSocketHandler {
      override onHandshake(request: IncomingMessage, headers: ResponseHeaders): boolean {
        const { isSecure, version, subprotocol, localAddress, remoteAddress, readDelimiter, bufferSize } = this;
        known.push({ isSecure, version, subprotocol, localAddress, remoteAddress, readDelimiter, bufferSize });
        known.push({ url: request.url, headers });
        return true;
      }
    }
    const options = { subprotocols: ['chat'], readDelimiter: '\n', bufferSize: 77 };
    const server = await serve(websocketRoute(Knowing, options));
    await RawClient.open(server, '/x?y', { 'Sec-WebSocket-Protocol': 'chat', 'Sec-WebSocket-Version': '8' });
    expect(await known.next()).toEqual({
      isSecure: false,
      version: 8,
      subprotocol: 'chat',
      localAddress: '127.0.0.1',
      remoteAddress: '127.0.0.1',
      readDelimiter: '\n',
      bufferSize: 77,
    });
    expect(await known.next()).toEqual({ url: '/x?y', headers: {} });
  });

  it('lets the hook set what the connection reads with', async () => {
    const server = await serve(
      websocketRoute({
        onHandshake() {
          this.readDelimiter = ';';
          return true;
        },
        onRead(data: string | Buffer) {
          this.write(`<${data}>`);
        },
      }),
    );
    const client = await RawClient.open(server);
    client.send(text('a;b;c'));
    expect([await client.nextText(), await client.nextText()]).toEqual(['<a>', '<b>']);
  });

  it('gives each connection a handler of its own, the same in every hook', async () => {
    const handlers = new AsyncQueue<unknown>();
    class Same extends WebSocketHandler {
      override onHandshake(): boolean {
        handlers.push(this);
        return true;
      }

      override onConnect(): void {
        handlers.push(this);
      }

      override onClose(): void {
        handlers.push(this);
      }
    }
    const server = await serve(websocketRoute(Same));
    const seen = [];
    for (let i = 0; i < 2; i++) {
      const client = await RawClient.open(server);
      await client.close();
      const [first, ...others] = await handlers.take(3);
      expect(others).toEqual([first, first]);
      expect(others.every((other) => other === first)).toBe(true);
      seen.push(first);
    }
    expect(seen[0]).not.toBe(seen[1]);
  });

  it.each(['GET', 'get'])('is a GET in capitals; by method %s', async (method) => {
    const client = await RawClient.connect(await serve(websocketRoute(WebSocketHandlerOf())));
    client.sendHandshake('/', {}, method);
    const [, status] = /^HTTP\/1\.1 (\d+)/.exec((await client.bytes(12)).toString()) ?? [];
    // Node's own parser refuses what is no method at all.
    expect(status).toBe(method === 'GET' ? '101' : '400');
  });

  it('opens one connection, whoever else accepts the same request', async () => {
    const server = await serve((request, response) => {
      for (const name of ['first', 'second']) {
        acceptWebSocket(request, response, {
          onConnect() {
            this.write(name);
          },
          onRead(data: string | Buffer) {
            this.write(`${name} ${data}`);
          },
        });
      }
    });
    const client = await RawClient.open(server);
    client.send(text('hello'));
    expect([await client.nextText(), await client.nextText()]).toEqual(['first', 'first hello']);
    await client.close();
  });

  it('survives more headers than the server reads, whichever are lost', async () => {
    const server = await serve(websocketRoute(WebSocketHandlerOf()));
    server.server.maxHeadersCount = 20;
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`X-${i}`, '']));
    const before = await RawClient.connect(server);
    // Node 20 drops the rest; later versions answer 431 themselves.
    expect([101, 431]).toContain((await before.handshake('/', many)).status);
    const behind = await RawClient.connect(server);
    behind.send('GET / HTTP/1.1\r\nHost: a\r\n', ...Object.keys(many).map((name) => `${name}: x\r\n`));
    behind.send(`Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n`);
    expect([426, 431]).toContain((await behind.response()).status);
    await RawClient.open(server);
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'takes %s for no more than a name, in headers, subprotocols, extensions and queries',
    async (name) => {
      const client = await RawClient.connect(
        await serve(websocketRoute(WebSocketHandlerOf(), { subprotocols: ['chat'] })),
      );
      const { status, headers } = await client.handshake(`/?${name}=${name}`, {
        [name]: name,
        'Sec-WebSocket-Protocol': `${name}, chat`,
        'Sec-WebSocket-Extensions': `${name}; ${name}=${name}`,
      });
      expect([status, headers['sec-websocket-protocol'], headers['sec-websocket-extensions']]).toEqual([
        101,
        'chat',
        undefined,
      ]);
    },
  );
});

/** A class that overrides nothing. */
function WebSocketHandlerOf(): typeof WebSocketHandler {
  return class extends WebSocketHandler {};
}
