/** Calls a handler's `onHandshake` and validates the result. Errors go to `onError`. */
import type { IncomingMessage } from 'node:http';
import { reportSecond, tellError } from '../connection/hook-errors.js';
import type { ConnectionSettings } from '../connection/hooks.js';
import { isA } from '../errors.js';
import { WebSocketHandler } from '../handler/handler.js';
import type { ResponseHeaders } from '../handler/options/options.js';
import { isThenable, whenSettled } from '../thenables.js';
import { type Deadline, HandshakeAborted } from './deadline.js';
import { type PlainRefusal, refuse, toPlainRefusal } from './refusal.js';
import { checkResponseHeaders } from './response-headers.js';

/** Headers that a handler adds to the 101. */
export type CheckedHeaders = ReturnType<typeof checkResponseHeaders>;
type Verdict = CheckedHeaders | PlainRefusal;

/** Whether the handler overrides the default hook, which accepts every client. */
export function isAsked(handler: WebSocketHandler): boolean {
  return handler.onHandshake !== WebSocketHandler.prototype.onHandshake;
}

/**
 * @returns a promise only if the hook returned one; it rejects with `HandshakeAborted` when the handshake has ended
 */
export function askHandler(
  handler: WebSocketHandler,
  request: IncomingMessage,
  offeredSubprotocols: readonly string[],
  settings: ConnectionSettings,
  deadline: Deadline,
): Verdict | Promise<Verdict> {
  const headers: ResponseHeaders = {};
  const judge = (answer: unknown): Verdict => verdict(answer, headers, offeredSubprotocols);
  const failed = (error: unknown): PlainRefusal | Promise<PlainRefusal> => {
    if (isA(error, HandshakeAborted)) throw error;
    const told = tellError(handler, settings, error, 'onHandshake');
    if (!isThenable(told)) return failure();
    return deadline.wait(told, (second) => reportSecond(settings, second)).then(failure);
  };
  try {
    const answer: unknown = handler.onHandshake(request, headers);
    if (!isThenable(answer)) return judge(answer);
    return deadline
      .wait(answer, (error) => tellLate(handler, settings, error))
      .then(judge)
      .catch(failed);
  } catch (error) {
    return failed(error);
  }
}

/** @throws TypeError, HeaderError for a response that cannot be sent */
function verdict(answer: unknown, headers: ResponseHeaders, offeredSubprotocols: readonly string[]): Verdict {
  if (answer === true) return checkResponseHeaders(headers, 101, offeredSubprotocols);
  // `this.isSecure && request.headers['x-pizza']` may be false, undefined or ''.
  if (answer) return toPlainRefusal(answer, headers);
  return toPlainRefusal(
    { status: 403, body: '403 Forbidden\nThe handshake was refused: onHandshake did not return true.\n' },
    headers,
  );
}

/** The hook's promise rejected after the handshake had ended: reports the error without waiting for `onError`. */
function tellLate(handler: WebSocketHandler, settings: ConnectionSettings, error: unknown): void {
  const reported = (second: unknown): void => reportSecond(settings, second);
  try {
    const result = tellError(handler, settings, error, 'onHandshake');
    if (isThenable(result)) whenSettled(result, () => {}, reported);
  } catch (second) {
    reported(second);
  }
}

export function failure(): PlainRefusal {
  return refuse(500, 'error', 'The handshake failed.');
}
