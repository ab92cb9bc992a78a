/**
 * Buffers upon memory that is there. `subarray` asks its buffer for the memory each time, which costs more than the
 * object: where many are cut from one piece it is asked once.
 */

interface BufferClass {
  new (memory: ArrayBufferLike, offset: number, length: number): Buffer;
  new (length: number): Buffer<ArrayBuffer>;
}

/** The class of what `subarray` makes, by the language's own rule (ECMA-262, TypedArraySpeciesCreate). */
const Species: unknown = Reflect.get(Buffer, Symbol.species);

/** A buffer of `length` bytes, from `offset` of `memory` on. */
export const viewOf: (memory: ArrayBufferLike, offset: number, length: number) => Buffer = isBufferClass(Species)
  ? (memory, offset, length) => new Species(memory, offset, length)
  : (memory, offset, length) => Buffer.from(memory, offset, length);

/** A buffer of so many zeros: what `Buffer.alloc` does, once it has looked at its argument. */
export const zeros: (length: number) => Buffer<ArrayBuffer> = isBufferClass(Species)
  ? (length) => new Species(length)
  : (length) => Buffer.alloc(length);

function isBufferClass(value: unknown): value is BufferClass {
  if (typeof value !== 'function') return false;
  const made: unknown = Reflect.construct(value, [new ArrayBuffer(4), 1, 2]);
  return Buffer.isBuffer(made) && made.byteOffset === 1 && made.length === 2;
}
