/** docs/behind-nginx.md: its configuration in a real nginx, in front of servers with its app. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { get } from 'node:https';
import type { Express } from 'express';
import type { ClientOptions } from 'ws';
import { resolveOptions } from '../../lib/handler/options/options.js';
import { drain, type RouteOptions, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { deferred, turns } from '../connection/open.js';
import { readPage, recipe } from '../docs/blocks.js';
import { type Client, connect, refused } from '../docs/client.js';
import { certificate } from '../support/certificate.js';
import { KEY } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';
import { type Changes, type Nginx, PAGE, startNginx } from './nginx.js';

const app = (): Express => recipe(PAGE, 'class Live');

class Echo extends WebSocketHandler {
  override onRead(data: string | Buffer): void {
    this.write(data);
  }
}

/** The page's app with one more route, `/ws/more`. */
function appWith(handler: new () => WebSocketHandler, options: RouteOptions = {}): Express {
  return app().use(websocketRoute('/ws/more', handler, options));
}

/** A server, and nginx in front of it. */
async function behind(app: Express, changes: Changes = []): Promise<{ nginx: Nginx; server: Running }> {
  const server = await serve(app);
  return { nginx: await startNginx([server.port], changes), server };
}

/** Trusts the certificate of nginx, and is another client for each address: all of 127.0.0.0/8 is this machine. */
async function from(address = '127.0.0.1', options: ClientOptions = {}): Promise<ClientOptions> {
  const { cert: ca } = await certificate();
  return { ca, localAddress: address, ...options };
}

const HANDSHAKE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': KEY,
};

/** An ordinary request, or with `HANDSHAKE` one that is refused. */
async function fetchFrom(
  url: string,
  headers = {},
): Promise<{ status: number | undefined; headers: IncomingHttpHeaders; body: string }> {
  const { cert: ca } = await certificate();
  const [response] = (await once(get(url, { ca, headers, agent: false }), 'response')) as [IncomingMessage];
  response.setEncoding('utf8');
  return { status: response.statusCode, headers: response.headers, body: (await response.toArray()).join('') };
}

/** Connects until `count` connections are open. */
async function connectAll(count: number, url: string, options: ClientOptions): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) clients.push(await connect(url, options));
  return clients;
}

async function closeOf({ socket }: Client): Promise<[code: number, reason: string]> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return [code, String(reason)];
}

describe('the client', () => {
  it('speaks TLS with nginx, and is known by its own address', async () => {
    const { nginx } = await behind(app());
    const { messages } = await connect(`${nginx.url}/ws/live`, await from('127.0.0.2'));
    expect(await messages.next()).toBe('You are 127.0.0.2, and this is secure.');
  });

  it('cannot claim to be somebody else', async () => {
    const { nginx } = await behind(app());
    const headers = {
      'X-Forwarded-For': '203.0.113.9',
      'X-Forwarded-Proto': 'http',
      'X-Forwarded-Host': 'evil.example',
    };
    const { messages } = await connect(`${nginx.url}/ws/live`, await from('127.0.0.2', { headers }));
    expect(await messages.next()).toBe('You are 127.0.0.2, and this is secure.');
    const page = await from('127.0.0.2', { headers, origin: 'https://evil.example' });
    await expect(refused(`${nginx.url}/ws/live`, page)).toBeRefusedWith(403);
  });

  it('a page of the same host may connect, and one of another host, or without TLS, may not', async () => {
    const { nginx } = await behind(app());
    await connect(`${nginx.url}/ws/live`, await from('127.0.0.1', { origin: nginx.httpUrl }));
    for (const origin of ['https://evil.example', nginx.httpUrl.replace('https', 'http'), 'https://127.0.0.1']) {
      const { status, body } = await refused(`${nginx.url}/ws/live`, await from('127.0.0.1', { origin }));
      expect([status, body]).toEqual([403, expect.stringContaining(origin)]);
    }
  });

  it('gets pages from the same app', async () => {
    const withPage = app();
    withPage.get('/', (request, response) => {
      response.send(`${request.protocol}://${request.host} ${request.get('connection')}`);
    });
    const { nginx } = await behind(withPage);
    expect(await fetchFrom(`${nginx.httpUrl}/`)).toMatchObject({ status: 200, body: `${nginx.httpUrl} close` });
    expect((await fetchFrom(`${nginx.httpUrl}/ws/live`)).status).toBe(426);
  });
});

describe('each line of the configuration is needed', () => {
  const withoutLine = (line: string): Changes => [[`${line}\n`, '\n']];

  it.each([
    ['Upgrade', 'proxy_set_header Upgrade           $http_upgrade;', 426, 'sends Upgrade: websocket'],
    [
      'Connection',
      'proxy_set_header Connection        $connection_upgrade;',
      400,
      'The request has an Upgrade header but no Connection: Upgrade. A proxy in front may drop it; nginx needs ' +
        'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";',
    ],
    ['proxy_http_version', 'proxy_http_version 1.1;', 400, 'needs HTTP/1.1 (nginx: proxy_http_version 1.1;)'],
  ])(
    'a configuration without %s gets an answer that says what is missing',
    async (_name, line, status, explanation) => {
      // Newer versions of nginx speak HTTP/1.1 by themselves.
      const changes: Changes = line.includes('1.1') ? [[line, 'proxy_http_version 1.0;']] : withoutLine(line);
      const { nginx } = await behind(app(), changes);
      const answer = await refused(`${nginx.url}/ws/live`, await from());
      expect(answer).toEqual({ status, body: expect.stringContaining(explanation) });
    },
  );

  it('a location with a header of its own undoes those of the server', async () => {
    const own: Changes = [['proxy_connect_timeout 2s;', 'proxy_connect_timeout 2s; proxy_set_header X-Mine 1;']];
    const { nginx } = await behind(app(), own);
    await expect(refused(`${nginx.url}/ws/live`, await from())).toBeRefusedWith(426);
  });

  it('a configuration without Host and X-Forwarded-Host refuses a page of the same host, and the answer names both', async () => {
    const { nginx } = await behind(app(), [
      ...withoutLine('proxy_set_header Host              $http_host;'),
      ...withoutLine('proxy_set_header X-Forwarded-Host  $http_host;'),
    ]);
    const answer = await refused(`${nginx.url}/ws/live`, await from('127.0.0.1', { origin: nginx.httpUrl }));
    const { origin } = new URL(nginx.httpUrl);
    expect(answer).toEqual({
      status: 403,
      body: expect.stringContaining(`The origin "${origin}" may not open a WebSocket on "app".`),
    });
  });

  it('the variable $host instead of $http_host loses the port, and so the same origin', async () => {
    const { nginx } = await behind(app(), [
      ['Host              $http_host', 'Host              $host'],
      ['X-Forwarded-Host  $http_host', 'X-Forwarded-Host  $host'],
    ]);
    const answer = await refused(`${nginx.url}/ws/live`, await from('127.0.0.1', { origin: nginx.httpUrl }));
    expect(answer.body).toContain('may not open a WebSocket on "127.0.0.1".');
  });

  it.each([
    ['X-Forwarded-For', 'proxy_set_header X-Forwarded-For   $remote_addr;', 'You are 127.0.0.1, and this is secure.'],
    ['X-Forwarded-Proto', 'proxy_set_header X-Forwarded-Proto $scheme;', 'You are 127.0.0.2, and this is not secure.'],
  ])('a configuration without %s hides the client or its TLS from the app', async (_name, line, greeting) => {
    const { nginx } = await behind(app(), withoutLine(line));
    const { messages } = await connect(`${nginx.url}/ws/live`, await from('127.0.0.2'));
    expect(await messages.next()).toBe(greeting);
  });

  it('an app without trust proxy knows neither the client nor its TLS', async () => {
    const { nginx } = await behind(app().set('trust proxy', false));
    const { messages } = await connect(`${nginx.url}/ws/live`, await from('127.0.0.2'));
    expect(await messages.next()).toBe('You are 127.0.0.1, and this is not secure.');
  });
});

describe('limits', () => {
  const ONE = { status: 429, body: expect.stringContaining('This client has reached its maximum') };

  it('the limits of the app count clients, and not the proxy', async () => {
    const { nginx } = await behind(app());
    const url = `${nginx.url}/ws/live`;
    await connectAll(10, url, await from('127.0.0.2'));
    expect(await refused(url, await from('127.0.0.2'))).toEqual(ONE);
    await connect(url, await from('127.0.0.3'));
  });

  it('the limits of the app count the proxy where it is not trusted', async () => {
    const { nginx } = await behind(app().set('trust proxy', false));
    const url = `${nginx.url}/ws/live`;
    for (let i = 0; i < 10; i++) await connect(url, await from(`127.0.0.${i + 2}`));
    expect(await refused(url, await from('127.0.0.99'))).toEqual(ONE);
  });

  it('a full route sends its clients to the next process', async () => {
    const servers = [
      await serve(appWith(Echo, { maxConnections: 2 })),
      await serve(appWith(Echo, { maxConnections: 2 })),
    ];
    const nginx = await startNginx(servers.map(({ port }) => port));
    await connectAll(4, `${nginx.url}/ws/more`, await from());
    const answer = await refused(`${nginx.url}/ws/more`, await from());
    expect(answer).toEqual({ status: 503, body: expect.stringContaining('This route has reached its maximum') });
  });

  it('the limits of nginx count over all processes', async () => {
    const servers = [await serve(app()), await serve(app())];
    const nginx = await startNginx(servers.map(({ port }) => port));
    const url = `${nginx.url}/ws/live`;
    const clients = await connectAll(15, url, await from('127.0.0.2'));
    // Each process alone would take more: its own limit is 10.
    for (const { sockets } of servers) expect(sockets.size).toBeLessThan(10);
    const { status, body } = await refused(url, await from('127.0.0.2'));
    expect([status, body]).toEqual([429, expect.stringContaining('nginx')]);
    await connect(url, await from('127.0.0.3'));

    clients[0]?.socket.terminate();
    const options = await from('127.0.0.2');
    // As soon as nginx has noticed, there is a place again.
    const again = async (): Promise<Client> => connect(url, options).catch(again);
    await again();
  });
});

describe('silence', () => {
  class Silent extends WebSocketHandler {
    override onConnect(): void {
      this.write('hello');
    }

    override onClose(code: number): void {
      closes.push(code);
    }
  }
  let closes: AsyncQueue<number>;
  beforeEach(() => {
    closes = new AsyncQueue();
  });
  const IMPATIENT: Changes = [['proxy_read_timeout    60s;', 'proxy_read_timeout 1s;']];

  it('ends a connection after proxy_read_timeout', async () => {
    const { nginx } = await behind(appWith(Silent, { pingInterval: 0 }), IMPATIENT);
    const client = await connect(`${nginx.url}/ws/more`, await from());
    expect(await closeOf(client)).toEqual([1006, '']);
    expect(await closes.next()).toBe(1006);
  });

  it('does not with a heartbeat that is quicker', async () => {
    const { nginx } = await behind(appWith(Silent, { pingInterval: 250 }), IMPATIENT);
    const { socket } = await connect(`${nginx.url}/ws/more`, await from());
    // Ten of them take longer than the timeout.
    for (let pings = 0; pings < 10; pings++) await once(socket, 'ping');
    expect(socket.readyState).toBe(socket.OPEN);
    expect(closes.left).toEqual([]);
  });

  it('does not either while a handler takes longer than the timeout, and its answer arrives', async () => {
    const work = deferred();
    class Slow extends Silent {
      override async onRead(question: string): Promise<void> {
        await work.promise;
        this.write(`${question}? 42`);
      }
    }
    const { nginx } = await behind(appWith(Slow, { pingInterval: 250 }), IMPATIENT);
    const { socket, messages } = await connect(`${nginx.url}/ws/more`, await from());
    expect(await messages.next()).toBe('hello');
    socket.send('6 times 7');
    for (let pings = 0; pings < 10; pings++) await once(socket, 'ping');
    expect(messages.left).toEqual([]);
    work.resolve();
    expect(await messages.next()).toBe('6 times 7? 42');
    expect(closes.left).toEqual([]);
  });

  it('does not by default: the heartbeat is quicker than the timeout of the page, which is that of nginx', () => {
    const [, seconds] = /proxy_read_timeout +(\d+)s;/.exec(readPage(PAGE)) ?? [];
    expect(Number(seconds)).toBe(60);
    expect(resolveOptions({}).pingInterval).toBeLessThan(60_000);
  });
});

describe('data', () => {
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  it('a message of 20 MiB arrives byte for byte, both ways', async () => {
    const { nginx } = await behind(appWith(Echo, { bufferSize: 32 * 1024 * 1024 }));
    const { socket, messages } = await connect(`${nginx.url}/ws/more`, await from());
    const sent = randomBytes(20 * 1024 * 1024);
    socket.send(sent);
    const received = await messages.next();
    expect(sha256(received as Buffer)).toBe(sha256(sent));
  });

  it('data in 20,000 messages arrives byte for byte and in order, both ways', async () => {
    const { nginx } = await behind(appWith(Echo));
    const { socket, messages } = await connect(`${nginx.url}/ws/more`, await from());
    const sent = Array.from({ length: 20_000 }, (_, i) => (i % 2 === 0 ? `${i} grüße` : randomBytes(i % 400)));
    for (const one of sent) socket.send(one);
    const wrong = [];
    for (const one of sent) {
      const received = await messages.next();
      if (typeof one === 'string' ? one !== received : !one.equals(received as Buffer)) wrong.push([one, received]);
    }
    expect(wrong).toEqual([]);
  });

  it('waits for a client that is slow, all the way back to the handler', async () => {
    const TOTAL = 4000;
    const bodyOf = (i: number): string => `${i} ${'.'.repeat(20_000)}`;
    let written = 0;
    let buffered = (): number => 0;
    class Feed extends WebSocketHandler {
      override async onConnect(): Promise<void> {
        buffered = () => this.bufferedAmount;
        for (; written < TOTAL; written++) if (!this.write(bodyOf(written))) await this.drained();
      }
    }
    const { nginx } = await behind(appWith(Feed));
    const { socket, messages } = await connect(`${nginx.url}/ws/more`, await from());
    socket.pause();
    for (let before = -1; before < written || before === 0; await turns(200)) before = written;
    // What is missing of 80 MB is not in memory, here or in nginx: it has not been made yet.
    expect(written).toBeLessThan(TOTAL);
    expect(buffered()).toBeLessThan(100_000);
    socket.resume();
    for (let i = 0; i < TOTAL; i++) if ((await messages.next()) !== bodyOf(i)) throw new Error(`message ${i} is wrong`);
  });
});

describe('a server that goes away', () => {
  class Named extends WebSocketHandler {
    override onConnect(_params: object, request: IncomingMessage): void {
      this.write(String(request.socket.localPort));
    }
  }

  /** Two servers behind nginx; each tells a client its port. */
  async function two(
    changes: Changes = [],
    how = {},
  ): Promise<{ first: Running; second: Running; nginx: Nginx; url: string }> {
    const page = (): Express => appWith(Named).get('/', (_request, response) => void response.send('a page'));
    const [first, second] = [await serve(page()), await serve(page())];
    const nginx = await startNginx([first.port, second.port], changes, how);
    return { first, second, nginx, url: `${nginx.url}/ws/more` };
  }

  it('is passed over while it drains, and its clients land on the other one', async () => {
    const { first, second, url } = await two();
    const clients = await connectAll(6, url, await from());
    const before = await Promise.all(clients.map(({ messages }) => messages.next()));
    expect(new Set(before)).toEqual(new Set([String(first.port), String(second.port)]));

    const leaving = clients.filter((_, i) => before[i] === String(first.port));
    const codes = Promise.all(leaving.map(closeOf));
    await drain(first.server, { jitter: 0 });
    expect(await codes).toEqual(leaving.map(() => [1001, '']));

    const after = await connectAll(6, url, await from());
    for (const { messages } of after) expect(await messages.next()).toBe(String(second.port));
  });

  it('refuses every other newcomer where http_503 is not among the reasons to go on', async () => {
    const { first, url } = await two([['error timeout http_503;', 'error timeout;']], { workers: 1 });
    await drain(first.server);
    const options = await from();
    const answers = await Promise.all(Array.from({ length: 4 }, () => connect(url, options).catch(() => 'refused')));
    expect(answers.filter((answer) => answer === 'refused')).toHaveLength(2);
  });

  it('is passed over when it is gone', async () => {
    const { first, second, url } = await two();
    await first.close();
    const clients = await connectAll(6, url, await from());
    for (const { messages } of clients) expect(await messages.next()).toBe(String(second.port));
  });

  it('tells so when there is no other one, every time, and pages are still served', async () => {
    const { first, second, nginx } = await two();
    await Promise.all([drain(first.server, { retryAfter: 7 }), drain(second.server, { retryAfter: 7 })]);
    for (let i = 0; i < 4; i++) {
      const { status, headers, body } = await fetchFrom(`${nginx.httpUrl}/ws/more`, HANDSHAKE);
      expect([status, headers['retry-after']]).toEqual([503, '7']);
      expect(body).toContain('This server is shutting down');
    }
    expect(await fetchFrom(`${nginx.httpUrl}/`)).toMatchObject({ status: 200, body: 'a page' });
  });

  it('takes the pages along without max_fails=0', async () => {
    const servers = [await serve(app()), await serve(app())];
    const ports = servers.map(({ port }) => port);
    const careless = ports.map((port) => [`:${port} max_fails=0;`, `:${port};`] as const);
    const nginx = await startNginx(ports, careless, { workers: 1 });
    for (const { server } of servers) await drain(server);
    await expect(refused(`${nginx.url}/ws/live`, await from())).toBeRefusedWith(503);
    await expect(refused(`${nginx.url}/ws/live`, await from())).toBeRefusedWith(502);
    // It would be the app's 404.
    expect((await fetchFrom(`${nginx.httpUrl}/`)).status).toBe(502);
  });
});

describe('a reload', () => {
  it('leaves open connections alone', async () => {
    const { nginx } = await behind(appWith(Echo));
    const { socket, messages } = await connect(`${nginx.url}/ws/more`, await from());
    await nginx.reload();
    socket.send('still here');
    expect(await messages.next()).toBe('still here');
    await connect(`${nginx.url}/ws/more`, await from());
  });
});
