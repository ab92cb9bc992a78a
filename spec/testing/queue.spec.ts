import { Queue } from '../../lib/testing/queue.js';

describe('a Queue', () => {
  it('gives what has come in order, and what is to come to who waits first', async () => {
    const queue = new Queue<number>();
    queue.put(1);
    queue.put(2);
    const taken = [queue.take(), queue.take(), queue.take(), queue.take()];
    queue.put(3);
    queue.put(4);
    expect(await Promise.all(taken)).toEqual([1, 2, 3, 4]);
  });

  it('tells who waits, and who comes later, why nothing more will come', async () => {
    const queue = new Queue<number>();
    const waiting = queue.take();
    queue.end('it is over');
    queue.end('it is over again');
    await expect(waiting).rejects.toThrow('it is over');
    await expect(queue.take()).rejects.toThrow(/^it is over$/);
  });

  it('ends no process where nobody catches what it is told', async () => {
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    try {
      const queue = new Queue<number>();
      const waiting = queue.take();
      queue.end('it is over');
      const late = queue.take();
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).not.toHaveBeenCalled();
      // It is a rejection all the same.
      await expect(waiting).rejects.toThrow('it is over');
      await expect(late).rejects.toThrow('it is over');
    } finally {
      process.off('unhandledRejection', unhandled);
    }
  });

  it('is over when it has ended and nothing is left', async () => {
    const queue = new Queue<number | undefined>();
    queue.put(undefined);
    queue.end('over');
    expect(queue.isOver).toBe(false);
    expect(await queue.take()).toBeUndefined();
    expect(queue.isOver).toBe(true);
  });
});
