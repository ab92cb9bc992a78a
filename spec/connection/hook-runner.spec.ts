import { AsyncLocalStorage } from 'node:async_hooks';
import { HookRunner, type HookRunnerOwner } from '../../lib/connection/hook-runner.js';
import type { ConnectionHooks } from '../../lib/connection/hooks.js';
import { InvalidStateError, OverflowError } from '../../lib/errors.js';
import { deferred, turns } from './open.js';
import { hooksOf, settingsOf } from './parts.js';

/** A runner of these hooks, and what it tells its owner and `onError`. */
function running(hooks: Partial<ConnectionHooks>, isPeerGone = false) {
  const told: unknown[] = [];
  const owner: HookRunnerOwner = {
    isPeerGone,
    onHookPending: () => told.push('pending'),
    onHookSettled: () => told.push('settled'),
    onStale: () => told.push('stale'),
    close: (code) => told.push(`close ${code}`),
  };
  const onError = (error: unknown, hook: string): unknown => told.push(`${error} in ${hook}`);
  const logged: string[] = [];
  const log = { warn() {}, error: (line: string) => void logged.push(line) };
  const runner = new HookRunner(hooksOf({ onError, ...hooks }), settingsOf({ log }), owner);
  return { runner, told, logged };
}

describe('the hook runner', () => {
  it('gives onRead as many arguments as there are values', () => {
    const calls: unknown[][] = [];
    const { runner, told } = running({ onRead: (...values) => void calls.push(values) });
    runner.onUnit('unit');
    runner.onUnits([1, 2, 3, 4, 5]);
    for (const count of [1, 2, 3, 4]) runner.onValues4(count, 1, 2, 3, 4);
    expect(calls).toEqual([['unit'], [1, 2, 3, 4, 5], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]]);
    expect(told).toEqual([]);
  });

  it('tells its owner while onConnect or onRead is pending', async () => {
    const gate = deferred();
    const { runner, told } = running({ onConnect: () => gate.promise });
    runner.connect([]);
    expect([runner.isBusy, told]).toEqual([true, ['pending']]);
    gate.resolve();
    await turns();
    expect([runner.isBusy, told]).toEqual([false, ['pending', 'settled']]);
  });

  it('does not make its owner wait for any other hook, and calls back when that has settled', async () => {
    const gate = deferred();
    const { runner, told } = running({});
    runner.call(
      'onClose',
      () => gate.promise,
      () => told.push('done'),
    );
    expect([runner.isBusy, told]).toEqual([false, []]);
    gate.resolve();
    await turns();
    expect(told).toEqual(['done']);
    runner.call(
      'onClose',
      () => 1,
      () => told.push('done at once'),
    );
    expect(told).toEqual(['done', 'done at once']);
  });

  it('tells onError what a hook threw or rejected with, and goes on', async () => {
    const broken = new Error('broken');
    const { runner, told } = running({
      onRead(data) {
        if (data === 'reject') return Promise.reject(broken);
        throw broken;
      },
    });
    runner.onUnit('throw');
    expect(told).toEqual(['Error: broken in onRead']);
    runner.onUnit('reject');
    await turns();
    expect(told.slice(1)).toEqual(['pending', 'Error: broken in onRead', 'settled']);
    runner.call('onPong', () => {
      throw broken;
    });
    expect(told.at(-1)).toBe('Error: broken in onPong');
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('again');
      },
    ],
    ['rejects', () => Promise.reject(new Error('again'))],
  ])('logs an onError that %s, and has the connection closed with 1011', async (_what, onError) => {
    const { runner, told, logged } = running({ onRead: () => Promise.reject(new Error('first')), onError });
    runner.onUnit('a');
    await turns();
    expect(told).toContain('close 1011');
    expect(logged).toEqual([expect.stringContaining('again')]);
  });

  it('drops errors of a connection that is not open, where its handler could not know', () => {
    const onRead = (): void => {
      throw new InvalidStateError('closed');
    };
    const gone = running({ onRead }, true);
    gone.runner.onUnit('a');
    expect(gone.told).toEqual([]);
    const open = running({ onRead });
    open.runner.onUnit('a');
    expect(open.told).toEqual(['InvalidStateError: closed in onRead']);
  });

  it('passes an overflow on to onOverflowError, and staleness to its owner', () => {
    const errors: unknown[] = [];
    const { runner, told } = running({ onOverflowError: (error) => void errors.push(error) });
    const error = new OverflowError(10, 5);
    runner.onOverflow(error);
    runner.onStale();
    expect([errors, told]).toEqual([[error], ['stale']]);
  });

  it('calls hooks outside of the async context of whatever causes them', () => {
    const storage = new AsyncLocalStorage<string>();
    const { runner } = running({});
    const seen: unknown[] = [];
    storage.run('of another connection', () => runner.call('onPong', () => seen.push(storage.getStore())));
    expect(seen).toEqual([undefined]);
  });
});
