/** Which paths `upgradeListener` handles. */
import { match } from 'path-to-regexp';
import { invalidPath } from '../errors.js';
import { explainSyntax, withoutTrailingSlashes } from './path.js';

/**
 * Matches a prefix and the paths below it, by the rules of Express's `app.use`: `/ws` and `/ws/` cover `/ws`, `/WS/`
 * and `/ws/a`, but not `/wsx`; `/` covers all paths.
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
  // Express ignores a trailing slash of a mount path.
  return explainSyntax(prefix, () => match(withoutTrailingSlashes(prefix), { end: false, decode: false }));
}
