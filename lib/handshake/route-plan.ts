/** A handler and its options, checked and compiled once for all of their connections. */
import type { ConnectionSettings } from '../connection/hooks.js';
import type { CompressSettings } from '../deflate/agreement.js';
import { WebSocketHandler } from '../handler/handler.js';
import { checkInstance, type HandlerClass, handlerClass } from '../handler/handler-class.js';
import {
  type ConnectionOptions,
  compressSettings,
  type ResolvedOptions,
  resolveOptions,
} from '../handler/options/options.js';
import { countersOf } from '../telemetry/route-counters.js';
import { type Admission, compileAdmission } from './admission.js';
import { compileOrigins, type OriginCheck } from './request/origins.js';
import { compileSubprotocols, type SubprotocolChooser } from './request/subprotocols.js';

export interface RoutePlan {
  readonly Handler: HandlerClass;
  readonly allowOldHandshake: boolean;
  readonly isOriginAllowed: OriginCheck;
  readonly chooseSubprotocol: SubprotocolChooser;
  /** In milliseconds; 0 for no limit. */
  readonly handshakeTimeout: number;
  /** Undefined if connections are not limited. */
  readonly admission: Admission | undefined;
  /** Undefined if compression is off. */
  readonly compress: CompressSettings | undefined;
  readonly settings: ConnectionSettings;
}

export function compilePlan(handler: unknown, options: ResolvedOptions, path?: string): RoutePlan {
  const Handler = handlerClass(handler);
  const { rate, idleTimeout } = options;
  const handlerName = Handler.name || '(anonymous)';
  const route = options.name || (path === undefined || path === '/' ? handlerName : path);
  return {
    Handler,
    allowOldHandshake: options.allowOldHandshake,
    isOriginAllowed: compileOrigins(options.origins),
    chooseSubprotocol: compileSubprotocols(options.subprotocols),
    handshakeTimeout: options.handshakeTimeout,
    admission: compileAdmission(options),
    compress: compressSettings(options.compress),
    settings: {
      ...options,
      isMetered: rate.messages !== undefined || rate.bytes !== undefined || idleTimeout > 0,
      counters: countersOf(route),
      route,
      watchesWrites: Handler.prototype.onWrite !== WebSocketHandler.prototype.onWrite,
      name: route === handlerName ? route : `${handlerName} at ${route}`,
    },
  };
}

/** Classes of which an instance was checked. */
const checked = new WeakSet<HandlerClass>();

/**
 * The settings for one handler. Its `onWrite` may be a class field, which only an instance shows.
 *
 * @throws TypeError for an invalid field
 */
export function settingsFor({ Handler, settings }: RoutePlan, handler: WebSocketHandler): ConnectionSettings {
  if (!checked.has(Handler)) {
    checkInstance(handler);
    checked.add(Handler);
  }
  return Object.hasOwn(handler, 'onWrite') ? { ...settings, watchesWrites: true } : settings;
}

const NO_OPTIONS: ConnectionOptions = {};
const plans = new WeakMap<object, WeakMap<ConnectionOptions, RoutePlan>>();

/** The plan for a handler and options passed with each request; compiled on first use. */
export function planFor(handler: object, given: ConnectionOptions = NO_OPTIONS): RoutePlan {
  // `{}` in a call is a new object each time.
  const isEmpty = typeof given === 'object' && given !== null && Object.keys(given).length === 0;
  if (isEmpty) resolveOptions(given);
  const options = isEmpty ? NO_OPTIONS : given;
  let byOptions = plans.get(handler);
  if (byOptions === undefined) {
    byOptions = new WeakMap();
    plans.set(handler, byOptions);
  }
  let plan = byOptions.get(options);
  if (plan === undefined) {
    plan = compilePlan(handler, resolveOptions(options));
    byOptions.set(options, plan);
  }
  return plan;
}
