/**
 * Which requests a route serves, by Express 5's own matcher (`path-to-regexp` 8) with Express's defaults.
 */
import type { IncomingMessage } from 'node:http';
import parseUrl from 'parseurl';
import { match, parse, type Token } from 'path-to-regexp';
import { invalidOption, invalidPath } from '../errors.js';
import type { Converter } from '../handler/options/options.js';
import { abandon } from '../thenables.js';

/** Parameters by name, without a prototype, so that `params.constructor` is a parameter or undefined. */
export type Params = Record<string, unknown>;

export interface PathOptions {
  /** Whether `/WS` and `/ws` are different paths. Express: no. */
  caseSensitive: boolean;
  /** Whether `/ws/` and `/ws` are different paths. Express: no. */
  strict: boolean;
  /** Converters by parameter name. */
  convert: Readonly<Record<string, Converter>> | undefined;
}

/**
 * Compiles a path once.
 *
 * @param path in the syntax of Express 5, or several, tried in order; `undefined` matches everything
 * @returns a function of the pathname that returns the parameters, `undefined` for no match, or `'malformed'` if the
 *   path matches but its percent-encoding cannot be decoded (answered with 400)
 * @throws TypeError (ERR_WS_INVALID_PATH) for a malformed path, (ERR_WS_INVALID_OPTION) for a converter of an unknown
 *   parameter
 * @example
 * const matchPath = compilePath('/ws/:id', { caseSensitive: false, strict: false, convert: { id: toInteger } });
 * matchPath('/ws/7'); // { id: 7 }
 */
export function compilePath(
  path: string | readonly string[] | undefined,
  options: PathOptions,
): (pathname: string) => Params | undefined | 'malformed' {
  const paths = typeof path === 'string' ? [path] : path;
  if (paths !== undefined && (!Array.isArray(paths) || paths.length === 0)) {
    throw invalidPath('path', path, "give a path such as '/ws/:name', or an array of at least one");
  }
  const known = new Set<string>();
  const matchers = paths?.map((one: unknown) => compileOne(one, options, known));
  const converters = checkConverters(options.convert, known);
  if (matchers === undefined) return () => Object.create(null);
  return (pathname) => {
    for (const matcher of matchers) {
      const found = matcher(pathname);
      if (found === 'malformed') return found;
      const params = found && convertParams(found, converters);
      if (params !== undefined) return params;
    }
    return undefined;
  };
}

/** A `Converter` for integers: an optional minus and digits, within JavaScript's safe integers. */
export const toInteger: Converter<number> = (value) => {
  if (!/^-?[0-9]+$/.test(value)) return undefined;
  const number = Number(value);
  // Adding zero turns -0 into 0.
  return Number.isSafeInteger(number) ? number + 0 : undefined;
};

/** The path of a request, without its query and without the host of an absolute URI; `undefined` if there is none. */
export function pathnameOf(request: IncomingMessage): string | undefined {
  try {
    return parseUrl(request)?.pathname ?? undefined;
  } catch {
    // url.parse throws on some hosts; Express treats that as "no path" too.
    return undefined;
  }
}

type Found = Record<string, string | string[]>;

/** Compiles one path, and adds the names of its parameters to `known`. */
function compileOne(
  path: unknown,
  { caseSensitive, strict }: PathOptions,
  known: Set<string>,
): (pathname: string) => Found | undefined | 'malformed' {
  if (typeof path !== 'string') throw invalidPath('path', path, "a path is a string such as '/ws/:name'");
  const matcher = explainSyntax(path, () => {
    // Express's loosen(): unless strict, '/ws/' is '/ws' with an optional slash.
    const data = parse(strict || path === '/' ? path : withoutTrailingSlashes(path));
    if (!mayStartWithSlash(data.tokens[0]))
      throw new TypeError('a path begins with a slash; to serve all paths, leave it out');
    addNames(data.tokens, known);
    return match<Found>(data, { sensitive: caseSensitive, trailing: !strict });
  });
  return (pathname) => {
    try {
      const result = matcher(pathname);
      return result === false ? undefined : result.params;
    } catch {
      // Only decodeURIComponent throws in a matcher.
      return 'malformed';
    }
  };
}

/** Runs `compile` and adds the path and a remedy to errors it throws. */
export function explainSyntax<T>(path: string, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw invalidPath('path', path, `${message} (in Express 5, optional is {/:id} and a wildcard is /*name)`);
  }
}

/** '/ws/' as '/ws', and '/' as ''. */
export function withoutTrailingSlashes(path: string): string {
  let end = path.length;
  while (path[end - 1] === '/') end--;
  return path.slice(0, end);
}

/** Express silently accepts 'ws/:id' and never matches it. */
function mayStartWithSlash(first: Token | undefined): boolean {
  return first !== undefined && (first.type === 'text' ? first.value.startsWith('/') : first.type !== 'param');
}

function addNames(tokens: readonly Token[], names: Set<string>): void {
  for (const token of tokens) {
    if (token.type === 'group') addNames(token.tokens, names);
    else if (token.type !== 'text') names.add(token.name);
  }
}

/** A Map, so that a parameter named like a member of a prototype finds nothing. */
function checkConverters(convert: unknown, known: ReadonlySet<string>): ReadonlyMap<string, Converter> {
  const converters = new Map<string, Converter>();
  if (convert === undefined) return converters;
  if (typeof convert !== 'object' || convert === null) {
    throw invalidOption('convert', convert, 'give an object of converters such as { id: toInteger }');
  }
  for (const [name, converter] of Object.entries(convert)) {
    if (!known.has(name)) {
      const names = known.size === 0 ? 'the path has no parameters' : `the path has ${[...known].join(', ')}`;
      throw invalidOption('a key of convert', name, `it must be a parameter of the path: ${names}`);
    }
    if (typeof converter !== 'function') {
      throw invalidOption(`convert.${name}`, converter, 'a converter is a function such as toInteger');
    }
    converters.set(name, converter);
  }
  return converters;
}

/** `undefined` when a converter rejects its parameter. Absent optional parameters are not converted. */
function convertParams(found: Found, converters: ReadonlyMap<string, Converter>): Params | undefined {
  const params: Params = Object.create(null);
  for (const [name, value] of Object.entries(found)) {
    const converter = converters.get(name);
    const converted = converter ? converter(Array.isArray(value) ? value.join('/') : value) : value;
    // The handler may await a promise; if it does not, a rejection must not end the process.
    abandon(converted);
    // `Number` returns NaN for a parameter that is not a number.
    if (converted === undefined || Number.isNaN(converted)) return undefined;
    params[name] = converted;
  }
  return params;
}
