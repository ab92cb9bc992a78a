import { viewOf } from '../../lib/memory/view.js';

function fresh(): typeof viewOf {
  let made: typeof viewOf | undefined;
  jest.isolateModules(() => {
    made = (require('../../lib/memory/view.js') as typeof import('../../lib/memory/view.js')).viewOf;
  });
  return made!;
}

function withSpecies<T>(species: unknown, run: () => T): T {
  const before = Object.getOwnPropertyDescriptor(Buffer, Symbol.species)!;
  Object.defineProperty(Buffer, Symbol.species, { configurable: true, get: () => species });
  try {
    return run();
  } finally {
    Object.defineProperty(Buffer, Symbol.species, before);
  }
}

it.each([
  ['as it is', viewOf],
  ['on a runtime whose class is not known', withSpecies(undefined, fresh)],
  ['on a runtime whose class takes something else', withSpecies(Array, fresh)],
])('cuts the same buffer as subarray: %s', (_name, cut) => {
  const whole = Buffer.from(new ArrayBuffer(10));
  whole.write('0123456789');
  const view = cut(whole.buffer, 3, 4);
  expect(view).toStrictEqual(whole.subarray(3, 7));
  expect(Object.getPrototypeOf(view)).toBe(Buffer.prototype);
  expect([view.toString(), view.buffer, view.byteOffset]).toEqual(['3456', whole.buffer, 3]);
});
