/**
 * Buffers upon memory that is there. `subarray` asks its buffer for the memory each time, which costs more than the object: where
 * many are cut from one piece it is asked once.
 */

type BufferClass = new (memory: ArrayBufferLike, offset: number, length: number) => Buffer;

/** The class of what `subarray` makes, by the language's own rule (ECMA-262, TypedArraySpeciesCreate). */
const Species: unknown = Reflect.get(Buffer, Symbol.species);

/** A buffer of `length` bytes, from `offset` of `memory` on. */
export const viewOf: (memory: ArrayBufferLike, offset: number, length: number) => Buffer = isBufferClass(Species)
  ? (memory, offset, length) => new Species(memory, offset, length)
  : (memory, offset, length) => Buffer.from(memory, offset, length);

function isBufferClass(value: unknown): value is BufferClass {
  if (typeof value !== 'function') return false;
  const made: unknown = Reflect.construct(value, [new ArrayBuffer(4), 1, 2]);
  return Buffer.isBuffer(made) && made.byteOffset === 1 && made.length === 2;
}
