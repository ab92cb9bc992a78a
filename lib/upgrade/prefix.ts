/** Which paths belong to the upgrade door. */
import { match } from 'path-to-regexp';
import { explainSyntax } from './path.js';

/** Whether a path is the prefix or lies below it, by Express's rules: `/ws` covers `/ws`, `/WS/` and `/ws/a`, not `/wsx`. */
export function compilePrefix(prefix: string | readonly string[] | undefined): (pathname: string) => boolean {
  if (prefix === undefined) return () => true;
  const matchers = [prefix].flat().map((one) => explainSyntax(one, () => match(one, { end: false, decode: false })));
  return (pathname) => matchers.some((matches) => matches(pathname) !== false);
}
