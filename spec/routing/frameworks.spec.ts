/** The route in the frameworks it is made for: Express 5 and 4, Connect, and Node's own servers. */
import { createServer, Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import connect from 'connect';
import express from 'express';
import { acceptWebSocket, toInteger, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { text } from '../support/frames.js';
import { RawClient, type RawResponse } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

/** The package has no types of its own; for what is used here those of Express 5 hold. */
const express4 = require('express4') as typeof express;

/** Says what it was given. */
class Greeter extends WebSocketHandler {
  override onConnect(params: unknown): void {
    this.write(`${JSON.stringify(params)} secure:${this.isSecure}`);
  }

  override onRead(data: string): void {
    this.write(data.toUpperCase());
  }
}

/** What the handler at this path was given for params, as JSON, and whether the connection is secure. */
async function greeting(server: Running, path: string): Promise<string> {
  const client = await RawClient.open(server, path);
  const said = await client.nextText();
  client.send(text('ada'));
  expect(await client.nextText()).toBe('ADA');
  await client.close();
  return said;
}

async function refusal(server: Running, path: string): Promise<RawResponse> {
  const client = await RawClient.connect(server);
  const response = await client.handshake(path);
  expect(response.status).not.toBe(101);
  return response;
}

const ADA = '{"name":"Ada"} secure:false';

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('websocketRoute in %s', (_name, make) => {
  it('serves its path', async () => {
    const server = await serve(make().use(websocketRoute('/ws/:name', Greeter)));
    expect(await greeting(server, '/ws/Ada')).toBe(ADA);
    expect(await greeting(server, '/ws/Ada?name=Bob')).toBe(ADA);
  });

  it('leaves every other path to the app, which answers 404 or with a page', async () => {
    const app = make();
    app.use(websocketRoute('/ws/:name', Greeter));
    app.get('/page', (_req, res) => void res.send('a page'));
    const server = await serve(app);
    const missing = await refusal(server, '/other');
    expect(missing.status).toBe(404);
    expect(missing.body).toContain('Cannot GET /other');
    expect(await refusal(server, '/page')).toMatchObject({ status: 200, body: 'a page' });
    expect((await refusal(server, '/ws/Ada/deeper')).status).toBe(404);
  });

  it('matches what is left of the path below a mount point', async () => {
    const server = await serve(make().use('/prefix', websocketRoute('/ws/:name', Greeter)));
    expect(await greeting(server, '/prefix/ws/Ada')).toBe(ADA);
    expect((await refusal(server, '/ws/Ada')).status).toBe(404);
  });

  it('works in a router, in nested routers and in a sub-app', async () => {
    const inner = make.Router().use(websocketRoute('/ws/:name', Greeter));
    const outer = make.Router().use('/inner', inner);
    const subApp = make().use(websocketRoute('/ws/:name', Greeter));
    const server = await serve(make().use('/one', inner).use('/two', outer).use('/sub', subApp));
    for (const path of ['/one/ws/Ada', '/two/inner/ws/Ada', '/sub/ws/Ada']) {
      expect(await greeting(server, path)).toBe(ADA);
    }
    expect((await refusal(server, '/two/ws/Ada')).status).toBe(404);
  });

  it('takes the params of the router when it has no path of its own', async () => {
    const router = make.Router({ mergeParams: true });
    router.get('/ws/:name', websocketRoute(Greeter));
    const server = await serve(make().use('/rooms/:room', router));
    expect(await greeting(server, '/rooms/7/ws/Ada')).toBe('{"room":"7","name":"Ada"} secure:false');
  });

  it('serves all methods of app.all, app.get and app.route with a path there', async () => {
    const app = make();
    app.all('/all/:name', websocketRoute(Greeter));
    app.get('/get/:name', websocketRoute(Greeter));
    app.route('/route/:name').get(websocketRoute(Greeter));
    const server = await serve(app);
    for (const path of ['/all/Ada', '/get/Ada', '/route/Ada']) expect(await greeting(server, path)).toBe(ADA);
  });

  it('does not disturb res.json, sendFile and errors of the rest of the app', async () => {
    const app = make();
    app.use(websocketRoute('/ws/:name', Greeter));
    app.get('/json', (_req, res) => void res.json({ fine: true }));
    app.get('/error', () => {
      throw Object.assign(new Error('teapot'), { status: 418 });
    });
    app.use((error: Error & { status: number }, _req: express.Request, res: express.Response, _next: () => void) => {
      res.status(error.status).send(error.message);
    });
    const server = await serve(app);
    expect(await refusal(server, '/json')).toMatchObject({ status: 200, body: '{"fine":true}' });
    expect(await refusal(server, '/error')).toMatchObject({ status: 418, body: 'teapot' });
  });

  it('hands a converter that throws to the error handler of the app', async () => {
    const app = make();
    app.use(websocketRoute('/ws/:id', Greeter, { convert: { id: BigInt } }));
    app.use((error: Error, _req: express.Request, res: express.Response, _next: () => void) => {
      res.status(500).send(error.name);
    });
    const server = await serve(app);
    expect(await refusal(server, '/ws/x')).toMatchObject({ status: 500, body: 'SyntaxError' });
  });

  it('accepts by hand, with arguments of its own', async () => {
    class Room extends WebSocketHandler {
      override onConnect(room: string, seats: number): void {
        this.write(`${room}:${seats}`);
      }
    }
    const app = make();
    app.get('/rooms/:room', (req, res) => acceptWebSocket(req, res, Room, {}, String(req.params['room']), 4));
    const server = await serve(app);
    const client = await RawClient.open(server, '/rooms/kitchen');
    expect(await client.nextText()).toBe('kitchen:4');
  });

  it('patches nothing of Express or of Node', async () => {
    const name = make === express ? 'express' : 'express4';
    const fresh: typeof express = await isolated(() => require(name));
    const watched = [fresh, fresh.application, fresh.request, fresh.response, fresh.Router, HttpServer.prototype];
    const before = watched.map(snapshot);
    const app = fresh();
    const appBefore = snapshot(app);
    app.use(websocketRoute('/ws/:name', Greeter));
    const appAfter = snapshot(app);
    const server = await serve(app);
    expect(await greeting(server, '/ws/Ada')).toBe(ADA);
    expect(watched.map(snapshot)).toEqual(before);
    // Express 4 makes its router when it is first used; nothing else may be new, and listen is still Express's.
    expect(Object.keys(appAfter).filter((key) => !(key in appBefore) && key !== '_router')).toEqual([]);
    expect(app.listen).toBe(fresh.application.listen);
  });
});

function isolated<T>(load: () => T): Promise<T> {
  return new Promise((resolve) => jest.isolateModules(() => resolve(load())));
}

/** Every own property, by identity. */
function snapshot(object: object): Record<string, unknown> {
  const descriptors = Object.entries(Object.getOwnPropertyDescriptors(object));
  return Object.fromEntries(descriptors.map(([key, { value, get, set }]) => [key, value ?? get ?? set]));
}

describe('websocketRoute in Connect', () => {
  it('serves its path, below a mount point too, and passes the others on', async () => {
    const app = connect();
    app.use(websocketRoute('/ws/:name', Greeter));
    app.use('/prefix', websocketRoute('/ws/:name', Greeter));
    app.use('/bare', websocketRoute(Greeter));
    const server = await serve(app);
    expect(await greeting(server, '/ws/Ada')).toBe(ADA);
    expect(await greeting(server, '/prefix/ws/Ada')).toBe(ADA);
    expect(await greeting(server, '/bare/whatever')).toBe('{} secure:false');
    expect((await refusal(server, '/other')).status).toBe(404);
  });

  it('can be accepted by hand', async () => {
    const app = connect();
    app.use((request: IncomingMessage, response: ServerResponse) =>
      acceptWebSocket(request, response, Greeter, undefined, { by: 'hand' }),
    );
    const server = await serve(app);
    expect(await greeting(server, '/')).toBe('{"by":"hand"} secure:false');
  });
});

describe('websocketRoute as the only listener of a server', () => {
  it('serves every path when it has none', async () => {
    const server = await serve(websocketRoute(Greeter));
    expect(await greeting(server, '/')).toBe('{} secure:false');
    expect(await greeting(server, '/any/%ff/where?x=1')).toBe('{} secure:false');
  });

  it('answers 404 for another path when it has one', async () => {
    const server = await serve(createServer(websocketRoute('/ws/:name', Greeter)));
    expect(await greeting(server, '/ws/Ada')).toBe(ADA);
    const response = await refusal(server, '/other');
    expect(response.status).toBe(404);
    expect(response.body).toContain('No WebSocket is served at this path.');
  });

  it('is secure on https', async () => {
    const server = await serve(express().use(websocketRoute('/ws/:name', Greeter)), { tls: true });
    expect(await greeting(server, '/ws/Ada')).toBe('{"name":"Ada"} secure:true');
    const bare = await serve(websocketRoute(Greeter), { tls: true });
    expect(await greeting(bare, '/')).toBe('{} secure:true');
  });

  it('answers 500 when a converter throws, and the process lives', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation();
    const server = await serve(websocketRoute('/ws/:id', Greeter, { convert: { id: BigInt } }));
    expect((await refusal(server, '/ws/x')).status).toBe(500);
    expect(log.mock.calls).toEqual([[expect.stringContaining('Greeter at /ws/:id'), expect.any(SyntaxError)]]);
    log.mockRestore();
  });

  it('is one of many: each app and server of a process has its own', async () => {
    const servers = await Promise.all(
      ['a', 'b', 'c', 'd'].map((key) =>
        serve(express().use(websocketRoute(`/${key}/:name`, Greeter), websocketRoute('/common/:who', Greeter))),
      ),
    );
    const said = await Promise.all(
      servers.map(async (server, i) => [
        await greeting(server, `/${'abcd'[i]}/Ada`),
        (await refusal(server, `/${'bcda'[i]}/Ada`)).status,
        await greeting(server, '/common/Bob'),
      ]),
    );
    expect(said).toEqual(servers.map(() => [ADA, 404, '{"who":"Bob"} secure:false']));
  });
});

describe('an object literal as the handler', () => {
  it('serves like a class, one handler a connection', async () => {
    const server = await serve(
      websocketRoute('/ws/:name', {
        count: 0,
        onConnect({ name }) {
          this.write(`Hello, ${name}!`);
        },
        onRead(data: string | Buffer) {
          this.count += 1;
          this.write(`${this.count}:${data}`);
        },
      }),
    );
    for (const name of ['Ada', 'Bob']) {
      const client = await RawClient.open(server, `/ws/${name}`);
      expect(await client.nextText()).toBe(`Hello, ${name}!`);
      client.send(text('x'), text('y'));
      expect([await client.nextText(), await client.nextText()]).toEqual(['1:x', '2:y']);
    }
  });

  it('may say in its members how it reads', async () => {
    const server = await serve(
      websocketRoute({
        readDelimiter: ';',
        bufferSize: 5,
        onRead(data) {
          this.write(`<${data}>`);
        },
        onOverflowError() {
          this.close(4000, 'too long');
        },
      }),
    );
    const client = await RawClient.open(server);
    client.send(text('a;b'), text('c;'));
    expect([await client.nextText(), await client.nextText()]).toEqual(['<a>', '<bc>']);
    client.send(text('123456'));
    await expect(client).toCloseWith(4000, 'too long');
  });

  it('can be accepted by hand, made anew for each request', async () => {
    const app = express();
    app.get('/:room', (req, res) => {
      const { room } = req.params;
      acceptWebSocket(req, res, {
        onConnect() {
          this.write(room);
        },
      });
    });
    const server = await serve(app);
    for (const room of ['kitchen', 'hall']) {
      expect(await (await RawClient.open(server, `/${room}`)).nextText()).toBe(room);
    }
  });
});

describe('the path of a route', () => {
  const paths = [
    '/int/:id',
    '/files/*path',
    '/opt{/:name}',
    '/Case/:x',
    '/plain',
    ['/first/:a', '/second/:b'],
  ] as const;
  let server: Running;
  beforeEach(async () => {
    const app = express();
    app.use(websocketRoute(paths[0], Greeter, { convert: { id: toInteger } }));
    for (const path of paths.slice(1)) app.use(websocketRoute(path, Greeter));
    app.use('/exact', websocketRoute('/Ws', Greeter, { caseSensitive: true, strict: true }));
    server = await serve(app);
  });

  it.each([
    ['/int/7', '{"id":7}'],
    ['/int/-12', '{"id":-12}'],
    ['/files/a/b%2Fc/d', '{"path":["a","b/c","d"]}'],
    ['/opt', '{}'],
    ['/opt/Ada', '{"name":"Ada"}'],
    ['/case/1', '{"x":"1"}'],
    ['/CASE/1', '{"x":"1"}'],
    ['/plain/', '{}'],
    ['/PLAIN', '{}'],
    ['/first/1', '{"a":"1"}'],
    ['/second/2', '{"b":"2"}'],
    ['/exact/Ws', '{}'],
    ['/case/%E2%82%AC', '{"x":"€"}'],
    ['/case/__proto__', '{"x":"__proto__"}'],
  ])('matches %s with the params %s', async (path, params) => {
    expect(await greeting(server, path)).toBe(`${params} secure:false`);
  });

  it.each([
    '/int/seven',
    '/int/7.5',
    '/int/',
    '/int/99999999999999999999',
    '/files',
    '/plain/more',
    '/plain//',
    '/exact/ws',
    '/exact/Ws/',
    '/third/3',
    '//plain',
    '//127.0.0.1/plain',
  ])('does not match %s, which is the next middleware’s', async (path) => {
    expect((await refusal(server, path)).status).toBe(404);
  });

  it.each(['/case/%', '/case/%zz', '/case/%ff', '/files/a/%C0%80', '/int/%E0%A4%A'])(
    'answers 400 to %s, which is not percent-encoded UTF-8',
    async (path) => {
      const response = await refusal(server, path);
      expect(response.status).toBe(400);
      expect(response.body).toContain('percent-encoded');
    },
  );

  it('is that of an absolute-form target, too', async () => {
    expect(await greeting(server, 'http://evil.example/case/1?x=2')).toBe('{"x":"1"} secure:false');
    expect((await refusal(server, 'http://evil.example/')).status).toBe(404);
  });

  it('is checked when the route is made', () => {
    expect(() => websocketRoute('/ws/:', Greeter)).toThrow(TypeError);
    expect(() => websocketRoute([], Greeter)).toThrow(TypeError);
    // @ts-expect-error: no path-to-regexp pattern
    expect(() => websocketRoute(/ws/, Greeter)).toThrow(TypeError);
    // @ts-expect-error: the path has no such param
    expect(() => websocketRoute('/ws/:id', Greeter, { convert: { other: toInteger } })).toThrow(/other/);
  });
});
