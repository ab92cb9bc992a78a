/** What is known of a connection for its whole life, and after it: also where the peer was reset, or vanished early. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createNetServer,
  type Server as NetServer,
  type Socket,
} from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { upgradeListener, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { connect } from '../../lib/testing/index.js';
import { addressOf } from '../../lib/transport/addresses.js';
import { deferred, turns } from '../connection/open.js';
import { certificate } from '../support/certificate.js';
import { closeBody, frame, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

const HERE = '127.0.0.1';

/** All that a handler tells of its connection. */
function known(handler: WebSocketHandler): object {
  const { localAddress, remoteAddress, subprotocol, version, isSecure, extensions } = handler;
  return { localAddress, remoteAddress, subprotocol, version, isSecure, extensions };
}

class Asked extends WebSocketHandler {
  static readonly told = new AsyncQueue<[hook: string, known: object]>();
  static readonly closed = new AsyncQueue<WebSocketHandler>();

  override onRead(): never {
    throw new Error('a mistake');
  }

  override onError(_error: unknown, hook: string): void {
    Asked.told.push([`onError of ${hook}`, known(this)]);
  }

  override onClose(): void {
    Asked.told.push(['onClose', known(this)]);
    Asked.closed.push(this);
  }
}

const app = websocketRoute(Asked, { subprotocols: ['chat'], compress: true });

async function serveAt(door: string, listener = app): Promise<Running> {
  const tls = door.startsWith('TLS');
  const server: Server = tls ? createTlsServer(await certificate(), listener) : createServer(listener);
  if (door.endsWith('upgrade')) server.on('upgrade', upgradeListener(listener));
  return serve(server, { tls });
}

/** The TCP socket that a client goes by, also under TLS. */
const underneath = new WeakMap<RawClient, Socket>();

async function connectTo(server: Running): Promise<RawClient> {
  const tcp = connectTcp(server.port, HERE);
  const isTls = server.url.startsWith('wss');
  const socket = isTls ? connectTls({ socket: tcp, rejectUnauthorized: false }) : tcp;
  await once(socket, isTls ? 'secureConnect' : 'connect');
  const client = new RawClient(socket);
  underneath.set(client, tcp);
  return client;
}

function reset(client: RawClient): void {
  underneath.get(client)?.resetAndDestroy();
}

const HEADERS = { 'Sec-WebSocket-Protocol': 'chat', 'Sec-WebSocket-Extensions': 'permessage-deflate' };

const ENDS: Record<string, (client: RawClient) => unknown> = {
  'a close frame': (client) => client.send(frame({ opcode: 8, payload: closeBody(1000) })),
  'a FIN': (client) => client.socket.end(),
  'a reset': (client) => reset(client),
  'a mistake': (client) => client.send(frame({ opcode: 3, payload: '' })),
};

describe.each(['request', 'upgrade', 'TLS', 'TLS upgrade'])('by the door %p', (door) => {
  it.each(Object.keys(ENDS))(
    'addresses, subprotocol and traffic are known when %s has ended it, and after',
    async (end) => {
      const summaries: { bytesReceived: number; bytesSent: number }[] = [];
      const listen = (summary: unknown): void => void summaries.push(summary as (typeof summaries)[0]);
      subscribe('websocket-route:close', listen);
      try {
        const client = await connectTo(await serveAt(door));
        await expect(client.handshake('/', HEADERS)).toBeAccepted();
        const expected = {
          localAddress: HERE,
          remoteAddress: HERE,
          subprotocol: 'chat',
          version: 13,
          isSecure: door.startsWith('TLS'),
          extensions: expect.stringContaining('permessage-deflate'),
        };
        client.send(text('a'));
        expect(await Asked.told.next()).toEqual(['onError of onRead', expected]);
        ENDS[end]!(client);
        expect(await Asked.told.next()).toEqual(['onClose', expected]);
        const handler = await Asked.closed.next();
        await turns(2);
        expect(known(handler)).toEqual(expected);
        // More than the frame, as the handshake counts, and the records of TLS.
        expect(summaries).toHaveLength(1);
        expect(summaries[0]!.bytesReceived).toBeGreaterThan(7);
        expect(summaries[0]!.bytesSent).toBeGreaterThan(100);
      } finally {
        unsubscribe('websocket-route:close', listen);
      }
    },
  );

  it('addresses are known in an onHandshake whose peer resets the connection meanwhile', async () => {
    const sockets = new AsyncQueue<Socket>();
    const lost = deferred();
    const told = new AsyncQueue<object>();
    const listener = websocketRoute({
      async onHandshake({ socket }) {
        sockets.push(socket);
        await lost.promise;
        told.push(known(this));
        throw new Error('the peer has gone');
      },
      onError() {
        told.push(known(this));
      },
    });
    const client = await connectTo(await serveAt(door, listener));
    client.sendHandshake();
    const socket = await sockets.next();
    reset(client);
    await turns(3);
    // If it has not been noticed.
    socket.destroy();
    if (!socket.closed) await once(socket, 'close');
    expect(socket.remoteAddress).toBeUndefined();
    lost.resolve();
    for (const one of await told.take(2)) expect(one).toMatchObject({ localAddress: HERE, remoteAddress: HERE });
  });
});

it('addresses are known after the end of a connection without a port', async () => {
  const client = await connect(app, '/', { remoteAddress: '2001:db8::7' });
  client.terminate();
  expect(await Asked.told.next()).toMatchObject(['onClose', { remoteAddress: '2001:db8::7', localAddress: HERE }]);
});

it('the addresses of one connection are not those of another', async () => {
  const [one, other] = [await connect(app, '/', { remoteAddress: '203.0.113.1' }), await connect(app, '/')];
  one.terminate();
  expect(await Asked.told.next()).toMatchObject(['onClose', { remoteAddress: '203.0.113.1' }]);
  other.terminate();
  expect(await Asked.told.next()).toMatchObject(['onClose', { remoteAddress: HERE }]);
});

it('a stream that has none tells none, and one that knows others tells these', () => {
  class Stream extends Duplex {
    readonly remoteAddress = '198.51.100.7';
    readonly localAddress = 4;
  }
  expect(addressOf(new Stream(), 'remoteAddress')).toBe('198.51.100.7');
  expect(addressOf(new Stream(), 'localAddress')).toBeUndefined();
  expect(addressOf(new Duplex(), 'remoteAddress')).toBeUndefined();
});

describe('the local address of a connection that a server accepted', () => {
  const servers = new Set<NetServer>();

  afterEach(() => {
    for (const server of servers) server.close();
    servers.clear();
  });

  /** What is found at the server's end, where a client has connected to `host`. */
  async function addressAt(server: NetServer, host: string): Promise<string | undefined> {
    const { port } = server.address() as AddressInfo;
    const client = connectTcp(port, host);
    const [socket]: Socket[] = await once(server, 'connection');
    const address = addressOf(socket!, 'localAddress');
    client.destroy();
    socket!.destroy();
    await once(socket!, 'close');
    return address;
  }

  async function listen(server: NetServer, host: string): Promise<void> {
    servers.add(server);
    await once(server.listen(0, host), 'listening');
  }

  it('is the one that the server listens on', async () => {
    const server = createNetServer();
    await listen(server, '127.0.0.2');
    expect([await addressAt(server, '127.0.0.2'), await addressAt(server, '127.0.0.2')]).toEqual([
      '127.0.0.2',
      '127.0.0.2',
    ]);
  });

  it('is its own, where the server listens on all', async () => {
    const server = createNetServer();
    await listen(server, '0.0.0.0');
    expect([await addressAt(server, '127.0.0.2'), await addressAt(server, '127.0.0.3')]).toEqual([
      '127.0.0.2',
      '127.0.0.3',
    ]);
  });

  it('is another one, when the server listens anew elsewhere', async () => {
    const server = createNetServer();
    await listen(server, '127.0.0.2');
    const before = await addressAt(server, '127.0.0.2');
    await once(server.close(), 'close');
    await listen(server, '127.0.0.3');
    expect([before, await addressAt(server, '127.0.0.3')]).toEqual(['127.0.0.2', '127.0.0.3']);
  });
});
