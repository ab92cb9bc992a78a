/**
 * Finds misspelt hooks. A hook that is never called would silently accept every client or drop all data, so names
 * that look like hooks are refused when the route is made.
 */
import { HOOKS, type Hook } from '../connection/hook-list.js';
import { invalidHandler } from '../errors.js';
import { WebSocketHandler } from './handler.js';
import { isSlip } from './misspelling.js';

/** The names in other libraries, in lower case. */
const ELSEWHERE: ReadonlyMap<string, Hook> = new Map([
  ['onmessage', 'onRead'],
  ['ondata', 'onRead'],
  ['onopen', 'onConnect'],
  ['onconnection', 'onConnect'],
  ['onupgrade', 'onHandshake'],
  ['ondisconnect', 'onClose'],
  ['ondrain', 'onWrite'],
]);

const BY_LOWER_CASE: ReadonlyMap<string, Hook> = new Map(HOOKS.map((hook) => [hook.toLowerCase(), hook]));

/** @throws TypeError for a member of a handler class that is a misspelt hook, or a hook of another library */
export function checkHookNames(Handler: new () => WebSocketHandler): void {
  const prototype: WebSocketHandler = Handler.prototype;
  for (const members of ownPrototypes(prototype)) {
    for (const name of Object.getOwnPropertyNames(members)) checkHookName(name, prototype);
  }
  for (const members of ownPrototypes(Handler)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(members))) {
      if (typeof value === 'function') checkStaticHook(name, prototype);
    }
  }
}

/** The same for the fields of an instance: a hook may be an arrow function, but not another value. */
export function checkFieldHooks(handler: WebSocketHandler): void {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(handler))) {
    if (typeof value === 'function') checkHookName(name, handler);
    else checkHook(name, value);
  }
}

function checkHookName(name: string, handler: WebSocketHandler): void {
  const plain = plainly(name);
  const hook = BY_LOWER_CASE.get(plain);
  if (hook === name) return;
  if (hook !== undefined) throw invalidHandler('hook', name, `the correct spelling is ${hook}`);
  const here = ELSEWHERE.get(plain);
  if (here !== undefined && !overrides(handler, here)) throw invalidHandler('hook', name, `it is called ${here} here`);
  const meant = HOOKS.find((one) => isSlip(name, one) && !overrides(handler, one));
  if (meant !== undefined) throw invalidHandler('hook', name, `the correct spelling is ${meant}`);
}

/** A handler that also overrides the correct hook uses the similar name on purpose. */
function overrides(handler: WebSocketHandler, hook: Hook): boolean {
  return handler[hook] !== WebSocketHandler.prototype[hook];
}

/** A static hook is never called; a static `onHandshake` would accept every client. */
function checkStaticHook(name: string, prototype: WebSocketHandler): void {
  const hook = BY_LOWER_CASE.get(plainly(name));
  if (hook === undefined || overrides(prototype, hook)) return;
  throw invalidHandler('static member', name, `a static is not called: make it a method, ${hook}() { … }`);
}

export function isHook(name: string): boolean {
  return BY_LOWER_CASE.get(name.toLowerCase()) === name;
}

/** Whether one of these names is a hook. */
export function hasHook(names: readonly string[]): boolean {
  return names.some(isHook);
}

/** @throws TypeError for a hook that is not a function */
export function checkHook(name: string, value: unknown): void {
  if (BY_LOWER_CASE.has(plainly(name))) throw invalidHandler(name, value, 'a hook must be a function');
}

/** Treats `on_read` and `onread` alike, but leaves `_onRead` as it is. */
function plainly(name: string): string {
  const lower = name.toLowerCase();
  return lower.startsWith('on_') ? lower.replaceAll('_', '') : lower;
}

/** Yields this class or prototype and those between it and `WebSocketHandler` or its prototype. */
export function* ownPrototypes(first: object): Iterable<object> {
  let at: object | null = first;
  while (at !== null && at !== WebSocketHandler && at !== WebSocketHandler.prototype) {
    yield at;
    at = Object.getPrototypeOf(at);
  }
}
