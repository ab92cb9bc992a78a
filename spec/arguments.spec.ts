/**
 * Arguments that JavaScript lets pass, and those that whoever ports from Pants writes by their places: each is a TypeError that
 * says what to write instead, and nothing has been sent.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import {
  acceptWebSocket,
  Limits,
  NetStruct,
  Opcode,
  prepare,
  Struct,
  upgradeListener,
  type WebSocketHandler,
  websocketRoute,
} from '../lib/index.js';
import { clientFrame, connect, memorySocket, TestClock } from '../lib/testing/index.js';
import { open } from './connection/open.js';
import { usageErrorCode } from './support/usage-error.js';

const bytes = Buffer.from('{}');
const rule = (message: RegExp): Error =>
  expect.objectContaining({
    name: 'TypeError',
    code: usageErrorCode(),
    message: expect.stringMatching(message),
  });

/** Calls a method with whatever arguments. */
function call(object: object, method: string, ...args: unknown[]): unknown {
  const found: unknown = Reflect.get(object, method);
  if (typeof found !== 'function') throw new Error(`there is no ${method}`);
  return Reflect.apply(found, object, args);
}

const WRITE = /^write options is .*: it must be an object, such as \{ opcode: Opcode\.Text, flush: true \}$/;

describe('a method of the handler refuses', () => {
  it.each<[method: string, args: unknown[], message: RegExp]>([
    ['write', ['x', null], WRITE],
    ['write', ['x', true], WRITE],
    ['write', [bytes, Opcode.Text], WRITE],
    ['write', ['x', 'utf8'], WRITE],
    ['write', ['x', () => {}], WRITE],
    ['write', ['x', []], WRITE],
    ['write', ['x', new Map()], WRITE],
    ['write', ['x', bytes], WRITE],
    ['write', [bytes, undefined, true], /^the third argument of write\(\) is true: options are one object/],
    [
      'write',
      ['x', { opcod: 1 }],
      /^write option is 'opcod': it is unknown \(did you mean opcode\?\); the options are opcode, flush, compress$/,
    ],
    ['write', ['x', { binary: true }], /^write option is 'binary': it is called opcode here$/],
    ['write', ['x', { flush: 1 }], /^write flush is 1: it must be true or false$/],
    ['write', ['x', { flush: true, fram: 1 }], /^write option is 'fram'/],
    ['write', ['x', { flush: null }], /^write flush is null: /],
    ['write', ['x', { compress: 'no' }], /^write compress is 'no': it must be true or false$/],
    ['write', [prepare('x'), { fin: true }], /^write option is 'fin': it is unknown/],
    ['ping', ['x', true], /^the second argument of ping\(\) is true: it takes data only/],
    ['ping', [5], /^ping data is 5: it must be a string/],
    ['ping', [null], /^ping data is null: /],
    ['close', [true], /^close code is true: the code comes first, and options come third: close\(1000, '', \{ flush/],
    ['close', [false, 1000, 'bye'], /^close code is false: the code comes first/],
    ['close', [{ flush: false }], /^close code is \{ flush: false \}: the code comes first/],
    ['close', [null], /^close code is null: it must be 1000 to 1003/],
    ['close', ['bye'], /^close code is 'bye': the reason comes second/],
    ['close', [1000, { flush: false }], /^close reason is \{ flush: false \}: it must be a string; options come third/],
    ['close', [1000, null], /^close reason is null/],
    ['close', [1000, '', { flus: false }], /^close option is 'flus': it is unknown \(did you mean flush\?\)/],
    ['close', [1000, '', false], /^close options is false: it must be an object, such as \{ flush: false \}$/],
    ['close', [1000, '', null], /^close options is null/],
    ['close', [1000, '', { flush: 0 }], /^close flush is 0: it must be true or false$/],
    ['close', [12, '', { flush: false }], /^close code is 12/],
    [
      'terminate',
      [1001, 'bye'],
      /^the argument of terminate\(\) is 1001: it takes no argument: .* close\(code, reason\)/,
    ],
    ['flush', ['x'], /^the argument of flush\(\) is 'x'/],
    ['drained', [500], /^the argument of drained\(\) is 500/],
    ['messages', [{ signal: 1 }], /^readDelimiter is \{ signal: 1 \}: it must be EntireMessage/],
    ['toWebStreams', [{ highWaterMark: 1 }], /^readDelimiter is \{ highWaterMark: 1 \}: it must be EntireMessage/],
    ['toDuplex', [{ objectMode: false }], /^the argument of toDuplex\(\)/],
    ['writePacked', [1, 2], /^readDelimiter is .*writePackedAs takes a format$/],
    ['writePackedAs', [1, 2], /^format is 1: it comes first, as a format such as '!IH', a Struct or a NetStruct$/],
    ['writePackedAs', [null, 2], /^format is null/],
    ['writePackedAs', [{ pack: () => bytes }], /^format is /],
  ])('a handler refuses %s%j', async (method, args, message) => {
    const { handler, client } = await open();
    expect(() => call(handler, method, ...args)).toThrow(rule(message));
    handler.write('next');
    expect(await client.nextText()).toBe('next');
  });

  it.each<[args: unknown[], message: RegExp]>([
    [[__filename, 1000], /^writeFile options is 1000: it must be an object, such as \{ length: 1000, offset: 0 \}$/],
    [[__filename, 1000, 5, true], /^writeFile options is 1000/],
    [[__filename, undefined, 5], /^the third argument of writeFile\(\) is 5: options are one object/],
    [[__filename, null], /^writeFile options is null/],
    [[__filename, true], /^writeFile options is true/],
    [[__filename, { nbytes: 1000 }], /^writeFile option is 'nbytes': it is called length here$/],
    [[__filename, { lenght: 1000 }], /^writeFile option is 'lenght': it is unknown \(did you mean length\?\)/],
    [[__filename, { flush: 'yes' }], /^writeFile flush is 'yes': it must be true or false$/],
    [[__filename, { length: null }], /^writeFile length is null: it must be a non-negative integer/],
    [[5], /^writeFile source is 5: it must be a path, a file: URL, or a FileHandle/],
    [[undefined], /^writeFile source is undefined/],
    [[null], /^writeFile source is null/],
    [[{ fd: 3 }], /^writeFile source is \{ fd: 3 \}/],
    [['a\0b'], /^writeFile source is 'a\\x00b'/],
    [[new URL('https://example.com/')], /^writeFile source is URL .*file: URL/],
  ])('a handler refuses writeFile%j by its promise', async (args, message) => {
    const { handler, client } = await open();
    await expect(call(handler, 'writeFile', ...args)).rejects.toEqual(rule(message));
    handler.write('next');
    expect(await client.nextText()).toBe('next');
  });

  it('a handler takes options that are undefined, without a prototype, frozen, or used again', async () => {
    const { handler, client } = await open();
    const shared = Object.freeze({ flush: true, compress: false, opcode: undefined });
    const bare = Object.assign(Object.create(null), { opcode: Opcode.Text });
    handler.write('1', undefined);
    handler.write('2', {});
    handler.write('3', shared);
    handler.write('4', shared);
    handler.write(Buffer.from('5'), bare);
    handler.flush();
    for (let i = 1; i <= 5; i++) expect(await client.nextText()).toBe(String(i));
    await handler.drained();
    handler.close(1000, '', { flush: undefined });
    await expect(client).toCloseWith(1000, '');
  });

  it('a handler refuses nothing for what somebody has put on Object.prototype', async () => {
    const { handler, client } = await open();
    Object.defineProperty(Object.prototype, 'polluted', { value: 1, enumerable: true, configurable: true });
    try {
      handler.write('x', { flush: true });
    } finally {
      Reflect.deleteProperty(Object.prototype, 'polluted');
    }
    expect(await client.nextText()).toBe('x');
  });

  it('a method used as a callback takes what an event or a promise hands to it', async () => {
    const { handler, closes } = await open();
    const controller = new AbortController();
    controller.signal.addEventListener('abort', handler.terminate.bind(handler));
    await Promise.resolve(undefined).then(handler.drained.bind(handler)).then(handler.flush.bind(handler));
    controller.abort();
    expect((await closes.next())[0]).toBe(1006);
  });
});

describe('a function refuses', () => {
  class Nothing {
    onRead(): void {}
  }
  const literal = { onRead(this: WebSocketHandler): void {} };
  const server = createServer();
  const request = { headers: {}, socket: new Socket() } as IncomingMessage;
  const response = { writeHead() {}, end() {} } as unknown as ServerResponse;

  it.each<[name: string, run: () => unknown, message: RegExp]>([
    ['prepare', () => prepare('x', null!), /^prepare options is null: .* \{ opcode: Opcode\.Text \}$/],
    ['prepare', () => call({ prepare }, 'prepare', bytes, Opcode.Text), /^prepare options is 1: /],
    [
      'prepare',
      () => call({ prepare }, 'prepare', 'x', { flush: true }),
      /^prepare option is 'flush': .*only .* opcode$/,
    ],
    ['Limits', () => Reflect.construct(Limits, [1000]), /^Limits options is 1000: .*maxBufferedBytes/],
    ['Limits', () => Reflect.construct(Limits, [null]), /^Limits options is null/],
    [
      'Limits',
      () => Reflect.construct(Limits, [{ maxBuferedByte: 1 }]),
      /^Limits option is 'maxBuferedByte': .*did you mean/,
    ],
    ['upgradeListener', () => call({ upgradeListener }, 'upgradeListener', literal), /^app is/],
    [
      'upgradeListener',
      () => call({ upgradeListener }, 'upgradeListener', () => {}, ['/ws']),
      /^options is \[ '\/ws' \]/,
    ],
    [
      'upgradeListener',
      () => call({ upgradeListener }, 'upgradeListener', () => {}, '/ws'),
      /such as \{ path: '\/ws' \}$/,
    ],
    [
      'websocketRoute',
      () => call({ websocketRoute }, 'websocketRoute', '/', literal, {}, {}),
      /^the last argument is \{\}/,
    ],
    [
      'websocketRoute',
      () => call({ websocketRoute }, 'websocketRoute', literal, '/ws'),
      /^options is '\/ws': .* path comes/,
    ],
    ['websocketRoute', () => call({ websocketRoute }, 'websocketRoute', '/', literal, null), /^options is null/],
    ['acceptWebSocket', () => acceptWebSocket(undefined!, response, literal), /^request is undefined/],
    ['acceptWebSocket', () => acceptWebSocket({ headers: {} } as IncomingMessage, response, literal), /^request is/],
    ['acceptWebSocket', () => call({ acceptWebSocket }, 'acceptWebSocket', response, request, literal), /^request is/],
    ['acceptWebSocket', () => acceptWebSocket(request, undefined!, literal), /^response is undefined/],
    ['acceptWebSocket', () => call({ acceptWebSocket }, 'acceptWebSocket', request, response), /^handler is undefined/],
    ['acceptWebSocket', () => call({ acceptWebSocket }, 'acceptWebSocket', request, response, Nothing), /^handler is/],
    [
      'acceptWebSocket',
      () => call({ acceptWebSocket }, 'acceptWebSocket', request, response, literal, 'lobby'),
      /^options is 'lobby': .*arguments for onConnect last$/,
    ],
    ['Struct', () => Reflect.construct(Struct, [5]), /^format is 5/],
    ['NetStruct', () => Reflect.construct(NetStruct, [undefined]), /^format is undefined/],
    ['packInto', () => call(new Struct('B'), 'packInto', Buffer.alloc(1), '0', 1), /^offset is '0'/],
    ['packInto', () => call(new Struct('B'), 'packInto', [0], 0, 1), /^target is \[ 0 \]/],
    ['unpack', () => call(new Struct('B'), 'unpack', 'x'), /^bytes is 'x'/],
    ['unpackFrom', () => call(new Struct('B'), 'unpackFrom', bytes, null), /^offset is null/],
    ['iterUnpack', () => call(new NetStruct('B$'), 'iterUnpack', 'x'), /^bytes is 'x'/],
    ['unpacker', () => call(new NetStruct('B$'), 'unpacker', 5), /^bytes is 5/],
    [
      'memorySocket',
      () => call({ memorySocket }, 'memorySocket', server, { remoteAdress: '::1' }),
      /did you mean remoteA/,
    ],
    ['memorySocket', () => call({ memorySocket }, 'memorySocket', server, '::1'), /^memorySocket options is '::1'/],
    ['memorySocket', () => call({ memorySocket }, 'memorySocket', server, { secure: 1 }), /^secure is 1/],
    [
      'clientFrame',
      () => call({ clientFrame }, 'clientFrame', { opcode: 1, masked: false }),
      /^clientFrame option is 'masked': it is unknown/,
    ],
    ['clientFrame', () => call({ clientFrame }, 'clientFrame', 1, 'text'), /^clientFrame options is 1/],
    ['clientFrame', () => call({ clientFrame }, 'clientFrame', { payload: 'x' }), /^opcode is undefined/],
    ['clientFrame', () => call({ clientFrame }, 'clientFrame', { opcode: 1, payload: 5 }), /^payload is 5/],
    ['clientFrame', () => call({ clientFrame }, 'clientFrame', { opcode: 1, mask: 'key!' }), /^mask is 'key!'/],
    ['clientFrame', () => call({ clientFrame }, 'clientFrame', { opcode: 1, lengthBits: 8 }), /^lengthBits is 8/],
  ])('the function %s refuses a wrong argument: %s', (_name, run, message) => {
    expect(run).toThrow(rule(message));
  });

  it.each<[options: unknown, message: RegExp]>([
    [{ header: {} }, /^option is 'header': it is unknown \(did you mean headers\?\)/],
    [{ protocols: 'chat' }, /^option is 'protocols': it is called subprotocols here$/],
    [{ headers: 'Cookie: a=1' }, /^headers is/],
    [{ headers: [['cookie', 'a=1']] }, /^headers is/],
    [{ headers: new Map() }, /^headers is/],
    [{ subprotocols: 5 }, /^subprotocols is 5/],
    [{ method: 5 }, /^method is 5/],
    [{ clock: Date }, /^clock is .*new TestClock\(\)$/],
    [{ remoteAddress: 5 }, /^remoteAddress is 5/],
    [{ answerPings: 0 }, /^answerPings is 0/],
    [{ answerClose: 'no' }, /^answerClose is 'no'/],
  ])('connect refuses %j by its promise', async (options, message) => {
    await expect(call({ connect }, 'connect', server, '/', options)).rejects.toEqual(rule(message));
  });

  it('a test client refuses a wrong argument in each of its methods', async () => {
    const client = await connect(createServer(websocketRoute(literal)), '/', { clock: new TestClock() });
    for (const [method, args, message] of [
      ['send', [5], /^data is 5/],
      ['ping', [5], /^ping data is 5/],
      ['ping', ['x'.repeat(126)], /at most 125 bytes.*sendRaw\(\) sends more$/],
      ['sendRaw', ['text'], /^bytes is 'text'/],
      ['sendRaw', [5], /^bytes is 5/],
      ['close', ['bye'], /^close code is 'bye'/],
    ] as const) {
      expect(() => call(client, method, ...args)).toThrow(rule(message));
    }
    client.terminate();
  });
});
