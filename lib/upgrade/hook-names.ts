/**
 * Misspelt hooks. A hook that is never called lets everybody in, or drops all data, and says nothing: so the names that are
 * taken for hooks are refused when the route is made.
 */
import { invalidArgument } from '../errors.js';
import { WebSocketHandler } from '../handler.js';

const HOOKS = [
  'onHandshake',
  'onConnect',
  'onRead',
  'onWrite',
  'onPong',
  'onClose',
  'onOverflowError',
  'onError',
] as const;
type Hook = (typeof HOOKS)[number];

/** What other libraries call them, in lower case. */
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

/** @throws TypeError for a member of a handler class that is a hook misspelt, or one of another library's */
export function checkHookNames(Handler: new () => WebSocketHandler): void {
  const { prototype } = Handler;
  for (const name of namesOf(prototype)) {
    const plain = plainly(name);
    const hook = BY_LOWER_CASE.get(plain);
    if (hook !== undefined && hook !== name) throw invalidArgument('hook', name, `it is spelt ${hook}`);
    const here = ELSEWHERE.get(plain);
    // Whoever has the right one, too, knows what the other is for.
    if (here !== undefined && prototype[here] === WebSocketHandler.prototype[here]) {
      throw invalidArgument('hook', name, `it is called ${here} here`);
    }
  }
}

export function isHook(name: string): boolean {
  return BY_LOWER_CASE.get(name.toLowerCase()) === name;
}

/** Whether there is a hook among these names. */
export function hasHook(names: readonly string[]): boolean {
  return names.some(isHook);
}

/** @throws TypeError for a hook that is not a function */
export function checkHook(name: string, value: unknown): void {
  if (BY_LOWER_CASE.has(plainly(name))) throw invalidArgument(name, value, 'a hook must be a function');
}

/** `on_read` and `onread` are the same mistake; `_onRead` is none. */
function plainly(name: string): string {
  const lower = name.toLowerCase();
  return lower.startsWith('on_') ? lower.replaceAll('_', '') : lower;
}

function* namesOf(prototype: object): Iterable<string> {
  for (const members of ownPrototypes(prototype)) yield* Object.getOwnPropertyNames(members);
}

/** This one, and those between it and `WebSocketHandler`'s. */
export function* ownPrototypes(prototype: object): Iterable<object> {
  let at: unknown = prototype;
  while (typeof at === 'object' && at !== null && at !== WebSocketHandler.prototype) {
    yield at;
    at = Object.getPrototypeOf(at);
  }
}
