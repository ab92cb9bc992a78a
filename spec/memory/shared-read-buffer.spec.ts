import type { Unit } from '../../lib/dispatch/reader.js';
import type { BorrowedBytes } from '../../lib/memory/borrowed-bytes.js';
import {
  isOnLoan,
  lend,
  READ_BUFFER,
  READ_BUFFER_SIZE,
  takeBack,
  WASM_MEMORY,
} from '../../lib/memory/shared-read-buffer.js';

type Module = typeof import('../../lib/memory/shared-read-buffer.js');

/** The module as it is for a process that begins like this. */
function loadedWith(prepare: () => void): Module {
  let module: Module | undefined;
  jest.isolateModules(() => {
    prepare();
    module = require('../../lib/memory/shared-read-buffer.js') as Module;
  });
  return module!;
}

describe('the memory that sockets read into', () => {
  it('is the beginning of that of WebAssembly', () => {
    expect(READ_BUFFER.buffer).toBe(WASM_MEMORY?.buffer);
    expect([READ_BUFFER.byteOffset, READ_BUFFER.length]).toEqual([0, READ_BUFFER_SIZE]);
  });

  it('is ordinary memory where WS_NO_SIMD is 1', () => {
    try {
      const module = loadedWith(() => (process.env['WS_NO_SIMD'] = '1'));
      expect([module.WASM_MEMORY, module.READ_BUFFER.length]).toEqual([undefined, READ_BUFFER_SIZE]);
    } finally {
      delete process.env['WS_NO_SIMD'];
    }
  });

  it.each<[string, (api: object) => void]>([
    ['there is no WebAssembly', () => Reflect.deleteProperty(globalThis, 'WebAssembly')],
    [
      'its memory cannot be had',
      () => {
        const Memory = (): never => {
          throw new RangeError('could not allocate memory');
        };
        Reflect.set(globalThis, 'WebAssembly', { Memory });
      },
    ],
  ])('is ordinary memory where %s', (_why, prepare) => {
    const api: unknown = Reflect.get(globalThis, 'WebAssembly');
    try {
      const module = loadedWith(() => prepare(globalThis));
      expect([module.WASM_MEMORY, module.READ_BUFFER.length]).toEqual([undefined, READ_BUFFER_SIZE]);
    } finally {
      Reflect.set(globalThis, 'WebAssembly', api);
    }
  });

  it('is lent until it is taken back', () => {
    expect(isOnLoan()).toBe(false);
    const chunk = lend(10);
    expect([isOnLoan(), chunk.length, chunk.bytes.buffer]).toEqual([true, 10, READ_BUFFER.buffer]);
    takeBack();
    expect(isOnLoan()).toBe(false);
  });
});

describe('a chunk of it', () => {
  it('is copied to memory of its own, as large as what is kept', () => {
    READ_BUFFER.write('what was read');
    const copy = lend(13).copy(5);
    READ_BUFFER.write('something else');
    takeBack();
    expect([String(copy), copy.byteOffset, copy.buffer.byteLength]).toEqual(['was read', 0, 8]);
  });

  it('cannot be given to a user, nor can a view of it', () => {
    const borrowed: BorrowedBytes = lend(3).bytes;
    // @ts-expect-error: it will be written to again
    const unit: Unit = borrowed;
    // @ts-expect-error: so will its parts
    const part: Unit = borrowed.subarray(1);
    // @ts-expect-error: and whoever kept its memory would keep that
    const memory: unknown = borrowed.buffer;
    takeBack();
    expect([unit, part, memory]).toHaveLength(3);
  });
});
