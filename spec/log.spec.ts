/** What is logged, and how often: strangers can provoke most errors as often as they like. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import express from 'express';
import * as library from '../lib/index.js';
import { type Log, WebSocketHandler, websocketRoute } from '../lib/index.js';
import { refused } from './docs/client.js';
import { text } from './support/frames.js';
import { RawClient } from './support/raw-client.js';
import { serve } from './support/server.js';

let log: jest.SpyInstance;
let warnings: jest.SpyInstance;
/** A minute and all that was counted in it belong to the module: each test has one of its own. */
let logError: (context: string, error: unknown, log?: Log) => void;
let setLog: (log: Log) => void;
let OverflowError: new (size: number, limit: number) => Error;
let ProtocolError: new (message: string, closeCode: number) => Error;

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  log = jest.spyOn(console, 'error').mockImplementation();
  warnings = jest.spyOn(console, 'warn').mockImplementation();
  await jest.isolateModulesAsync(async () => {
    ({ logError, setLog } = await import('../lib/log.js'));
    ({ OverflowError, ProtocolError } = await import('../lib/errors.js'));
  });
});
afterEach(() => {
  log.mockRestore();
  warnings.mockRestore();
  jest.useRealTimers();
});

const linesOf = (spy: jest.SpyInstance): unknown[] => spy.mock.calls.map(([line]) => line as unknown);
const lines = (): unknown[] => linesOf(log);
const times = (count: number, run: (i: number) => void): void => {
  for (let i = 0; i < count; i++) run(i);
};

describe('what a peer did wrong', () => {
  it('is one line without a stack, once in a minute, and with the next one how many more', () => {
    const error = new OverflowError(70_000, 65_536);
    times(5000, () => logError('onOverflowError of /ws', error));
    const line = `websocket-route: onOverflowError of /ws: OverflowError: ${error.message}`;
    expect(warnings.mock.calls).toEqual([[line]]);
    jest.advanceTimersByTime(59_999);
    logError('onOverflowError of /ws', error);
    expect(linesOf(warnings)).toEqual([line]);
    jest.advanceTimersByTime(1);
    // Nothing comes by itself, into whatever is going on then.
    expect(linesOf(warnings)).toEqual([line]);
    logError('onOverflowError of /ws', error);
    expect(linesOf(warnings)).toEqual([line, `${line} (5000 more within a minute)`, line]);
    jest.advanceTimersByTime(600_000);
    logError('onOverflowError of /ws', error);
    expect(linesOf(warnings).slice(3)).toEqual([line]);
  });

  it('is told apart by the route, and by what it was', () => {
    times(3, () => {
      logError('onOverflowError of /a', new OverflowError(2, 1));
      logError('onOverflowError of /b', new OverflowError(2, 1));
      logError('onOverflowError of /b', new ProtocolError('wrong', 1002));
    });
    expect(warnings).toHaveBeenCalledTimes(3);
  });

  it('stays one line, whatever its message is', () => {
    logError('a stream of /ws', new ProtocolError('a\r\nb\u2028\u001b[31m%s', 1002));
    expect(warnings.mock.calls).toEqual([['websocket-route: a stream of /ws: ProtocolError: a b [31m%s']]);
    logError('x'.repeat(10_000), new ProtocolError('long', 1002));
    expect(String(linesOf(warnings)[1]).length).toBe(500);
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

  it('an error of another realm is logged as an error, too', () => {
    logError('onRead of /ws', runInNewContext('new Error("elsewhere")'));
    expect(log.mock.calls).toEqual([[expect.any(String), expect.objectContaining({ message: 'elsewhere' })]]);
  });

  it('an error that cannot be inspected is logged with what can be said of it', () => {
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
  it('a flood of oversize messages logs one line', async () => {
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
    expect(linesOf(warnings)).toEqual([
      expect.stringMatching(/^websocket-route: onOverflowError of Small at \/small: OverflowError: [^\n]+$/),
    ]);
  });

  it('a flood of messages at which a hook throws logs twenty errors with their stacks', async () => {
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

describe('a log of your own', () => {
  /** Notes what it gets. */
  function noting(): { own: Log; noted: [level: string, line: string, error?: unknown][] } {
    const noted: [level: string, line: string, error?: unknown][] = [];
    const note =
      (level: string) =>
      (...line: [line: string, error?: unknown]): void => {
        noted.push([level, ...line]);
      };
    return { own: { warn: note('warn'), error: note('error') }, noted };
  }

  it('gets what a peer did wrong as a warning, and an error with its line', () => {
    const { own, noted } = noting();
    const bug = new TypeError('x is 100%d');
    logError('onRead of /100%', bug, own);
    logError('onOverflowError of /ws', new OverflowError(2, 1), own);
    expect(noted).toEqual([
      ['error', 'websocket-route: onRead of /100%: TypeError: x is 100%d', bug],
      ['warn', expect.stringMatching(/^websocket-route: onOverflowError of \/ws: OverflowError: a unit /)],
    ]);
    expect([...log.mock.calls, ...warnings.mock.calls]).toEqual([]);
  });

  it('is bounded as the console is, and told how many more', () => {
    const { own, noted } = noting();
    times(25, () => logError('onRead of /ws', new Error('x'), own));
    expect(noted).toHaveLength(20);
    jest.advanceTimersByTime(60_000);
    logError('another of /ws', new Error('x'));
    expect(noted.slice(20)).toEqual([['error', 'websocket-route: onRead of /ws: Error: x (5 more within a minute)']]);
  });

  it('the log of the process takes what has no log of its own', () => {
    const { own, noted } = noting();
    setLog(own);
    logError('a timer failed', new Error('x'));
    expect(noted).toEqual([['error', 'websocket-route: a timer failed: Error: x', new Error('x')]]);
    setLog(console);
    logError('a timer failed', new Error('y'));
    expect(log.mock.calls).toEqual([['websocket-route: a timer failed:', new Error('y')]]);
  });

  it('may be that of a prototype, which is called as a method', () => {
    class Logger {
      readonly lines: string[] = [];
      warn(line: string): void {
        this.lines.push(line);
      }
      error(line: string): void {
        this.lines.push(line);
      }
    }
    const logger = new Logger();
    logError('onRead of /ws', 7, logger);
    setLog(logger);
    logError('onRead of /other', 8);
    expect(logger.lines).toEqual(['websocket-route: onRead of /ws: 7', 'websocket-route: onRead of /other: 8']);
  });

  it.each<[what: string, fail: () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('the disk is full');
      },
    ],
    ['rejects', () => Promise.reject(new Error('the disk is full'))],
  ])('a log that %s ends nothing', async (_what, fail) => {
    jest.useRealTimers();
    const failing = { warn: fail, error: fail };
    const rejections: unknown[] = [];
    const note = (reason: unknown): unknown => rejections.push(reason);
    process.on('unhandledRejection', note);
    logError('onRead of /ws', new Error('x'), failing);
    logError('onRead of /ws', new OverflowError(2, 1), failing);
    await new Promise(setImmediate);
    process.off('unhandledRejection', note);
    expect(rejections).toEqual([]);
  });

  it.each([null, 5, 'console', {}, () => {}, { error() {} }, { warn: 1, error: 2 }])('is not %p', (wrong) => {
    const rule = /^log is .*: it must have the methods warn and error, as console has$/;
    expect(() => library.setLog(wrong as unknown as Log)).toThrow(rule);
    expect(() => websocketRoute({}, { log: wrong as unknown as Log })).toThrow(rule);
    expect(() => library.drainOnSignal(createServer(), ['SIGTERM'], { log: wrong as unknown as Log })).toThrow(rule);
  });

  it('is that of the route for its hooks, its peers and its handshakes', async () => {
    jest.useRealTimers();
    const { own, noted } = noting();
    class Logged extends WebSocketHandler {
      override bufferSize = 10;
      override onHandshake(request: IncomingMessage): boolean {
        if (request.url === '/logged?fail') throw new Error('in onHandshake');
        return true;
      }
      override onRead(): void {
        throw new Error('in onRead');
      }
    }
    class Failing extends WebSocketHandler {
      override onRead(): void {
        throw new Error('in onRead');
      }
      override onError(): void {
        throw new Error('in onError');
      }
    }
    const app = express();
    app.use(websocketRoute('/logged', Logged, { log: own }));
    app.use(websocketRoute('/failing', Failing, { log: own }));
    const server = await serve(app);
    for (const [path, message] of [
      ['/logged', 'x'],
      ['/logged', 'x'.repeat(11)],
      ['/failing', 'x'],
    ] as const) {
      const client = await RawClient.open(server, path);
      client.send(text(message));
      await client.nextClose();
      client.socket.destroy();
    }
    await refused(`${server.url}/logged?fail`);
    expect(noted.map(([level, line]) => `${level} ${line.replace('websocket-route: ', '')}`)).toEqual([
      'error onRead of Logged at /logged: Error: in onRead',
      expect.stringMatching(/^warn onOverflowError of Logged at \/logged: OverflowError: /),
      'error onError of Failing at /failing failed: Error: in onError',
      'error onHandshake of Logged at /logged: Error: in onHandshake',
    ]);
    expect([...log.mock.calls, ...warnings.mock.calls]).toEqual([]);
  });
});

describe('the library', () => {
  it('has no other way to the console', () => {
    const lib = join(__dirname, '..', 'lib');
    const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const code = (file: string): string =>
      readFileSync(join(lib, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    expect(files.filter((file) => /\bconsole\b|process\.std(out|err)/.test(code(file)))).toEqual(['log.ts']);
  });
});
