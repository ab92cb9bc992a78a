import { abandon, isThenable, whenSettled } from '../lib/thenables.js';
import { turns } from './connection/open.js';

/** An object, or this one, with such a `then`. */
function withThen(descriptor: PropertyDescriptor, object: object = {}): PromiseLike<unknown> {
  return Object.defineProperty(object, 'then', descriptor) as PromiseLike<unknown>;
}

const hostile = withThen({
  get() {
    throw new Error('hostile');
  },
});

describe('a thenable', () => {
  it('is what await would wait for, of whatever class', () => {
    const value = (): void => {};
    const likes = [Promise.resolve(), withThen({ value }), withThen({ value }, () => {})];
    expect(likes.map(isThenable)).toEqual([true, true, true]);
    for (const value of [undefined, null, 1, 'then', {}, () => {}]) expect(isThenable(value)).toBe(false);
    expect(isThenable(withThen({ value: 1 }))).toBe(false);
  });

  it('is also what throws when it is asked', () => {
    expect(isThenable(hostile)).toBe(true);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(isThenable(proxy)).toBe(true);
  });
});

describe('a thenable that settles', () => {
  /** Which of the two was called, in order. */
  async function settled(thenable: PromiseLike<unknown>): Promise<unknown[]> {
    const calls: unknown[] = [];
    whenSettled(
      thenable,
      (value) => calls.push('fulfilled', value),
      (error) => calls.push('rejected', String(error)),
    );
    expect(calls).toEqual([]);
    await turns();
    return calls;
  }

  it('calls back later, once, with its value or its error', async () => {
    expect(await settled(Promise.resolve(1))).toEqual(['fulfilled', 1]);
    expect(await settled(Promise.reject(new Error('no')))).toEqual(['rejected', 'Error: no']);
    const twice = withThen({
      value(fulfil: (value: unknown) => void) {
        fulfil(1);
        fulfil(2);
        throw new Error('late');
      },
    });
    expect(await settled(twice)).toEqual(['fulfilled', 1]);
  });

  it('is rejected with what it throws', async () => {
    expect(await settled(hostile)).toEqual(['rejected', 'Error: hostile']);
    const promise = Object.defineProperty(Promise.resolve(1), 'constructor', {
      get() {
        throw new Error('hostile');
      },
    });
    expect(await settled(promise)).toEqual(['rejected', 'Error: hostile']);
  });
});

it('a promise that is abandoned may be rejected, and ends no process', async () => {
  const unhandled = jest.fn();
  process.on('unhandledRejection', unhandled);
  try {
    abandon(Promise.reject(new Error('nobody waits')));
    abandon(hostile);
    abandon(1);
    await turns(2);
  } finally {
    process.removeListener('unhandledRejection', unhandled);
  }
  expect(unhandled).not.toHaveBeenCalled();
});
