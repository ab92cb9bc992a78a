/** What the parts of a connection are made of, for specs that use one of them without the others. */
import type { ConnectionHooks, ConnectionSettings } from '../../lib/connection/hooks.js';
import type { Negotiated } from '../../lib/connection/negotiated.js';
import { resolveOptions } from '../../lib/handler/options/options.js';
import { compilePlan } from '../../lib/handshake/route-plan.js';
import { type ConnectionOptions, WebSocketHandler } from '../../lib/index.js';

/** The settings of a route with these options. */
export function settingsOf(options: ConnectionOptions = {}): ConnectionSettings {
  return compilePlan(class Parts extends WebSocketHandler {}, resolveOptions(options)).settings;
}

export const NEGOTIATED: Negotiated = {
  version: 13,
  isSecure: false,
  subprotocol: '',
  extensions: '',
  deflate: undefined,
  localAddress: undefined,
  remoteAddress: undefined,
};

/** Hooks that do nothing, but for these. */
export function hooksOf(hooks: Partial<ConnectionHooks>): ConnectionHooks {
  const nothing = (): void => {};
  return {
    onConnect: nothing,
    onRead: nothing,
    onWrite: nothing,
    onPong: nothing,
    onClose: nothing,
    onOverflowError: nothing,
    onError: nothing,
    ...hooks,
  };
}
