/**
 * Creates buffers on existing memory. `subarray` looks up the memory on each call, which costs more than the object
 * itself. To slice one piece many times, look it up once.
 */

interface BufferClass {
  new (memory: ArrayBufferLike, offset: number, length: number): Buffer;
  new (length: number): Buffer<ArrayBuffer>;
}

/** The class that `subarray` instantiates (ECMA-262, TypedArraySpeciesCreate). */
const Species: unknown = Reflect.get(Buffer, Symbol.species);

/** Creates a buffer of `length` bytes at `offset` in `memory`. */
export const viewOf: (memory: ArrayBufferLike, offset: number, length: number) => Buffer = isBufferClass(Species)
  ? (memory, offset, length) => new Species(memory, offset, length)
  : (memory, offset, length) => Buffer.from(memory, offset, length);

/** Creates a zeroed buffer, like `Buffer.alloc` without its checks. */
export const zeros: (length: number) => Buffer<ArrayBuffer> = isBufferClass(Species)
  ? (length) => new Species(length)
  : (length) => Buffer.alloc(length);

function isBufferClass(value: unknown): value is BufferClass {
  if (typeof value !== 'function') return false;
  const made: unknown = Reflect.construct(value, [new ArrayBuffer(4), 1, 2]);
  return Buffer.isBuffer(made) && made.byteOffset === 1 && made.length === 2;
}
