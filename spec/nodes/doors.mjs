/**
 * What both doors do, checked without jest, which Bun and Deno do not run: `doors.mjs <folder of the compiled library>`. It ends
 * with a line in jest's words.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import express from 'express';
import { generate } from 'selfsigned';

const library = await import(pathToFileURL(join(process.argv[2], 'index.js')).href);
const { drain, upgradeListener, WebSocketHandler, websocketRoute } = library;

/** By the request door Bun opens none: its server does not let go of the socket. */
const REFUSED_AT_REQUEST_DOOR = 'Bun' in globalThis;
/** Deno's sockets over TLS fail where an empty chunk is written behind another one: docs/how-to.md says so. */
const HAS_TLS = !('Deno' in globalThis);
/** Milliseconds, of each of the server's timeouts. */
const IMPATIENT = { headersTimeout: 200, requestTimeout: 200, keepAliveTimeout: 200, connectionsCheckingInterval: 50 };
const { private: key, cert } = await generate([{ name: 'commonName', value: '127.0.0.1' }]);

const logged = [];
console.error = (...line) => logged.push(line.join(' '));

/** A server with one route, and what its hooks were called with. */
async function serve(door, { tls = false, options = {} } = {}) {
  const closed = [];
  let tellClosed = () => {};
  class Echo extends WebSocketHandler {
    onHandshake(request, headers) {
      headers['X-Session'] = request.session;
      return request.url.includes('refuse') ? { status: 402, body: 'pay first' } : true;
    }
    onConnect({ name }) {
      this.write(`Hello, ${name}!`);
    }
    onRead(data) {
      if (data === 'close') this.close(4001, 'as you wish');
      else this.write(data);
    }
    onClose(code, reason) {
      closed.push([code, reason]);
      tellClosed();
    }
  }
  const app = express();
  app.use((request, _response, next) => {
    request.session = 'of a middleware';
    next();
  });
  app.use(websocketRoute('/ws/:name', Echo, { origins: '*', bufferSize: 4 << 20, ...options }));
  app.post('/post', express.json(), (request, response) => response.json(request.body));
  const server = tls ? createTlsServer({ ...IMPATIENT, key, cert }, app) : createServer(IMPATIENT, app);
  if (door === 'upgrade') server.on('upgrade', upgradeListener(app));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  return {
    server,
    port,
    url: `${tls ? 'wss' : 'ws'}://127.0.0.1:${port}`,
    httpUrl: `http://127.0.0.1:${port}`,
    async closed() {
      if (closed.length === 0) await new Promise((resolve) => (tellClosed = resolve));
      return closed.shift();
    },
  };
}

/** The runtime's own client, with what it has heard. */
class Client {
  heard = [];
  tell = () => {};

  constructor(url, options) {
    this.socket = new WebSocket(url, options);
    this.socket.binaryType = 'arraybuffer';
    this.socket.onmessage = ({ data }) => this.push(data);
    this.socket.onclose = ({ code, reason }) => this.push({ code, reason });
    this.socket.onerror = () => {};
  }

  static async open(url, options) {
    const client = new Client(url, options);
    assert.equal(await client.next(), 'Hello, Ada!');
    return client;
  }

  push(event) {
    this.heard.push(event);
    this.tell();
  }

  async next() {
    if (this.heard.length === 0) await new Promise((resolve) => (this.tell = resolve));
    return this.heard.shift();
  }

  send(data) {
    this.socket.send(data);
  }

  async close(code, reason) {
    this.socket.close(code, reason);
    return this.next();
  }
}

const HANDSHAKE =
  'GET /ws/Ada HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** Sends the text, waits for `until` in what comes back, and gives all of it. */
async function exchange(port, text, until) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(text);
  let got = '';
  for await (const chunk of socket) {
    got += chunk.toString('latin1');
    if (until.test(got)) break;
  }
  socket.destroy();
  return got;
}

/** By name, of a door; each gets a server of its own. */
const ACCEPTED = {
  'opens, and text and bytes come back in order': async (door, serving) => {
    const { url } = await serving(door);
    const client = await Client.open(`${url}/ws/Ada`);
    const sent = ['one', new Uint8Array([0, 255, 1]), '', 'two €', new Uint8Array(70_000).fill(7), 'last'];
    for (const data of sent) client.send(data);
    for (const data of sent) {
      const got = await client.next();
      assert.deepEqual(typeof got === 'string' ? got : new Uint8Array(got), data);
    }
    await client.close(1000);
  },
  'carries a mebibyte, and a thousand messages': async (door, serving) => {
    const { url } = await serving(door);
    const client = await Client.open(`${url}/ws/Ada`);
    const large = 'm'.repeat(1 << 20);
    client.send(large);
    assert.equal(await client.next(), large);
    for (let i = 0; i < 1000; i++) client.send(`message ${i}`);
    for (let i = 0; i < 1000; i++) assert.equal(await client.next(), `message ${i}`);
    await client.close(1000);
  },
  'lives past the timeouts of the server, and gets no HTTP': async (door, serving) => {
    const { url } = await serving(door);
    const client = await Client.open(`${url}/ws/Ada`);
    for (const data of ['a', 'b']) {
      await sleep(600);
      client.send(data);
      assert.equal(await client.next(), data);
    }
    await client.close(1000);
  },
  'tells each side the code and the reason of the other’s close': async (door, serving) => {
    const { url, closed } = await serving(door);
    const first = await Client.open(`${url}/ws/Ada`);
    assert.deepEqual(await first.close(4000, 'enough'), { code: 4000, reason: 'enough' });
    assert.deepEqual(await closed(), [4000, 'enough']);
    const second = await Client.open(`${url}/ws/Ada`);
    second.send('close');
    assert.deepEqual(await second.next(), { code: 4001, reason: 'as you wish' });
    // Which reason the client echoes, if any, is for it to say.
    assert.equal((await closed())[0], 4001);
  },
  'tells of a client that vanishes': async (door, serving) => {
    const { port, closed } = await serving(door);
    assert.match(await exchange(port, HANDSHAKE, /Hello, Ada!$/), /^HTTP\/1\.1 101 /);
    assert.equal((await closed())[0], 1006);
  },
  'sends the 101 of RFC 6455, with the headers of the hook': async (door, serving) => {
    const { port } = await serving(door);
    const got = await exchange(port, HANDSHAKE, /Hello, Ada!$/);
    assert.match(got, /\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
    assert.match(got, /\r\nX-Session: of a middleware\r\n/);
    // The greeting is a frame right behind the headers: a body of the 101 would stand between.
    assert.ok(got.endsWith('\r\n\r\n\x81\x0bHello, Ada!'));
  },
  'compresses where that is on': async (door, serving) => {
    const { url } = await serving(door, { options: { compress: true } });
    const client = await Client.open(`${url}/ws/Ada`);
    const text = 'again and '.repeat(10_000);
    for (let i = 0; i < 3; i++) {
      client.send(text);
      assert.equal(await client.next(), text);
    }
    await client.close(1000);
  },
  'refuses by the hook': async (door, serving) => {
    const { port } = await serving(door);
    const got = await exchange(port, HANDSHAKE.replace('Ada', 'refuse'), /pay first/);
    assert.match(got, /^HTTP\/1\.1 402 Payment Required\r\n/);
  },
  'leaves the app’s own 404 to it': async (door, serving) => {
    const { port } = await serving(door);
    assert.match(await exchange(port, HANDSHAKE.replace('/ws/Ada', '/no'), /Cannot GET/), /^HTTP\/1\.1 404 /);
  },
  drains: async (door, serving) => {
    const { url, server } = await serving(door);
    const client = await Client.open(`${url}/ws/Ada`);
    const draining = drain(server, { jitter: 0 });
    assert.equal((await client.next()).code, 1001);
    assert.deepEqual(await draining, { closed: 1, terminated: 0 });
  },
};

const OVER_TLS = {
  'works over TLS': async (door, serving) => {
    const { url } = await serving(door, { tls: true });
    // Bun's client takes such options.
    const client = await Client.open(`${url}/ws/Ada`, { tls: { rejectUnauthorized: false } });
    await sleep(600);
    client.send('secret');
    assert.equal(await client.next(), 'secret');
    await client.close(1000);
  },
};

const REFUSED = {
  'refuses with 501, and says once in the log what to do': async (door, serving) => {
    const { port } = await serving(door);
    logged.length = 0;
    for (let i = 0; i < 2; i++) {
      const got = await exchange(port, HANDSHAKE, /upgradeListener.*\n$/s);
      assert.match(got, /^HTTP\/1\.1 501 Not Implemented\r\n/);
    }
    assert.equal(logged.length, 1);
    assert.match(logged[0], /upgradeListener/);
  },
};

const ORDINARY = {
  'leaves ordinary requests alone': async (door, serving) => {
    const { httpUrl } = await serving(door);
    const post = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"a":1}' };
    assert.deepEqual(await (await fetch(`${httpUrl}/post`, post)).json(), { a: 1 });
    assert.equal((await fetch(`${httpUrl}/ws/Ada`)).status, 426);
    assert.equal((await fetch(`${httpUrl}/no`)).status, 404);
  },
};

let passed = 0;
let failed = 0;
for (const door of ['request', 'upgrade']) {
  const isRefused = door === 'request' && REFUSED_AT_REQUEST_DOOR;
  const opening = isRefused ? REFUSED : { ...ACCEPTED, ...(HAS_TLS && OVER_TLS) };
  for (const [name, check] of Object.entries({ ...opening, ...ORDINARY })) {
    const servers = [];
    const serving = async (...args) => {
      const running = await serve(...args);
      servers.push(running.server);
      return running;
    };
    const tooLong = new AbortController();
    try {
      await Promise.race([
        check(door, serving),
        sleep(10_000, undefined, { signal: tooLong.signal }).then(() => assert.fail('it took more than 10 seconds')),
      ]);
      passed++;
      console.log(`  ✓ at the ${door} door ${name}`);
    } catch (error) {
      failed++;
      console.log(`  ✕ at the ${door} door ${name}\n${error instanceof Error ? error.stack : error}`);
    }
    tooLong.abort();
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  }
}
console.log(`Tests: ${failed > 0 ? `${failed} failed, ` : ''}${passed} passed, ${failed + passed} total`);
process.exit(failed > 0 ? 1 : 0);
