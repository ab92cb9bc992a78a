/**
 * A handler is a class or an object literal. A literal is turned into a class: its methods and accessors go on the
 * prototype, its other properties become fields of each instance.
 */
import { isPlainObject } from '../argument-checks.js';
import { checkReadSetting, isReadSetting } from '../dispatch/read-settings.js';
import { invalidHandler } from '../errors.js';
import { WebSocketHandler } from './handler.js';
import { checkFieldHooks, checkHook, checkHookNames, hasHook, ownPrototypes } from './hook-names.js';
import { isOptionName } from './options/options.js';
import { checkHiding, checkOverrides } from './reserved-members.js';
import { checkSettingName, checkStaticName } from './setting-names.js';

export type HandlerClass = new () => WebSocketHandler;

const RULE =
  'it must be a class that extends WebSocketHandler, or an object with its hooks, such as { onRead(data) { … } }';

/** @throws TypeError for anything but a class that extends `WebSocketHandler` or an object */
export function handlerClass(handler: unknown): HandlerClass {
  if (isHandlerClass(handler)) {
    checkHookNames(handler);
    for (const members of ownPrototypes(handler.prototype)) checkMembers(members);
    for (const statics of ownPrototypes(handler)) Object.getOwnPropertyNames(statics).forEach(checkStaticName);
    return handler;
  }
  if (typeof handler !== 'object' || handler === null || Array.isArray(handler)) {
    throw invalidHandler('handler', handler, RULE);
  }
  if (handler instanceof WebSocketHandler) {
    throw invalidHandler('handler', handler, 'pass the class itself: each connection gets its own instance');
  }
  const methods: PropertyDescriptorMap = {};
  const fields: PropertyDescriptorMap = {};
  for (const [name, descriptor] of Object.entries(descriptorsOf(handler))) {
    // A hook that is explicitly undefined would hide the default one.
    if ('value' in descriptor && descriptor.value === undefined) continue;
    checkHiding(name);
    checkSettingName(name, descriptor);
    const isField = 'value' in descriptor && typeof descriptor.value !== 'function';
    // Handlers must be mutable even if the literal is frozen.
    const thawed = 'value' in descriptor ? { ...descriptor, configurable: true, writable: true } : descriptor;
    (isField ? fields : methods)[name] = thawed;
    if (isField) checkField(name, descriptor.value);
  }
  class LiteralHandler extends WebSocketHandler {
    constructor() {
      super();
      Object.defineProperties(this, fields);
    }
  }
  Object.defineProperties(LiteralHandler.prototype, methods);
  // `LiteralHandler` would mean nothing to the user.
  Object.defineProperty(LiteralHandler, 'name', { value: '' });
  checkHookNames(LiteralHandler);
  // Refuses a Map or a Date, but accepts an empty literal.
  if (!isPlainObject(handler) && !hasHook(Object.keys(methods))) throw invalidHandler('handler', handler, RULE);
  return LiteralHandler;
}

/**
 * Checks the fields of a class, which only an instance shows.
 *
 * @throws TypeError for a field that hides a member of `WebSocketHandler`, or is a misspelt hook or setting
 */
export function checkInstance(handler: WebSocketHandler): void {
  checkMembers(handler);
  checkFieldHooks(handler);
}

function checkMembers(members: object): void {
  checkOverrides(members);
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(members))) {
    checkSettingName(name, descriptor);
  }
}

/** Checked when the route is made, so that the error does not first show up with a client. */
function checkField(name: string, value: unknown): void {
  if (isReadSetting(name)) checkReadSetting(name, value);
  // `name` and `log` are common members of other objects.
  else if (isOptionName(name) && name !== 'name' && name !== 'log')
    throw invalidHandler('handler', name, 'this is an option: give it in the options');
  else checkHook(name, value);
}

/** Includes inherited members: the object may be an instance of a class, or made with `Object.create`. */
function descriptorsOf(handler: object): PropertyDescriptorMap {
  if (handler === Object.prototype) return {};
  const { constructor: _, ...inherited } = descriptorsOf(Object.getPrototypeOf(handler) ?? Object.prototype);
  return { ...inherited, ...Object.getOwnPropertyDescriptors(handler) };
}

function isHandlerClass(handler: unknown): handler is HandlerClass {
  return typeof handler === 'function' && handler.prototype instanceof WebSocketHandler;
}
