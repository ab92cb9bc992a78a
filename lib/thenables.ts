/**
 * Handles values returned by user functions, which may be promises. They may be anything, so even inspecting them may
 * throw.
 */

/**
 * Whether `await` would wait for the value. True also if reading `then` throws: `whenSettled` then reports that
 * error.
 */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  try {
    return 'then' in value && typeof value.then === 'function';
  } catch {
    return true;
  }
}

/** Calls one of the callbacks, once and asynchronously, for any thenable. */
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

/** Ignores a result, so that its rejection does not end the process. */
export function abandon(value: unknown): void {
  if (isThenable(value)) whenSettled(value, ignore, ignore);
}

function ignore(): void {}
