import { AsyncLocalStorage } from 'node:async_hooks';
import { AsyncScope } from '../../lib/deflate/async-scope.js';

describe('an async scope', () => {
  it('runs things in the context in which it was made', () => {
    const storage = new AsyncLocalStorage<string>();
    const scope = storage.run('made here', () => new AsyncScope('Spec'));
    const seen = storage.run('run here', () => scope.runInAsyncScope(() => storage.getStore()));
    expect(seen).toBe('made here');
  });

  it('is no open handle for test runners that look for these', () => {
    expect(new AsyncScope('Spec').hasRef()).toBe(false);
  });
});
