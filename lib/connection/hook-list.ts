/** The one list of hooks that types and checks are made of. */

/** In the order of a connection's life. */
export const HOOKS = [
  'onHandshake',
  'onConnect',
  'onRead',
  'onWrite',
  'onPong',
  'onClose',
  'onOverflowError',
  'onError',
] as const;

export type Hook = (typeof HOOKS)[number];

/** The hooks in which user code runs, as `onError` is told them. */
export type HookName = Exclude<Hook, 'onError'>;
