/** The one list of hooks, from which types and checks derive. */

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

/** The hooks whose errors `onError` receives. */
export type HookName = Exclude<Hook, 'onError'>;
