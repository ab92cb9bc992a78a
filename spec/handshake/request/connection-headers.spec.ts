/** What a response says of its connection fits the version of HTTP it goes out by. */
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import connect from 'connect';
import { acceptWebSocket, drain, type Middleware, upgradeListener, websocketRoute } from '../../../lib/index.js';
import { AsyncQueue } from '../../../lib/testing/async-queue.js';
import { certificate } from '../../support/certificate.js';
import { text } from '../../support/frames.js';
import { RawClient } from '../../support/raw-client.js';
import { serve } from '../../support/server.js';

const echo = {
  onRead(this: { write(data: string | Buffer): void }, data: string | Buffer) {
    this.write(data);
  },
};
const route = websocketRoute('/ws{/:name}', echo);

const open: (() => unknown)[] = [];
let logged: jest.SpyInstance;
let warned: jest.SpyInstance;
beforeEach(() => {
  logged = jest.spyOn(console, 'error').mockImplementation(() => {});
  warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
});
afterEach(async () => {
  jest.restoreAllMocks();
  for (const close of open.splice(0).reverse()) await close();
});

async function listen(server: Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

interface Answer {
  headers: IncomingHttpHeaders;
  body: string;
}

/** Listener of an HTTP/2 server; Node has the same interface for both versions, and other types. */
function asHttp2(listener: (...args: Parameters<Middleware>) => void): Http2Server {
  return Reflect.apply(createServer, undefined, [listener]);
}

function connectTo(url: string): ClientHttp2Session {
  const session = connectHttp2(url, { rejectUnauthorized: false });
  open.push(() => session.destroy());
  return session;
}

async function ask(session: ClientHttp2Session, path: string, method = 'GET'): Promise<Answer> {
  const request = session.request({ ':path': path, ':method': method });
  const [headers]: [IncomingHttpHeaders] = (await once(request, 'response')) as [IncomingHttpHeaders];
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  return { headers, body };
}

const REFUSALS: [status: number, path: string, method: string][] = [
  [426, '/ws', 'GET'],
  [426, '/ws/Ada', 'GET'],
  [405, '/ws', 'POST'],
  [400, '/ws/%zz', 'GET'],
  [404, '/other', 'GET'],
];
const NOT_IN_HTTP2 = ['connection', 'upgrade', 'keep-alive', 'proxy-connection', 'transfer-encoding'];

describe('a request over HTTP/2', () => {
  it.each<[name: string, listener: Middleware]>([
    ['a route', route],
    ['Connect', (request, response) => connect().use(route)(request, response)],
    [
      'a middleware that sets what HTTP/2 does not have',
      (request, response) => {
        response.setHeader('Upgrade', 'h3');
        response.setHeader('Keep-Alive', 'timeout=5');
        response.setHeader('Transfer-Encoding', 'chunked');
        route(request, response, () => response.writeHead(404).end());
      },
    ],
  ])('is refused by %s as HTTP/2 has it, and nothing is logged', async (name, listener) => {
    const session = connectTo(`http://127.0.0.1:${await listen(asHttp2(listener))}`);
    for (const [status, path, method] of REFUSALS) {
      if (path === '/other' && name !== 'a route') continue;
      const { headers, body } = await ask(session, path, method);
      expect(headers[':status']).toBe(status);
      expect(body).toContain(String(status));
      expect(Object.keys(headers).filter((header) => NOT_IN_HTTP2.includes(header))).toEqual([]);
    }
    expect(logged).not.toHaveBeenCalled();
    expect(warned).not.toHaveBeenCalled();
  });

  it('is refused by hand, and told by which version to come', async () => {
    const server = asHttp2((request, response) => acceptWebSocket(request, response, echo));
    const answer = await ask(connectTo(`http://127.0.0.1:${await listen(server)}`), '/');
    expect(answer).toMatchObject({
      headers: { ':status': 426, 'sec-websocket-version': '13' },
      body: expect.stringContaining('HTTP/1.1'),
    });
    expect(logged).not.toHaveBeenCalled();
  });

  it('is refused when the client has gone meanwhile, without a word', async () => {
    const waiting = new AsyncQueue<() => void>();
    const server = asHttp2((request, response) => waiting.push(() => route(request, response)));
    const session = connectTo(`http://127.0.0.1:${await listen(server)}`);
    const request = session.request({ ':path': '/ws' });
    request.on('error', () => {});
    const answer = await waiting.next();
    const gone = new Promise((resolve) => server.once('session', resolve));
    request.destroy();
    session.destroy();
    connectTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await gone;
    answer();
    await new Promise((resolve) => setImmediate(resolve));
    expect(logged).not.toHaveBeenCalled();
  });
});

describe.each([
  ['request', false],
  ['upgrade', true],
])('a server of both versions, at the %s door', (_door, byUpgrade) => {
  it('serves WebSockets by HTTP/1.1, and refuses by the version it was asked by', async () => {
    const server = Reflect.apply(createSecureServer, undefined, [
      { ...(await certificate()), allowHTTP1: true },
      route,
    ]) as Parameters<typeof drain>[0];
    if (byUpgrade) server.on('upgrade', upgradeListener(route));
    const running = await serve(server, { tls: true });
    const client = await RawClient.open({ ...running, url: 'wss:' }, '/ws');
    client.send(text('over TLS'));
    expect(await client.nextText()).toBe('over TLS');

    const session = connectTo(`https://127.0.0.1:${running.port}`);
    expect((await ask(session, '/ws')).headers).toMatchObject({ ':status': 426 });

    const draining = drain(server, { jitter: 0 });
    await expect(client).toCloseWith(1001);
    expect((await ask(session, '/ws')).headers[':status']).toBe(426);
    const late = await RawClient.connect({ ...running, url: 'wss:' });
    expect(await late.handshake('/ws')).toMatchObject({ status: 503, headers: { connection: 'close' } });
    await client.close();
    expect(await draining).toEqual({ closed: 1, terminated: 0 });
    expect(logged).not.toHaveBeenCalled();
  });
});

describe('a refusal by HTTP/1', () => {
  it.each([
    ['HTTP/1.1', 'GET /ws HTTP/1.1\r\nHost: a\r\n\r\n', 'Upgrade'],
    ['HTTP/1.1 that closes', 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 'Upgrade, close'],
    ['HTTP/1.0', 'GET /ws HTTP/1.0\r\n\r\n', 'Upgrade, close'],
    ['HTTP/1.0 that keeps', 'GET /ws HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', 'Upgrade'],
  ])('a refusal of %s leaves the connection as the request asked', async (_what, head, connection) => {
    const client = await RawClient.connect(await serve(route));
    client.send(head);
    expect(await client.response()).toMatchObject({ status: 426, headers: { upgrade: 'websocket', connection } });
    if (connection.endsWith('close')) await client.ended;
    else {
      client.send(head);
      await expect(client.response()).toBeRefusedWith(426);
    }
  });

  it('a refusal at the upgrade door says that the connection ends', async () => {
    const { server, ...running } = await serve(route);
    server.on('upgrade', upgradeListener(route));
    const client = await RawClient.connect({ server, ...running });
    const response = await client.handshake('/ws', { 'Sec-WebSocket-Version': '7' });
    expect(response).toMatchObject({ status: 426, headers: { upgrade: 'websocket', connection: 'Upgrade, close' } });
    await client.ended;
  });
});
