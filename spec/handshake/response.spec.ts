/** The 101 is the end of an ordinary response, whatever middleware does to that before or after. */
import { type IncomingMessage, type RequestListener, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import express, { type RequestHandler } from 'express';
import { type WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { DOORS, serveAt } from '../support/doors.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function echoBehind(middleware: RequestHandler): RequestListener {
  return express().use(
    middleware,
    websocketRoute('/ws', {
      onRead(this: WebSocketHandler, data: string | Buffer) {
        this.write(data);
      },
    }),
  );
}

async function expectEcho(client: RawClient): Promise<void> {
  client.send(text('still here'));
  expect(await client.nextText()).toBe('still here');
}

describe.each(DOORS)('at $name', (door) => {
  // What is not caught ends the process, and this test with it.
  it.each<[what: string, late: (response: ServerResponse) => unknown]>([
    ['end()', (response) => response.end('x')],
    ['write()', (response) => response.write('x')],
    ['pipe()', (response) => Readable.from(['a', 'b']).pipe(response)],
    ['destroy()', (response) => response.destroy()],
  ])('the connection survives a late %s of a middleware', async (_what, late) => {
    const responses: ServerResponse[] = [];
    const app = echoBehind((_req, res, next) => {
      responses.push(res);
      next();
    });
    const client = await RawClient.open(await serveAt(door, app), '/ws');
    await expectEcho(client);
    late(responses[0]!);
    await turn();
    await turn();
    await expectEcho(client);
  });

  it.each<[what: string, cork: (response: ServerResponse) => void]>([
    ['res.cork()', (response) => response.cork()],
    ['socket.cork()', (response) => response.socket?.cork()],
  ])('the 101 leaves after %s of a middleware', async (_what, cork) => {
    const app = echoBehind((_req, res, next) => {
      cork(res);
      next();
    });
    await expectEcho(await RawClient.open(await serveAt(door, app), '/ws'));
  });

  it('the 101 leaves through the methods of the prototype, which an APM tool may have replaced', async () => {
    const calls: string[] = [];
    const { end, writeHead } = ServerResponse.prototype;
    const replace = (name: 'end' | 'writeHead', original: unknown): void => {
      Reflect.set(ServerResponse.prototype, name, function replaced(this: ServerResponse, ...args: unknown[]) {
        calls.push(`${name} ${this.statusCode === 101 ? 101 : String(args[0])}`);
        return Reflect.apply(original as typeof end, this, args);
      });
    };
    replace('end', end);
    replace('writeHead', writeHead);
    try {
      await RawClient.open(
        await serveAt(
          door,
          echoBehind((_req, _res, next) => next()),
        ),
        '/ws',
      );
    } finally {
      Object.assign(ServerResponse.prototype, { end, writeHead });
    }
    expect(calls).toEqual(['writeHead 101', 'end 101']);
  });

  it('a middleware that listens to the socket hears what comes after the 101', async () => {
    const heard: Buffer[] = [];
    const app = echoBehind((req, _res, next) => {
      req.socket.on('data', (chunk: Buffer) => heard.push(Buffer.from(chunk)));
      next();
    });
    const client = await RawClient.open(await serveAt(door, app), '/ws');
    const message = text('hear, hear');
    client.send(message);
    expect(await client.nextText()).toBe('hear, hear');
    expect(Buffer.concat(heard)).toEqual(message);
  });

  it('a listener added to the socket once the connection is open hears what comes then', async () => {
    const heard: Buffer[] = [];
    const route = websocketRoute('/ws', {
      onConnect(this: WebSocketHandler, _params: object, { socket }: IncomingMessage) {
        socket.once('data', (chunk: Buffer) => heard.push(chunk));
        socket.on('data', (chunk: Buffer) => heard.push(chunk));
      },
      onRead(this: WebSocketHandler, data: string | Buffer) {
        this.write(data);
      },
    });
    const client = await RawClient.open(await serveAt(door, express().use(route)), '/ws');
    const messages = [text('hear, hear'), text('and again')];
    for (const message of messages) {
      client.send(message);
      await client.nextText();
    }
    expect(heard).toEqual([messages[0], messages[0], messages[1]]);
  });

  it('the request may be wrapped in a proxy', async () => {
    // Without Express, which gives the proxy to the response as well: Node 26 takes offence at that, whatever the response.
    const route = websocketRoute('/ws', {
      onRead(this: WebSocketHandler, data: string | Buffer) {
        this.write(data);
      },
    });
    const running = await serveAt(door, (request, response) => route(new Proxy(request, {}), response));
    const client = await RawClient.connect(running);
    client.sendHandshake('/ws');
    if (door.upgrade) client.send(text('at once'));
    await expect(client.response()).toBeAccepted();
    if (door.upgrade) expect(await client.nextText()).toBe('at once');
    await expectEcho(client);
  });
});
