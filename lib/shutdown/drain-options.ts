/** What `drain` may be told, and the rules for it. */
import { checkOptions, nameOnly, withDefaults } from '../argument-checks.js';
import { invalidArgument, invalidOption, unknownOption } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { checkCloseArguments } from '../framing/close-payload.js';
import { checkTimeout } from '../handler/option-checks.js';
import { checkLog, type Log, processLog } from '../log.js';
import type { Exit } from './end-process.js';

export interface DrainOptions {
  /**
   * After how many milliseconds what is still open is terminated. Default 8,000: Docker kills a process 10 seconds after it has
   * asked it to end, and Kubernetes after 30.
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

export interface DrainOnSignalOptions extends DrainOptions {
  /**
   * Whether the process ends, with `process.exit()`, when the server has been drained and closed, and with it the others that the
   * signal was for. Default false: it ends by itself when nothing keeps it, and work of your own may go on. Under node:cluster and
   * pm2 the channel to the parent process keeps it for ever. A function is called before, and awaited: close the database there.
   * What it throws is reported, and makes the exit code 1. Otherwise that is `process.exitCode`, or 0.
   */
  exit?: Exit | undefined;
  /** Where it goes what `exit` throws. Default: the log of the process, see `setLog`. */
  log?: Log | undefined;
}

export type ResolvedDrainOptions = { readonly [K in keyof DrainOptions]-?: Exclude<DrainOptions[K], undefined> };

const DEFAULTS: ResolvedDrainOptions = {
  timeout: 8_000,
  jitter: 1000,
  code: CloseCode.GOING_AWAY,
  reason: '',
  retryAfter: 1,
};

/** @throws TypeError as `resolveDrainOptions`, and for another `exit` */
export function resolveDrainOnSignalOptions(
  server: unknown,
  options: DrainOnSignalOptions,
): { exit: Exit; log: Log; options: DrainOptions; timeout: number } {
  checkOptions('', options, [...Object.keys(DEFAULTS), 'exit', 'log'], '{ exit: true }');
  const { exit = false, log = processLog, ...rest } = options;
  if (typeof exit !== 'boolean' && typeof exit !== 'function') {
    throw invalidOption('exit', exit, 'it must be true, false, or a function to call before the process ends');
  }
  checkLog(log);
  return { exit, log, options: rest, timeout: resolveDrainOptions(server, rest).timeout };
}

/** @throws TypeError for what is no server, an unknown option or a value that an option may not have */
export function resolveDrainOptions(server: unknown, options: DrainOptions): ResolvedDrainOptions {
  if (typeof server !== 'object' || server === null || !('on' in server) || !('close' in server)) {
    throw invalidArgument(
      'server',
      nameOnly(server),
      'it must be the http.Server, as app.listen() or createServer() return it',
    );
  }
  if (Object.hasOwn(Object(options), 'exit')) {
    throw unknownOption(
      'option',
      'exit',
      'it is an option of drainOnSignal: after drain() call process.exit() yourself',
    );
  }
  checkOptions('', options, Object.keys(DEFAULTS), '{ timeout: 20_000 }');
  const resolved = withDefaults<ResolvedDrainOptions>(DEFAULTS, options);
  const { timeout, retryAfter } = resolved;
  checkTimeout('timeout', timeout, 1);
  const { jitter = Math.min(DEFAULTS.jitter, Math.floor(timeout / 2)) } = options;
  if (!Number.isSafeInteger(jitter) || jitter < 0 || jitter >= timeout) {
    const remedy = `the last ones need time for their goodbye, too, and the timeout is ${timeout}`;
    throw invalidOption('jitter', jitter, `it must be an integer from 0 on, less than the timeout: ${remedy}`);
  }
  if (!Number.isSafeInteger(retryAfter) || retryAfter < 0) {
    throw invalidOption('retryAfter', retryAfter, 'it must be an integer from 0 on, in seconds');
  }
  checkCloseArguments(resolved.code, resolved.reason);
  return { ...resolved, jitter };
}
