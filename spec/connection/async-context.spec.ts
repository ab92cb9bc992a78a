/** Which `AsyncLocalStorage` store the hooks of a connection see: none, or that of its handshake; never that of another user. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { HookName } from '../../lib/connection/hooks.js';
import {
  type ConnectionOptions,
  type OverflowError,
  upgradeListener,
  WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { connect } from '../../lib/testing/index.js';
import { certificate } from '../support/certificate.js';
import { binary, closeBody, frame, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';
import { deferred, roundTrip, turns } from './open.js';

const storage = new AsyncLocalStorage<string>();

/** What was called, and the store that it saw. */
type Seen = [what: string, store: string | undefined];

class Watched extends WebSocketHandler<{ params: object }> {
  name = '';
  readonly seen: Seen[] = [];
  readonly reads = new AsyncQueue<string | Buffer>();
  readonly writes = new AsyncQueue<void>();
  readonly overflows = new AsyncQueue<OverflowError>();
  readonly errors = new AsyncQueue<HookName>();
  readonly over = new AsyncQueue<number>();

  override onHandshake(request: IncomingMessage): boolean {
    this.name = request.url ?? '';
    this.see('onHandshake');
    return true;
  }

  override onConnect(): unknown {
    this.see('onConnect');
    this.signal.addEventListener('abort', () => this.see('signal'));
    return undefined;
  }

  override onRead(data: string | Buffer): unknown {
    this.see('onRead');
    this.reads.push(data);
    return undefined;
  }

  override onWrite(): unknown {
    this.see('onWrite');
    this.writes.push();
    return undefined;
  }

  override onPong(): unknown {
    this.see('onPong');
    return undefined;
  }

  override onOverflowError(error: OverflowError): unknown {
    this.see('onOverflowError');
    this.overflows.push(error);
    return undefined;
  }

  override onError(_error: unknown, hook: HookName): unknown {
    this.see('onError');
    this.errors.push(hook);
    return undefined;
  }

  override onClose(code: number): unknown {
    this.see('onClose');
    this.over.push(code);
    return undefined;
  }

  see(what: string): void {
    this.seen.push([what, storage.getStore()]);
  }

  /** The stores that hooks of the open connection saw, each once. */
  get stores(): (string | undefined)[] {
    return [...new Set(this.seen.filter(([what]) => what !== 'onHandshake').map(([, store]) => store))];
  }

  get called(): string[] {
    return [...new Set(this.seen.map(([what]) => what))];
  }
}

/** Gives each request a store of its own: its path. */
function app(Handler: new () => WebSocketHandler, options: ConnectionOptions, enters: 'run' | 'enterWith' = 'run') {
  const route = websocketRoute(Handler, options);
  return (request: IncomingMessage, response: ServerResponse): void => {
    if (enters === 'run') storage.run(request.url ?? '', () => route(request, response));
    else {
      storage.enterWith(request.url ?? '');
      route(request, response);
    }
  };
}

interface Member {
  handler: Watched;
  client: RawClient;
}

type Door = 'request' | 'upgrade' | 'TLS' | 'TLS upgrade';
const DOORS: readonly Door[] = ['request', 'upgrade', 'TLS', 'TLS upgrade'];

async function serveAt(door: Door, listener: ReturnType<typeof app>): Promise<Awaited<ReturnType<typeof serve>>> {
  const server: Server = door.startsWith('TLS')
    ? createTlsServer(await certificate(), listener)
    : createServer(listener);
  if (door.endsWith('upgrade')) server.on('upgrade', upgradeListener(listener));
  // What a program had entered when it began to listen is no store of a request either.
  return storage.run('the program', () => serve(server, { tls: door.startsWith('TLS') }));
}

/** Connections of as many users, each by the path of its name. */
async function join(
  names: readonly string[],
  Handler: new () => Watched = Watched,
  options: ConnectionOptions = {},
  { door = 'request', enters = 'run' }: { door?: Door; enters?: 'run' | 'enterWith' } = {},
): Promise<Member[]> {
  const handlers = new AsyncQueue<Watched>();
  class Joined extends Handler {
    override onHandshake(request: IncomingMessage): boolean {
      handlers.push(this);
      return super.onHandshake(request);
    }
  }
  const server = await serveAt(door, app(Joined, options, enters));
  const members: Member[] = [];
  for (const name of names)
    members.push({ client: await RawClient.open(server, name), handler: await handlers.next() });
  return members;
}

const ping = frame({ opcode: 9, payload: '' });

/** Everything that may happen to a connection, caused by others as far as that is possible. */
async function live({ handler, client }: Member, other: Member): Promise<void> {
  // Another user's hook writes, and fills the queue that flushes at the end of the turn.
  const { onRead } = Watched.prototype;
  other.handler.onRead = function (data) {
    handler.write(`of ${other.handler.name}`);
    handler.ping('for onPong');
    return onRead.call(this, data);
  };
  other.client.send(text('write'));
  expect(await client.nextText()).toBe(`of ${other.handler.name}`);
  await handler.writes.next();
  client.send(frame({ opcode: 10, payload: (await client.next()).payload }), text('a'), text('b'));
  await handler.reads.take(2);
  // A timer of somebody's changes how is read: what is held is delivered then.
  handler.readDelimiter = '\n';
  client.send(text('held'));
  await roundTrip(client, ping);
  storage.run('a timer', () => {
    handler.readDelimiter = 2;
  });
  expect(await handler.reads.take(2)).toEqual(['he', 'ld']);
  handler.readDelimiter = '\n';
  client.send(text('much'));
  await roundTrip(client, ping);
  handler.onOverflowError = function (this: Watched, error) {
    handler.bufferSize = 1000;
    return Watched.prototype.onOverflowError.call(this, error);
  };
  storage.run('a timer', () => {
    handler.bufferSize = 1;
  });
  await handler.overflows.next();
  handler.onRead = () => {
    throw new Error('a mistake');
  };
  client.send(text('\n'));
  expect(await handler.errors.next()).toBe('onRead');
  handler.onRead = () => Promise.reject(new Error('another'));
  client.send(text('\n'));
  expect(await handler.errors.next()).toBe('onRead');
  storage.run('whoever closes', () => handler.close(1000));
  await client.nextClose();
  client.send(frame({ opcode: 8, payload: closeBody(1000) }));
  await handler.over.next();
}

const ALL = ['onConnect', 'onRead', 'onWrite', 'onPong', 'onOverflowError', 'onError', 'onClose', 'signal'];

describe.each(DOORS)('by the door %p', (door) => {
  it.each(['run', 'enterWith'] as const)(
    'hooks see no store by default, where a middleware calls %s',
    async (enters) => {
      const [alice, bob] = (await join(['/alice', '/bob'], Watched, {}, { door, enters })) as [Member, Member];
      await live(alice, bob);
      expect(alice.handler.called).toEqual(expect.arrayContaining(ALL));
      expect(alice.handler.stores).toEqual([undefined]);
      expect(bob.handler.stores).toEqual([undefined]);
      expect(alice.handler.seen[0]).toEqual(['onHandshake', '/alice']);
    },
  );

  it.each(['run', 'enterWith'] as const)(
    'hooks see the store of the handshake where asyncContext asks for it, by %s',
    async (enters) => {
      const options = { asyncContext: 'handshake' } as const;
      const [alice, bob] = (await join(['/alice', '/bob'], Watched, options, { door, enters })) as [Member, Member];
      await live(alice, bob);
      expect(alice.handler.called).toEqual(expect.arrayContaining(ALL));
      expect(alice.handler.stores).toEqual(['/alice']);
      expect(bob.handler.stores).toEqual(['/bob']);
    },
  );

  it('hooks of compressed connections see the same, whoever else is being inflated', async () => {
    for (const asyncContext of ['none', 'handshake'] as const) {
      const names = Array.from({ length: 10 }, (_, i) => `/${i}`);
      const options = { asyncContext, compress: { threshold: 0 } };
      const members = await joinCompressed(names, options, door);
      const { deflateRawSync, constants } = await import('node:zlib');
      const payload = deflateRawSync('x'.repeat(70_000), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
      const message = frame({ opcode: 1, rsv: 4, payload });
      for (const { client } of members) client.send(message, message);
      for (const { handler } of members) await handler.reads.take(2);
      for (const { handler } of members) for (const one of members) one.handler.write(handler.name);
      for (const { handler } of members) await handler.writes.next();
      for (const { handler } of members) {
        expect(handler.stores).toEqual([asyncContext === 'none' ? undefined : handler.name]);
      }
    }
  });
});

async function joinCompressed(names: readonly string[], options: ConnectionOptions, door: Door): Promise<Member[]> {
  const handlers = new AsyncQueue<Watched>();
  class Joined extends Watched {
    override onConnect(): unknown {
      handlers.push(this);
      return super.onConnect();
    }
  }
  const server = await serveAt(door, app(Joined, { bufferSize: 100_000, ...options }));
  const members: Member[] = [];
  const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
  for (const name of names) {
    members.push({ client: await RawClient.open(server, name, headers), handler: await handlers.next() });
  }
  return members;
}

describe.each(['none', 'handshake'] as const)('with asyncContext %p', (asyncContext) => {
  const storeOf = ({ handler }: Member): string | undefined => (asyncContext === 'none' ? undefined : handler.name);

  it('hooks that were held by an async onConnect or onRead see the same', async () => {
    const connected = deferred();
    class Slow extends Watched {
      override async onConnect(): Promise<void> {
        super.onConnect();
        await storage.run('of its own', () => connected.promise);
        this.see('after await');
      }

      override async onRead(data: string | Buffer): Promise<void> {
        super.onRead(data);
        storage.enterWith('entered');
        await turns();
      }
    }
    const [alice] = (await join(['/alice'], Slow, { asyncContext })) as [Member];
    const { client, handler } = alice;
    client.send(text('a'), text('b'), frame({ opcode: 10, payload: '' }), text('c'));
    client.send(frame({ opcode: 8, payload: closeBody(1000) }));
    client.socket.end();
    await turns(3);
    storage.run('whoever lets go', connected.resolve);
    await handler.reads.take(3);
    await handler.over.next();
    expect(handler.called).toEqual(expect.arrayContaining(['onConnect', 'onRead', 'after await', 'onClose']));
    expect(handler.stores).toEqual([storeOf(alice)]);
  });

  it('a store that a hook enters is seen by no hook of another connection, and not by its own later ones', async () => {
    class Entering extends Watched {
      override onConnect(): unknown {
        super.onConnect();
        storage.enterWith(`entered by ${this.name}`);
        return undefined;
      }

      override onRead(data: string | Buffer): unknown {
        super.onRead(data);
        storage.enterWith(`entered by ${this.name}`);
        this.write('an answer');
        return undefined;
      }

      override onWrite(): unknown {
        super.onWrite();
        storage.enterWith(`entered by ${this.name}`);
        return undefined;
      }
    }
    const members = await join(['/alice', '/bob'], Entering, { asyncContext });
    for (let i = 0; i < 3; i++) {
      for (const { client, handler } of members) {
        client.send(text('a'));
        await handler.reads.next();
        expect(await client.nextText()).toBe('an answer');
        await handler.writes.next();
      }
    }
    for (const { client, handler } of members) {
      client.send(frame({ opcode: 8, payload: closeBody(1000) }));
      await handler.over.next();
    }
    for (const member of members) expect(member.handler.stores).toEqual([storeOf(member)]);
  });

  it('hooks that a timer brings about see the same, whoever set the timer that all connections share', async () => {
    const options = { asyncContext, pingInterval: 50, pongTimeout: 50, closeTimeout: 50 };
    const members = await join(['/alice', '/bob', '/carol'], Watched, options);
    members[2]!.handler.close(1000);
    for (const { handler } of members) expect(await handler.over.next()).toBe(1006);
    for (const member of members) expect(member.handler.stores).toEqual([storeOf(member)]);
    const [idle] = (await join(['/idle'], Watched, { asyncContext, idleTimeout: 50 })) as [Member];
    await idle.client.nextClose();
    idle.client.socket.resetAndDestroy();
    await idle.handler.over.next();
    expect(idle.handler.stores).toEqual([storeOf(idle)]);
  });

  it('hooks see the same when a rate has made them wait, and when a slow peer has', async () => {
    const rate = { messages: 100, burst: 0.01 };
    const [alice] = (await join(['/alice'], Watched, { asyncContext, rate, maxBufferedAmount: 100_000 })) as [Member];
    alice.client.send(...Array.from({ length: 5 }, () => text('x')));
    await alice.handler.reads.take(5);
    alice.client.socket.pause();
    // Reading waits until the peer takes this, which a stranger's write has put in its way.
    storage.run('a stranger', () => alice.handler.write(Buffer.alloc(16 << 20)));
    alice.client.send(text('y'));
    await turns(3);
    alice.client.socket.resume();
    await alice.handler.reads.next();
    await alice.handler.writes.next();
    expect(alice.handler.stores).toEqual([storeOf(alice)]);
  });

  it('a loop over messages() sees the context of the hook that it stands in, and so does onRead after it', async () => {
    class Looping extends Watched {
      override async onConnect(): Promise<void> {
        super.onConnect();
        for await (const message of this.messages()) {
          this.see('loop');
          this.reads.push(message);
          if (message === 'b') break;
        }
        await this.drained();
        this.see('drained');
      }
    }
    const [alice] = (await join(['/alice'], Looping, { asyncContext })) as [Member];
    const { client, handler } = alice;
    client.send(text('a'), text('b'), text('c'));
    await handler.reads.take(3);
    // Whoever takes the place of onRead from elsewhere makes the connection read on.
    const messages = storage.run('elsewhere', () => handler.messages());
    client.send(text('d'), frame({ opcode: 8, payload: closeBody(1000) }));
    expect(await storage.run('elsewhere', () => messages.next())).toEqual({ done: false, value: 'd' });
    storage.run('elsewhere', () => void messages.next());
    await handler.over.next();
    expect(handler.called).toEqual(expect.arrayContaining(['loop', 'drained', 'onRead', 'onClose']));
    expect(handler.stores).toEqual([storeOf(alice)]);
  });

  it('a lazy thenable that a hook returns works in the store of the hook', async () => {
    const seen = new AsyncQueue<string | undefined>();
    /** As query builders do. */
    const lazily = (): PromiseLike<void> => ({
      // biome-ignore lint/suspicious/noThenProperty: that is what it is about
      then: (onFulfilled) => {
        seen.push(storage.getStore());
        return Promise.resolve().then(onFulfilled);
      },
    });
    class Lazy extends Watched {
      override onConnect(): unknown {
        super.onConnect();
        return lazily();
      }

      override onWrite(): unknown {
        super.onWrite();
        return lazily();
      }

      override onClose(code: number): unknown {
        super.onClose(code);
        return lazily();
      }
    }
    const [alice] = (await join(['/alice'], Lazy, { asyncContext })) as [Member];
    expect(await seen.next()).toBe(storeOf(alice));
    storage.run('a stranger', () => alice.handler.write('a'));
    expect(await seen.next()).toBe(storeOf(alice));
    storage.run('a stranger', () => alice.handler.terminate());
    expect(await seen.next()).toBe(storeOf(alice));
  });

  it('subscribers of the channels see the same', async () => {
    const seen: Seen[] = [];
    const subscriber = (_message: unknown, name: string | symbol): void => {
      seen.push([String(name).split(':')[1]!, storage.getStore()]);
    };
    const names = ['open', 'close', 'error', 'overflow', 'slow-consumer', 'throttle'].map(
      (n) => `websocket-route:${n}`,
    );
    for (const name of names) subscribe(name, subscriber);
    try {
      class Failing extends Watched {
        override onRead(data: string | Buffer): unknown {
          super.onRead(data);
          throw new Error('a mistake');
        }
      }
      const options = {
        asyncContext,
        bufferSize: 100,
        maxBufferedAmount: 65_536,
        rate: { messages: 100, burst: 0.01 },
        slowConsumer: 'drop',
      } as const;
      const [alice] = (await join(['/alice'], Failing, options)) as [Member];
      const { client, handler } = alice;
      client.send(text('a'), text('b'), text('c'));
      await handler.reads.take(3);
      client.socket.pause();
      for (let i = 0; i < 3; i++) {
        storage.run('a stranger', () => handler.write(Buffer.alloc(16 << 20)));
        await turns(2);
      }
      expect(handler.dropped).toBeGreaterThan(0);
      client.socket.resume();
      client.send(binary(Buffer.alloc(101)));
      await handler.over.next();
      expect(new Set(seen.map(([what]) => what)).size).toBe(names.length);
      expect([...new Set(seen.map(([, store]) => store))]).toEqual([storeOf(alice)]);
    } finally {
      for (const name of names) unsubscribe(name, subscriber);
    }
  });

  it('hooks see the same where a test connects without a port', async () => {
    const handlers = new AsyncQueue<Watched>();
    class Joined extends Watched {
      override onConnect(): unknown {
        handlers.push(this);
        return super.onConnect();
      }
    }
    const listener = app(Joined, { asyncContext });
    const client = await storage.run('the test', () => connect(listener, '/alice'));
    const handler = await handlers.next();
    storage.run('the test', () => client.send('a'));
    await handler.reads.next();
    storage.run('the test', () => handler.write('b'));
    await handler.writes.next();
    await storage.run('the test', () => client.close());
    await handler.over.next();
    expect(handler.stores).toEqual([storeOf({ handler } as Member)]);
  });
});

it('onHandshake, origins, keyOf and subprotocols see the request’s store, and so does onError for them', async () => {
  const seen: Seen[] = [];
  const see = (what: string): void => void seen.push([what, storage.getStore()]);
  class Refusing extends WebSocketHandler {
    override async onHandshake(): Promise<never> {
      await turns();
      see('onHandshake');
      throw new Error('a mistake');
    }

    override onError(): void {
      see('onError');
    }
  }
  const options: ConnectionOptions = {
    async origins() {
      await turns();
      see('origins');
      return true;
    },
    maxConnectionsPerKey: 1,
    keyOf() {
      see('keyOf');
      return 'key';
    },
    subprotocols() {
      see('subprotocols');
      return undefined;
    },
  };
  const server = await serveAt('request', app(Refusing, options));
  const client = await RawClient.connect(server);
  const { status } = await client.handshake('/alice', { Origin: 'http://a.example', 'Sec-WebSocket-Protocol': 'a' });
  expect(status).toBe(500);
  expect(seen).toEqual(['keyOf', 'origins', 'subprotocols', 'onHandshake', 'onError'].map((what) => [what, '/alice']));
});
