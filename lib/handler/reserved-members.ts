/**
 * Members that hide what `WebSocketHandler` has by their name: `{ close(room) { … } }` would take the closing of connections away
 * from the library and from its user, and say nothing. A method of a class may override one, and call `super`.
 */
import { READ_SETTINGS } from '../dispatch/read-settings.js';
import { invalidHandler } from '../errors.js';
import { IN_PANTS, WebSocketHandler } from './handler.js';
import { isHook } from './hook-names.js';

/** These are there to be set, or to be refused by a name of their own. */
const SETTABLE: readonly string[] = [...READ_SETTINGS, ...Object.keys(IN_PANTS), ...['localAddress', 'remoteAddress']];

/** Whether each is a method; the others are accessors. */
const MEMBERS: ReadonlyMap<string, boolean> = new Map(
  Object.entries(Object.getOwnPropertyDescriptors(WebSocketHandler.prototype))
    .filter(([name]) => name !== 'constructor' && !isHook(name) && !SETTABLE.includes(name))
    .map(([name, descriptor]) => [name, isMethod(descriptor)]),
);

/** @throws TypeError for a member of a literal that has one of these names: it has nothing to override, and no `super` */
export function checkHiding(name: string): void {
  if (MEMBERS.has(name)) throw hiding(name, 'give yours another name, or override it in a class');
}

/**
 * @param members a prototype of a handler class, or an instance with its fields
 * @throws TypeError for one that is no method in place of a method, or no accessor in place of an accessor
 */
export function checkOverrides(members: object): void {
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(members))) {
    const wantsMethod = MEMBERS.get(name);
    if (wantsMethod === undefined || (wantsMethod ? isMethod(descriptor) : descriptor.get !== undefined)) continue;
    throw hiding(name, `only ${wantsMethod ? 'a method' : 'an accessor'} may override it: give yours another name`);
  }
}

function isMethod({ value }: PropertyDescriptor): boolean {
  return typeof value === 'function';
}

function hiding(name: string, remedy: string): TypeError {
  return invalidHandler('handler member', name, `it hides what WebSocketHandler has by that name: ${remedy}`);
}
