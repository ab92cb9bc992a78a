/** User code that throws, in each hook and in each way: `onError` hears of it, the process and other connections live. */
import { WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { closeBody, frame, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

const HOOKS = ['onHandshake', 'onConnect', 'onRead', 'onWrite', 'onPong', 'onClose', 'onOverflowError'] as const;
type Hook = (typeof HOOKS)[number];

const WAYS: [name: string, fail: (error: unknown) => unknown][] = [
  [
    'throws',
    (error) => {
      throw error;
    },
  ],
  ['rejects', (error) => Promise.reject(error)],
  [
    'rejects later',
    async (error) => {
      await new Promise(setImmediate);
      throw error;
    },
  ],
  // biome-ignore lint/suspicious/noThenProperty: that is what is tested
  ['returns a thenable whose then throws', (error) => ({ then: () => thrown(error) })],
];

function thrown(error: unknown): never {
  throw error;
}

/** Errors as users throw them. */
const ERRORS: [name: string, error: unknown][] = [
  ['an error', new Error('broken')],
  ['undefined', undefined],
  ['a string', 'broken'],
  ['an object without a prototype', Object.create(null)],
];

let logged: jest.SpyInstance;
beforeEach(() => {
  logged = jest.spyOn(console, 'error').mockImplementation();
});
afterEach(() => logged.mockRestore());

/** A handler in which one hook fails, and that reports what it is told. */
function failing(hook: Hook, fail: () => unknown, errors: AsyncQueue<unknown[]>, closes: AsyncQueue<number>) {
  class Failing extends WebSocketHandler {
    override onConnect(): unknown {
      this.bufferSize = 100;
      return undefined;
    }

    override onRead(data: string): unknown {
      if (data === 'ping me') this.ping();
      else this.write(data);
      return undefined;
    }

    override onClose(code: number): unknown {
      closes.push(code);
      return undefined;
    }

    override onError(error: unknown, where: string): void {
      errors.push([error, where]);
      super.onError(error, where as Hook);
    }
  }
  const { prototype } = Failing;
  const before = prototype[hook] as (...args: unknown[]) => unknown;
  Object.defineProperty(prototype, hook, {
    value(this: Failing, ...args: unknown[]) {
      if (hook !== 'onWrite' && hook !== 'onOverflowError') Reflect.apply(before, this, args);
      return fail();
    },
  });
  return Failing;
}

/** What the connection closes with. */
function expectedCode(hook: Hook, way: string): number {
  // The peer said goodbye already.
  if (hook === 'onClose') return 1000;
  // The unit is still too large when the hook returns its promise.
  if (hook === 'onOverflowError' && way !== 'throws') return 1009;
  return 1011;
}

/** Does what makes the hook run. */
async function provoke(hook: Hook, client: RawClient): Promise<void> {
  if (hook === 'onRead' || hook === 'onWrite') client.send(text('hello'));
  if (hook === 'onOverflowError') client.send(text('x'.repeat(200)));
  if (hook === 'onClose') client.send(frame({ opcode: 8, payload: closeBody(1000) }));
  if (hook === 'onPong') {
    client.send(text('ping me'));
    const { opcode, payload } = await client.next();
    expect(opcode).toBe(9);
    client.send(frame({ opcode: 10, payload }));
  }
}

describe.each(HOOKS)('%s', (hook) => {
  const healthy = async (server: Running): Promise<void> => {
    const client = await RawClient.open(server, '/healthy');
    client.send(text('well'));
    expect(await client.nextText()).toBe('well');
  };

  describe.each(WAYS)('that %s', (way, fail) => {
    it.each(ERRORS)('%s tells onError, which closes the connection', async (_what, error) => {
      const code = expectedCode(hook, way);
      const errors = new AsyncQueue<unknown[]>();
      const closes = new AsyncQueue<number>();
      const Failing = failing(hook, () => fail(error), errors, closes);
      const route = websocketRoute('/failing', Failing);
      const fine = websocketRoute('/healthy', {
        onRead(data: string | Buffer) {
          this.write(data);
        },
      });
      const server = await serve((request, response) => route(request, response, () => fine(request, response)));
      const bystander = await RawClient.open(server, '/healthy');

      const client = await RawClient.connect(server);
      const { status } = await client.handshake('/failing');
      expect(status).toBe(hook === 'onHandshake' ? 500 : 101);
      if (status === 101) await provoke(hook, client);
      expect(await errors.next()).toEqual([error, hook]);
      if (status === 101) {
        // What was written before is sent; then the close frame, or with onClose the answer to the peer's.
        let last = await client.next();
        while (last.opcode !== 8) last = await client.next();
        // Of the error itself the peer learns nothing.
        expect([last.payload.readUInt16BE(0), String(last.payload)]).toEqual([
          code,
          expect.not.stringContaining('broken'),
        ]);
        client.send(frame({ opcode: 8, payload: last.payload }));
        expect(await closes.next()).toBe(code);
        await client.ended;
      }
      bystander.send(text('unharmed'));
      expect(await bystander.nextText()).toBe('unharmed');
      await healthy(server);
      expect([errors.left, closes.left]).toEqual([[], []]);
      // By default it is logged as well, once.
      expect(logged.mock.calls).toEqual([[expect.stringContaining(hook), error]]);
    });
  });
});

describe('onError', () => {
  it.each(WAYS)('an onError that %s itself is logged, and the connection closes with 1011', async (_way, fail) => {
    class Hopeless extends WebSocketHandler {
      override onRead(): never {
        throw new Error('first');
      }

      override onError(): unknown {
        return fail(new Error('second'));
      }
    }
    const server = await serve(websocketRoute(Hopeless));
    const client = await RawClient.open(server);
    client.send(text('x'));
    await expect(client).toCloseWith(1011);
    expect(logged.mock.calls).toEqual([[expect.stringContaining('onError'), new Error('second')]]);
  });
});

describe('the constructor of a handler', () => {
  it('a constructor that throws refuses the handshake with 500', async () => {
    class Stillborn extends WebSocketHandler {
      constructor() {
        super();
        throw new Error('not today');
      }
    }
    const server = await serve(websocketRoute(Stillborn));
    await expect((await RawClient.connect(server)).handshake()).toBeRefusedWith(500);
    expect(logged.mock.calls).toEqual([[expect.stringContaining('Stillborn'), new Error('not today')]]);
  });

  it('a constructor that sets a wrong delimiter refuses the handshake with 500', async () => {
    class Undelimited extends WebSocketHandler {
      override readDelimiter = true as never;
    }
    const server = await serve(websocketRoute(Undelimited));
    await expect((await RawClient.connect(server)).handshake()).toBeRefusedWith(500);
    expect(logged.mock.calls).toHaveLength(1);
  });
});
