/** Syntax shared by all headers: tokens, white space, and lists. */

/** Whether text is a token, `1*tchar` (RFC 7230 section 3.2.6). */
export function isToken(text: string): boolean {
  return text !== '' && tokenEnd(text, 0) === text.length;
}

/** The end of the token that begins at `at`; `at` itself if there is none. */
export function tokenEnd(value: string, at: number): number {
  while (at < value.length && isTokenCharacter(value.charCodeAt(at))) at++;
  return at;
}

/** RFC 7230 section 3.2.6: letters, digits and these marks, all of them ASCII. */
const TOKEN_CHARACTERS = new Set(
  Array.from("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", (c) => c.charCodeAt(0)),
);

export function isTokenCharacter(code: number): boolean {
  return TOKEN_CHARACTERS.has(code);
}

/** Skips optional white space: spaces and tabs only (RFC 7230 section 3.2.3). */
export function skipBlanks(value: string, at: number): number {
  while (value[at] === ' ' || value[at] === '\t') at++;
  return at;
}

/**
 * The elements of a comma-separated list. RFC 9110 section 5.6.1.2: "A recipient MUST parse and ignore a reasonable
 * number of empty list elements"; Node limits the size of headers.
 *
 * @example
 * elementsOf(', chat,,superchat '); // ['chat', 'superchat']
 */
export function elementsOf(list: string): string[] {
  return list
    .split(',')
    .map(withoutBlanks)
    .filter((element) => element !== '');
}

/** RFC 9110 section 5.6.3: optional white space is SP and HTAB; trim() would also take U+00A0, the byte 0xA0. */
function withoutBlanks(text: string): string {
  const start = skipBlanks(text, 0);
  let end = text.length;
  while (end > start && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--;
  return text.slice(start, end);
}
