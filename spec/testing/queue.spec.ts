import { Queue as PlainQueue } from '../../lib/testing/queue.js';
import { CallSite, Wait } from '../../lib/testing/wait.js';

class Queue<T> extends PlainQueue<T> {
  next(timeout = 0): Promise<T> {
    const wait = new Wait<T>(new CallSite(this.next), timeout, () => 'too late');
    this.take(wait);
    return wait.promise;
  }
}

describe('a Queue', () => {
  it('gives what has come in order, and what is to come to who waits first', async () => {
    const queue = new Queue<number>();
    queue.put(1);
    queue.put(2);
    const taken = [queue.next(), queue.next(), queue.next(), queue.next()];
    queue.put(3);
    queue.put(4);
    expect(await Promise.all(taken)).toEqual([1, 2, 3, 4]);
  });

  it('tells who waits, and who comes later, why nothing more will come', async () => {
    const queue = new Queue<number>();
    const waiting = queue.next();
    queue.end('it is over');
    queue.end('it is over again');
    await expect(waiting).rejects.toThrow('it is over');
    await expect(queue.next()).rejects.toThrow(/^it is over$/);
  });

  it('gives nothing to who has waited in vain', async () => {
    const queue = new Queue<number>();
    const [early, patient] = [queue.next(1), queue.next()];
    await expect(early).rejects.toThrow('too late');
    queue.put(1);
    expect(await patient).toBe(1);
  });

  it('ends no process where nobody catches what it is told', async () => {
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    try {
      const queue = new Queue<number>();
      const waiting = queue.next();
      queue.end('it is over');
      const late = queue.next();
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
    expect(await queue.next()).toBeUndefined();
    expect(queue.isOver).toBe(true);
  });
});
