import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { isDueToState, reportSecond, tellError } from '../../lib/connection/hook-errors.js';
import { InvalidStateError } from '../../lib/errors.js';
import { hooksOf, settingsOf } from './parts.js';

describe('an error of a hook', () => {
  it('is counted, published and told to onError, whose result is returned', () => {
    const published: unknown[] = [];
    const listen = (message: unknown): void => void published.push(message);
    const error = new Error('broken');
    const told: unknown[] = [];
    const hooks = hooksOf({
      onError(...args) {
        told.push(args);
        return 'handled';
      },
    });
    const settings = settingsOf({ name: 'hook-errors' });
    subscribe('websocket-route:error', listen);
    try {
      expect(tellError(hooks, settings, error, 'onRead')).toBe('handled');
    } finally {
      unsubscribe('websocket-route:error', listen);
    }
    expect(told).toEqual([[error, 'onRead']]);
    expect(published).toEqual([{ route: 'hook-errors', connection: hooks, error, hook: 'onRead' }]);
    expect(settings.counters.snapshot().errors).toEqual({ onRead: 1 });
  });

  it('that onError threw itself is logged in one line that names the handler', () => {
    const lines: string[] = [];
    reportSecond({ name: 'Chat at /chat', log: { warn() {}, error: (line) => lines.push(line) } }, new Error('again'));
    expect(lines).toEqual(['websocket-route: onError of Chat at /chat failed: Error: again']);
  });

  it('is due to the state of the connection where it, or its cause, says that this is not open', () => {
    const closed = new InvalidStateError('closed');
    expect(isDueToState(closed)).toBe(true);
    expect(isDueToState(new DOMException('aborted', { name: 'AbortError', cause: closed } as never))).toBe(true);
    expect(isDueToState(new Error('broken', { cause: closed }))).toBe(true);
    for (const other of [new Error('broken'), undefined, null, 'closed']) expect(isDueToState(other)).toBe(false);
  });
});
