import { scannerFor } from '../../../lib/framing/scan/acceleration.js';
import { plainScanner } from '../../../lib/framing/scan/plain-scan.js';
import { simdScanner } from '../../../lib/framing/scan/simd-scan.js';
import { lend, takeBack } from '../../../lib/memory/shared-read-buffer.js';

type Modules = [
  typeof import('../../../lib/framing/scan/acceleration.js'),
  typeof import('../../../lib/framing/scan/simd-scan.js'),
  typeof import('../../../lib/framing/scan/plain-scan.js'),
  typeof import('../../../lib/memory/shared-read-buffer.js'),
];

/** Whether a process that begins like this does all of the work in plain JavaScript. */
function isPlainWith(prepare: () => void): boolean {
  let isPlain = false;
  jest.isolateModules(() => {
    prepare();
    const [acceleration, simd, plain, memory] = [
      require('../../../lib/framing/scan/acceleration.js'),
      require('../../../lib/framing/scan/simd-scan.js'),
      require('../../../lib/framing/scan/plain-scan.js'),
      require('../../../lib/memory/shared-read-buffer.js'),
    ] as Modules;
    isPlain = simd.simdScanner === undefined && acceleration.scannerFor(memory.lend(1)) === plain.plainScanner;
  });
  return isPlain;
}

describe("the parser's work", () => {
  it('is done by WebAssembly in the memory that sockets read into, and nowhere else', () => {
    expect(simdScanner).toBeDefined();
    expect(scannerFor(lend(10))).toBe(simdScanner);
    takeBack();
    expect(scannerFor(Buffer.alloc(10))).toBe(plainScanner);
  });

  it('is done in plain JavaScript where WS_NO_SIMD is 1', () => {
    try {
      expect(isPlainWith(() => (process.env['WS_NO_SIMD'] = '1'))).toBe(true);
      expect(isPlainWith(() => (process.env['WS_NO_SIMD'] = '0'))).toBe(false);
    } finally {
      delete process.env['WS_NO_SIMD'];
    }
  });

  it.each<[string, unknown]>([
    ['there is no WebAssembly', undefined],
    [
      'WebAssembly has no SIMD',
      {
        ...Object.fromEntries(['Memory', 'Instance'].map((name) => [name, Reflect.get(webAssembly(), name)])),
        Module: (): never => {
          throw new Error('unexpected type 0x7b');
        },
      },
    ],
  ])('is done in plain JavaScript where %s', (_why, api) => {
    const original = webAssembly();
    try {
      expect(isPlainWith(() => Reflect.set(globalThis, 'WebAssembly', api))).toBe(true);
    } finally {
      Reflect.set(globalThis, 'WebAssembly', original);
    }
  });
});

function webAssembly(): object {
  return Reflect.get(globalThis, 'WebAssembly') as object;
}
