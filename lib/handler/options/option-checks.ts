/** Validates the values of options. Each error names the option, its value and the rule. */

import { checkBoolean, checkKeys, isPlainObject } from '../../argument-checks.js';
import type { RateLimit } from '../../connection/hooks.js';
import type { CompressSettings } from '../../deflate/agreement.js';
import { invalidOption } from '../../errors.js';
import { Limits } from '../../memory/memory-budget.js';
import { MAX_DELAY } from '../../transport/clock.js';

/** @param unit such as `in bytes` */
export function checkPositive(name: string, value: unknown, unit: string): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw invalidOption(name, value, `it must be a positive integer, ${unit}`);
  }
}

/** A positive integer or `Infinity`. */
export function checkLimit(name: string, value: unknown, unit = 'a number of connections'): void {
  if (value === Infinity) return;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw invalidOption(name, value, `it must be a positive integer, ${unit}, or Infinity for no limit`);
  }
}

/** @param least 0 if 0 means never */
export function checkTimeout(name: string, value: unknown, least: 0 | 1): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > MAX_DELAY) {
    const never = least === 0 ? ', or 0 for never' : '';
    throw invalidOption(name, value, `it must be an integer from 1 to 2,147,483,647, in milliseconds${never}`);
  }
}

export function checkSlowConsumer(value: unknown): void {
  if (value !== 'close' && value !== 'drop') {
    throw invalidOption('slowConsumer', value, "it must be 'close' (with 1013) or 'drop' (messages)");
  }
}

export function checkLimits(value: unknown): void {
  if (!(value instanceof Limits)) {
    throw invalidOption('limits', value, 'it must be a Limits: new Limits({ maxBufferedBytes: 256 * 1024 * 1024 })');
  }
}

/** The range of each number. */
const COMPRESS_NUMBERS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  threshold: [0, Number.MAX_SAFE_INTEGER],
  serverMaxWindowBits: [8, 15],
  clientMaxWindowBits: [8, 15],
  level: [-1, 9],
  memLevel: [1, 9],
};
const COMPRESS_MEMBERS = [
  'threshold',
  'serverNoContextTakeover',
  'clientNoContextTakeover',
  'serverMaxWindowBits',
  'clientMaxWindowBits',
  'level',
  'memLevel',
] satisfies (keyof CompressSettings)[];

export function checkCompress(value: unknown): void {
  if (typeof value === 'boolean') return;
  if (!isPlainObject(value)) {
    throw invalidOption('compress', value, 'it must be true, false, or an object such as { threshold: 1024 }');
  }
  checkKeys('compress member', value, COMPRESS_MEMBERS);
  const members: [name: string, value: unknown][] = Object.entries(value);
  for (const [name, member] of members) {
    if (member === undefined) continue;
    const range = Object.hasOwn(COMPRESS_NUMBERS, name) ? COMPRESS_NUMBERS[name] : undefined;
    if (range === undefined) checkBoolean(`compress.${name}`, member);
    else if (typeof member !== 'number' || !Number.isInteger(member) || member < range[0] || member > range[1]) {
      const most = range[1] > 15 ? 'a non-negative integer, in bytes' : `an integer from ${range[0]} to ${range[1]}`;
      throw invalidOption(`compress.${name}`, member, `it must be ${most}`);
    }
  }
}

export function checkKeyOf(value: unknown): void {
  if (value !== 'ip' && typeof value !== 'function') {
    throw invalidOption('keyOf', value, "it must be 'ip', or a function of the request that returns a string");
  }
}

export function checkAsyncContext(value: unknown): void {
  if (value !== 'none' && value !== 'handshake') {
    throw invalidOption('asyncContext', value, "it must be 'none' or 'handshake' (the context of the request)");
  }
}

export function checkName(value: unknown): void {
  if (typeof value !== 'string') throw invalidOption('name', value, "it must be a string, such as 'chat'");
}

/** The unit of each member. */
const RATE_MEMBERS: Readonly<Record<string, string>> = {
  messages: 'in messages per second',
  bytes: 'in bytes per second',
  burst: 'in seconds: the data of that many seconds may arrive at once',
  patience: 'in milliseconds, or Infinity for never',
} satisfies Record<keyof RateLimit, string>;

export function checkRate(value: unknown): void {
  if (!isPlainObject(value)) {
    throw invalidOption('rate', value, 'it must be an object, such as { messages: 100, bytes: 65536 }');
  }
  const members: [name: string, value: unknown][] = Object.entries(value);
  const given = members.filter(([, number]) => number !== undefined);
  checkKeys('rate member', value, Object.keys(RATE_MEMBERS));
  for (const [name, number] of given) {
    if (name === 'patience' && number === Infinity) continue;
    if (typeof number !== 'number' || !Number.isFinite(number) || number <= 0) {
      throw invalidOption(`rate.${name}`, number, `it must be a positive number, ${RATE_MEMBERS[name]}`);
    }
  }
  if (given.length > 0 && !given.some(([name]) => name === 'messages' || name === 'bytes')) {
    throw invalidOption('rate', value, 'it limits nothing: set messages or bytes per second');
  }
}
