/** Which paths belong to the upgrade door. */
import { match } from 'path-to-regexp';
import { invalidPath } from '../errors.js';
import { explainSyntax, withoutTrailingSlashes } from './path.js';

/**
 * Whether a path is the prefix or lies below it, by the rules of Express's `app.use`: `/ws` and `/ws/` cover `/ws`, `/WS/` and
 * `/ws/a`, not `/wsx`; `/` covers all.
 */
export function compilePrefix(prefix: string | readonly string[] | undefined): (pathname: string) => boolean {
  if (prefix === undefined) return () => true;
  const prefixes: unknown = typeof prefix === 'string' ? [prefix] : prefix;
  if (!Array.isArray(prefixes) || prefixes.length === 0) {
    throw invalidPath('path', prefix, "give a path such as '/ws', or an array of at least one");
  }
  const matchers = Array.from(prefixes, compileOne);
  return (pathname) => matchers.some((matcher) => matcher(pathname) !== false);
}

function compileOne(prefix: unknown): (pathname: string) => unknown {
  if (typeof prefix !== 'string' || !/^[/{*]/.test(prefix)) {
    throw invalidPath('path', prefix, "a path is a string that begins with a slash, such as '/ws'");
  }
  // Express matches what a mount path begins with, whatever slash it ends with.
  return explainSyntax(prefix, () => match(withoutTrailingSlashes(prefix), { end: false, decode: false }));
}
