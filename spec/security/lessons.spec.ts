/**
 * What others learnt without an identifier of an advisory: each `describe` names the project and its cause. What other specs
 * hold already is not repeated here: a peer that never reads (spec/limits), and limits that were checked on a part (CVE-2020-27813).
 */
import { websocketRoute } from '../../lib/index.js';
import { type Opened, serveHooks } from '../connection/open.js';
import { frame, more, text } from '../support/frames.js';
import { KEY, RawClient } from '../support/raw-client.js';
import { doors } from './doors.js';
import { ILLEGAL } from './illegal-frames.js';
import { KIB, MIB, pinned } from './memory.js';
import { until } from './until.js';
import { Echo, expectNothingLogged, Witness } from './witness.js';

expectNothingLogged();

describe('faye-websocket#26: the length that a frame announced was allocated at once', () => {
  it.each([
    ['a message', frame({ opcode: 2, length: 2 ** 30 })],
    ['text', frame({ opcode: 1, length: 2 ** 30 })],
    ['a message of which some has come', frame({ opcode: 2, length: 2 ** 30, payload: 'some' })],
    ['a fragment', Buffer.concat([text('begun', false), frame({ opcode: 0, length: 2 ** 30 })])],
  ])('%s of a gibibyte that is within the limit takes no memory until it comes', async (_what, bytes) => {
    const { open } = await serveHooks({}, { bufferSize: 2 ** 31 });
    const opened: Opened[] = [];
    for (let i = 0; i < 10; i++) opened.push(await open());
    const before = await pinned();
    const rss = process.memoryUsage().rss;
    for (const { client, socket } of opened) {
      const due = socket.bytesRead + bytes.length;
      client.send(bytes);
      await until(() => socket.bytesRead >= due);
    }
    expect((await pinned()) - before).toBeLessThan(10 * 32 * KIB);
    expect(process.memoryUsage().rss - rss).toBeLessThan(64 * MIB);
    for (const { handler } of opened) expect(handler.readyState).toBe(1);
  });
});

describe('facil.io#169: what broke the protocol was delivered all the same', () => {
  const hooks = ['onRead', 'onPong', 'onWrite', 'onOverflowError', 'onError'] as const;

  it.each(ILLEGAL)('the handler gets nothing but onClose after %s', async (_what, bytes, code) => {
    const called: string[] = [];
    const spies = Object.fromEntries(hooks.map((name) => [name, () => void called.push(name)]));
    // Without a limit, and piece by piece: whatever is delivered shows.
    const { open } = await serveHooks(spies, { readDelimiter: null });
    const { client, closes, handler } = await open();
    handler.ping('answer this');
    await client.next();
    client.send(
      bytes,
      text('later'),
      frame({ opcode: 10, payload: 'answer this' }),
      more('later', true),
      frame({ opcode: 8 }),
    );
    await expect(client).toCloseWith(code);
    await client.ended;
    client.socket.destroy();
    expect((await closes.next())[0]).toBe(code);
    // What came of a message before its mistake was right, and is not taken back.
    expect(called.filter((name) => name !== 'onRead')).toEqual([]);
    expect(called.length).toBeLessThanOrEqual(1);
  });

  it('a mistake drops what came with it in one segment, and what an asynchronous handler has not asked for yet', async () => {
    const read: string[] = [];
    const { open } = await serveHooks({
      async onRead(data) {
        read.push(String(data));
        await new Promise((resolve) => setImmediate(resolve));
      },
    });
    for (const [, bytes, code] of ILLEGAL) {
      const { client } = await open();
      client.send(text('one'), text('two'), bytes, text('three'));
      await expect(client).toCloseWith(code);
      client.socket.destroy();
      // All that stood before the mistake, in order.
      expect(read.splice(0)).toEqual(['one', 'two']);
    }
  });
});

describe.each(doors)('Granian: a subprotocol that is not ASCII ended a worker, by %s', (_door, open) => {
  it('each byte that is no part of a token is refused with 400', async () => {
    const server = await open(websocketRoute(Echo, { subprotocols: ['chat'] }));
    const witness = await Witness.join(server);
    for (let byte = 0x80; byte <= 0xff; byte++) {
      const client = await RawClient.connect(server);
      const { status } = await client.handshake('/', {
        'Sec-WebSocket-Protocol': `chat, ch${String.fromCharCode(byte)}t`,
      });
      expect([byte, status]).toEqual([byte, 400]);
      client.socket.destroy();
    }
    await witness.isServed();
  });

  it('a value that is not ASCII gets an answer, whatever header it stands in', async () => {
    const server = await open(websocketRoute('/:name', Echo, { compress: true }));
    const names = [
      'Host',
      'Upgrade',
      'Connection',
      'Sec-WebSocket-Version',
      'Sec-WebSocket-Key',
      'Sec-WebSocket-Extensions',
    ];
    for (const name of [
      ...names,
      'Origin',
      'Cookie',
      'Authorization',
      'X-Forwarded-For',
      'X-Forwarded-Host',
      'Content-Length',
    ]) {
      for (const value of [
        '\x80',
        '\xff',
        '\xc3\xa9',
        '\xf0\x9f\xa7\x80',
        '\xed\xa0\x80',
        'websocket\xa0',
        `${KEY}\xff`,
      ]) {
        const client = await RawClient.connect(server);
        const { status } = await client.handshake('/ada', { [name]: value });
        expect([101, 400, 403, 426]).toContain(status);
        client.socket.destroy();
      }
    }
    for (const path of ['/\xff', '/\xc3\xa9', '/%ff', '/%c3%a9', '/%00', '/%']) {
      const client = await RawClient.connect(server);
      expect([101, 400, 404]).toContain((await client.handshake(path)).status);
      client.socket.destroy();
    }
    await (await Witness.join(server, '/ada')).isServed();
  });
});

describe.each(doors)('uWebSockets: empty and repeated headers were taken, by %s', (_door, open) => {
  const good: readonly (readonly [name: string, value: string])[] = [
    ['Host', 'a.example'],
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', KEY],
  ];
  type Headers = readonly (readonly [name: string, value: string])[];
  const replaced = (name: string, ...values: string[]): Headers => [
    ...good.filter(([one]) => one !== name),
    ...values.map((value) => [name, value] as const),
  ];
  const OTHER = 'AAAAAAAAAAAAAAAAAAAAAA==';

  const cases: [what: string, headers: Headers][] = [
    ['an empty key', replaced('Sec-WebSocket-Key', '')],
    ['two keys', replaced('Sec-WebSocket-Key', KEY, OTHER)],
    ['the same key twice', replaced('Sec-WebSocket-Key', KEY, KEY)],
    ['two keys in one header', replaced('Sec-WebSocket-Key', `${KEY}, ${OTHER}`)],
    ['a key and an empty one', replaced('Sec-WebSocket-Key', KEY, '')],
    ['two versions', replaced('Sec-WebSocket-Version', '13', '8')],
    ['the same version twice', replaced('Sec-WebSocket-Version', '13', '13')],
    ['an empty Host', replaced('Host', '')],
    ['two hosts', replaced('Host', 'a.example', 'b.example')],
    ['the same host twice', replaced('Host', 'a.example', 'a.example')],
    ['a host and an empty one', replaced('Host', 'a.example', '')],
    ['a length', [...good, ['Content-Length', '5']]],
    ['two lengths', [...good, ['Content-Length', '0'], ['Content-Length', '5']]],
    ['the same length twice', [...good, ['Content-Length', '0'], ['Content-Length', '0']]],
    ['an empty length', [...good, ['Content-Length', '']]],
    ['a length and an encoding', [...good, ['Content-Length', '0'], ['Transfer-Encoding', 'chunked']]],
    ['an encoding', [...good, ['Transfer-Encoding', 'chunked']]],
    ['an encoding that says nothing', [...good, ['Transfer-Encoding', 'identity']]],
    ['a length that is negative', [...good, ['Content-Length', '-1']]],
    ['a length in hexadecimal', [...good, ['Content-Length', '0x0']]],
    ['a length with a sign', [...good, ['Content-Length', '+0']]],
  ];
  it.each(cases)('%s is refused with 400, and what follows is no frame of anybody', async (_what, headers) => {
    const connected = jest.fn();
    const server = await open(websocketRoute({ onConnect: connected }));
    const client = await RawClient.connect(server);
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
    client.send(`GET / HTTP/1.1\r\n${lines.join('')}\r\n`);
    await expect(client.response()).toBeRefusedWith(400);
    client.send(text('smuggled'));
    client.socket.end();
    await client.ended;
    expect(connected).not.toHaveBeenCalled();
  });
});
