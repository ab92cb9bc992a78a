/**
 * A format literal, read by the type checker: `'!3hQ'` → `['integer', 'integer', 'integer', 'long']`, and from there the
 * tuple that `unpack` returns and the one that `pack` takes. One character per step, tail-recursive, so that long formats
 * stay within the compiler's limits. What it cannot know (a format that is not a literal, a count above 99, a malformed
 * format) is `Kind[]`, an array of anything that a struct can hold.
 */
import type { Buffer } from 'node:buffer';

/** What a struct unpacks to: integers below 64 bits and floats, 64-bit integers, `?`, and `c`, `s` and `p`. */
export type StructValue = number | bigint | boolean | Buffer;

/** Where bytes are packed (`c`, `s`, `p`, and the strings of a `NetStruct`): any view, or an `ArrayBuffer`. */
export type BytesInput = ArrayBufferView | ArrayBuffer;

/** What can be packed. `?` takes anything at all, by its Python truthiness; these are the types worth allowing. */
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
 * The tuple that `Struct` unpacks the format literal `F` to; `StructValue[]` where `F` is not known.
 *
 * @example
 * ```ts
 * type Header = StructValues<'!ILH'>; // [number, number, number]
 * ```
 */
export type StructValues<F extends string> = ToValues<StructKinds<F>>;

/** The values that `Struct` packs with the format literal `F`; `StructInput[]` where `F` is not known. */
export type StructInputs<F extends string> = ToInputs<StructKinds<F>>;

/**
 * The tuple that `NetStruct` unpacks the format literal `F` to; `StructValue[]` where `F` is not known.
 *
 * @example
 * ```ts
 * type Message = NetStructValues<'ih$2b'>; // [number, Buffer, number, number]
 * ```
 */
export type NetStructValues<F extends string> = ToValues<NetStructKinds<F>>;

/** The values that `NetStruct` packs with the format literal `F`; `StructInput[]` where `F` is not known. */
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
/** `$`: the length before it and the string after it are one value. */
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
