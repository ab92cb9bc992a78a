/** Why a handshake was refused, in one stable word: reported by the channel `refuse` and the counter `refused`. */
export const REFUSAL_REASONS = [
  // The request is not an acceptable handshake.
  'method',
  'not-an-upgrade',
  'connection',
  'http-version',
  'body',
  'host',
  'version',
  'key',
  'extension',
  'subprotocol',
  'path',
  'pipelined',
  // The server or the route cannot accept it now.
  'runtime',
  'draining',
  'full',
  'full-for-key',
  'timeout',
  // The route refuses it.
  'origin',
  'hook',
  'error',
] as const;

/**
 * Why a handshake was refused. The words are stable; later versions may add more. All refusals by `onHandshake` are
 * `'hook'`: count your own reasons yourself.
 */
export type RefusalReason = (typeof REFUSAL_REASONS)[number];
