/**
 * Parses the extensions that a client offers (RFC 6455 section 9.1), looking at each character once:
 *
 *     Sec-WebSocket-Extensions = extension-list
 *     extension-list = 1#extension
 *     extension = extension-token *( ";" extension-param )
 *     extension-param = token [ "=" (token | quoted-string) ]
 *
 * Offers and parameters are lists, not objects: the peer chooses the names, which may be `__proto__` or appear twice.
 */
import { isTokenCharacter, skipBlanks, tokenEnd } from './tokens.js';

/** One offer of an extension. A client may offer the same name again with other parameters. */
export interface ExtensionOffer {
  name: string;
  params: readonly ExtensionParam[];
}

export interface ExtensionParam {
  name: string;
  /** Unquoted and unescaped; `undefined` for a parameter without a value. */
  value: string | undefined;
}

/**
 * Parses `Sec-WebSocket-Extensions`, with several fields joined by commas (section 11.3.2). Empty elements are
 * skipped (RFC 9110 section 5.6.1.2); an empty parameter, as in `a;`, is malformed, because parameters are not such a
 * list.
 *
 * @returns the offers in the client's order of preference, or `undefined` if the header is malformed
 * @example
 * parseExtensions('permessage-deflate; server_max_window_bits="10"');
 * // [{ name: 'permessage-deflate', params: [{ name: 'server_max_window_bits', value: '10' }] }]
 */
export function parseExtensions(value: string): ExtensionOffer[] | undefined {
  const reader = new Reader(value);
  const offers: ExtensionOffer[] = [];
  do {
    if (reader.isAtEmptyElement) continue;
    const name = reader.token();
    if (name === '') return undefined;
    const params: ExtensionParam[] = [];
    while (reader.take(';')) {
      const param = readParam(reader);
      if (param === undefined) return undefined;
      params.push(param);
    }
    offers.push({ name, params });
  } while (reader.take(','));
  return reader.isAtEnd ? offers : undefined;
}

function readParam(reader: Reader): ExtensionParam | undefined {
  const name = reader.token();
  if (name === '') return undefined;
  if (!reader.take('=')) return { name, value: undefined };
  const value = reader.take('"') ? reader.restOfQuotedToken() : reader.token();
  return value === '' ? undefined : { name, value };
}

/**
 * Reads from left to right. RFC 6455 section 9.1 has "the 'implied *LWS rule'" of RFC 2616: blanks may surround every
 * token and `=`. A missing token is read as `''`, which is not a valid token.
 */
class Reader {
  private readonly text: string;
  private at: number;

  constructor(text: string) {
    this.text = text;
    this.at = skipBlanks(text, 0);
  }

  get isAtEnd(): boolean {
    return this.at === this.text.length;
  }

  /** Whether nothing stands between this comma and the next one. */
  get isAtEmptyElement(): boolean {
    return this.isAtEnd || this.text[this.at] === ',';
  }

  /** Consumes this character and the blanks after it, if it comes next. Blanks after a quotation mark are content. */
  take(mark: ',' | ';' | '=' | '"'): boolean {
    if (this.text[this.at] !== mark) return false;
    this.at++;
    if (mark !== '"') this.at = skipBlanks(this.text, this.at);
    return true;
  }

  token(): string {
    const start = this.at;
    const end = tokenEnd(this.text, start);
    this.at = skipBlanks(this.text, end);
    return this.text.slice(start, end);
  }

  /**
   * Reads the rest of a quoted token up to the closing mark. Section 9.1: "the value after quoted-string unescaping
   * MUST conform to the 'token' ABNF", so it stops at the first character that a token cannot contain, and at the end
   * of the text.
   */
  restOfQuotedToken(): string {
    const { text } = this;
    let value = '';
    while (text[this.at] !== '"') {
      if (text[this.at] === '\\') this.at++;
      if (!isTokenCharacter(text.charCodeAt(this.at))) return '';
      value += text[this.at++];
    }
    this.at = skipBlanks(text, this.at + 1);
    return value;
  }
}
