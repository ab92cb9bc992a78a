/**
 * Computes how far a pattern looks, at most, from the start of a match:
 *
 *     ... | behind | match? ........ ahead ........ | ...
 *
 * If the reach is bounded, later data cannot change a match, so the message need not be complete. The reach is derived
 * from the pattern's source, by the grammar of ECMAScript (22.2.1). Syntax that is not recognized counts as unbounded.
 */
export interface Reach {
  /** In characters, including the match itself; at least 1. */
  readonly ahead: number;
  /** In characters: for `^`, `\b` and lookbehind. */
  readonly behind: number;
}

/**
 * A part of a pattern: its maximum width, and how far it looks ahead of and behind its start, in characters.
 */
interface Part {
  readonly width: number;
  readonly ahead: number;
  readonly behind: number;
}

/** @returns undefined if the reach exceeds `most` characters */
export function reachOf(pattern: RegExp, most: number): Reach | undefined {
  // With the v flag a class may contain strings.
  if (pattern.flags.includes('v')) return undefined;
  const { ahead, behind } = new PatternParser(pattern.source, pattern.unicode).parse();
  return ahead <= most && behind <= most ? { ahead: Math.max(1, ahead), behind } : undefined;
}

const NOTHING: Part = { width: 0, ahead: 0, behind: 0 };
const CHARACTER: Part = { width: 1, ahead: 1, behind: 0 };
const BOUNDARY: Part = { width: 0, ahead: 1, behind: 1 };
const UNBOUNDED: Part = { width: Infinity, ahead: Infinity, behind: Infinity };

class PatternParser {
  private readonly source: string;
  private readonly unicode: boolean;
  private at = 0;

  constructor(source: string, unicode: boolean) {
    this.source = source;
    this.unicode = unicode;
  }

  parse(): Part {
    const part = this.alternatives();
    return this.at === this.source.length ? part : UNBOUNDED;
  }

  private alternatives(): Part {
    let most = this.sequence();
    while (this.skip('|')) most = either(most, this.sequence());
    return most;
  }

  private sequence(): Part {
    let all = NOTHING;
    while (this.at < this.source.length && !'|)'.includes(this.source[this.at]!)) all = then(all, this.term());
    return all;
  }

  private term(): Part {
    const part = this.atom();
    // Open-ended counts, and `{` as a literal character.
    const quantifier = this.match(/(?:[*+]|\{\d+,\}|(\?)|\{\d+,(\d+)\}|\{(\d+)\})\??/y);
    if (quantifier === undefined) return part;
    const [, optional, last, exact] = quantifier;
    return repeated(part, optional === undefined ? Number(last ?? exact ?? Infinity) : 1);
  }

  private atom(): Part {
    if (this.skip('(')) return this.group();
    if (this.skip('^')) return { width: 0, ahead: 0, behind: 1 };
    if (this.skip('$')) return BOUNDARY;
    if (this.skip('\\')) return this.escape();
    if (this.match(/\[(?:[^\]\\]|\\.)*\]/sy)) return CHARACTER;
    this.at++;
    return CHARACTER;
  }

  private group(): Part {
    const [opening = ''] = this.match(/\?(?:<?[=!]|<[^>]*>|[a-z-]*:)/y) ?? [];
    const inner = this.alternatives();
    if (!this.skip(')')) return UNBOUNDED;
    if (/^\?[=!]/.test(opening)) return { ...inner, width: 0 };
    if (/^\?<[=!]/.test(opening)) return { width: 0, ahead: inner.ahead, behind: inner.width + inner.behind };
    return inner;
  }

  private escape(): Part {
    if (this.match(/[bB]/y)) return BOUNDARY;
    // A back reference is as long as its group. Without such a group it is a character escape.
    if (this.match(/[1-9]|k/y)) return UNBOUNDED;
    // Without a letter after it, `\c` matches a backslash and a c.
    if (this.skip('c')) return { width: 2, ahead: 2, behind: 0 };
    const long = this.unicode
      ? /u\{[^}]*\}|[pP]\{[^}]*\}|u[\da-fA-F]{4}|x[\da-fA-F]{2}/y
      : /u[\da-fA-F]{4}|x[\da-fA-F]{2}/y;
    if (this.match(long) === undefined) this.at++;
    return CHARACTER;
  }

  private skip(character: string): boolean {
    if (this.source[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private match(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.source) ?? undefined;
    if (found !== undefined) this.at = sticky.lastIndex;
    return found;
  }
}

function either(a: Part, b: Part): Part {
  return {
    width: Math.max(a.width, b.width),
    ahead: Math.max(a.ahead, b.ahead),
    behind: Math.max(a.behind, b.behind),
  };
}

function then(a: Part, b: Part): Part {
  return {
    width: a.width + b.width,
    ahead: Math.max(a.ahead, a.width + b.ahead),
    behind: Math.max(a.behind, b.behind),
  };
}

function repeated(part: Part, times: number): Part {
  if (times === 0) return NOTHING;
  // Avoids 0 * Infinity.
  const before = part.width === 0 || times === 1 ? 0 : part.width * (times - 1);
  return { width: before + part.width, ahead: before + part.ahead, behind: part.behind };
}
