/**
 * What is written while a connection is closing. The peer decides when that begins, so a program that writes from a timer cannot
 * know: it is discarded, as by the WHATWG's `send`. Once `onClose` was called it is a mistake.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  drain,
  InvalidStateError,
  metrics,
  Opcode,
  prepare,
  ReadyState,
  Struct,
  type WebSocketHandler,
} from '../../lib/index.js';
import { closeBody, frame, text } from '../support/frames.js';
import { deferred, open, openDraft76, turns } from './open.js';
import { framesOf, openSlow, type Slow, serveSlow, stall } from './slow.js';

const folder = mkdtempSync(join(tmpdir(), 'websocket-route-'));
const file = join(folder, 'file');
writeFileSync(file, 'FILE');
afterAll(() => rmSync(folder, { recursive: true }));

const goodbye = frame({ opcode: 8, payload: closeBody(1000) });

/** All ways to send something at once. */
const SENDS: [name: string, send: (handler: WebSocketHandler) => boolean][] = [
  ['text', (handler) => handler.write('late')],
  ['text at once', (handler) => handler.write('late', { flush: true })],
  ['bytes', (handler) => handler.write(Buffer.from('late'))],
  ['many bytes', (handler) => handler.write(Buffer.alloc(100_000))],
  ['a frame', (handler) => handler.write(Buffer.from('late'), { opcode: Opcode.Ping })],
  ['a prepared message', (handler) => handler.write(prepare('late'))],
  ['writePacked', (handler) => handler.writePacked(7)],
  ['writePackedAs', (handler) => handler.writePackedAs('B', 7)],
  ['ping', (handler) => handler.ping()],
  ['ping with data', (handler) => handler.ping('late')],
  ['flush', (handler) => handler.flush()],
];

const PROMISES: [name: string, ask: (handler: WebSocketHandler) => Promise<void>][] = [
  ['drained', (handler) => handler.drained()],
  ['writeFile', (handler) => handler.writeFile(file)],
];

function sendAll(handler: WebSocketHandler): [name: string, result: unknown][] {
  return SENDS.map(([name, send]) => {
    try {
      return [name, send(handler)];
    } catch (error) {
      return [name, error];
    }
  });
}

async function expectDiscarded(handler: WebSocketHandler): Promise<void> {
  handler.readDelimiter = new Struct('B');
  const before = [handler.bufferedAmount, handler.dropped, metrics().messagesSent];
  expect(sendAll(handler)).toEqual(SENDS.map(([name]) => [name, false]));
  expect([handler.bufferedAmount, handler.dropped, metrics().messagesSent]).toEqual(before);
  for (const [, ask] of PROMISES) await expect(ask(handler)).rejects.toThrow(InvalidStateError);
}

function expectRefused(handler: WebSocketHandler): void {
  handler.readDelimiter = new Struct('B');
  expect(sendAll(handler)).toEqual(SENDS.map(([name]) => [name, expect.any(InvalidStateError)]));
  expect(() => handler.write('late')).toThrow(/closed, after onClose/);
}

/** How a connection begins to close. Each leaves the socket open, or `onClose` pending. */
const WAYS: [name: string, closing: (slow: Slow) => unknown][] = [
  ['it was closed here, and the peer does not answer', ({ handler }) => handler.close()],
  ['the peer has said goodbye, and leaves the socket open', ({ client }) => client.send(goodbye)],
  [
    'the peer has said goodbye, and does not read',
    async (slow) => {
      await stall(slow);
      slow.client.send(goodbye);
    },
  ],
  ['the peer has broken the protocol', ({ client }) => client.send(frame({ opcode: 3 }))],
  [
    'the peer has sent FIN, and does not read',
    async (slow) => {
      await stall(slow);
      slow.client.socket.end();
    },
  ],
  ['it is cut, and the socket has not said so yet', ({ handler }) => handler.terminate()],
];

describe.each([
  ['a socket', false],
  ['TLS', true],
])('a connection over %s', (_name, tls) => {
  it.each(WAYS)('sends nothing more when %s, and says so by false', async (_how, close) => {
    const inside: unknown[] = [];
    const slow = await openSlow(
      {
        onClose() {
          inside.push(this.write('too late'), this.flush());
        },
      },
      {},
      { tls },
    );
    const { client, closes, handler } = slow;
    await close(slow);
    while (handler.readyState === ReadyState.OPEN) await turns();
    expect(handler.readyState).toBe(ReadyState.CLOSING);
    await expectDiscarded(handler);
    client.socket.resume();
    client.send(goodbye);
    client.socket.end();
    await closes.next();
    expect(inside).toEqual([false, false]);
    expectRefused(handler);
    // Nothing of it was sent. What was cut may be cut in the midst of a frame.
    const bytes = await client.rest();
    expect(bytes.includes('late')).toBe(false);
  });

  it('sends nothing more when it has gone and its handler is at work, and throws when onClose was called', async () => {
    const gate = deferred();
    const slow = await openSlow({ onRead: () => gate.promise }, {}, { tls });
    const { client, closes, handler, socket } = slow;
    client.send(text('x'));
    await turns(5);
    // As after a reset: a FIN would wait for the handler.
    socket.destroy();
    while (handler.readyState !== ReadyState.CLOSED) await turns();
    await expectDiscarded(handler);
    expect(closes.left).toEqual([]);
    gate.resolve();
    await closes.next();
    expectRefused(handler);
  });

  it('throws as soon as an asynchronous onClose was called', async () => {
    const gate = deferred();
    const { closes, handler } = await openSlow({ onClose: () => gate.promise }, {}, { tls });
    handler.terminate();
    await closes.next();
    expectRefused(handler);
    gate.resolve();
  });

  it('a connection that a drain closes sends nothing more', async () => {
    const { open, server } = await serveSlow({}, {}, { tls });
    const { client, handler } = await open();
    const drained = drain(server, { jitter: 0 });
    while (handler.readyState === ReadyState.OPEN) await turns();
    await expectDiscarded(handler);
    client.send(goodbye);
    expect(framesOf(await client.rest()).map(({ opcode }) => opcode)).toEqual([8]);
    client.socket.end();
    await drained;
  });

  it('a connection that is closed because its peer is too slow sends nothing more', async () => {
    const slow = await openSlow({}, { maxBufferedAmount: 100_000 }, { tls });
    const { handler } = slow;
    await stall(slow);
    await turns(2);
    while (handler.readyState === ReadyState.OPEN) expect(handler.write('more')).toBe(false);
    const { dropped } = handler;
    expect(handler.write('more')).toBe(false);
    // It is not for want of room that this one was not sent.
    expect(handler.dropped).toBe(dropped);
  });
});

describe('a draft-76 connection', () => {
  it('a closing draft-76 connection sends nothing more, and throws when onClose was called', async () => {
    const { client, closes, handler } = await openDraft76();
    handler.close();
    expect(handler.readyState).toBe(ReadyState.CLOSING);
    await expectDiscarded(handler);
    expect((await client.rest()).toString('latin1')).toBe('\xff\x00');
    client.socket.end();
    await closes.next();
    expectRefused(handler);
  });
});

describe('a loop that writes', () => {
  it('ends when the connection closes, and neither spins nor waits for ever', async () => {
    let written = 0;
    const ended = deferred<unknown>();
    const { client, closes } = await open({
      onConnect() {
        const feed = async (): Promise<never> => {
          for (;;) {
            written++;
            if (!this.write('x'.repeat(1000))) await this.drained();
          }
        };
        feed().catch(ended.resolve);
      },
    });
    client.socket.resume();
    while (written < 100) await turns();
    client.send(goodbye);
    expect(await ended.promise).toBeInstanceOf(InvalidStateError);
    client.socket.end();
    expect((await closes.next())[0]).toBe(1000);
  });
});

describe('before a connection is open', () => {
  it('every way of writing throws in onHandshake', async () => {
    const thrown: unknown[] = [];
    await openSlow({
      onHandshake(this: WebSocketHandler) {
        thrown.push(...SENDS.filter(([name]) => name !== 'writePacked').map(([, send]) => attempt(() => send(this))));
        return true;
      },
    } as never);
    expect(thrown).toEqual(new Array(SENDS.length - 1).fill(expect.any(InvalidStateError)));
  });
});

function attempt(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
