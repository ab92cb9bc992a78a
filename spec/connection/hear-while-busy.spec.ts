/** What is heard while a hook is pending: pings, a close frame, FIN, a reset; and what was sent before them. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer as createHttpServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MAX_READ_AHEAD } from '../../lib/framing/pausable-parser.js';
import { metrics, type WebSocketHandler } from '../../lib/index.js';
import { Limits } from '../../lib/memory/memory-budget.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { binary, closeBody, frame, text } from '../support/frames.js';
import { deferred, type Hooks, open, turns, until } from './open.js';

const bye = frame({ opcode: 8, payload: closeBody(4000, 'bye') });
const ping = (payload: string): Buffer => frame({ opcode: 9, payload });

/** A handler that is busy with its first message until it is let go. */
function busy() {
  const begun = new AsyncQueue<AbortSignal>();
  const gate = deferred();
  const reads: string[] = [];
  const errors: unknown[] = [];
  const hooks: Hooks & ThisType<WebSocketHandler> = {
    async onRead(data) {
      reads.push(`${data}`);
      if (reads.length > 1) return;
      begun.push(this.signal);
      await gate.promise;
    },
    onError: (error) => errors.push(error),
  };
  return { begun, gate, reads, errors, hooks };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

describe.each([
  ['TCP', false],
  ['TLS', true],
])('over %s, while onRead is pending', (_name, tls) => {
  it('a ping is answered at once, and once', async () => {
    const { begun, gate, hooks, reads } = busy();
    const { client } = await open(hooks, {}, { tls });
    client.send(text('work'));
    await begun.next();
    client.send(text('next'), ping('1'), ping('2'));
    expect(await client.next()).toMatchObject({ opcode: 10, payload: Buffer.from('1') });
    expect(await client.next()).toMatchObject({ opcode: 10, payload: Buffer.from('2') });
    expect(reads).toEqual(['work']);
    gate.resolve();
    client.send(ping('3'));
    expect(await client.next()).toMatchObject({ opcode: 10, payload: Buffer.from('3') });
    await until(() => reads.length === 2);
    await client.close();
  });

  it('a close frame aborts the signal at once; what was sent before it is delivered, then onClose is called', async () => {
    const { begun, errors, gate, hooks, reads } = busy();
    const { client, closes, handler } = await open(hooks, {}, { tls });
    client.send(text('work'));
    const signal = await begun.next();
    client.send(text('second'), text('third'), bye);
    await aborted(signal);
    expect(signal.reason).toMatchObject({ code: 'ERR_WS_INVALID_STATE' });
    expect(reads).toEqual(['work']);
    // Who asks only now is told as well.
    expect(handler.signal.aborted).toBe(true);
    gate.reject(signal.reason);
    expect(await closes.next()).toEqual([4000, 'bye', true]);
    expect(reads).toEqual(['work', 'second', 'third']);
    expect(errors).toEqual([]);
    await expect(client).toCloseWith(4000, 'bye');
  });

  it('FIN aborts the signal at once; what was sent before it is delivered', async () => {
    const { begun, errors, gate, hooks, reads } = busy();
    const { client, closes } = await open(hooks, {}, { tls });
    client.send(text('work'));
    const signal = await begun.next();
    client.send(text('second'));
    client.socket.end();
    await aborted(signal);
    gate.resolve();
    expect(await closes.next()).toEqual([1006, '', false]);
    expect(reads).toEqual(['work', 'second']);
    expect(errors).toEqual([]);
  });

  it('a close frame that comes with FIN is told with its code', async () => {
    const { begun, gate, hooks, reads } = busy();
    const { client, closes } = await open(hooks, {}, { tls });
    client.send(text('work'));
    const signal = await begun.next();
    client.send(text('second'), bye);
    client.socket.end();
    await aborted(signal);
    await turns(5);
    gate.resolve();
    expect((await closes.next()).slice(0, 2)).toEqual([4000, 'bye']);
    expect(reads).toEqual(['work', 'second']);
  });

  it('a busy handler has as much as the bound read, and at most one read more; all is delivered in the end', async () => {
    const { begun, gate, hooks, reads } = busy();
    const { client, handler, socket } = await open(hooks, {}, { tls });
    client.send(text('work'));
    await begun.next();
    const before = socket.bytesRead;
    const part = binary(Buffer.alloc(1000, 'x'));
    client.send(Buffer.concat(Array<Buffer>(4000).fill(part)));
    await until(() => socket.bytesRead - before >= MAX_READ_AHEAD);
    const { bytesRead } = socket;
    await turns(20);
    expect(socket.bytesRead - before).toBeLessThan(MAX_READ_AHEAD + 2 * 65_536);
    expect(socket.bytesRead - bytesRead).toBeLessThan(2 * 65_536);
    gate.resolve();
    await until(() => reads.length === 4001);
    expect(handler.readyState).toBe(1);
    await client.close();
  });
});

it('a reset aborts the signal at once, and what had come before it is delivered', async () => {
  const { begun, gate, hooks, reads } = busy();
  const { client, closes, socket } = await open(hooks);
  client.send(text('work'));
  const signal = await begun.next();
  const before = socket.bytesRead;
  client.send(text('second'));
  await until(() => socket.bytesRead > before);
  client.socket.resetAndDestroy();
  await aborted(signal);
  gate.resolve();
  expect(await closes.next()).toEqual([1006, '', false]);
  expect(reads).toEqual(['work', 'second']);
});

it('terminate() in what is delivered after a reset does not call onClose before that hook has settled', async () => {
  const gates = [deferred(), deferred()];
  const begun = new AsyncQueue<string>();
  const log: string[] = [];
  const { client, closes, handler, socket } = await open({
    async onRead(data) {
      begun.push(`${data}`);
      if (data === 'second') this.terminate();
      await gates.shift()!.promise;
      log.push(`${data} settled`);
    },
    onClose: () => void log.push('onClose'),
  });
  const [first, second] = gates;
  const before = socket.bytesRead;
  client.send(text('first'), text('second'), text('third'));
  expect(await begun.next()).toBe('first');
  await until(() => socket.bytesRead > before);
  client.socket.resetAndDestroy();
  await aborted(handler.signal);
  first!.resolve();
  expect(await begun.next()).toBe('second');
  await turns(5);
  expect(log).toEqual(['first settled']);
  second!.resolve();
  expect(await closes.next()).toEqual([1006, '', false]);
  expect(log).toEqual(['first settled', 'second settled', 'onClose']);
});

it('who is told of a reset by the signal may terminate(): it is counted and told of as closed before that', async () => {
  const durations: number[] = [];
  const onCloseMessage = (message: unknown): void => void durations.push((message as { duration: number }).duration);
  subscribe('websocket-route:close', onCloseMessage);
  const { client, closes } = await open({
    onConnect(this: WebSocketHandler) {
      this.signal.addEventListener('abort', () => this.terminate());
    },
  } as Hooks);
  client.socket.resetAndDestroy();
  expect(await closes.next()).toEqual([1006, '', false]);
  expect(durations).toEqual([expect.any(Number)]);
  expect(durations[0]).toBeGreaterThanOrEqual(0);
  expect(metrics().open).toBe(0);
  unsubscribe('websocket-route:close', onCloseMessage);
});

it('a close frame is heard while onConnect is pending', async () => {
  const gate = deferred();
  const signals = new AsyncQueue<AbortSignal>();
  const { client, closes } = await open({
    async onConnect(this: WebSocketHandler) {
      signals.push(this.signal);
      await gate.promise;
    },
  } as Hooks);
  const signal = await signals.next();
  client.send(bye);
  await aborted(signal);
  gate.resolve();
  expect(await closes.next()).toEqual([4000, 'bye', true]);
});

it('a request that is given the signal is stopped when the client closes', async () => {
  const asked = new AsyncQueue<() => Promise<unknown>>();
  const model: Server = createHttpServer((request) => asked.push(() => once(request.socket, 'close')));
  await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve));
  const { port } = model.address() as AddressInfo;
  const { client, closes } = await open({
    async onRead() {
      await fetch(`http://127.0.0.1:${port}`, { signal: this.signal });
    },
  });
  client.send(text('ask the model'));
  const stopped = (await asked.next())();
  client.send(bye);
  await stopped;
  expect(await closes.next()).toEqual([4000, 'bye', true]);
  model.close();
});

it('data that is read ahead counts in Limits', async () => {
  const { begun, gate, hooks } = busy();
  const limits = new Limits({ maxBufferedBytes: 1 << 30 });
  const { client, socket } = await open(hooks, { limits });
  client.send(text('work'));
  await begun.next();
  const before = socket.bytesRead;
  client.send(binary(Buffer.alloc(50_000)));
  await until(() => socket.bytesRead - before >= 50_000);
  await turns(2);
  expect(limits.bufferedBytes).toBeGreaterThanOrEqual(50_000);
  gate.resolve();
  await until(() => limits.bufferedBytes === 0);
  await client.close();
});

it('a flood of pings is answered as one that comes while nothing is pending', async () => {
  const { begun, gate, hooks, reads } = busy();
  const { client, handler } = await open(hooks);
  client.send(text('work'));
  await begun.next();
  client.send(Buffer.concat(Array.from({ length: 1000 }, (_, i) => ping(`${i}`))), text('last'));
  for (let i = 0; i < 1000; i++) expect((await client.next()).payload.toString()).toBe(`${i}`);
  gate.resolve();
  await until(() => reads.length === 2);
  expect(handler.readyState).toBe(1);
  expect(metrics().lost).toBe(0);
  await client.close();
});

it('compressed messages are delivered in their order around what was heard early', async () => {
  const { begun, gate, hooks, reads } = busy();
  const { client, closes } = await open(
    hooks,
    { compress: true },
    { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } },
  );
  const { deflateRawSync } = await import('node:zlib');
  const compressed = (payload: string): Buffer => {
    const bytes = deflateRawSync(payload, { finishFlush: 2 }).subarray(0, -4);
    return frame({ opcode: 1, payload: bytes, rsv: 4 });
  };
  client.send(compressed('one'));
  const signal = await begun.next();
  client.send(compressed('two'), ping('x'), text('three'), compressed('four'), bye);
  await aborted(signal);
  gate.resolve();
  expect(await closes.next()).toEqual([4000, 'bye', true]);
  expect(reads).toEqual(['one', 'two', 'three', 'four']);
});
