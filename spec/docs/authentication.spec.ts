/** The recipes of docs/authentication.md, each through a real server: who gets in, who does not, and what they are told. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type Express } from 'express';
import jwt from 'jsonwebtoken';
import { WebSocket as BrowserWebSocket } from 'undici';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';
import { blocksOf, namesTakenForGranted, readPage, recipe as recipeOf, run } from './blocks.js';
import { type Client, connect, refused } from './client.js';

const PAGE = 'docs/authentication.md';
const recipe = (words: string): Express => recipeOf(PAGE, words);

/** Sends a form, as a login page does. */
function post(url: string, form: Record<string, string> = {}, cookie = ''): Promise<Response> {
  const body = new URLSearchParams(form);
  return fetch(url, { method: 'POST', body, headers: { Cookie: cookie }, redirect: 'manual' });
}

/** What a browser would send back of the cookies that were set. */
function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ');
}

async function logIn({ httpUrl }: Running, name = 'ada', password = 'lovelace'): Promise<string> {
  const response = await post(`${httpUrl}/login`, { name, username: name, password });
  expect(response.status).toBeLessThan(400);
  return cookiesOf(response);
}

const withCookie = (cookie: string) => ({ headers: { Cookie: cookie } });

async function closing({ socket }: Client): Promise<[code: number, reason: string]> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return [code, String(reason)];
}

/** What the browser's own client gets to know of a connection that ends. */
async function seenByPage(url: string): Promise<{ events: string[]; code: number; reason: string }> {
  const socket = new BrowserWebSocket(url);
  const events: string[] = [];
  for (const type of ['open', 'message', 'error'] as const) socket.addEventListener(type, () => events.push(type));
  return new Promise((resolve) => {
    socket.addEventListener('close', ({ code, reason }) => resolve({ events, code, reason }));
  });
}

describe('express-session', () => {
  it('refuses who has not logged in, and greets who has', async () => {
    const server = await serve(recipe('class Private'));
    expect(await (await fetch(`${server.httpUrl}/login`)).text()).toContain('<form method="post">');
    expect(await refused(`${server.url}/private`)).toEqual({ status: 401, body: '{"error":"log in first"}' });
    const wrong = await post(`${server.httpUrl}/login`, { name: 'ada', password: 'byron' });
    expect([wrong.status, await wrong.text()]).toEqual([401, 'Wrong name or password.']);

    const cookie = await logIn(server);
    const { messages } = await connect(`${server.url}/private`, withCookie(cookie));
    expect(await messages.next()).toBe('Hello, ada!');
    const forged = cookie.replace(/.{4}$/, 'AAAA');
    await expect(refused(`${server.url}/private`, withCookie(forged))).toBeRefusedWith(401);
  });

  it('gives a new session id to who logs in', async () => {
    const server = await serve(recipe('class Private'));
    const planted = await logIn(server);
    const again = await post(`${server.httpUrl}/login`, { name: 'ada', password: 'lovelace' }, planted);
    expect(cookiesOf(again)).not.toBe(planted);
    await expect(refused(`${server.url}/private`, withCookie(planted))).toBeRefusedWith(401);
  });

  it('closes the sockets of a session when it is logged out, and no others', async () => {
    const server = await serve(recipe('class Private'));
    const [phone, laptop] = [await logIn(server), await logIn(server)];
    const onPhone = [
      await connect(`${server.url}/private`, withCookie(phone)),
      await connect(`${server.url}/private`, withCookie(phone)),
    ];
    const onLaptop = await connect(`${server.url}/private`, withCookie(laptop));
    for (const { messages } of [...onPhone, onLaptop]) expect(await messages.next()).toBe('Hello, ada!');
    const closed = onPhone.map(closing);
    expect((await post(`${server.httpUrl}/logout`, {}, phone)).status).toBe(303);
    expect(await Promise.all(closed)).toEqual([
      [4401, 'logged out'],
      [4401, 'logged out'],
    ]);
    await expect(refused(`${server.url}/private`, withCookie(phone))).toBeRefusedWith(401);
    // A round trip: nothing has closed it meanwhile.
    onLaptop.socket.ping();
    await once(onLaptop.socket, 'pong');
  });

  it('closes a socket whose session is logged out between onHandshake and onConnect', async () => {
    const server = await serve(recipe('class Private'));
    const cookie = await logIn(server);
    server.server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      if (request.headers.upgrade === undefined) return;
      const end = response.end.bind(response);
      // The 101 is on its way, and must wait for the logout.
      response.end = () => {
        void post(`${server.httpUrl}/logout`, {}, cookie).then(() => end());
        return response;
      };
    });
    const client = await connect(`${server.url}/private`, withCookie(cookie));
    expect(await closing(client)).toEqual([4401, 'logged out']);
    expect(client.messages.left).toEqual([]);
  });

  it('saves with the 101 what the handshake changes, and on demand what is changed later', async () => {
    const server = await serve(recipe('class Painter'));
    const first = await connect(`${server.url}/painter`);
    const cookie = String(first.headers['set-cookie']?.[0]).split(';')[0] ?? '';
    const session = async () => (await fetch(`${server.httpUrl}/session`, withCookie(cookie))).json();
    expect(await session()).toEqual({ visits: 1 });

    first.socket.send('green');
    expect(await first.messages.next()).toBe('saved green');
    expect(await session()).toEqual({ visits: 1, color: 'green' });

    // Another connection changes the session meanwhile; what the first one saves undoes none of it.
    const second = await connect(`${server.url}/painter`, withCookie(cookie));
    first.socket.send('blue');
    expect(await first.messages.next()).toBe('saved blue');
    expect(await session()).toEqual({ visits: 2, color: 'blue' });
    second.socket.terminate();
  });
});

describe('Passport', () => {
  it('hands on the user, until they log out', async () => {
    const server = await serve(recipe('class Account'));
    expect(await refused(`${server.url}/account`)).toEqual({ status: 401, body: '{"error":"log in first"}' });
    expect((await post(`${server.httpUrl}/login`, { username: 'ada', password: 'byron' })).status).toBe(401);
    const cookie = await logIn(server);
    const { messages } = await connect(`${server.url}/account`, withCookie(cookie));
    expect(await messages.next()).toBe('Hello, ada!');
    const out = await post(`${server.httpUrl}/logout`, {}, cookie);
    expect(out.status).toBe(204);
    await expect(refused(`${server.url}/account`, withCookie(cookie))).toBeRefusedWith(401);
  });
});

describe('JSON Web Tokens', () => {
  const SECRET = 'change me: 32 random bytes';
  const token = (how: jwt.SignOptions = {}, secret = SECRET) =>
    jwt.sign({}, secret, { subject: 'ada', expiresIn: '1h', ...how });

  const ways: [way: string, path: string, send: (token: string) => { headers: Record<string, string> }][] = [
    ['a cookie', '/by-cookie', (sent) => ({ headers: { Cookie: `token=${sent}` } })],
    ['Authorization', '/by-header', (sent) => ({ headers: { Authorization: `Bearer ${sent}` } })],
  ];

  it.each(ways)('a token in %s lets its client in', async (_way, path, send) => {
    const { url } = await serve(recipe('class ByCookie'));
    const { messages, socket } = await connect(`${url}${path}`, send(token()));
    expect(await messages.next()).toBe('Hello, ada!');
    socket.close();
    await once(socket, 'close');
  });

  it.each(ways)('are refused in %s when they are forged, expired, unsigned, or not there', async (_way, path, send) => {
    const { url } = await serve(recipe('class ByCookie'));
    const [header = '', payload = '', signature = ''] = token().split('.');
    const raised = Buffer.from(payload, 'base64url').toString().replace('ada', 'eve');
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    const bad = [
      token({}, 'another secret'),
      token({ expiresIn: -1 }),
      token({ algorithm: 'HS512' }),
      jwt.sign({}, SECRET, { subject: 'ada' }), // never expires
      jwt.sign({}, SECRET, { expiresIn: '1h' }), // of nobody
      [header, Buffer.from(raised).toString('base64url'), signature].join('.'),
      `${none}.${payload}.`,
      'x',
    ];
    for (const one of bad) {
      expect(await refused(`${url}${path}`, send(one))).toEqual({ status: 401, body: '401 Unauthorized\n' });
    }
    await expect(refused(`${url}${path}`)).toBeRefusedWith(401);
  });

  it('a token in a subprotocol lets its client in, and is not echoed', async () => {
    const server = await serve(recipe('class ByCookie'));
    const path = `${server.url}/by-subprotocol`;
    // The origin does not matter there: the page has the token, or it has not.
    for (const order of [
      ['chat.v1', `bearer.${token()}`],
      [`bearer.${token()}`, 'chat.v1'],
    ]) {
      const client = await RawClient.connect(server);
      const headers = { 'Sec-WebSocket-Protocol': order.join(', '), Origin: 'https://elsewhere.example' };
      const response = await client.handshake('/by-subprotocol', headers);
      expect(response).toMatchObject({ status: 101, headers: { 'sec-websocket-protocol': 'chat.v1' } });
      expect(JSON.stringify(response)).not.toContain('bearer');
      expect(await client.nextText()).toBe('Hello, ada!');
      await client.close();
    }
    const page = new BrowserWebSocket(path, ['chat.v1', `bearer.${token()}`]);
    const { data } = await new Promise<{ data: unknown }>((resolve) => page.addEventListener('message', resolve));
    expect([page.protocol, data]).toEqual(['chat.v1', 'Hello, ada!']);
    page.close();
    await once(page, 'close');

    const forged = { headers: { 'Sec-WebSocket-Protocol': `chat.v1, bearer.${token({}, 'another')}` } };
    await expect(refused(path, forged)).toBeRefusedWith(401);
    await expect(refused(path, { headers: { 'Sec-WebSocket-Protocol': 'chat.v1' } })).toBeRefusedWith(401);
  });

  it('say how to authenticate when they refuse', async () => {
    const client = await RawClient.connect(await serve(recipe('class ByCookie')));
    const { status, headers } = await client.handshake('/by-header');
    expect([status, headers['www-authenticate']]).toEqual([401, 'Bearer']);
  });

  describe('that expire', () => {
    /** Finds the timer that was set for about this long: what it does, and itself. */
    const timers = () => {
      const set = jest.spyOn(global, 'setTimeout');
      return (least: number, most: number) => {
        const at = set.mock.calls.findIndex(([, ms]) => ms !== undefined && ms >= least && ms <= most);
        const expire = set.mock.calls[at]?.[0] as () => void;
        return { expire, timer: set.mock.results[at]?.value as NodeJS.Timeout };
      };
    };
    afterEach(() => jest.restoreAllMocks());

    it('close the socket then, with 4401', async () => {
      const { url } = await serve(recipe('class ByCookie'));
      const find = timers();
      const client = await connect(`${url}/by-header`, { headers: { Authorization: `Bearer ${token()}` } });
      expect(await client.messages.next()).toBe('Hello, ada!');
      const { expire } = find(3_500_000, 3_600_000);
      const closed = closing(client);
      expire();
      expect(await closed).toEqual([4401, 'token expired']);
    });

    it('do so by the clock', async () => {
      const { url } = await serve(recipe('class ByCookie'));
      const headers = { Authorization: `Bearer ${token({ expiresIn: 3 })}` };
      const client = await connect(`${url}/by-header`, { headers });
      expect(await closing(client)).toEqual([4401, 'token expired']);
    });

    it('a token that expires in two months does not close the connection at once', async () => {
      const { url } = await serve(recipe('class ByCookie'));
      const find = timers();
      const headers = { Authorization: `Bearer ${token({ expiresIn: '60d' })}` };
      const { socket, messages } = await connect(`${url}/by-header`, { headers });
      expect(await messages.next()).toBe('Hello, ada!');
      expect(find(2_147_483_647, 2_147_483_647).timer.hasRef()).toBe(true);
      socket.close();
      await once(socket, 'close');
    });

    it('leave no timer behind when the client goes first', async () => {
      const server = await serve(recipe('class ByCookie'));
      const find = timers();
      const clear = jest.spyOn(global, 'clearTimeout');
      const headers = { Authorization: `Bearer ${token()}` };
      const { socket } = await connect(`${server.url}/by-header`, { headers });
      const [end] = server.sockets;
      const gone = end && once(end, 'close');
      socket.close();
      await gone;
      expect(clear.mock.calls.flat()).toContain(find(3_500_000, 3_600_000).timer);
    });
  });
});

describe('tickets', () => {
  const fetchTicket = async (server: Running, key = 'the-token-of-ada') => {
    const headers = { Authorization: `Bearer ${key}` };
    const response = await fetch(`${server.httpUrl}/ticket`, { method: 'POST', headers });
    return response.ok ? ((await response.json()) as { ticket: string }).ticket : response.status;
  };

  it('are good for one handshake', async () => {
    const server = await serve(recipe('class Ticketed'));
    expect(await fetchTicket(server, 'wrong')).toBe(401);
    const path = `${server.url}/ticketed?ticket=${await fetchTicket(server)}`;
    const { messages } = await connect(path);
    expect(await messages.next()).toBe('Hello, ada!');
    const spent = { status: 401, body: 'A ticket is good for one handshake: fetch another one.' };
    expect(await refused(path)).toEqual(spent);
    expect(await refused(`${server.url}/ticketed`)).toEqual(spent);
    expect(await refused(`${server.url}/ticketed?ticket=guessed`)).toEqual(spent);
  });

  it('are good for half a minute', async () => {
    const server = await serve(recipe('class Ticketed'));
    const set = jest.spyOn(global, 'setTimeout');
    const ticket = await fetchTicket(server);
    const forget = set.mock.calls.find(([, ms]) => ms === 30_000)?.[0] as () => void;
    set.mockRestore();
    forget();
    await expect(refused(`${server.url}/ticketed?ticket=${ticket}`)).toBeRefusedWith(401);
  });
});

describe('signed cookies', () => {
  it('let in who has one, and nobody with a changed or an old one', async () => {
    const server = await serve(recipe('class Signed'));
    expect((await post(`${server.httpUrl}/login`, { name: 'ada', password: 'byron' })).status).toBe(401);
    expect(await refused(`${server.url}/signed`)).toEqual({ status: 401, body: 'log in first' });
    const cookie = await logIn(server);
    const { messages } = await connect(`${server.url}/signed`, withCookie(cookie));
    expect(await messages.next()).toBe('Hello, ada!');

    for (const forged of [cookie.replace('ada', 'eve'), cookie.replace('s%3A', ''), 'login=ada']) {
      expect(await refused(`${server.url}/signed`, withCookie(forged))).toEqual({ status: 401, body: 'log in first' });
    }
    const tomorrow = Date.now() + 86_400_001;
    const now = jest.spyOn(Date, 'now').mockReturnValue(tomorrow);
    try {
      expect(await refused(`${server.url}/signed`, withCookie(cookie))).toEqual({ status: 401, body: 'log in again' });
    } finally {
      now.mockRestore();
    }
  });

  it('have the attributes that the page recommends', async () => {
    const server = await serve(recipe('class Signed'));
    const response = await post(`${server.httpUrl}/login`, { name: 'ada', password: 'lovelace' });
    expect(response.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^login=s%3A.*; Max-Age=86400; Path=\/; Expires=.*; HttpOnly; SameSite=Lax$/),
    ]);
  });
});

describe('origins', () => {
  it('are those of the own host by default, whatever the cookie says', async () => {
    const server = await serve(recipe('class Private'));
    const { headers } = withCookie(await logIn(server));
    const own = await connect(`${server.url}/private`, { headers, origin: server.httpUrl });
    expect(await own.messages.next()).toBe('Hello, ada!');
    for (const origin of ['https://evil.example', 'null', server.httpUrl.replace(/:\d+$/, ':1')]) {
      const { status, body } = await refused(`${server.url}/private`, { headers, origin });
      expect([status, body]).toEqual([403, expect.stringContaining(origin)]);
    }
  });

  it('may be those of an app, beside the own pages', async () => {
    const { url, httpUrl } = await serve(recipe('class App '));
    for (const origin of ['capacitor://localhost', 'file://', httpUrl, url]) {
      const { messages, socket } = await connect(`${url}/app`, { origin });
      expect(await messages.next()).toBe('Hello, app!');
      socket.terminate();
    }
    for (const origin of ['null', 'ionic://localhost', 'https://evil.example']) {
      await expect(refused(`${url}/app`, { origin })).toBeRefusedWith(403);
    }
  });

  it('are compared as a whole', async () => {
    const { url } = await serve(recipe('const OURS'));
    for (const origin of ['https://example.com', 'https://app.example.com']) {
      (await connect(`${url}/for-us`, { origin })).socket.terminate();
    }
    const foreign = ['https://evilexample.com', 'http://example.com', 'https://example.com.evil.example'];
    for (const origin of [...foreign, 'https://example.com:8443', 'null']) {
      await expect(refused(`${url}/for-us`, { origin })).toBeRefusedWith(403);
    }
  });

  it('may depend on the host that is asked', async () => {
    const { url } = await serve(recipe('const OURS'));
    const ask = (host: string) => ({ headers: { Host: host }, origin: 'https://www.ada.example' });
    (await connect(`${url}/for-tenants`, ask('ada.example.com'))).socket.terminate();
    await expect(refused(`${url}/for-tenants`, ask('eve.example.com'))).toBeRefusedWith(403);
    const eve = { headers: { Host: 'ada.example.com' }, origin: 'https://eve.example' };
    await expect(refused(`${url}/for-tenants`, eve)).toBeRefusedWith(403);
  });

  it('are not asked of apps, unless the handler wants pages only', async () => {
    const { url, httpUrl } = await serve(recipe('const OURS'));
    (await connect(`${url}/for-us`)).socket.terminate();
    (await connect(`${url}/for-tenants`)).socket.terminate();
    expect(await refused(`${url}/for-pages`)).toEqual({ status: 403, body: 'pages only' });
    (await connect(`${url}/for-pages`, { origin: httpUrl })).socket.terminate();
  });
});

describe('Helmet', () => {
  it('sets the policy of the page, and harms no 101', async () => {
    const server = await serve(recipe('helmet('));
    const page = await fetch(server.httpUrl);
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy.split(';')).toContain("connect-src 'self' wss://live.example.com");
    // What the page says of Helmet's default.
    expect(policy).toContain('upgrade-insecure-requests');

    const { socket, messages, headers } = await connect(`${server.url}/live`, { origin: server.httpUrl });
    expect(headers['content-security-policy']).toBe(policy);
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['x-powered-by']).toBeUndefined();
    socket.send('still here');
    expect(await messages.next()).toBe('still here');
  });
});

describe('Basic authentication', () => {
  const password = 'change-me-to-32-random-bytes';
  const basic = (credentials: string) => ({
    headers: { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
  });

  it('lets in who knows the name and the password, in the header or in the URL', async () => {
    const { url } = await serve(recipe('class Basic '));
    const byHeader = await connect(`${url}/basic`, basic(`feed:${password}`));
    expect(await byHeader.messages.next()).toBe('Hello, feed!');
    const byUrl = await connect(`${url.replace('://', `://feed:${password}@`)}/basic`);
    expect(await byUrl.messages.next()).toBe('Hello, feed!');
  });

  it('refuses everybody else with 401', async () => {
    const { url } = await serve(recipe('class Basic '));
    const wrong = [
      `feed:${password}x`,
      `feed:${password.slice(1)}`,
      'feed:',
      'feed',
      ':',
      '',
      `:${password}`,
      `ada:${password}`,
    ];
    for (const credentials of [...wrong, `feed:${password}:`, `:feed:${password}`]) {
      await expect(refused(`${url}/basic`, basic(credentials))).toBeRefusedWith(401);
    }
    for (const header of ['Basic', 'Basic \u00ff', `Bearer ${password}`, `feed:${password}`]) {
      await expect(refused(`${url}/basic`, { headers: { Authorization: header } })).toBeRefusedWith(401);
    }
    await expect(refused(`${url}/basic`)).toBeRefusedWith(401);
  });
});

describe('secrets', () => {
  const key = 'change-me-to-32-random-bytes';

  it('let in a device by its key, and nobody with a part of it', async () => {
    const { url } = await serve(recipe('class Device'));
    const ask = (value: string) => ({ headers: { Authorization: value } });
    const { messages } = await connect(`${url}/device`, ask(`Bearer ${key}`));
    expect(await messages.next()).toBe('Hello, device!');
    for (const wrong of [key.slice(1), `${key}x`, key.toUpperCase(), '']) {
      await expect(refused(`${url}/device`, ask(`Bearer ${wrong}`))).toBeRefusedWith(401);
    }
    await expect(refused(`${url}/device`, ask(`Basic ${key}`))).toBeRefusedWith(401);
    await expect(refused(`${url}/device`)).toBeRefusedWith(401);
  });

  it('passwords are kept as a salted hash', async () => {
    const block = blocksOf(PAGE).find(({ code }) => code.includes('class Device'));
    if (block === undefined) throw new Error('there is no device');
    const { hashOf, isPassword } = run(block, namesTakenForGranted(express())).exports as {
      hashOf(password: string): Promise<string>;
      isPassword(given: string, kept: string): Promise<boolean>;
    };
    const kept = await hashOf('lovelace');
    expect(kept).not.toBe(await hashOf('lovelace'));
    expect(await isPassword('lovelace', kept)).toBe(true);
    expect(await isPassword('byron', kept)).toBe(false);
  });
});

describe('what a page sees of a refusal', () => {
  it('is 1006 for a 401, which programs see', async () => {
    const { url } = await serve(recipe('class Telling'));
    expect(await refused(`${url}/strict`)).toEqual({ status: 401, body: '{"error":"log in first"}' });
    expect(await seenByPage(`${url}/strict`)).toEqual({ events: ['error'], code: 1006, reason: '' });
    const { messages } = await connect(`${url}/strict`, withCookie('user=ada'));
    expect(await messages.next()).toBe('Hello, ada!');
  });

  it('is 4401 where the handshake is accepted first, and what a stranger sends is not read', async () => {
    const server = await serve(recipe('class Telling'));
    expect(await seenByPage(`${server.url}/telling`)).toEqual({
      events: ['open'],
      code: 4401,
      reason: 'log in first',
    });
    const client = await RawClient.connect(server);
    client.sendHandshake('/telling');
    await client.response();
    client.send(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
    await expect(client).toCloseWith(4401, 'log in first');

    const { socket, messages } = await connect(`${server.url}/telling`, withCookie('user=ada'));
    expect(await messages.next()).toBe('Hello, ada!');
    socket.send('hi');
    expect(await messages.next()).toBe('ada says hi');
  });

  it('a refusal still depends on the origin', async () => {
    const { url } = await serve(recipe('class Telling'));
    await expect(refused(`${url}/telling`, { origin: 'https://evil.example' })).toBeRefusedWith(403);
  });

  describe('in the page of the example', () => {
    const script = /<script type="module">\n(.*?)<\/script>/s.exec(readPage(PAGE))?.[1] ?? '';

    /** Runs the page's script, and says where it goes, and after how long it tries again. */
    function visit(url: string): { visited: AsyncQueue<string>; retries: AsyncQueue<number> } {
      const visited = new AsyncQueue<string>();
      const retries = new AsyncQueue<number>();
      const location = { origin: url.replace(/^ws/, 'http'), assign: (to: string) => visited.push(to) };
      const later = (_connect: () => void, ms: number) => retries.push(ms);
      new Function('WebSocket', 'location', 'setTimeout', script)(BrowserWebSocket, location, later);
      return { visited, retries };
    }

    it('leads to the login', async () => {
      const { url } = await serve(recipe('class Telling'));
      const { visited } = visit(url);
      expect(await visited.next()).toBe('/login');
    });

    it('leads to another attempt when the server is not there, after a while', async () => {
      const server = await serve(recipe('class Telling'));
      await server.close();
      const { visited, retries } = visit(server.url);
      const ms = await retries.next();
      expect(ms).toBeGreaterThanOrEqual(1000);
      expect(ms).toBeLessThan(5000);
      expect(visited.left).toEqual([]);
    });
  });
});
