/** Caches structs by format, so that repeated calls of `writePackedAs('!IH', …)` compile the format once. */
import { invalidArgument } from '../errors.js';
import { NetStruct } from './net-struct.js';
import { Struct } from './struct.js';

/** As in CPython, the cache is cleared when it is full. */
const MAX_STRUCTS = 100;
const structs = new Map<string, Struct>();

/** @throws TypeError if `format` is neither a string nor a struct; StructError if it is malformed */
export function structOf(format: unknown): Struct | NetStruct {
  if (format instanceof Struct || format instanceof NetStruct) return format;
  if (typeof format === 'string') return structFor(format);
  throw invalidArgument('format', format, "it comes first, as a format such as '!IH', a Struct or a NetStruct");
}

function structFor(format: string): Struct {
  let struct = structs.get(format);
  if (struct === undefined) {
    struct = new Struct(format);
    if (structs.size >= MAX_STRUCTS) structs.clear();
    structs.set(format, struct);
  }
  return struct;
}
