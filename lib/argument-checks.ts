/** Checks option objects and the names of their members. */
import { invalidArgument, invalidOption, unknownOption } from './errors.js';

/** Names in Pants, `ws` and µWebSockets. A name is translated only where its counterpart is valid. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  nbytes: 'length',
  binary: 'opcode',
  maxPayload: 'bufferSize',
  maxPayloadLength: 'bufferSize',
  perMessageDeflate: 'compress',
  compression: 'compress',
  protocols: 'subprotocols',
  handleProtocols: 'subprotocols',
};

/** Names accepted until version 1.0, but no longer mentioned in errors. */
const DEPRECATED: readonly string[] = ['frame'];

/**
 * @param what the function that takes the options, such as `write`; empty where it is obvious
 * @param example as the user would write it, such as `{ flush: true }`
 * @throws TypeError unless the value is a plain object with known names only
 */
export function checkOptions(what: string, value: unknown, known: readonly string[], example: string): void {
  if (!isPlainObject(value)) {
    throw invalidArgument(`${what} options`.trimStart(), value, `it must be an object, such as ${example}`);
  }
  checkKeys(`${what} option`.trimStart(), value, known);
}

/** @throws TypeError for an unknown member, with a suggestion if a known name is similar */
export function checkKeys(what: string, value: object, known: readonly string[]): void {
  for (const name of Object.keys(value)) if (!known.includes(name)) throw unknownName(what, name, known);
}

function unknownName(what: string, name: string, taken: readonly string[]): TypeError {
  const known = taken.filter((one) => !DEPRECATED.includes(one));
  const elsewhere = Object.hasOwn(ELSEWHERE, name) ? ELSEWHERE[name] : undefined;
  if (elsewhere !== undefined && known.includes(elsewhere)) {
    return unknownOption(what, name, `it is called ${elsewhere} here`);
  }
  const meant = nearestName(name, known);
  const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`;
  const kind = what.split(' ').at(-1);
  const all = known.length === 1 ? `the only ${kind} is ${known[0]}` : `the ${kind}s are ${known.join(', ')}`;
  return unknownOption(what, name, `it is unknown${hint}; ${all}`);
}

/** The known name most similar to a misspelt one, if any. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const plain = plainName(name);
  let nearest: string | undefined;
  let least = Infinity;
  for (const candidate of known) {
    const slips = slipsBetween(plain, plainName(candidate));
    if (slips > Math.floor(candidate.length / 4) || slips >= least) continue;
    nearest = candidate;
    least = slips;
  }
  return nearest;
}

/** The common form of `read_delimiter`, `ReadDelimiter` and `readDelimiter`. */
export function plainName(name: string): string {
  return name.replaceAll(/(?<=.)[_-](?=.)/g, '').toLowerCase();
}

/** The edit distance between two names: letters omitted, added, replaced or swapped with their neighbour. */
export function slipsBetween(a: string, b: string): number {
  // Names are shorter than that; and names from untrusted input must not cost the square of their length.
  if (Math.abs(a.length - b.length) > 8 || a.length > 64) return Infinity;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let slips = Math.min(replaced, last[j]! + 1, row[j - 1]! + 1);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) slips = Math.min(slips, before[j - 2]! + 1);
      row.push(slips);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}

export function checkBoolean(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw invalidOption(name, value, 'it must be true or false');
}

/**
 * For a method without parameters. It may be used as a callback: values passed by an event or a promise are ignored,
 * but values that somebody wrote as an argument are refused.
 *
 * @throws TypeError for a number, a string, a function or a plain object
 */
export function checkNothing(method: string, value: unknown, remedy: string): void {
  const isMeant = ['number', 'bigint', 'string', 'function'].includes(typeof value) || isPlainObject(value);
  if (isMeant) throw invalidArgument(`the argument of ${method}()`, nameOnly(value), `it takes no argument: ${remedy}`);
}

/**
 * Fills in the defaults; an undefined option counts as missing. Typed by its result, so that a missing default, or
 * one of the wrong type, does not compile.
 */
export function withDefaults<Resolved extends object>(defaults: Resolved, options: Given<Resolved>): Resolved {
  return { ...defaults, ...given(options) };
}

type Given<Resolved> = { readonly [K in keyof Resolved]?: Resolved[K] | undefined };

function given<Resolved extends object>(options: Given<Resolved>): Partial<Resolved> {
  // `fromEntries` returns `any` here; the filter does not change the types.
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<Resolved>;
}

/** A function without its properties, for an error message: those of an app would fill a page. */
export function nameOnly(value: unknown): unknown {
  return typeof value === 'function' ? Object.defineProperty(() => {}, 'name', { value: value.name }) : value;
}

/** Whether the value was written as `{ … }`, in any realm. A Map, an array or a class instance is not. */
export function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
