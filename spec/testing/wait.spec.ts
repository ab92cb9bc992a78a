import { CallSite, DEFAULT_TIMEOUT, timeoutOf, Wait } from '../../lib/testing/wait.js';
import { turns } from '../connection/open.js';

describe('the timeout of a wait', () => {
  it('is what is given, or the default; 0 means never', () => {
    expect([timeoutOf({}), timeoutOf({}, 5), timeoutOf({ timeout: undefined }, 5)]).toEqual([DEFAULT_TIMEOUT, 5, 5]);
    expect([timeoutOf({ timeout: 0 }), timeoutOf({ timeout: 7 }, 5)]).toEqual([0, 7]);
  });

  it.each([-1, 1.5, Infinity, '5'])('is not %p', (timeout) => {
    expect(() => timeoutOf({ timeout: timeout as number })).toThrow(TypeError);
  });

  it('is the only option', () => {
    expect(() => timeoutOf({ timeuot: 5 } as never)).toThrow('did you mean timeout?');
  });
});

describe('a wait', () => {
  function waiting(timeout = 0): Wait<string> {
    return new Wait(new CallSite(waiting), timeout, () => 'nothing has come');
  }

  it('is fulfilled from outside', async () => {
    const wait = waiting();
    expect(wait.isOver).toBe(false);
    wait.resolve('come');
    expect([wait.isOver, await wait.promise]).toEqual([true, 'come']);
  });

  it('fails when its time is over, at the line that waits', async () => {
    const wait = waiting(1);
    const error = (await wait.promise.catch((reason: unknown) => reason)) as Error;
    expect([wait.isOver, error.message]).toEqual([true, 'nothing has come']);
    expect(error.stack?.split('\n')[1]).toContain('wait.spec.ts');
    expect(error.stack).not.toContain('at waiting');
  });

  it('may fail earlier, with a cause; a rejection at which nobody looks ends no process', async () => {
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    const cause = new Error('reset');
    const wait = waiting();
    wait.reject('the connection is lost', { cause });
    await turns(2);
    process.removeListener('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    await expect(wait.promise).rejects.toMatchObject({ message: 'the connection is lost', cause });
  });
});
