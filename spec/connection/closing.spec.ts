import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drain, InvalidStateError, ReadyState } from '../../lib/index.js';
import { closeBody, frame, text } from '../support/frames.js';
import { deferred, openDraft76, turns } from './open.js';
import { allFrames, LARGE, openSlow, type Slow, serveSlow, stall } from './slow.js';

const folder = mkdtempSync(join(tmpdir(), 'websocket-route-'));
const file = join(folder, 'file');
writeFileSync(file, 'FILE');
afterAll(() => rmSync(folder, { recursive: true }));

const goodbye = frame({ opcode: 8, payload: closeBody(1000) });

/** Writes that wait, all of them flushed in vain. */
function writeMany({ handler }: Slow): void {
  for (let i = 0; i < 100; i++) handler.write(`waits ${i}`, { flush: true });
}

/** The client gets what waited, in order, and then what it is given here. */
async function expectMany({ client }: Slow, ...then: [opcode: number, payload: string][]): Promise<void> {
  const [large, ...frames] = await allFrames(client);
  expect(large!.payload.equals(LARGE)).toBe(true);
  const waited = Array.from({ length: 100 }, (_, i): [number, string] => [1, `waits ${i}`]);
  expect(frames.map(({ opcode, payload }) => [opcode, payload.toString('latin1')])).toEqual([...waited, ...then]);
}

const closeFrame = (code: number, reason = ''): [opcode: number, payload: string] => [
  8,
  closeBody(code, reason).toString('latin1'),
];

describe.each([
  ['a socket', false],
  ['TLS', true],
])('the end of a connection whose peer is behind, over %s', (_name, tls) => {
  async function behind(): Promise<Slow> {
    const slow = await openSlow({}, {}, { tls });
    await stall(slow);
    writeMany(slow);
    return slow;
  }

  it('close() sends its frame behind all that waits, then FIN, each once', async () => {
    const slow = await behind();
    const { client, closes, handler, log } = slow;
    handler.close(4000, 'enough');
    handler.close(4001, 'once is enough');
    client.send(frame({ opcode: 8, payload: closeBody(4000) }));
    await turns(10);
    expect(log.ends).toBe(0);
    await expectMany(slow, closeFrame(4000, 'enough'));
    client.socket.end();
    expect(await closes.next()).toEqual([4000, '', true]);
    expect([log.ends, log.afterEnd, handler.bufferedAmount]).toEqual([1, 0, 0]);
  });

  it('a close of the peer is answered behind all that waits, then FIN, each once', async () => {
    const slow = await behind();
    const { client, closes, handler, log } = slow;
    client.send(goodbye);
    await turns(10);
    expect([log.ends, handler.readyState]).toEqual([0, ReadyState.CLOSING]);
    await expectMany(slow, closeFrame(1000));
    client.socket.end();
    expect(await closes.next()).toEqual([1000, '', true]);
    expect([log.ends, log.afterEnd, handler.bufferedAmount]).toEqual([1, 0, 0]);
  });

  it('a close of a peer that sends FIN before it reads is answered behind all that waits, too', async () => {
    const slow = await behind();
    const { client, closes, handler, log } = slow;
    client.send(goodbye);
    await turns(3);
    client.socket.end();
    await turns(10);
    expect([log.ends, handler.bufferedAmount > 0]).toEqual([0, true]);
    await expectMany(slow, closeFrame(1000));
    expect(await closes.next()).toEqual([1000, '', true]);
    expect([log.ends, log.afterEnd, handler.bufferedAmount]).toEqual([1, 0, 0]);
  });

  it('a mistake of the peer gives the socket all that waits, in few pieces, the close frame and FIN at once', async () => {
    const slow = await behind();
    const { client, closes, handler, log } = slow;
    const { given } = log;
    client.send(frame({ opcode: 3 }));
    while (handler.readyState === ReadyState.OPEN) await turns();
    expect(log.ends).toBe(1);
    expect(log.given - given).toBe(1);
    const frames = await allFrames(client);
    expect(frames.slice(1, -1).map(({ payload }) => payload.toString())).toEqual(
      Array.from({ length: 100 }, (_, i) => `waits ${i}`),
    );
    expect(frames.at(-1)).toMatchObject({ opcode: 8 });
    expect(frames.at(-1)!.payload.readUInt16BE()).toBe(1002);
    client.socket.end();
    expect(await closes.next()).toMatchObject([1002, expect.anything(), false]);
    expect([log.ends, log.afterEnd, handler.bufferedAmount]).toEqual([1, 0, 0]);
  });

  it('a FIN without a close frame loses nothing but the files that have not begun', async () => {
    const slow = await behind();
    const { client, closes, handler, log } = slow;
    const sent = handler.writeFile(file);
    client.socket.end();
    await expect(sent).rejects.toThrow(InvalidStateError);
    await expectMany(slow);
    expect(await closes.next()).toEqual([1006, '', false]);
    expect([log.ends, log.afterEnd, handler.bufferedAmount]).toEqual([1, 0, 0]);
  });

  it('a drain sends 1001 behind all that waits', async () => {
    const { open, server } = await serveSlow({}, {}, { tls });
    const slow = await open();
    await stall(slow);
    writeMany(slow);
    const drained = drain(server, { jitter: 0 });
    await turns(10);
    slow.client.send(frame({ opcode: 8, payload: closeBody(1001) }));
    await expectMany(slow, closeFrame(1001));
    slow.client.socket.end();
    expect(await slow.closes.next()).toEqual([1001, '', true]);
    expect([slow.log.ends, slow.log.afterEnd]).toEqual([1, 0]);
    await drained;
  });

  it('terminate() drops what waits', async () => {
    const slow = await behind();
    const { client, closes, handler, log } = slow;
    const waiting = handler.drained();
    handler.terminate();
    await expect(waiting).rejects.toThrow(InvalidStateError);
    expect(await closes.next()).toEqual([1006, '', false]);
    client.socket.resume();
    await client.ended;
    expect([log.ends, log.afterEnd, handler.bufferedAmount]).toEqual([0, 0, 0]);
  });
});

describe.each([
  ['a socket', false],
  ['TLS', true],
])('what was not flushed when a connection is cut, over %s', (_name, tls) => {
  it('is not said to have been taken', async () => {
    const said: string[] = [];
    const { closes, handler } = await openSlow({ onWrite: () => said.push('onWrite') }, {}, { tls });
    handler.write('in this turn');
    const waiting = handler.drained();
    handler.terminate();
    await expect(waiting).rejects.toThrow(InvalidStateError);
    expect(await closes.next()).toEqual([1006, '', false]);
    await turns(2);
    expect(said).toEqual([]);
  });
});

describe('a peer that has sent FIN while its handler was at work', () => {
  it.each([
    ['a socket', false],
    ['TLS', true],
  ])('gets the answer, over %s', async (_name, tls) => {
    const [asked, answered] = [deferred(), deferred()];
    const { client, closes } = await openSlow(
      {
        async onRead() {
          asked.resolve();
          await answered.promise;
          this.write('the answer');
        },
      },
      {},
      { tls },
    );
    client.send(text('a question'));
    await asked.promise;
    client.socket.end();
    await turns(5);
    answered.resolve();
    const frames = await allFrames(client);
    expect(frames.map(({ payload }) => payload.toString())).toEqual(['the answer']);
    expect(await closes.next()).toEqual([1006, '', false]);
  });
});

describe('messages that are being compressed when the connection ends', () => {
  const options = { compress: { threshold: 1 } };
  const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };

  it.each([
    ['begun here', ({ handler }: Slow) => handler.close(1002)],
    ['by a mistake of the peer', ({ client }: Slow) => client.send(frame({ opcode: 3 }))],
  ])('messages in compression leave before the close frame of an end %s', async (_name, end) => {
    const slow = await openSlow({}, options, { headers });
    const { client, closes, log } = slow;
    for (let i = 0; i < 20; i++) slow.handler.write(`${i}`.repeat(100_000));
    slow.handler.flush();
    end(slow);
    client.send(frame({ opcode: 8, payload: closeBody(1002) }));
    const opcodes = (await allFrames(client)).map(({ opcode }) => opcode);
    expect(opcodes).toEqual([...new Array<number>(20).fill(1), 8]);
    client.socket.end();
    expect((await closes.next())[0]).toBe(1002);
    expect([log.ends, log.afterEnd]).toEqual([1, 0]);
  });
});

describe('draft-76', () => {
  it('ends behind all that waits, too, without an answer', async () => {
    const { client, closes, handler } = await openDraft76({}, { maxBufferedAmount: 1 << 30 });
    client.socket.pause();
    // On TCP the kernel takes some megabytes.
    const huge = 'x'.repeat(16 << 20);
    handler.write(huge, { flush: true });
    for (let i = 0; i < 100; i++) handler.write(`waits ${i}`, { flush: true });
    handler.close();
    await turns(5);
    expect(handler.bufferedAmount).toBeGreaterThan(0);
    client.socket.resume();
    const all = await client.rest();
    const waited = Array.from({ length: 100 }, (_, i) => `\x00waits ${i}\xff`).join('');
    expect(all.subarray(huge.length + 2).toString('latin1')).toBe(`${waited}\xff\x00`);
    client.socket.end();
    expect(await closes.next()).toEqual([1005, '', true]);
  });
});
