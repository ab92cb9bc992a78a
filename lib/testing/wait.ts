/** Waits of a test: bounded in real time, since the test's clock stands still, and failing at the line that waits. */
import { clearTimeout, setTimeout } from 'node:timers';
import { checkOptions } from '../argument-checks.js';
import { checkTimeout } from '../handler/options/option-checks.js';

export interface WaitOptions {
  /**
   * Timeout in milliseconds of real time; 0 for no limit. Default 2,000, or the `timeout` passed to `connect`: in
   * memory a response takes a few milliseconds, and test runners give up after 5,000 without naming the line that
   * waits.
   */
  timeout?: number | undefined;
}

export const DEFAULT_TIMEOUT = 2000;

/** @throws TypeError unless it is an object, for an unknown option, and for an invalid timeout */
export function timeoutOf(options: WaitOptions, byDefault = DEFAULT_TIMEOUT): number {
  checkOptions('', options, ['timeout'], '{ timeout: 500 }');
  const { timeout = byDefault } = options;
  checkTimeout('timeout', timeout, 0);
  return timeout;
}

/** Where a test called `method`: errors in later turns are reported with that line. */
export class CallSite {
  private readonly place: { stack?: string } = {};

  constructor(method: (...args: never[]) => unknown) {
    // The stack is formatted on first access, which costs more than the wait itself.
    Error.captureStackTrace(this.place, method);
  }

  error(message: string, options?: ErrorOptions): Error {
    const error = new Error(message, options);
    const { stack = '' } = this.place;
    error.stack = `${error.name}: ${message}${stack.slice(stack.indexOf('\n'))}`;
    return error;
  }
}

/** A promise that is settled from outside, or rejects after a timeout. */
export class Wait<T> {
  readonly promise: Promise<T>;
  isOver = false;
  private readonly site: CallSite;
  private readonly timer: NodeJS.Timeout | undefined;
  private fulfil!: (value: T) => void;
  private fail!: (error: Error) => void;

  /**
   * @param timeout in milliseconds, 0 for no limit
   * @param late returns the message of the timeout error
   */
  constructor(site: CallSite, timeout: number, late: () => string) {
    this.site = site;
    this.promise = new Promise((resolve, reject) => {
      this.fulfil = resolve;
      this.fail = reject;
    });
    // A test may handle it later or never: until then a rejection must not end the process.
    this.promise.catch(() => {});
    this.timer = timeout === 0 ? undefined : setTimeout(() => this.reject(late()), timeout);
  }

  resolve(value: T): void {
    this.end();
    this.fulfil(value);
  }

  reject(message: string, options?: ErrorOptions): void {
    this.end();
    this.fail(this.site.error(message, options));
  }

  private end(): void {
    this.isOver = true;
    clearTimeout(this.timer);
  }
}
