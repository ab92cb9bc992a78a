/** Why a handshake was refused, in one stable word: what the channel `refuse` and the counter `refused` tell. */
export const REFUSAL_REASONS = [
  // The request is no handshake that can be accepted.
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
  // The server, or the route, will not have it now.
  'runtime',
  'draining',
  'full',
  'full-for-key',
  'timeout',
  // The route does not want it.
  'origin',
  'hook',
  'error',
] as const;

/**
 * Why a handshake was refused. The words are stable; a later version may have more of them. Whatever `onHandshake` refuses is
 * `'hook'`: its own reasons are its own to count.
 */
export type RefusalReason = (typeof REFUSAL_REASONS)[number];
