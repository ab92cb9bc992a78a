import { createServer } from 'node:http';
import { WebSocket } from 'ws';
import {
  acceptWebSocket,
  broadcast,
  type Delimiter,
  EntireMessage,
  ErrorCode,
  InvalidStateError,
  NetStruct,
  Opcode,
  prepare,
  Struct,
  StructError,
  WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { deferred, open, roundTrip, turns } from '../connection/open.js';
import { closeBody, frame, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';

const ping = frame({ opcode: 9, payload: 'sync' });

let log: jest.SpyInstance;
beforeEach(() => {
  log = jest.spyOn(console, 'error').mockImplementation(() => {});
});
afterEach(() => {
  log.mockRestore();
});

describe('write', () => {
  const memory = new ArrayBuffer(16);
  new Uint8Array(memory).set(Array.from({ length: 16 }, (_, i) => i + 1));
  const shared = new SharedArrayBuffer(4);
  new Uint8Array(shared).set([7, 8, 9, 10]);

  it.each([
    ['a string', 'Hello', '8105', '48656c6c6f'],
    ['an empty string', '', '8100', ''],
    ['a string of all planes', 'aé中🧀', '810a', '61c3a9e4b8adf09fa780'],
    ['half a surrogate pair, as U+FFFD', 'a\ud83e', '8104', '61efbfbd'],
    ['a Buffer', Buffer.from([1, 2, 255]), '8203', '0102ff'],
    ['an empty Buffer', Buffer.alloc(0), '8200', ''],
    ['a Uint8Array', new Uint8Array(memory, 3, 4), '8204', '04050607'],
    ['a DataView', new DataView(memory, 1, 2), '8202', '0203'],
    ['a Float32Array', new Float32Array(memory, 4, 2), '8208', '05060708090a0b0c'],
    ['a BigUint64Array', new BigUint64Array(memory, 8, 1), '8208', '090a0b0c0d0e0f10'],
    ['a Uint8ClampedArray', new Uint8ClampedArray(memory, 15), '8201', '10'],
    ['an ArrayBuffer', memory.slice(0, 2), '8202', '0102'],
    ['a view of shared memory', new Uint8Array(shared, 1), '8203', '08090a'],
    ['an empty view at the end', new Uint8Array(memory, 16), '8200', ''],
    ['126 bytes', Buffer.alloc(126, 5), '827e007e', '05'.repeat(126)],
    ['65,536 bytes', Buffer.alloc(65536, 5), '827f0000000000010000', '05'.repeat(65536)],
    ['a long string', 'é'.repeat(5000), '817e2710', 'c3a9'.repeat(5000)],
  ])('sends %s, and these bytes exactly', async (_what, data, header, payload) => {
    const { client, handler } = await open();
    expect(handler.write(data)).toBe(header.length + payload.length <= 2 * 65_536);
    const expected = Buffer.from(header + payload, 'hex');
    expect((await client.bytes(expected.length)).equals(expected)).toBe(true);
    handler.write('behind');
    expect(await client.nextText()).toBe('behind');
  });

  it.each([
    5,
    0,
    Number.NaN,
    5n,
    true,
    null,
    undefined,
    Symbol('data'),
    {},
    { length: 3 },
    [1, 2, 3],
    () => 'x',
    new Date(),
    new Map(),
    Promise.resolve('x'),
    new String('boxed'),
    shared,
  ])('refuses %p, naming it, and sends nothing', async (data) => {
    const { client, handler } = await open();
    const write = (): unknown => handler.write(data as unknown as string);
    expect(write).toThrow(/^write data is .+: it must be a string, a Buffer/);
    expect(write).toThrow(expect.objectContaining({ name: 'TypeError', code: ErrorCode.INVALID_ARGUMENT }));
    client.send(ping);
    expect((await client.next()).opcode).toBe(10);
  });

  it.each([
    [42, /^write data is 42: .*; String\(\) makes a string of it$/],
    [true, /; String\(\) makes/],
    [{ a: 1 }, /; JSON\.stringify\(\) makes/],
    [[1], /; JSON\.stringify\(\) makes/],
    [undefined, /^write data is undefined: it must be a string, a Buffer or another view, or an ArrayBuffer$/],
    [null, /^write data is null: .* an ArrayBuffer$/],
  ])('says what makes a string of %p', async (data, message) => {
    const { handler } = await open();
    expect(() => handler.write(data as unknown as string)).toThrow(message);
    if (data !== undefined) expect(() => handler.ping(data as unknown as string)).toThrow(/^ping data is /);
  });

  it('sends bytes as text, if they are UTF-8', async () => {
    const { client, handler } = await open();
    handler.write(Buffer.from('déjà'), { opcode: Opcode.Text });
    handler.write(new DataView(new TextEncoder().encode('ok').buffer), { opcode: Opcode.Text });
    expect(await client.nextText()).toBe('déjà');
    expect(await client.nextText()).toBe('ok');
    for (const bad of ['ff', 'c080', 'eda080', 'e282']) {
      expect(() => handler.write(Buffer.from(bad, 'hex'), { opcode: Opcode.Text })).toThrow(/must be valid UTF-8/);
    }
    client.send(ping);
    expect((await client.next()).opcode).toBe(10);
  });

  it('refuses a string together with a frame opcode', async () => {
    const { handler } = await open();
    for (const opcode of [...Object.values(Opcode), null]) {
      expect(() => handler.write('text', { opcode: opcode as Opcode })).toThrow(/with an opcode it must be bytes/);
    }
  });

  it.each([0, 3, 7, 8, 11, 15, 16, -1, 1.5, '1', null, {}])('refuses the frame opcode %p', async (opcode) => {
    const { client, handler } = await open();
    const write = (): unknown => handler.write(Buffer.from('x'), { opcode: opcode as Opcode });
    if (opcode === null) expect(write).not.toThrow();
    else expect(write).toThrow(/^opcode is .*: it must be Opcode.Text, Binary, Ping or Pong/);
    client.send(ping);
    expect((await client.next()).opcode).toBe(opcode === null ? 2 : 10);
  });

  it('takes the opcode by its old name, frame, too', async () => {
    const { client, handler } = await open();
    handler.write(Buffer.from('old'), { frame: Opcode.Text });
    handler.write(Buffer.from('both'), { opcode: Opcode.Text, frame: Opcode.Text });
    handler.write(prepare(Buffer.from('prepared'), { frame: Opcode.Text }));
    broadcast([handler], Buffer.from('broadcast'), { frame: Opcode.Text });
    for (const text of ['old', 'both', 'prepared', 'broadcast']) expect(await client.nextText()).toBe(text);
  });

  it('refuses two opcodes that differ, one by either name', async () => {
    const { client, handler } = await open();
    const options = { opcode: Opcode.Text, frame: Opcode.Binary };
    const bytes = Buffer.from('x');
    const rule = /frame is 2: it is the old name of opcode, which is 1: leave frame out$/;
    expect(() => handler.write(bytes, options)).toThrow(rule);
    expect(() => prepare(bytes, options)).toThrow(rule);
    expect(() => broadcast([handler], bytes, options)).toThrow(rule);
    client.send(ping);
    expect((await client.next()).opcode).toBe(10);
  });

  it('refuses control frames of more than 125 bytes', async () => {
    const { handler } = await open();
    for (const opcode of [Opcode.Ping, Opcode.Pong]) {
      expect(() => handler.write(Buffer.alloc(126), { opcode })).toThrow(/at most 125 bytes.* has 126$/);
    }
    // As it was given, and not as it would be sent.
    expect(() => handler.ping('é'.repeat(63))).toThrow(/^ping data is 'é+'.*: it must be at most 125 bytes.* has 126$/);
  });

  it('says false above the high-water mark', async () => {
    const { handler } = await open({}, { highWaterMark: 100 });
    expect(handler.write('x'.repeat(98))).toBe(true);
    expect(handler.bufferedAmount).toBe(100);
    expect(handler.write('')).toBe(false);
    expect(handler.bufferedAmount).toBe(102);
    await handler.drained();
    expect(handler.write('x')).toBe(true);
  });

  it('counts what is buffered until the kernel has it', async () => {
    const { client, handler } = await open();
    expect(handler.bufferedAmount).toBe(0);
    handler.write('abc');
    handler.write(Buffer.alloc(70_000));
    handler.ping('p');
    expect(handler.bufferedAmount).toBe(5 + 70_010 + 3);
    await handler.drained();
    expect(handler.bufferedAmount).toBe(0);
    client.socket.destroy();
  });

  it('is understood by another library', async () => {
    const server = await serve(
      websocketRoute({
        onConnect() {
          this.write('text');
          this.write(new Float32Array([1.5, -2]));
          this.write(Buffer.alloc(100_000, 3));
        },
      }),
    );
    const client = new WebSocket(server.url);
    const messages = new AsyncQueue<[Buffer, boolean]>();
    client.on('message', (data, isBinary) => messages.push([data as Buffer, isBinary]));
    const [first, second, third] = await messages.take(3);
    expect([first![0].toString(), first![1]]).toEqual(['text', false]);
    expect([second![0].readFloatLE(0), second![0].readFloatLE(4), second![1]]).toEqual([1.5, -2, true]);
    expect(third![0].equals(Buffer.alloc(100_000, 3))).toBe(true);
    client.terminate();
  });
});

describe('writePacked', () => {
  it('packs by the readDelimiter', async () => {
    const { client, handler } = await open();
    handler.readDelimiter = new Struct('!IH');
    handler.writePacked(1, 2);
    expect((await client.next()).payload).toEqual(Buffer.from('000000010002', 'hex'));
    handler.readDelimiter = new NetStruct('H$B');
    handler.writePacked(Buffer.from('abc'), 9);
    const { opcode, payload } = await client.next();
    expect([opcode, payload]).toEqual([2, Buffer.from('000361626309', 'hex')]);
  });

  it.each<Delimiter>([EntireMessage, null, '\n', 5, /x/])('refuses without a struct, with %p', async (delimiter) => {
    const { handler } = await open();
    handler.readDelimiter = delimiter;
    expect(() => handler.writePacked(1)).toThrow(/readDelimiter is .*must be a Struct or NetStruct; writePackedAs/);
  });

  it('packs as it is told, by a format, a Struct or a NetStruct', async () => {
    const { client, handler } = await open();
    expect(handler.writePackedAs('<HB', 258, 3)).toBe(true);
    handler.writePackedAs(new Struct('>H'), 258);
    handler.writePackedAs(new NetStruct('B$'), Buffer.from('hi'));
    expect((await client.next()).payload.toString('hex')).toBe('020103');
    expect((await client.next()).payload.toString('hex')).toBe('0102');
    expect((await client.next()).payload.toString('hex')).toBe('026869');
  });

  it('refuses formats and values that do not fit, and sends nothing', async () => {
    const { client, handler } = await open();
    const as = handler.writePackedAs.bind(handler) as (format: unknown, ...values: unknown[]) => boolean;
    expect(() => as('!Y', 1)).toThrow(StructError);
    expect(() => as('!B', 256)).toThrow(StructError);
    expect(() => as('!B')).toThrow(StructError);
    expect(() => as('!B', 1, 2)).toThrow(StructError);
    expect(() => as('!B', 'x')).toThrow(StructError);
    handler.readDelimiter = new Struct('!B');
    expect(() => handler.writePacked(-1)).toThrow(StructError);
    client.send(ping);
    expect((await client.next()).opcode).toBe(10);
  });

  it('remembers formats, of which there may be any number', async () => {
    const { client, handler } = await open();
    for (let i = 1; i <= 250; i++) handler.writePackedAs(`${i}x`);
    for (let i = 1; i <= 250; i++) expect((await client.next()).payload).toHaveLength(i);
  });
});

describe('close', () => {
  it.each([999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, -1, 1000.5, Number.NaN, '1000', null, {}])(
    'refuses the code %p, and the connection goes on',
    async (code) => {
      const { client, handler } = await open();
      expect(() => handler.close(code as number)).toThrow(/^close code is/);
      await roundTrip(client, ping);
    },
  );

  it('says where a reason goes', async () => {
    const { handler } = await open();
    expect(() => handler.close('bye' as never)).toThrow(
      "close code is 'bye': the reason comes second: close(1000, 'bye')",
    );
  });

  it('refuses a reason that is too long, or none', async () => {
    const { client, handler } = await open();
    expect(() => handler.close(1000, 'x'.repeat(124))).toThrow(/at most 123 bytes/);
    expect(() => handler.close(1000, 5 as unknown as string)).toThrow(/close reason is 5/);
    await roundTrip(client, ping);
  });

  it('close() without flush is terminate()', async () => {
    const { client, handler, closes } = await open();
    handler.write('lost');
    handler.close(1000, '', { flush: false });
    expect(await client.rest()).toHaveLength(0);
    expect(await closes.next()).toEqual([1006, '', false]);
  });
});

describe('before the handshake is done', () => {
  it('nothing can be sent, in the constructor nor in onHandshake', async () => {
    const failures: unknown[] = [];
    const attempt = (run: () => unknown): void => {
      try {
        run();
      } catch (error) {
        failures.push(error);
      }
    };
    const attempts = (handler: WebSocketHandler): void => {
      attempt(() => handler.write('x'));
      attempt(() => handler.ping());
      attempt(() => handler.close());
      attempt(() => handler.terminate());
      attempt(() => handler.writePackedAs('B', 1));
    };
    class Early extends WebSocketHandler {
      constructor() {
        super();
        attempts(this);
        attempt(() => this.isSecure);
        attempt(() => this.version);
        attempt(() => this.bufferedAmount);
        attempt(() => this.readDelimiter);
        expect(this.remoteAddress).toBeUndefined();
      }

      override onHandshake(): boolean {
        attempts(this);
        expect(this.isSecure).toBe(false);
        expect(this.remoteAddress).toBe('127.0.0.1');
        expect(this.bufferedAmount).toBe(0);
        expect(this.readDelimiter).toBe(EntireMessage);
        return true;
      }

      override onConnect(): void {
        this.write('now');
      }
    }
    const client = await RawClient.open(await serve(websocketRoute(Early)));
    expect(await client.nextText()).toBe('now');
    expect(failures).toHaveLength(14);
    for (const failure of failures) expect(failure).toBeInstanceOf(InvalidStateError);
  });
});

describe('settings', () => {
  it('may be class fields', async () => {
    class Lines extends WebSocketHandler {
      override readDelimiter = '\n';
      override bufferSize = 10;
      override regexSearch = false;

      override onRead(line: string): void {
        this.write(`${line}|${this.readDelimiter}|${this.bufferSize}|${this.regexSearch}`);
        expect(Object.keys(this)).toEqual([]);
      }
    }
    const client = await RawClient.open(await serve(websocketRoute(Lines)));
    client.send(text('one\ntwo\n'));
    expect(await client.nextText()).toBe('one|\n|10|false');
    expect(await client.nextText()).toBe('two|\n|10|false');
  });

  it('may be assigned in the constructor, of a subclass of a subclass', async () => {
    class Base extends WebSocketHandler {
      constructor() {
        super();
        this.readDelimiter = '\n';
        this.bufferSize = 5;
      }
    }
    class Derived extends Base {
      override bufferSize = 1000;
      override onRead(line: string): void {
        this.write(`${line}: ${this.bufferSize}`);
      }
    }
    const client = await RawClient.open(await serve(websocketRoute(Derived)));
    client.send(text('longer than five\n'));
    expect(await client.nextText()).toBe('longer than five: 1000');
  });

  it('may stand in an object literal, and each connection has its own', async () => {
    const server = await serve(
      websocketRoute({
        readDelimiter: ';' as string | number,
        count: 0,
        onRead(data) {
          this.count++;
          this.write(`${this.count} ${data}`);
          this.readDelimiter = 2;
        },
      }),
    );
    const [one, two] = [await RawClient.open(server), await RawClient.open(server)];
    one.send(text('a;bcd'));
    expect([await one.nextText(), await one.nextText()]).toEqual(['1 a', '2 bc']);
    two.send(text('x;yz'));
    expect([await two.nextText(), await two.nextText()]).toEqual(['1 x', '2 yz']);
  });

  it('may be options of the route, which a class field overrides', async () => {
    class Own extends WebSocketHandler {
      override readDelimiter = ';';
      override onRead(data: string): void {
        this.write(`${data} ${this.bufferSize}`);
      }
    }
    const client = await RawClient.open(await serve(websocketRoute(Own, { readDelimiter: '\n', bufferSize: 77 })));
    client.send(text('a\nb;'));
    expect(await client.nextText()).toBe('a\nb 77');
  });

  it('a wrong setting in a class field refuses the handshake, and the log names the value', async () => {
    class Wrong extends WebSocketHandler {
      override readDelimiter = 0;
    }
    const client = await RawClient.connect(await serve(websocketRoute(Wrong)));
    await expect(client.handshake()).toBeRefusedWith(500);
    expect(log).toHaveBeenCalledWith(
      expect.any(String),
      expect.objectContaining({ message: expect.stringMatching(/readDelimiter is 0/) }),
    );
  });

  it('a wrong setting throws where it is assigned, and changes nothing', async () => {
    const { handler } = await open();
    expect(() => {
      handler.readDelimiter = '';
    }).toThrow(TypeError);
    expect(() => {
      handler.bufferSize = 0;
    }).toThrow(TypeError);
    expect(() => {
      handler.regexSearch = 1 as unknown as boolean;
    }).toThrow(TypeError);
    expect([handler.readDelimiter, handler.bufferSize, handler.regexSearch]).toEqual([EntireMessage, 65536, true]);
  });
});

describe('addresses', () => {
  it('are those of the socket, until others are assigned, and again when these are deleted', async () => {
    const { client, handler, server } = await open();
    expect([handler.localAddress, handler.remoteAddress]).toEqual(['127.0.0.1', '127.0.0.1']);
    handler.remoteAddress = '203.0.113.7';
    handler.localAddress = 'edge';
    expect([handler.localAddress, handler.remoteAddress]).toEqual(['edge', '203.0.113.7']);
    delete handler.remoteAddress;
    delete handler.localAddress;
    expect([handler.localAddress, handler.remoteAddress]).toEqual(['127.0.0.1', '127.0.0.1']);
    handler.remoteAddress = undefined;
    expect(handler.remoteAddress).toBeUndefined();
    delete handler.remoteAddress;
    expect(handler.remoteAddress).toBe('127.0.0.1');
    expect(server.port).toBe(client.socket.remotePort);
  });

  it('may be class fields', async () => {
    const seen = new AsyncQueue<unknown>();
    class Named extends WebSocketHandler {
      override remoteAddress = 'somewhere';
      override onConnect(): void {
        seen.push(this.remoteAddress);
        Reflect.deleteProperty(this, 'remoteAddress');
        seen.push(this.remoteAddress);
      }
    }
    await RawClient.open(await serve(websocketRoute(Named)));
    expect(await seen.take(2)).toEqual(['somewhere', '127.0.0.1']);
  });
});

describe('what is known of the connection', () => {
  it.each([13, 8] as const)('version is %i, as the handshake said', async (version) => {
    const headers: Record<string, string> = { 'Sec-WebSocket-Version': `${version}` };
    const { handler } = await open({}, {}, { headers });
    expect(handler.version).toBe(version);
    expect(handler.isSecure).toBe(false);
    expect(handler.subprotocol).toBe('');
  });

  it('readyState tells the state of the connection in every hook', async () => {
    const seen: number[] = [];
    class Standing extends WebSocketHandler {
      constructor() {
        super();
        seen.push(this.readyState);
      }

      override onHandshake(): boolean {
        seen.push(this.readyState);
        return true;
      }

      override onConnect(): void {
        seen.push(this.readyState);
      }

      override onRead(): void {
        this.close();
        seen.push(this.readyState);
      }

      override onClose(): void {
        seen.push(this.readyState);
        closed.resolve();
      }
    }
    const closed = deferred();
    const client = await RawClient.open(await serve(websocketRoute(Standing)));
    client.send(text('x'));
    await client.nextClose();
    await client.close();
    await closed.promise;
    expect(seen).toEqual([0, 0, 1, 2, 3]);
  });

  it('isSecure is true over TLS', async () => {
    const { handler } = await open({}, {}, { tls: true });
    expect(handler.isSecure).toBe(true);
  });

  it('subprotocol is the one that was chosen', async () => {
    const { handler } = await open({}, { subprotocols: ['b', 'a'] }, { headers: { 'Sec-WebSocket-Protocol': 'a, b' } });
    expect(handler.subprotocol).toBe('b');
  });
});

describe('onConnect', () => {
  it('gets the params and the request from a route, and what acceptWebSocket was given', async () => {
    const seen = new AsyncQueue<unknown[]>();
    const hooks = { onConnect: (...args: unknown[]) => void seen.push(args) };
    const route = websocketRoute('/ws/:name', hooks);
    const server = await serve(
      createServer((request, response) => {
        route(request, response, () => acceptWebSocket(request, response, hooks, {}, 1, 'two'));
      }),
    );
    await RawClient.open(server, '/ws/ada');
    const [params, request] = await seen.next();
    expect(params).toEqual({ name: 'ada' });
    expect(request).toMatchObject({ url: '/ws/ada' });
    await RawClient.open(server, '/other');
    expect(await seen.next()).toEqual([1, 'two']);
  });
});

describe('the hooks of WebSocketHandler itself', () => {
  it('do nothing, but log and close on errors', async () => {
    const opened = deferred<WebSocketHandler>();
    const warnings = jest.spyOn(console, 'warn').mockImplementation();
    class Bare extends WebSocketHandler {
      override onConnect(): void {
        opened.resolve(this);
      }
    }
    const client = await RawClient.open(await serve(websocketRoute(Bare)));
    const handler = await opened.promise;
    handler.write('x');
    handler.ping('p');
    client.send(text('ignored'), frame({ opcode: 10, payload: 'p' }), ping);
    await client.nextText();
    await turns(2);
    client.send(frame({ opcode: 2, length: 70_000n }));
    let got = await client.next();
    while (got.opcode !== 8) got = await client.next();
    expect(got.payload).toEqual(closeBody(1009, 'at most 65536 bytes'));
    expect(log).not.toHaveBeenCalled();
    expect(warnings).toHaveBeenCalledTimes(1);
    expect(warnings).toHaveBeenCalledWith(
      expect.stringMatching(/^websocket-route: onOverflowError of Bare: OverflowError: .* 70000 bytes .* 65536 bytes/),
    );
    warnings.mockRestore();
  });
});
