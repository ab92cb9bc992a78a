/** The options of `drain`, and their validation. */
import { checkOptions, nameOnly, withDefaults } from '../argument-checks.js';
import { invalidArgument, invalidOption, unknownOption } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import { checkCloseArguments } from '../framing/close-payload.js';
import { checkTimeout } from '../handler/options/option-checks.js';
import { checkLog, type Log, processLog } from '../log.js';
import type { Exit } from './end-process.js';

export interface DrainOptions {
  /**
   * Milliseconds after which connections that are still open are terminated. Default 8,000: Docker kills a process 10
   * seconds after its stop signal, Kubernetes 30.
   */
  timeout?: number | undefined;
  /**
   * Milliseconds over which the close frames are spread, at random. Default 1,000, or half of `timeout` if that is
   * less: clients that all reconnect at once overload the servers that take them. Connections closed last have only
   * the rest of `timeout` to finish.
   */
  jitter?: number | undefined;
  /** The close code. Default 1001, going away. */
  code?: number | undefined;
  /** The close reason, at most 123 bytes of UTF-8. Default none. */
  reason?: string | undefined;
  /**
   * The `Retry-After` of refused handshakes, in seconds. Default 1: behind a load balancer the next attempt reaches
   * another server.
   */
  retryAfter?: number | undefined;
}

export interface DrainOnSignalOptions extends DrainOptions {
  /**
   * Whether to call `process.exit()` once this server, and all others that received the signal, are drained and
   * closed. Default false: the process exits by itself when nothing keeps it alive, and your own work may continue.
   * Under node:cluster and pm2 the channel to the parent process keeps it alive for ever. A function is called first
   * and awaited: close the database there. Errors it throws are logged and make the exit code 1, unless
   * `process.exitCode` is set. Otherwise the exit code is `process.exitCode`, or 0.
   */
  exit?: Exit | undefined;
  /** Logger for errors that `exit` throws. Default: the log of the process, see `setLog`. */
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

/** @throws TypeError as `resolveDrainOptions`, and for an invalid `exit` */
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

/** @throws TypeError for an invalid server, an unknown option or an invalid value */
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
    const remedy = `the last connections need time to close, and the timeout is ${timeout}`;
    throw invalidOption('jitter', jitter, `it must be a non-negative integer less than the timeout: ${remedy}`);
  }
  if (!Number.isSafeInteger(retryAfter) || retryAfter < 0) {
    throw invalidOption('retryAfter', retryAfter, 'it must be a non-negative integer, in seconds');
  }
  checkCloseArguments(resolved.code, resolved.reason);
  return { ...resolved, jitter };
}
