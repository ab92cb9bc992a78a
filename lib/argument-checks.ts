/** The rules for objects of options, wherever they are given: what they are, and the names that their members may have. */
import { invalidArgument, invalidOption, unknownOption } from './errors.js';

/** What others call it: Pants, `ws` and µWebSockets. Only those are taken for a name that is known where they stand. */
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

/** Names that are still taken, until version 1.0, and not named any more. */
const DEPRECATED: readonly string[] = ['frame'];

/**
 * @param what whose options they are, such as `write`; empty where nothing else could be meant
 * @param example as the user would write it, such as `{ flush: true }`
 * @throws TypeError unless it was written as `{ … }`, with no other names than those that are known
 */
export function checkOptions(what: string, value: unknown, known: readonly string[], example: string): void {
  if (!isPlainObject(value)) {
    throw invalidArgument(`${what} options`.trimStart(), value, `it must be an object, such as ${example}`);
  }
  checkKeys(`${what} option`.trimStart(), value, known);
}

/** @throws TypeError for a member of another name, which tells the one that was meant */
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

/** The known name that somebody may have meant who wrote this one, if there is one. */
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

/** What `read_delimiter`, `ReadDelimiter` and `readDelimiter` have in common. */
export function plainName(name: string): string {
  return name.replaceAll(/(?<=.)[_-](?=.)/g, '').toLowerCase();
}

/** How many slips of the pen turn one name into the other: a letter left out, added or replaced, or two that are swapped. */
export function slipsBetween(a: string, b: string): number {
  // No name is that long; and what a user hands on from a stranger must not cost the square of its length.
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
 * For a method that takes nothing. It may be a callback: what an event or a promise hands to one is let through, but a value that
 * somebody has written there is not.
 *
 * @throws TypeError for a number, a string, a function or a plain object
 */
export function checkNothing(method: string, value: unknown, remedy: string): void {
  const isMeant = ['number', 'bigint', 'string', 'function'].includes(typeof value) || isPlainObject(value);
  if (isMeant) throw invalidArgument(`the argument of ${method}()`, nameOnly(value), `it takes none: ${remedy}`);
}

/**
 * The options with their defaults filled in; an option that is undefined is not given. It is typed by what it makes, so that a
 * default of the wrong type, or one that is missing, does not compile.
 */
export function withDefaults<Resolved extends object>(defaults: Resolved, options: Given<Resolved>): Resolved {
  return { ...defaults, ...given(options) };
}

type Given<Resolved> = { readonly [K in keyof Resolved]?: Resolved[K] | undefined };

function given<Resolved extends object>(options: Given<Resolved>): Partial<Resolved> {
  // `fromEntries` is of the type `any` here: what has passed the filter has the types that it had.
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<Resolved>;
}

/** For a complaint about a function that stands in the wrong place: without its innards, which for an app fill a page. */
export function nameOnly(value: unknown): unknown {
  return typeof value === 'function' ? Object.defineProperty(() => {}, 'name', { value: value.name }) : value;
}

/**
 * Whether it was written as `{ … }`, in whichever realm: a Map, an array or an instance of some class is a mistake, or something
 * else.
 */
export function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
