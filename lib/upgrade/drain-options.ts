/** What `drain` may be told, and the rules for it. */
import { checkOptions, given, nameOnly } from '../argument-checks.js';
import { invalidArgument } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { checkCloseArguments } from '../framing/close-payload.js';
import { checkTimeout } from '../option-checks.js';

export interface DrainOptions {
  /**
   * After how many milliseconds what is still open is terminated. Default 10,000: orchestrators kill a process 10 to 30 seconds
   * after they have asked it to end.
   */
  timeout?: number | undefined;
  /**
   * Over how many milliseconds the goodbyes are spread, evenly by chance. Default 1,000, or half of `timeout` if that is less:
   * clients that come back all at once are a burden for whoever takes them. What is left of `timeout` after it is all the time
   * that the last ones have.
   */
  jitter?: number | undefined;
  /** The close code. Default 1001, going away. */
  code?: number | undefined;
  /** At most 123 bytes of UTF-8. Default none. */
  reason?: string | undefined;
  /** The `Retry-After` of refused handshakes, in seconds. Default 1: behind a load balancer the next attempt lands elsewhere. */
  retryAfter?: number | undefined;
}

export type ResolvedDrainOptions = { readonly [K in keyof DrainOptions]-?: Exclude<DrainOptions[K], undefined> };

const DEFAULTS: ResolvedDrainOptions = {
  timeout: 10_000,
  jitter: 1000,
  code: CloseCode.GOING_AWAY,
  reason: '',
  retryAfter: 1,
};

/** @throws TypeError for what is no server, an unknown option or a value that an option may not have */
export function resolveDrainOptions(server: unknown, options: DrainOptions): ResolvedDrainOptions {
  if (typeof server !== 'object' || server === null || !('on' in server) || !('close' in server)) {
    throw invalidArgument(
      'server',
      nameOnly(server),
      'it must be the http.Server, as app.listen() or createServer() return it',
    );
  }
  checkOptions('', options, Object.keys(DEFAULTS), '{ timeout: 20_000 }');
  const resolved: ResolvedDrainOptions = { ...DEFAULTS, ...given(options) };
  const { timeout, retryAfter } = resolved;
  checkTimeout('timeout', timeout, 1);
  const { jitter = Math.min(DEFAULTS.jitter, Math.floor(timeout / 2)) } = options;
  if (!Number.isSafeInteger(jitter) || jitter < 0 || jitter >= timeout) {
    const remedy = `the last ones need time for their goodbye, too, and the timeout is ${timeout}`;
    throw invalidArgument('jitter', jitter, `it must be an integer from 0 on, less than the timeout: ${remedy}`);
  }
  if (!Number.isSafeInteger(retryAfter) || retryAfter < 0) {
    throw invalidArgument('retryAfter', retryAfter, 'it must be an integer from 0 on, in seconds');
  }
  checkCloseArguments(resolved.code, resolved.reason);
  return { ...resolved, jitter };
}
