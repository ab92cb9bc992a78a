/** What a function of the user's returned, where that may be a promise. It may be anything, so that to look at it may throw. */

/** As `await` sees it. What throws when it is asked is one as well: `whenSettled` tells what it threw. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  try {
    return 'then' in value && typeof value.then === 'function';
  } catch {
    return true;
  }
}

/** Calls one of the two, once and later, whatever it is that has a `then`. */
export function whenSettled<T>(
  thenable: PromiseLike<T>,
  onFulfilled: (value: T) => void,
  onRejected: (error: unknown) => void,
): void {
  try {
    Promise.resolve(thenable).then(onFulfilled, onRejected);
  } catch (error) {
    // A promise whose own `then` or `constructor` throws.
    queueMicrotask(() => onRejected(error));
  }
}

/** Nobody waits for it, so its rejection must not end the process. */
export function abandon(value: unknown): void {
  if (isThenable(value)) whenSettled(value, ignore, ignore);
}

function ignore(): void {}
