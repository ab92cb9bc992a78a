import { setTimeout as delay } from 'node:timers/promises';
import { Completion } from '../../lib/connection/completion.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { text } from '../support/frames.js';
import { open } from './open.js';

describe('the end of a connection', () => {
  it('is there for all who wait for it, once it has come', async () => {
    const completion = new Completion();
    const told: string[] = [];
    const waiting = [
      completion.finished.then(() => told.push('one')),
      completion.finished.then(() => told.push('other')),
    ];
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([]);
    completion.finish();
    await Promise.all(waiting);
    expect(told).toEqual(['one', 'other']);
    await completion.finished;
  });

  it('is not asked for by whoever only waits', () => {
    expect(new Completion().pendingClose).toBeUndefined();
  });

  it('aborts its signal when the connection has gone, once', () => {
    const completion = new Completion();
    const { signal } = completion;
    expect(signal.aborted).toBe(false);
    completion.abort();
    completion.abort();
    expect(signal.aborted).toBe(true);
    expect(completion.signal).toBe(signal);
    expect(signal.reason).toMatchObject({ code: 'ERR_WS_INVALID_STATE', message: 'the connection is closed' });
  });
});

describe('the signal of a handler', () => {
  it('stops what a hook waits for when the client has gone, which is no error of the hook', async () => {
    const errors: unknown[] = [];
    const begun = new AsyncQueue<AbortSignal>();
    const { client, handler, socket, closes } = await open({
      async onRead() {
        begun.push(this.signal);
        // A name server, a database: something that takes its time, and may be told to stop.
        await delay(3_600_000, undefined, { signal: this.signal });
      },
      onError: (error) => errors.push(error),
    });
    client.send(text('ask'));
    const signal = await begun.next();
    expect(signal.aborted).toBe(false);
    expect(handler.signal).toBe(signal);
    socket.destroy();
    expect(await closes.next()).toEqual([1006, '', false]);
    expect(signal.aborted).toBe(true);
    expect(errors).toEqual([]);
  });

  it('is aborted from the beginning where it is asked for too late', async () => {
    const { client, handler, closes } = await open();
    await client.close();
    await closes.next();
    expect(handler.signal.aborted).toBe(true);
  });
});
