/**
 * Parses format literals in the type system: `'!3hQ'` → `['integer', 'integer', 'integer', 'long']`, and from there the
 * tuples that `unpack` returns and `pack` takes. The types are tail-recursive and take one character per step, so that
 * long formats stay within the compiler's limits. Formats that cannot be parsed (not a literal, malformed, or with a
 * count above 99) become `Kind[]`, an array of anything that a struct can hold.
 */
import type { Buffer } from 'node:buffer';

/**
 * An unpacked value: `number` for floats and integers below 64 bits, `bigint` for 64-bit integers, `boolean` for `?`,
 * `Buffer` for `c`, `s` and `p`.
 */
export type StructValue = number | bigint | boolean | Buffer;

/** The input for bytes (`c`, `s`, `p`, and the strings of a `NetStruct`): any view, or an `ArrayBuffer`. */
export type BytesInput = ArrayBufferView | ArrayBuffer;

/** A value to pack. At run time `?` takes any value, by its Python truthiness; these are the types worth allowing. */
export type StructInput = number | bigint | boolean | BytesInput | null | undefined;

interface Values {
  integer: number;
  long: bigint;
  float: number;
  boolean: boolean;
  bytes: Buffer;
}

interface Inputs {
  integer: number | bigint | boolean;
  long: number | bigint | boolean;
  float: number | bigint | boolean;
  boolean: StructInput;
  bytes: BytesInput;
}

type Kind = keyof Values;

/**
 * The tuple that a `Struct` with the format literal `F` unpacks to; `StructValue[]` if `F` is not a literal.
 *
 * @example
 * ```ts
 * type Header = StructValues<'!ILH'>; // [number, number, number]
 * ```
 */
export type StructValues<F extends string> = ToValues<StructKinds<F>>;

/** The values that a `Struct` with the format literal `F` packs; `StructInput[]` if `F` is not a literal. */
export type StructInputs<F extends string> = ToInputs<StructKinds<F>>;

/**
 * The tuple that a `NetStruct` with the format literal `F` unpacks to; `StructValue[]` if `F` is not a literal.
 *
 * @example
 * ```ts
 * type Message = NetStructValues<'ih$2b'>; // [number, Buffer, number, number]
 * ```
 */
export type NetStructValues<F extends string> = ToValues<NetStructKinds<F>>;

/** The values that a `NetStruct` with the format literal `F` packs; `StructInput[]` if `F` is not a literal. */
export type NetStructInputs<F extends string> = ToInputs<NetStructKinds<F>>;

type ToValues<K extends Kind[]> = { [I in keyof K]: Values[K[I]] };
type ToInputs<K extends Kind[]> = { [I in keyof K]: Inputs[K[I]] };

type StandardPrefix = '=' | '<' | '>' | '!';

type StructKinds<F extends string> = F extends `${StandardPrefix}${infer Rest}`
  ? Kinds<Rest, StandardKind>
  : F extends `@${infer Rest}`
    ? Kinds<Rest, NativeKind>
    : Kinds<F, NativeKind>;

type NetStructKinds<F extends string> = F extends `${StandardPrefix}${infer Rest}`
  ? Kinds<Rest, NetKind<StandardKind>>
  : F extends `@${infer Rest}`
    ? Kinds<Rest, NetKind<NativeKind>>
    : Kinds<F, NetKind<StandardKind>>;

interface CommonKind {
  b: 'integer';
  B: 'integer';
  h: 'integer';
  H: 'integer';
  i: 'integer';
  I: 'integer';
  q: 'long';
  Q: 'long';
  e: 'float';
  f: 'float';
  d: 'float';
  '?': 'boolean';
  c: 'bytes';
}
interface StandardKind extends CommonKind {
  l: 'integer';
  L: 'integer';
}
interface NativeKind extends CommonKind {
  l: 'long';
  L: 'long';
  n: 'long';
  N: 'long';
  P: 'long';
}
/** With `$`, which turns the length before it and the string after it into one value. */
type NetKind<Table> = Omit<Table, 'e' | 'n' | 'N'> & { $: 'string' };

type Digit = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9';
type Space = ' ' | '\t' | '\n' | '\v' | '\f' | '\r';

type Kinds<F extends string, Table, Found extends Kind[] = [], Count extends string = ''> = F extends ''
  ? Found
  : F extends `${infer Char}${infer Rest}`
    ? Char extends Digit
      ? Kinds<Rest, Table, Found, `${Count}${Char}`>
      : Char extends Space
        ? Kinds<Rest, Table, Found>
        : Char extends 'x'
          ? Kinds<Rest, Table, Found>
          : Char extends 's' | 'p'
            ? Kinds<Rest, Table, [...Found, 'bytes']>
            : Char extends keyof Table
              ? Table[Char] extends infer K extends Kind
                ? Repeat<K, Count> extends infer Run extends [] | [Kind, ...Kind[]]
                  ? Kinds<Rest, Table, [...Found, ...Run]>
                  : Kind[]
                : Found extends [...infer Before extends Kind[], 'integer' | 'long']
                  ? Kinds<Rest, Table, [...Before, 'bytes']>
                  : Kind[]
              : Kind[]
    : Kind[];

/** `Count` times `K`; `Kind[]` above 99. */
type Repeat<K extends Kind, Count extends string> = Count extends ''
  ? [K]
  : Count extends '0'
    ? []
    : Count extends `0${infer Rest}`
      ? Repeat<K, Rest>
      : Count extends Digit | `${Digit}${Digit}`
        ? Times<K, Count>
        : Kind[];

type Times<K extends Kind, Count extends string, Run extends Kind[] = []> = `${Run['length']}` extends Count
  ? Run
  : Times<K, Count, [...Run, K]>;
