/** What is logged, and how often: strangers can provoke most errors as often as they like. */
import { runInNewContext } from 'node:vm';
import { WebSocketHandler, websocketRoute } from '../lib/index.js';
import { text } from './support/frames.js';
import { RawClient } from './support/raw-client.js';
import { serve } from './support/server.js';

let log: jest.SpyInstance;
/** A minute and all that was counted in it belong to the module: each test has one of its own. */
let logError: (context: string, error: unknown) => void;
let OverflowError: new (size: number, limit: number) => Error;
let ProtocolError: new (message: string, closeCode: number) => Error;

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  log = jest.spyOn(console, 'error').mockImplementation();
  await jest.isolateModulesAsync(async () => {
    ({ logError } = await import('../lib/log.js'));
    ({ OverflowError, ProtocolError } = await import('../lib/errors.js'));
  });
});
afterEach(() => {
  log.mockRestore();
  jest.useRealTimers();
});

const lines = (): unknown[] => log.mock.calls.map(([line]) => line as unknown);
const times = (count: number, run: (i: number) => void): void => {
  for (let i = 0; i < count; i++) run(i);
};

describe('what a peer did wrong', () => {
  it('is one line without a stack, once in a minute, and with the next one how many more', () => {
    const error = new OverflowError(70_000, 65_536);
    times(5000, () => logError('onOverflowError of /ws', error));
    const line = `websocket-route: onOverflowError of /ws: OverflowError: ${error.message}`;
    expect(log.mock.calls).toEqual([[line]]);
    jest.advanceTimersByTime(59_999);
    logError('onOverflowError of /ws', error);
    expect(lines()).toEqual([line]);
    jest.advanceTimersByTime(1);
    // Nothing comes by itself, into whatever is going on then.
    expect(lines()).toEqual([line]);
    logError('onOverflowError of /ws', error);
    expect(lines()).toEqual([line, `${line} (5000 more within a minute)`, line]);
    jest.advanceTimersByTime(600_000);
    logError('onOverflowError of /ws', error);
    expect(lines().slice(3)).toEqual([line]);
  });

  it('is told apart by the route, and by what it was', () => {
    times(3, () => {
      logError('onOverflowError of /a', new OverflowError(2, 1));
      logError('onOverflowError of /b', new OverflowError(2, 1));
      logError('onOverflowError of /b', new ProtocolError('wrong', 1002));
    });
    expect(log).toHaveBeenCalledTimes(3);
  });

  it('stays one line, whatever its message is', () => {
    logError('a stream of /ws', new ProtocolError('a\r\nb\u2028\u001b[31m%s', 1002));
    expect(log.mock.calls).toEqual([['websocket-route: a stream of /ws: ProtocolError: a b [31m%s']]);
    logError('x'.repeat(10_000), new ProtocolError('long', 1002));
    expect(String(lines()[1]).length).toBe(500);
  });
});

describe("what the user's code did wrong", () => {
  const fail = (message: string): Error => new Error(message);
  const parseError = (json: string): unknown => {
    try {
      return JSON.parse(json);
    } catch (error) {
      return error;
    }
  };
  const namedError = (name: string): Error => {
    class Named extends Error {}
    Named.prototype.name = name;
    return new Named('x');
  };

  it('keeps its stack, twenty times a minute, whatever its message is, and then how many more', () => {
    times(500, (i) => logError('onRead of /ws', fail(`bad ${i}\n    at somewhere`)));
    expect(log).toHaveBeenCalledTimes(20);
    expect(log.mock.calls[3]).toEqual(['websocket-route: onRead of /ws:', fail('bad 3\n    at somewhere')]);
    jest.advanceTimersByTime(60_000);
    logError('onRead of /other', fail('after it'));
    expect(lines()[20]).toBe(
      'websocket-route: onRead of /ws: Error: bad 0     at somewhere (480 more within a minute)',
    );
  });

  it.each<[what: string, fail: (i: number) => unknown]>([
    ['a message that ends in what looks like a place', (i) => fail(`x\n  at ${i}`)],
    ['a message that is quoted by JSON.parse', (i) => parseError(`x\n  at ${i}`)],
    ['a name of its own', (i) => Object.assign(fail('x'), { name: `E${i}` })],
    ['a name of its own, before there is a stack', (i) => namedError(`E${i}\n    at ${i}`)],
    ['a message that was changed later', (i) => Object.assign(fail(`x\n    at ${i}`), { message: 'y' })],
    ['a stack of its own', (i) => Object.assign(fail('x'), { stack: `x\n    at ${i}` })],
  ])('hides nothing of another hook with %s', (_what, failAt) => {
    times(500, (i) => logError('onRead of /json', failAt(i)));
    // Twenty of a place, and where strangers may choose that, of eleven.
    expect(log.mock.calls.length).toBeLessThanOrEqual(11 * 20);
    log.mockClear();
    times(25, () => logError('onRead of /mine', fail('a mistake of my own')));
    expect(log).toHaveBeenCalledTimes(20);
  });

  it('is told apart by its place, and not by what a message or a name has of a stranger', () => {
    times(500, (i) => logError('onRead of /json', parseError(`x\n  at ${i}`)));
    times(500, (i) => logError('onRead of /named', Object.assign(fail('x'), { name: `E${i}` })));
    expect(log).toHaveBeenCalledTimes(40);
  });

  it('is not hidden by another mistake in the same hook', () => {
    times(500, () => logError('onRead of /ws', fail('frequent')));
    logError('onRead of /ws', new TypeError('rare'));
    logError('onRead of /ws', new Error('at another place'));
    logError('onRead of /ws', 'no error at all');
    logError('onRead of /ws', null);
    expect(log).toHaveBeenCalledTimes(24);
  });

  it('is not taken for a format', () => {
    logError('onRead of /100%d/%s', 7);
    expect(log.mock.calls).toEqual([['websocket-route: onRead of /100%%d/%%s:', 7]]);
  });

  it('of another realm is one as well', () => {
    logError('onRead of /ws', runInNewContext('new Error("elsewhere")'));
    expect(log.mock.calls).toEqual([[expect.any(String), expect.objectContaining({ message: 'elsewhere' })]]);
  });

  it('that cannot be inspected is told by what can be said of it', () => {
    log.mockImplementation((...args: unknown[]) => {
      if (args.length > 1) throw new Error('cannot be inspected');
    });
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    logError('onRead of /ws', proxy);
    logError(
      'onRead of /ws',
      Object.defineProperty(new Error('told'), 'cause', {
        get() {
          throw new Error('hidden');
        },
      }),
    );
    expect(lines().filter((_line, i) => i % 2 === 1)).toEqual([
      'websocket-route: onRead of /ws: <Revoked Proxy>',
      'websocket-route: onRead of /ws: Error: told',
    ]);
  });
});

describe('counting', () => {
  it('is bounded: what comes after a hundred kinds is one kind', () => {
    times(10_000, (i) => logError(`onRead of /room/${i}`, new Error('x')));
    expect(log).toHaveBeenCalledTimes(120);
    jest.advanceTimersByTime(60_000);
    logError('onRead of /ws', new Error('x'));
    expect(lines()[120]).toBe('websocket-route: errors of other kinds (9880 more within a minute)');
    expect(log).toHaveBeenCalledTimes(122);
  });
});

describe('a flood', () => {
  it('of oversize messages is a line', async () => {
    jest.useRealTimers();
    class Small extends WebSocketHandler {
      override bufferSize = 10;
    }
    const server = await serve(websocketRoute('/small', Small));
    for (let i = 0; i < 50; i++) {
      const client = await RawClient.open(server, '/small');
      client.send(text('x'.repeat(100)));
      await expect(client).toCloseWith(1009);
      client.socket.destroy();
    }
    expect(lines()).toEqual([
      expect.stringMatching(/^websocket-route: onOverflowError of Small at \/small: OverflowError: [^\n]+$/),
    ]);
  });

  it('of messages at which a hook throws is twenty errors with their stacks', async () => {
    jest.useRealTimers();
    const server = await serve(
      websocketRoute('/json', {
        onRead(data: string | Buffer) {
          JSON.parse(String(data));
        },
        onError(error, hook) {
          // As the default, but for the close.
          logError(`${hook} of /json`, error);
        },
      }),
    );
    const client = await RawClient.open(server, '/json');
    for (let i = 0; i < 200; i++) client.send(text(`no JSON ${i}`));
    client.send(text('"last"'));
    await client.close();
    expect(log).toHaveBeenCalledTimes(20);
    for (const [line, error] of log.mock.calls) {
      expect(line).toBe('websocket-route: onRead of /json:');
      expect((error as Error).stack).toMatch(/onRead/);
    }
  });
});
