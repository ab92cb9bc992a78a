import { elementsOf, isToken, skipBlanks, tokenEnd } from '../../../lib/handshake/request/tokens.js';

describe('isToken', () => {
  it('wants at least one character', () => {
    expect(isToken('')).toBe(false);
    expect(isToken('x')).toBe(true);
    expect(isToken('x y')).toBe(false);
  });

  it('takes the 77 characters of RFC 7230 section 3.2.6, and no other', () => {
    const all = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code));
    expect(all.filter(isToken).join('')).toBe(
      "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~",
    );
  });
});

describe('tokenEnd', () => {
  it('is behind the token, or where it began to look', () => {
    expect(tokenEnd('a bc;', 2)).toBe(4);
    expect(tokenEnd('a bc', 2)).toBe(4);
    expect(tokenEnd('a bc', 1)).toBe(1);
    expect(tokenEnd('a', 1)).toBe(1);
  });
});

describe('skipBlanks', () => {
  it('goes past spaces and tabs, and nothing else', () => {
    expect(skipBlanks('a \t b', 1)).toBe(4);
    expect(skipBlanks('a \t', 1)).toBe(3);
    expect(skipBlanks(' a', 1)).toBe(1);
    expect(skipBlanks('\r\n\v\f\xa0', 0)).toBe(0);
  });
});

describe('elementsOf, RFC 9110 section 5.6.1.2', () => {
  it.each([
    ['a', ['a']],
    ['a,b', ['a', 'b']],
    [' \ta b\t ,\t c ', ['a b', 'c']],
    ['', []],
    [' ', []],
    [',', []],
    [' ,\t, ', []],
    [',a', ['a']],
    ['a,', ['a']],
    ['a,, ,b', ['a', 'b']],
    // Blanks are spaces and tabs: U+00A0 is the byte 0xA0.
    ['\xa0,\v', ['\xa0', '\v']],
  ])('the elements of %j are %j', (list, elements) => {
    expect(elementsOf(list)).toEqual(elements);
  });
});
