/** docs/interoperability.md: its configurations in the real proxies, in front of a server of ours. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import express, { type Express, type Request } from 'express';
import { Agent, request } from 'undici';
import { type ClientOptions, WebSocket } from 'ws';
import { WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { type Client, connect, refused } from '../docs/client.js';
import { certificate } from '../support/certificate.js';
import { text } from '../support/frames.js';
import { serve } from '../support/server.js';
import { PROGRAMS } from './programs.js';
import { type Program, type RunningProxy, startProxy, stopProxies } from './proxy.js';

const clients = new Set<WebSocket>();
let closes: AsyncQueue<number>;
beforeEach(() => {
  closes = new AsyncQueue();
});
afterEach(async () => {
  // First: Apache takes ten seconds to stop while a client is there.
  for (const client of clients) client.terminate();
  clients.clear();
  await stopProxies();
});

class Echo extends WebSocketHandler {
  override onConnect(_params: object, request: Request): void {
    this.write(`You are ${request.ip}, and this is ${this.isSecure ? '' : 'not '}secure.`);
  }

  override onRead(data: string | Buffer): void {
    if (data === 'bye') this.close(4001, 'as you said');
    else if (data === 'be gone') this.terminate();
    else this.write(data);
  }

  override onClose(code: number): void {
    closes.push(code);
  }
}

const MEBIBYTE = 1024 * 1024;

function appFor({ isTrusted = true }: Program): Express {
  const app = express();
  // The clients of these specs have other addresses of this machine.
  if (isTrusted) app.set('trust proxy', '127.0.0.1');
  const options = { subprotocols: ['chat'], compress: true, bufferSize: 2 * MEBIBYTE };
  app.use(websocketRoute('/ws/echo', Echo, { ...options, pingInterval: 250 }));
  app.use(websocketRoute('/ws/silent', Echo, { ...options, pingInterval: 0 }));
  app.use(websocketRoute('/ws/full', { onHandshake: () => ({ status: 429, body: 'Come back tomorrow.' }) }));
  app.get('/page', (_request, response) => void response.send('a page'));
  return app;
}

async function start(program: Program, impatient?: Program['impatient']): Promise<RunningProxy> {
  const { port } = await serve(appFor(program));
  return startProxy(program, port, impatient);
}

async function options(more: ClientOptions = {}): Promise<ClientOptions> {
  const { cert: ca } = await certificate();
  return { ca, localAddress: '127.0.0.2', ...more };
}

/** Connects, and takes the greeting. */
async function greeted(url: string, more: ClientOptions = {}): Promise<Client & { greeting: unknown }> {
  const client = await connect(url, await options(more));
  clients.add(client.socket);
  return { ...client, greeting: await client.messages.next() };
}

async function closeOf({ socket }: Client): Promise<[code: number, reason: string]> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return [code, String(reason)];
}

describe.each(Object.entries(PROGRAMS))('%s, as the page sets it up', (_name, program) => {
  it('carries messages of any size, compressed ones too, and close codes with their reasons', async () => {
    const { url } = await start(program);
    const client = await greeted(`${url}/ws/echo`, { perMessageDeflate: { threshold: 0 } });
    const { socket, messages } = client;
    expect(socket.extensions).toContain('permessage-deflate');
    const sent = [Buffer.alloc(0), 'grüße', randomBytes(MEBIBYTE), Buffer.alloc(MEBIBYTE)];
    for (const one of sent) socket.send(one);
    for (const one of sent) {
      const received = await messages.next();
      expect(typeof one === 'string' ? one === received : one.equals(received as Buffer)).toBe(true);
    }
    socket.send('bye');
    expect(await closeOf(client)).toEqual([4001, 'as you said']);
    expect(await closes.next()).toBe(4001);

    const other = await greeted(`${url}/ws/echo`);
    other.socket.close(4002, 'enough');
    expect(await closeOf(other)).toEqual([4002, 'enough']);
    expect(await closes.next()).toBe(4002);
  });

  it('tells either side when the other has gone', async () => {
    const { url } = await start(program);
    (await greeted(`${url}/ws/silent`)).socket.terminate();
    expect(await closes.next()).toBe(1006);
    const client = await greeted(`${url}/ws/silent`);
    client.socket.send('be gone');
    expect((await closeOf(client))[0]).toBe(1006);
  });

  it('hands on the subprotocol, refusals with their body, and pages', async () => {
    const { url, httpUrl } = await start(program);
    const chatting = new WebSocket(`${url}/ws/echo`, ['other', 'chat'], await options());
    clients.add(chatting);
    await once(chatting, 'open');
    expect(chatting.protocol).toBe('chat');
    expect(await refused(`${url}/ws/full`, await options())).toEqual({ status: 429, body: 'Come back tomorrow.' });
    await expect(refused(`${url}/ws/none`, await options())).toBeRefusedWith(404);
    const { cert: ca } = await certificate();
    const page = await request(`${httpUrl}/page`, { dispatcher: new Agent({ connect: { ca } }) });
    expect(await page.body.text()).toBe('a page');
  });

  it('lets pages of the same host in, and no others, whatever they claim', async () => {
    const { url, httpUrl } = await start(program);
    await greeted(`${url}/ws/echo`, { origin: httpUrl });
    const headers = { 'X-Forwarded-Host': 'evil.example', Forwarded: 'host=evil.example' };
    const evil = await options({ origin: 'https://evil.example', headers });
    const { status, body } = await refused(`${url}/ws/echo`, evil);
    expect([status, body]).toEqual([403, expect.stringContaining(`on "${new URL(httpUrl).host}"`)]);
  });

  it('says who the client is, and whether it speaks TLS, if the app may believe it', async () => {
    const { url } = await start(program);
    const claims = {
      'X-Forwarded-For': '203.0.113.9',
      'X-Forwarded-Proto': program.tls ? 'http' : 'https',
      'X-Forwarded-Host': 'evil.example',
    };
    const { isTrusted = true, tls } = program;
    const truth = isTrusted
      ? `You are 127.0.0.2, and this is ${tls ? '' : 'not '}secure.`
      : 'You are 127.0.0.1, and this is not secure.';
    for (const headers of [{}, claims]) {
      expect((await greeted(`${url}/ws/echo`, { headers })).greeting).toBe(truth);
    }
  });

  it('leaves a silent connection alone as long as the heartbeat is quicker than its timeout', async () => {
    const { url } = await start(program, program.impatient);
    const { socket } = await greeted(`${url}/ws/echo`);
    // Twelve of them take longer than the timeout.
    for (let pings = 0; pings < 12; pings++) await once(socket, 'ping');
    expect(socket.readyState).toBe(socket.OPEN);
    expect(closes.left).toEqual([]);
  });
});

const impatient = Object.entries(PROGRAMS).filter(([, program]) => program.impatient !== undefined);
it.each(impatient)('%s ends a silent connection without a heartbeat after its timeout', async (_name, program) => {
  const { url } = await start(program, program.impatient);
  expect((await closeOf(await greeted(`${url}/ws/silent`)))[0]).toBe(1006);
  expect(await closes.next()).toBe(1006);
});

it('HAProxy takes WebSockets over HTTP/2 (RFC 8441), and hands them on over HTTP/1.1', async () => {
  const program = PROGRAMS['HAProxy'] as Program;
  const { httpUrl } = await start(program);
  const { cert: ca } = await certificate();
  const session = connectHttp2(httpUrl, { ca });
  await once(session, 'remoteSettings');
  expect(session.remoteSettings.enableConnectProtocol).toBe(true);
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/ws/echo',
    'sec-websocket-version': '13',
    origin: httpUrl,
  });
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  expect(headers[':status']).toBe(200);
  stream.write(text('over HTTP/2'));
  let received = '';
  for await (const chunk of stream) {
    received += String(chunk);
    if (received.includes('over HTTP/2')) break;
  }
  session.close();
});
