/** Which paths belong to the upgrade door. */
import { match } from 'path-to-regexp';
import { invalidArgument } from '../errors.js';

/**
 * Whether a path is the prefix or lies below it, by the rules of Express's `app.use`: `/ws` and `/ws/` cover `/ws`, `/WS/` and
 * `/ws/a`, not `/wsx`; `/` covers all.
 */
export function compilePrefix(prefix: string | readonly string[] | undefined): (pathname: string) => boolean {
  if (prefix === undefined) return () => true;
  const prefixes: unknown = typeof prefix === 'string' ? [prefix] : prefix;
  if (!Array.isArray(prefixes) || prefixes.length === 0) {
    throw invalidArgument('path', prefix, "give a path such as '/ws', or an array of at least one");
  }
  const matchers = Array.from(prefixes, compileOne);
  return (pathname) => matchers.some((matcher) => matcher(pathname) !== false);
}

function compileOne(prefix: unknown): (pathname: string) => unknown {
  if (typeof prefix !== 'string' || !/^[/{*]/.test(prefix)) {
    throw invalidArgument('path', prefix, "a path is a string that begins with a slash, such as '/ws'");
  }
  let end = prefix.length;
  while (prefix[end - 1] === '/') end--;
  try {
    return match(prefix.slice(0, end), { end: false, decode: false });
  } catch (error) {
    throw invalidArgument('path', prefix, error instanceof Error ? error.message : String(error));
  }
}
