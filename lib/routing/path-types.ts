/** The parameters of a path, inferred from its literal type as path-to-regexp parses it at run time. */

/**
 * The parameters of a path literal; a union for several paths. For a path of type `string` the names are unknown.
 *
 * @example
 * type P = ParamsOf<'/ws/:room{/:user}'>; // { room: string; user?: string }
 */
export type ParamsOf<Path extends string | readonly string[] | undefined> = Path extends readonly (infer One extends
  string)[]
  ? ParamsOf<One>
  : Path extends string
    ? string extends Path
      ? UnknownParams
      : Scan<Path>
    : Record<never, never>;

/** As `ParamsOf`, but a parameter with a converter has the converter's return type. */
export type ConvertedParams<Path extends string | readonly string[] | undefined, C> = Convert<ParamsOf<Path>, C>;

type UnknownParams = Record<string, string | string[]>;
type Convert<P, C> = P extends unknown
  ? string extends keyof P
    ? Record<string, string | string[] | Result<C[keyof C]>>
    : { [K in keyof P]: K extends keyof C ? Result<C[K]> : P[K] }
  : never;
type Result<C> = C extends (value: string) => infer T ? Exclude<T, undefined> : never;

/**
 * Walks a path as path-to-regexp's parse() does; `Depth` counts the enclosing groups, in which parameters are
 * optional.
 */
type Scan<S, Depth extends unknown[] = [], Always = unknown, Maybe = unknown> = S extends `\\${infer _}${infer T}`
  ? Scan<T, Depth, Always, Maybe>
  : S extends `{${infer T}`
    ? Scan<T, [...Depth, 0], Always, Maybe>
    : S extends `}${infer T}`
      ? Scan<T, Depth extends [unknown, ...infer Outer] ? Outer : [], Always, Maybe>
      : S extends `:${infer T}`
        ? Add<Name<T>, string, Depth, Always, Maybe>
        : S extends `*${infer T}`
          ? Add<Name<T>, string[], Depth, Always, Maybe>
          : S extends `${infer _}${infer T}`
            ? Scan<T, Depth, Always, Maybe>
            : S extends ''
              ? Simplify<Always & Partial<Maybe>>
              : UnknownParams;
type Add<Named, Value, Depth extends unknown[], Always, Maybe> = Named extends [infer N extends string, infer T]
  ? Depth extends []
    ? Scan<T, Depth, Always & Record<N, Value>, Maybe>
    : Scan<T, Depth, Always, Maybe & Record<N, Value>>
  : never;
type Simplify<P> = { [K in keyof P]: P[K] };

/**
 * A name and the rest of the path: a quoted name, or one that ends at the next ASCII character outside of
 * identifiers.
 */
type Name<S> = S extends `"${infer T}` ? QuotedName<T> : BareName<S>;
type QuotedName<S, N extends string = ''> = S extends `"${infer T}`
  ? [N, T]
  : S extends `\\${infer C}${infer T}`
    ? QuotedName<T, `${N}${C}`>
    : S extends `${infer C}${infer T}`
      ? QuotedName<T, `${N}${C}`>
      : [N, S];
type BareName<S, N extends string = ''> = S extends `${infer C}${infer T}`
  ? C extends NameEnd
    ? [N, S]
    : BareName<T, `${N}${C}`>
  : [N, S];
// biome-ignore format: one line per row of the ASCII table
type NameEnd =
  | ' ' | '!' | '"' | '#' | '%' | '&' | "'" | '(' | ')' | '*' | '+' | ',' | '-' | '.' | '/'
  | ':' | ';' | '<' | '=' | '>' | '?' | '@' | '[' | '\\' | ']' | '^' | '`' | '{' | '|' | '}' | '~';
