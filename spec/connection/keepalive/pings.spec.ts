import { EntireMessage } from '../../../lib/index.js';
import { AsyncQueue } from '../../../lib/testing/async-queue.js';
import { frame, text } from '../../support/frames.js';
import { open, roundTrip, turns } from '../open.js';

const pong = (payload: Uint8Array | string): Buffer => frame({ opcode: 10, payload });

describe('ping', () => {
  it('tells the round-trip time in milliseconds', async () => {
    const answers = new AsyncQueue<number | Buffer>();
    const { client, handler } = await open({ onPong: (answer) => answers.push(answer) });
    const before = performance.now();
    handler.ping();
    const { opcode, payload } = await client.next();
    expect(opcode).toBe(9);
    client.send(pong(payload));
    const answer = await answers.next();
    expect(answer).toBeGreaterThan(0);
    expect(answer).toBeLessThanOrEqual(performance.now() - before);
  });

  it('has a payload that cannot be guessed: none is like another', async () => {
    const { client, handler } = await open();
    const other = await open();
    const payloads = new Set<string>();
    for (const one of [handler, handler, other.handler]) one.ping();
    for (const one of [client, client, other.client]) payloads.add((await one.next()).payload.toString('hex'));
    expect([...payloads].filter((payload) => payload.length >= 16)).toHaveLength(3);
  });

  it.each([
    ['a string', 'déjà', '64c3a96ac3a0'],
    ['an empty string', '', ''],
    ['a Buffer', Buffer.from([1, 2]), '0102'],
    ['a DataView', new DataView(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2), '0203'],
    ['a Uint16Array', new Uint16Array(new Uint8Array([1, 2, 3, 4]).buffer), '01020304'],
    ['an ArrayBuffer', Uint8Array.of(9, 8).buffer, '0908'],
    ['125 bytes', Buffer.alloc(125, 7), '07'.repeat(125)],
  ])('carries %s, which comes back', async (_what, data, hex) => {
    const answers = new AsyncQueue<number | Buffer>();
    const { client, handler } = await open({ onPong: (answer) => answers.push(answer) });
    handler.ping(data);
    const { payload } = await client.next();
    expect(payload.toString('hex')).toBe(hex);
    client.send(pong(payload));
    expect(await answers.next()).toEqual(Buffer.from(hex, 'hex'));
  });

  it.each([5, 0, true, null, {}, [1], Symbol('x'), 5n, () => 1])('refuses the data %p', async (data) => {
    const { client, handler } = await open();
    expect(() => handler.ping(data as unknown as string)).toThrow(/ping data is .*must be a string/);
    await roundTrip(client, frame({ opcode: 9 }));
  });

  it('refuses more than 125 bytes', async () => {
    const { handler } = await open();
    expect(() => handler.ping(Buffer.alloc(126))).toThrow(/at most 125 bytes/);
    expect(() => handler.ping('é'.repeat(63))).toThrow(TypeError);
  });

  it('is not sent after the close', async () => {
    const { handler } = await open();
    expect(handler.ping()).toBe(true);
    handler.close();
    expect(handler.ping()).toBe(false);
  });

  it('is answered by one pong for all pings up to it', async () => {
    const answers: (number | Buffer)[] = [];
    const { client, handler } = await open({ onPong: (answer) => answers.push(answer) });
    for (const data of ['a', 'b', 'c']) handler.ping(data);
    for (let i = 0; i < 3; i++) await client.next();
    client.send(pong('b'), pong('a'), pong('b'), pong('c'));
    await roundTrip(client, frame({ opcode: 9 }));
    expect(answers).toEqual([Buffer.from('b'), Buffer.from('c')]);
  });

  it('a ping that is never answered is forgotten after 64 others', async () => {
    const answers: (number | Buffer)[] = [];
    const { client, handler } = await open({ onPong: (answer) => answers.push(answer) });
    for (let i = 0; i < 65; i++) handler.ping(`${i}`);
    for (let i = 0; i < 65; i++) await client.next();
    client.send(pong('0'), pong('1'));
    await roundTrip(client, frame({ opcode: 9 }));
    expect(answers).toEqual([Buffer.from('1')]);
  });
});

describe('a pong that answers nothing', () => {
  it('is tolerated, before and after pings, and a great many of them', async () => {
    const answers: unknown[] = [];
    const { client, handler } = await open({ onPong: (answer) => answers.push(answer) });
    client.send(pong('unsolicited'), pong(''), text('data'));
    await roundTrip(client, frame({ opcode: 9 }));
    handler.ping('mine');
    await client.next();
    const flood = Buffer.concat(new Array<Buffer>(10_000).fill(pong('x'.repeat(125))));
    client.send(flood);
    await roundTrip(client, frame({ opcode: 9 }));
    expect(answers).toEqual([]);
  });
});

describe('onPong', () => {
  it('a delimiter set in onPong holds for what comes behind the pong, and not for what came before', async () => {
    for (const delay of [false, true]) {
      const reads: unknown[] = [];
      const { client, handler } = await open({
        onConnect() {
          this.readDelimiter = '\n';
        },
        onPong() {
          this.readDelimiter = 2;
        },
        async onRead(data) {
          reads.push(data);
          await turns();
          reads.push('settled');
        },
      });
      handler.ping('now');
      await client.next();
      const parts = [text('a\nbc'), pong('now'), text('d'), text('e\n')];
      if (delay) for (const part of parts) await client.trickle(part);
      else client.send(...parts);
      while (reads.length < 6) await turns();
      expect(reads).toEqual(['a', 'settled', 'bc', 'settled', 'de', 'settled']);
    }
  });

  it('onPong never makes two onRead overlap, not even for an empty message', async () => {
    const reads: unknown[] = [];
    const { client, handler } = await open({
      onConnect() {
        this.readDelimiter = '\n';
      },
      onPong() {
        this.readDelimiter = EntireMessage;
      },
      async onRead(data) {
        reads.push(data);
        await turns();
        reads.push('settled');
      },
    });
    handler.ping('now');
    await client.next();
    client.send(text('ab'), pong('now'), text(''), text('cd'));
    while (reads.length < 6) await turns();
    expect(reads).toEqual(['ab', 'settled', '', 'settled', 'cd', 'settled']);
  });
});
