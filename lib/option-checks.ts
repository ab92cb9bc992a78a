/** The rules for the values of options. Each complaint names the option, its value and what it may be. */
import type { RateLimit } from './connection/hooks.js';
import { invalidArgument } from './errors.js';

/** The longest time a timer of Node takes: more would fire at once. */
const MAX_TIMEOUT = 0x7fff_ffff;

export function checkBoolean(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw invalidArgument(name, value, 'it must be true or false');
}

/** @param unit such as `in bytes` */
export function checkPositive(name: string, value: unknown, unit: string): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw invalidArgument(name, value, `it must be a positive integer, ${unit}`);
  }
}

/** A positive integer, or none: `Infinity`. */
export function checkLimit(name: string, value: unknown, unit = 'a number of connections'): void {
  if (value === Infinity) return;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw invalidArgument(name, value, `it must be a positive integer, ${unit}, or Infinity for no limit`);
  }
}

/** @param least 0 where that means never */
export function checkTimeout(name: string, value: unknown, least: 0 | 1): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > MAX_TIMEOUT) {
    const never = least === 0 ? ', or 0 for never' : '';
    throw invalidArgument(name, value, `it must be an integer from 1 to 2,147,483,647, in milliseconds${never}`);
  }
}

export function checkSlowConsumer(value: unknown): void {
  if (value !== 'close' && value !== 'drop') {
    throw invalidArgument('slowConsumer', value, "it must be 'close' (with 1013) or 'drop' (messages)");
  }
}

export function checkKeyOf(value: unknown): void {
  if (value !== 'ip' && typeof value !== 'function') {
    throw invalidArgument('keyOf', value, "it must be 'ip', or a function of the request that returns a string");
  }
}

const RATE_MEMBERS: readonly string[] = ['messages', 'bytes', 'burst', 'patience'] satisfies (keyof RateLimit)[];

export function checkRate(value: unknown): void {
  if (!isPlainObject(value)) {
    throw invalidArgument('rate', value, 'it must be an object, such as { messages: 100, bytes: 65536 }');
  }
  for (const [name, number] of Object.entries(value)) {
    if (!RATE_MEMBERS.includes(name)) {
      throw invalidArgument('rate member', name, `it is unknown; the members are ${RATE_MEMBERS.join(', ')}`);
    }
    if (number === undefined || (name === 'patience' && number === Infinity)) continue;
    if (typeof number !== 'number' || !Number.isFinite(number) || number <= 0) {
      throw invalidArgument(`rate.${name}`, number, 'it must be a positive number');
    }
  }
}

/** Whether it was written as `{ … }`: a Map, an array or an instance of some class is a mistake, or something else. */
export function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
