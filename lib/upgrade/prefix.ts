/** Which paths belong to the upgrade door. */
import { match } from 'path-to-regexp';
import { invalidArgument } from '../errors.js';

/** Whether a path is the prefix or lies below it, by Express's rules: `/ws` covers `/ws`, `/WS/` and `/ws/a`, not `/wsx`. */
export function compilePrefix(prefix: string | readonly string[] | undefined): (pathname: string) => boolean {
  if (prefix === undefined) return () => true;
  const prefixes = typeof prefix === 'string' ? [prefix] : [...prefix];
  try {
    const matcher = match(prefixes, { end: false, decode: false });
    return (pathname) => matcher(pathname) !== false;
  } catch (error) {
    throw invalidArgument('path', prefix, error instanceof Error ? error.message : String(error));
  }
}
