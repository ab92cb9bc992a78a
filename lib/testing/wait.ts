/** A wait of a test: bounded in real time, since the test's own stands still, and failing at the line that waits. */
import { clearTimeout, setTimeout } from 'node:timers';
import { checkOptions } from '../argument-checks.js';
import { checkTimeout } from '../handler/option-checks.js';

export interface WaitOptions {
  /**
   * After how many milliseconds of real time the wait fails; 0 for never. Default 2,000, or the `timeout` that `connect` was given:
   * in memory an answer takes a few, and test runners give up after 5,000, without a word about the line.
   */
  timeout?: number | undefined;
}

export const DEFAULT_TIMEOUT = 2000;

/** @throws TypeError for what is no object, an unknown option, or no number of milliseconds */
export function timeoutOf(options: WaitOptions, byDefault = DEFAULT_TIMEOUT): number {
  checkOptions('', options, ['timeout'], '{ timeout: 500 }');
  const { timeout = byDefault } = options;
  checkTimeout('timeout', timeout, 0);
  return timeout;
}

/** Where a test called `method`: what happens later, in another turn, is reported with that line. */
export class CallSite {
  private readonly place: { stack?: string } = {};

  constructor(method: (...args: never[]) => unknown) {
    // Made into text when somebody reads it, which costs more than the wait.
    Error.captureStackTrace(this.place, method);
  }

  error(message: string, options?: ErrorOptions): Error {
    const error = new Error(message, options);
    const { stack = '' } = this.place;
    error.stack = `${error.name}: ${message}${stack.slice(stack.indexOf('\n'))}`;
    return error;
  }
}

/** A promise that is settled from outside, or rejected when its time is over. */
export class Wait<T> {
  readonly promise: Promise<T>;
  isOver = false;
  private readonly site: CallSite;
  private readonly timer: NodeJS.Timeout | undefined;
  private fulfil!: (value: T) => void;
  private fail!: (error: Error) => void;

  /**
   * @param timeout in milliseconds, 0 for never
   * @param late what is said at the end of that
   */
  constructor(site: CallSite, timeout: number, late: () => string) {
    this.site = site;
    this.promise = new Promise((resolve, reject) => {
      this.fulfil = resolve;
      this.fail = reject;
    });
    // A test may look at it later, or never: its rejection must not end the process before.
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
