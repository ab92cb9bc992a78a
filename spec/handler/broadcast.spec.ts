import { Duplex } from 'node:stream';
import { broadcast, metrics, Opcode, prepare, ReadyState, WebSocketHandler } from '../../lib/index.js';
import { deferred, openDraft76, serveHooks, turns } from '../connection/open.js';
import { serveSlow, stall } from '../connection/slow.js';
import { closeBody, frame } from '../support/frames.js';
import { usageErrorCode } from '../support/usage-error.js';

const goodbye = frame({ opcode: 8, payload: closeBody(1000) });

afterEach(() => jest.restoreAllMocks());

async function room(count: number) {
  const { open } = await serveHooks({});
  const all = [];
  while (all.length < count) all.push(await open());
  return { all, open, members: new Set(all.map(({ handler }) => handler)) };
}

describe('broadcast', () => {
  it('sends text to all, and tells how many took it', async () => {
    const { all, members } = await room(3);
    expect(broadcast(members, 'news')).toBe(3);
    for (const { client } of all) expect(await client.nextText()).toBe('news');
  });

  it.each([
    ['bytes', Buffer.from([1, 2, 3]), undefined, Opcode.Binary],
    ['bytes as text', Buffer.from('abc'), { opcode: Opcode.Text }, Opcode.Text],
    ['many bytes', Buffer.alloc(100_000, 7), { flush: true }, Opcode.Binary],
    ['an ArrayBuffer', new Uint8Array([4, 5]).buffer, undefined, Opcode.Binary],
    ['a prepared message', prepare(Buffer.from('ping'), { opcode: Opcode.Ping }), undefined, Opcode.Ping],
    ['a prepared message, not compressed', prepare('text'), { compress: false }, Opcode.Text],
  ] as const)('sends %s', async (_what, data, options, opcode) => {
    const { all, members } = await room(2);
    expect(broadcast(members, data, options)).toBe(2);
    const [first, second] = [await all[0]!.client.next(), await all[1]!.client.next()];
    expect(first.opcode).toBe(opcode);
    expect(first.payload.equals(second.payload)).toBe(true);
  });

  it('takes an array, a generator, the values of a Map, and nobody', async () => {
    const { all, members } = await room(2);
    const [first, second] = [...members];
    expect(broadcast([first!, second!], 'array')).toBe(2);
    expect(broadcast(new Map([['a', first!]]).values(), 'map')).toBe(1);
    expect(
      broadcast(
        (function* () {
          yield second!;
        })(),
        'generator',
      ),
    ).toBe(1);
    expect(broadcast([], 'nobody')).toBe(0);
    expect([await all[0]!.client.nextText(), await all[0]!.client.nextText()]).toEqual(['array', 'map']);
    expect([await all[1]!.client.nextText(), await all[1]!.client.nextText()]).toEqual(['array', 'generator']);
  });

  it('leaves out who is not open yet, closing, or closed, and throws for none of them', async () => {
    const { all, members, open } = await room(4);
    const [there, saysGoodbye, closedHere, gone] = all;
    saysGoodbye!.client.send(goodbye);
    while (saysGoodbye!.handler.readyState === ReadyState.OPEN) await turns();
    closedHere!.handler.close();
    gone!.handler.terminate();
    await gone!.closes.next();
    members.add(new WebSocketHandler());
    expect(broadcast(members, 'news')).toBe(1);
    expect(await there!.client.nextText()).toBe('news');
    expect((await saysGoodbye!.client.next()).opcode).toBe(8);
    await open();
  });

  it('lets a member that is too slow miss it, and does not count that one', async () => {
    const { open } = await serveSlow({}, { slowConsumer: 'drop', maxBufferedAmount: 100_000 });
    const slow = await open();
    const fast = await open();
    await stall(slow);
    while (slow.handler.write('more') || slow.handler.dropped === 0) await turns();
    expect(broadcast([slow.handler, fast.handler], 'news')).toBe(1);
    expect(await fast.client.nextText()).toBe('news');
  });

  it('counts a member whose buffer it has filled: it took it', async () => {
    const { open } = await serveSlow();
    const slow = await open();
    await stall(slow);
    expect(broadcast([slow.handler], 'news')).toBe(1);
  });

  it('gives draft-76 connections text, and leaves them out of all else', async () => {
    const old = await openDraft76();
    const { all } = await room(1);
    const members = [old.handler, all[0]!.handler];
    expect(broadcast(members, Buffer.from('bytes'))).toBe(1);
    expect(broadcast(members, prepare(Buffer.from('p'), { opcode: Opcode.Ping }))).toBe(1);
    expect(broadcast(members, 'text')).toBe(2);
    expect((await old.client.bytes(6)).toString('latin1')).toBe('\x00text\xff');
  });

  it('compresses for those that have agreed on it', async () => {
    const { open } = await serveHooks({}, { compress: { threshold: 0 } });
    const plain = await open();
    const deflated = await open({ 'Sec-WebSocket-Extensions': 'permessage-deflate' });
    expect(broadcast([plain.handler, deflated.handler], 'x'.repeat(1000))).toBe(2);
    expect(await plain.client.nextText()).toBe('x'.repeat(1000));
    const { payload } = await deflated.client.next();
    expect(payload.length).toBeLessThan(100);
  });

  it('goes on when the set changes meanwhile', async () => {
    const { all, members } = await room(3);
    const changing = {
      *[Symbol.iterator]() {
        for (const member of members) {
          members.delete(member);
          yield member;
        }
      },
    };
    expect(broadcast(changing, 'news')).toBe(3);
    for (const { client } of all) expect(await client.nextText()).toBe('news');
  });

  it('ends a member whose socket throws, and no other hears of that', async () => {
    const logged = jest.spyOn(console, 'error').mockImplementation();
    const { all, members } = await room(3);
    all[1]!.socket.write = () => {
      throw new Error('broken socket');
    };
    expect(broadcast(members, 'news', { flush: true })).toBe(2);
    expect(await all[0]!.client.nextText()).toBe('news');
    expect(await all[2]!.client.nextText()).toBe('news');
    expect((await all[1]!.closes.next())[0]).toBe(1006);
    expect(logged.mock.calls).toEqual([[expect.stringContaining('broadcast'), new Error('broken socket')]]);
  });

  it('does not call a write that a member overrides, and counts as messages', async () => {
    const { all, members } = await room(1);
    const [{ handler }] = all as [(typeof all)[0]];
    handler.write = () => {
      throw new Error('not called');
    };
    const before = metrics().messagesSent;
    expect(broadcast(members, 'news')).toBe(1);
    expect(metrics().messagesSent).toBe(before + 1);
  });

  it('calls onWrite of who took it, and of nobody else', async () => {
    const written = deferred<WebSocketHandler>();
    const { open } = await serveHooks({
      onWrite() {
        written.resolve(this);
      },
    });
    const { handler } = await open();
    broadcast([handler], 'news');
    expect(await written.promise).toBe(handler);
  });
});

describe('what broadcast refuses before it sends anything', () => {
  const call = broadcast as (...args: unknown[]) => number;

  it.each([
    ['no iterable', undefined, 'x', undefined, /connections is undefined: it must be a Set/],
    ['one handler', new WebSocketHandler(), 'x', undefined, /connections is .*: it must be a Set/],
    ['a string', 'abc', 'x', undefined, /connections is 'abc'/],
    ['what is no handler', [{}], 'x', undefined, /a connection is {}: it must be a WebSocketHandler/],
    [
      'the entries of a Map',
      new Map([['a', new WebSocketHandler()]]),
      'x',
      undefined,
      /for a Map of handlers, pass its values/,
    ],
    ['a stream', [new Duplex()], 'x', undefined, /it must be a WebSocketHandler/],
    ['other data', [], 7, undefined, /write data is 7/],
    ['no data', [], undefined, undefined, /write data is undefined/],
    ['text with a frame', [], 'x', { opcode: Opcode.Binary }, /Buffer\.from\(text\)/],
    ['a prepared message with a frame', [], prepare('x'), { opcode: Opcode.Text }, /pass it to prepare/],
    ['bytes that are not UTF-8 as text', [], Buffer.of(255), { opcode: Opcode.Text }, /valid UTF-8/],
    [
      'an unknown option',
      [],
      'x',
      { flus: true },
      /'flus': it is unknown \(did you mean flush\?\); the options are opcode, flush, compress$/,
    ],
    ['a value that an option may not have', [], 'x', { flush: 1 }, /flush is 1: it must be true or false/],
    ['options that are none', [], 'x', true, /broadcast options is true/],
    ['null for options', [], 'x', null, /broadcast options is null/],
  ])('broadcast refuses %s', (_what, connections, data, options, message) => {
    const refused = (): number => call(connections, data, options);
    expect(refused).toThrow(message);
    expect(refused).toThrow(expect.objectContaining({ name: 'TypeError', code: usageErrorCode() }));
  });

  it('a refused broadcast sends nothing to the members before the wrong one', async () => {
    const { all } = await room(1);
    const [{ client, handler }] = all as [(typeof all)[0]];
    expect(() => call([handler, null], 'x')).toThrow(TypeError);
    handler.write('first');
    expect(await client.nextText()).toBe('first');
  });
});
