import { Over } from '../../lib/connection/over.js';

describe('the end of a connection', () => {
  it('is there for all who wait for it, once it has come', async () => {
    const over = new Over();
    const told: string[] = [];
    const waiting = [over.promise.then(() => told.push('one')), over.promise.then(() => told.push('other'))];
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([]);
    over.resolve();
    await Promise.all(waiting);
    expect(told).toEqual(['one', 'other']);
    await over.promise;
  });

  it('is not asked for by whoever only waits', () => {
    expect(new Over().leaving).toBeUndefined();
  });
});
