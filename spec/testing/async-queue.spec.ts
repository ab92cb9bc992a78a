import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { CallSite, Wait } from '../../lib/testing/wait.js';

describe('an AsyncQueue', () => {
  it('gives what has come in order, and what is to come to who waits first', async () => {
    const queue = new AsyncQueue<number>();
    queue.push(1);
    queue.push(2);
    const taken = [queue.next(), queue.next(), queue.next(), queue.next()];
    queue.push(3);
    queue.push(4);
    expect(await Promise.all(taken)).toEqual([1, 2, 3, 4]);
  });

  it('rejects who waits, and who comes later, with the reason why nothing more will come', async () => {
    const queue = new AsyncQueue<number>();
    const waiting = queue.next();
    queue.end('it is over');
    queue.end('it is over again');
    await expect(waiting).rejects.toThrow('it is over');
    await expect(queue.next()).rejects.toThrow(/^it is over$/);
  });

  it('gives nothing to a taker that has waited in vain', async () => {
    const queue = new AsyncQueue<number>();
    const early = new Wait<number>(new CallSite(queue.give), 1, () => 'too late');
    queue.give(early);
    const patient = queue.next();
    await expect(early.promise).rejects.toThrow('too late');
    queue.push(1);
    expect(await patient).toBe(1);
  });

  it('gives as many items as are asked for, and shows what is left', async () => {
    const queue = new AsyncQueue<number | undefined>();
    queue.push(undefined);
    queue.push(2);
    const taken = queue.take(3);
    queue.push(3);
    queue.push(4);
    expect(await taken).toEqual([undefined, 2, 3]);
    expect(queue.left).toEqual([4]);
  });

  it('is over when it has ended and nothing is left', async () => {
    const queue = new AsyncQueue<number | undefined>();
    queue.push(undefined);
    queue.end('over');
    expect(queue.isOver).toBe(false);
    expect(await queue.next()).toBeUndefined();
    expect(queue.isOver).toBe(true);
  });
});
