/** The smallest parts of a header's value, which are the same in every header: tokens, and the white space between them. */

/** Whether text is a token, `1*tchar` (RFC 7230 section 3.2.6). */
export function isToken(text: string): boolean {
  return text !== '' && tokenEnd(text, 0) === text.length;
}

/** Where the token that begins at `at` ends: at `at` itself, where none begins. */
export function tokenEnd(value: string, at: number): number {
  while (at < value.length && isTokenCharacter(value.charCodeAt(at))) at++;
  return at;
}

/** RFC 7230 section 3.2.6: letters, digits and these marks. Whatever is above 0x7F is none. */
const TOKEN_CHARACTERS = new Set(
  Array.from("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", (c) => c.charCodeAt(0)),
);

export function isTokenCharacter(code: number): boolean {
  return TOKEN_CHARACTERS.has(code);
}

/** Past the optional white space between elements: spaces and tabs only (RFC 7230 section 3.2.3). */
export function skipBlanks(value: string, at: number): number {
  while (value[at] === ' ' || value[at] === '\t') at++;
  return at;
}
