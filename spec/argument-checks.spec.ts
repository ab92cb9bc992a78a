import { createContext, runInContext } from 'node:vm';
import { checkNothing, checkOptions, isPlainObject, nearestName, slipsBetween } from '../lib/argument-checks.js';
import { usageErrorCode } from './support/usage-error.js';

const refused = (message: string): Error =>
  expect.objectContaining({ name: 'TypeError', code: usageErrorCode(), message });

describe('options', () => {
  const check = (value: unknown, what = 'write'): void =>
    checkOptions(what, value, ['opcode', 'flush', 'length'], '{ flush: true }');

  it.each([
    [null, 'null'],
    [true, 'true'],
    [1000, '1000'],
    ['now', "'now'"],
    [[], '[]'],
    [new Map(), 'Map(0) {}'],
    [new Date(Number.NaN), 'Invalid Date'],
  ])('are refused where they are %p', (value, shown) => {
    expect(() => check(value)).toThrow(
      refused(`write options is ${shown}: it must be an object, such as { flush: true }`),
    );
  });

  it.each([
    ['opcod', 'it is unknown (did you mean opcode?); the options are opcode, flush, length'],
    ['flus', 'it is unknown (did you mean flush?); the options are opcode, flush, length'],
    ['fulsh', 'it is unknown (did you mean flush?); the options are opcode, flush, length'],
    ['Length', 'it is unknown (did you mean length?); the options are opcode, flush, length'],
    ['nbytes', 'it is called length here'],
    ['binary', 'it is called opcode here'],
    ['maxPayload', 'it is unknown; the options are opcode, flush, length'],
    ['constructor', 'it is unknown; the options are opcode, flush, length'],
    ['x'.repeat(100_000), 'it is unknown; the options are opcode, flush, length'],
  ])('are refused with the name %.20s: %s', (name, rule) => {
    const shown = name.length > 60 ? expect.stringContaining(rule) : `write option is '${name}': ${rule}`;
    expect(() => check({ [name]: undefined })).toThrow(refused(shown as string));
  });

  it('may have no prototype, come from another realm, and leave out what is undefined', () => {
    check(Object.assign(Object.create(null), { flush: true }));
    check(runInContext('({ flush: true })', createContext()));
    check({ flush: undefined });
    for (const foreign of ['[]', 'new Map()', 'new (class Options {})()']) {
      expect(isPlainObject(runInContext(foreign, createContext()))).toBe(false);
    }
  });

  it('are named by whose they are, where more than one could be meant', () => {
    expect(() => check({ fram: 1 }, '')).toThrow(/^option is 'fram'/);
    expect(() => check(null, '')).toThrow(/^options is null/);
  });
});

describe('the nearest name', () => {
  const known = ['readDelimiter', 'bufferSize', 'rate', 'origins', 'keyOf', 'strict'];

  it.each([
    ['read_delimiter', 'readDelimiter'],
    ['READ-DELIMITER', 'readDelimiter'],
    ['readDelimeter', 'readDelimiter'],
    ['redaDelimiters', 'readDelimiter'],
    ['orgins', 'origins'],
    ['rates', 'rate'],
    ['keyof', 'keyOf'],
    ['size', undefined],
    ['delimiter', undefined],
    ['host', undefined],
    ['', undefined],
  ])('the nearest name to %p is %p', (name, nearest) => {
    expect(nearestName(name, known)).toBe(nearest);
  });

  it('is told by slips of the pen', () => {
    for (const [a, b, slips] of [
      ['', '', 0],
      ['', 'ab', 2],
      ['abc', 'abc', 0],
      ['abc', 'acb', 1],
      ['abc', 'ab', 1],
      ['abc', 'abdc', 1],
      ['abc', 'axc', 1],
      ['abcd', 'badc', 2],
    ] as const) {
      expect([a, b, slipsBetween(a, b), slipsBetween(b, a)]).toEqual([a, b, slips, slips]);
    }
  });
});

describe('a method that takes nothing', () => {
  it.each([1000, 'now', 1n, { timeout: 1 }, () => {}])('refuses %p', (value) => {
    expect(() => checkNothing('drained', value, 'use Promise.race()')).toThrow(
      /^the argument of drained\(\) is .*: it takes no argument: use Promise\.race\(\)$/,
    );
  });

  it.each([undefined, null, true, new Event('abort'), new Error('x')])(
    'may be a callback that is given %p',
    (value) => {
      expect(() => checkNothing('drained', value, '')).not.toThrow();
    },
  );
});
