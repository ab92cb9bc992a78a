/**
 * Finds members that hide a member of `WebSocketHandler`: `{ close(room) { … } }` would silently replace the method
 * that closes connections, for the library as well as for its user. A method of a class may override one, and call
 * `super`.
 */
import { READ_SETTINGS } from '../dispatch/read-settings.js';
import { invalidHandler } from '../errors.js';
import { IN_PANTS, WebSocketHandler } from './handler.js';
import { isHook } from './hook-names.js';

/** Members meant to be set, or refused with an error of their own. */
const SETTABLE: readonly string[] = [...READ_SETTINGS, ...Object.keys(IN_PANTS), ...['localAddress', 'remoteAddress']];

/** Whether each member is a method; the others are accessors. */
const MEMBERS: ReadonlyMap<string, boolean> = new Map(
  Object.entries(Object.getOwnPropertyDescriptors(WebSocketHandler.prototype))
    .filter(([name]) => name !== 'constructor' && !isHook(name) && !SETTABLE.includes(name))
    .map(([name, descriptor]) => [name, isMethod(descriptor)]),
);

/** @throws TypeError for a member of a literal with one of these names: a literal has no `super` */
export function checkHiding(name: string): void {
  if (MEMBERS.has(name)) throw hiding(name, 'give yours another name, or override it in a class');
}

/**
 * @param members a prototype of a handler class, or an instance with its fields
 * @throws TypeError for a member that replaces a method with something else, or an accessor with something else
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
  return invalidHandler('handler member', name, `it hides the member of WebSocketHandler with that name: ${remedy}`);
}
