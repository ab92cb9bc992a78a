import { createServer, type Server } from 'node:http';
import express from 'express';
import { type DrainOptions, drain, drainOnSignal } from '../../lib/index.js';
import { usageErrorCode } from '../support/usage-error.js';

describe('the options', () => {
  const server = createServer();
  const wrong: [options: unknown, complaint: RegExp][] = [
    [{ timout: 1 }, /timout.*unknown \(did you mean timeout\?\); the options are timeout, jitter/],
    [{ timeout: 0 }, /timeout/],
    [{ timeout: 2 ** 31 }, /timeout/],
    [{ timeout: '10s' }, /timeout/],
    [{ jitter: -1 }, /jitter/],
    [{ jitter: 1.5 }, /jitter/],
    [{ jitter: 20_000 }, /jitter.*the timeout is 8000/],
    [{ timeout: 10, jitter: 10 }, /jitter.*less than the timeout/],
    [{ retryAfter: -1 }, /retryAfter.*in seconds/],
    [{ retryAfter: 'soon' }, /retryAfter/],
    [{ code: 1006 }, /close code/],
    [{ reason: 'x'.repeat(124) }, /reason/],
    [20_000, /options/],
    [null, /options/],
  ];

  it.each(wrong)('%p are refused', async (options, complaint) => {
    const refused = { name: 'TypeError', code: usageErrorCode(), message: expect.stringMatching(complaint) };
    await expect(drain(server, options as DrainOptions)).rejects.toMatchObject(refused);
    let thrown: unknown;
    try {
      drainOnSignal(server, ['SIGTERM'], options as DrainOptions);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject(refused);
    expect(process.listenerCount('SIGTERM')).toBe(0);
  });

  it.each([1, 'yes', null, {}])('an exit of %p is refused', (exit) => {
    expect(() => drainOnSignal(server, ['SIGTERM'], { exit: exit as never })).toThrow(
      /^exit is .*true, false, or a function/,
    );
    expect(process.listenerCount('SIGTERM')).toBe(0);
  });

  it('exit is none of drain, which ends no process', async () => {
    const complaint = /^option is 'exit': it is an option of drainOnSignal: /;
    await expect(drain(server, { exit: true } as DrainOptions)).rejects.toThrow(complaint);
  });

  it.each([express(), undefined, {}, 8080])('a server that is none is refused (%#)', async (none) => {
    await expect(drain(none as unknown as Server)).rejects.toThrow(/it must be the http.Server/);
    expect(() => drainOnSignal(none as unknown as Server)).toThrow(/it must be the http.Server/);
  });

  it('an app is named, and its innards are not shown', async () => {
    await expect(drain(express() as never)).rejects.toThrow(/^server is \[Function: app\]: it must be/);
  });

  it.each<[signals: unknown, complaint: RegExp]>([
    [[], /^signals is \[\]: it must be a list of signals/],
    ['SIGTERM', /^signals is 'SIGTERM': it must be a list of signals/],
    [{ timeout: 5 }, /^signals is \{ timeout: 5 \}: the options come third: drainOnSignal\(server, \['SIGTERM'\], \{/],
    [['SIGTERM', 'SIGTREM'], /^signal is 'SIGTREM': there is no such signal/],
    [['SIGTERM', undefined], /^signal is undefined: there is no such signal/],
    [['SIGTERM', 'SIGKILL'], /^signal is 'SIGKILL': no process can listen to it/],
  ])('the signals %p are refused', (signals, complaint) => {
    const refused = { name: 'TypeError', code: usageErrorCode(), message: expect.stringMatching(complaint) };
    let thrown: unknown;
    try {
      drainOnSignal(server, signals as NodeJS.Signals[]);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject(refused);
    expect(process.listenerCount('SIGTERM')).toBe(0);
  });

  it('may be undefined, each of them', async () => {
    drainOnSignal(server, undefined, { exit: undefined })();
    const none = { timeout: undefined, jitter: undefined, code: undefined, reason: undefined, retryAfter: undefined };
    expect(await drain(createServer(), none)).toEqual({ closed: 0, terminated: 0 });
  });

  it('leave no listener behind when the signals are not wanted any more', () => {
    const remove = drainOnSignal(server, ['SIGTERM', 'SIGHUP']);
    expect([process.listenerCount('SIGTERM'), process.listenerCount('SIGHUP')]).toEqual([1, 1]);
    remove();
    expect([process.listenerCount('SIGTERM'), process.listenerCount('SIGHUP')]).toEqual([0, 0]);
  });
});
