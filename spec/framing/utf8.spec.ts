import { ErrorCode } from '../../lib/errors.js';
import { invalidUtf8, isText, Utf8Validator, validPrefix } from '../../lib/framing/utf8.js';
import type { BorrowedBytes } from '../../lib/memory/borrowed-bytes.js';
import { byteByByte, type Cut, failure, randomCut, randomFrom, whole } from './recording-sink.js';

/** What a text message of these bytes delivers, cut like this, and at which byte it failed. */
function gate(bytes: Buffer, cut: Cut): { delivered: string; failedAt: number | undefined } {
  const gate = new Utf8Validator();
  let delivered = '';
  const sink = {
    data(kind: number, from: BorrowedBytes, start: number, end: number): void {
      if (kind !== 1 || end <= start) throw new Error('not text');
      delivered += from.toString('latin1', start, end);
    },
  };
  let at = 0;
  for (const length of cut(bytes.length)) {
    const code = failure(() => gate.write(bytes, at, at + length, sink));
    at += length;
    if (code !== undefined) return { delivered, failedAt: at - 1 };
  }
  const failed = failure(() => gate.end()) !== undefined;
  return { delivered, failedAt: failed ? bytes.length : undefined };
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function isValid(bytes: Buffer): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Where a strict decoder stops: after the longest prefix that some valid text begins with. */
function firstBadByte(bytes: Buffer): number {
  for (let length = 1; length <= bytes.length; length++) {
    const streaming = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    try {
      streaming.decode(bytes.subarray(0, length), { stream: true });
    } catch {
      return length - 1;
    }
  }
  return bytes.length;
}

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('UTF-8, the table of RFC 3629 section 4', () => {
  it.each([
    ['U+0000', '00'],
    ['U+007F', '7f'],
    ['U+0080', 'c2 80'],
    ['U+07FF', 'df bf'],
    ['U+0800', 'e0 a0 80'],
    ['U+0FFF', 'e0 bf bf'],
    ['U+1000', 'e1 80 80'],
    ['U+CFFF', 'ec bf bf'],
    ['U+D000', 'ed 80 80'],
    ['U+D7FF', 'ed 9f bf'],
    ['U+E000', 'ee 80 80'],
    ['U+FEFF', 'ef bb bf'],
    ['U+FFFE', 'ef bf be'],
    ['U+FFFF', 'ef bf bf'],
    ['U+10000', 'f0 90 80 80'],
    ['U+3FFFF', 'f0 bf bf bf'],
    ['U+40000', 'f1 80 80 80'],
    ['U+FFFFF', 'f3 bf bf bf'],
    ['U+100000', 'f4 80 80 80'],
    ['U+10FFFF', 'f4 8f bf bf'],
  ])('has %s as %s', (_name, hex) => {
    const one = bytesOf(hex);
    const among = Buffer.concat([Buffer.from('κ'), one, Buffer.from('z'), one]);
    for (const bytes of [one, among]) {
      for (const cut of [whole, byteByByte]) {
        expect(gate(bytes, cut)).toEqual({ delivered: bytes.toString('latin1'), failedAt: undefined });
      }
      expect(isText(bytes, 0, bytes.length)).toBe(true);
    }
  });

  it.each([
    ['a continuation octet alone', '80', 0],
    ['the last continuation octet alone', 'bf', 0],
    ['an overlong U+0000 of two', 'c0 80', 0],
    ['an overlong U+007F of two', 'c1 bf', 0],
    ['an overlong U+002F of three', 'e0 80 af', 1],
    ['an overlong U+07FF of three', 'e0 9f bf', 1],
    ['an overlong U+002F of four', 'f0 80 80 af', 1],
    ['an overlong U+FFFF of four', 'f0 8f bf bf', 1],
    ['the surrogate U+D800', 'ed a0 80', 1],
    ['the surrogate U+DFFF', 'ed bf bf', 1],
    ['a surrogate pair', 'ed a0 81 ed b0 80', 1],
    ['U+110000', 'f4 90 80 80', 1],
    ['U+13FFFF', 'f4 bf bf bf', 1],
    ['U+140000', 'f5 80 80 80', 0],
    ['a lead of five', 'f8 88 80 80 80', 0],
    ['a lead of six', 'fc 84 80 80 80 80', 0],
    ['0xFE', 'fe', 0],
    ['0xFF', 'ff', 0],
    ['ASCII where the second of two is due', 'c3 28', 1],
    ['a lead where the second of two is due', 'c3 c3', 1],
    ['ASCII where the third of three is due', 'e2 82 28', 2],
    ['ASCII where the second of four is due', 'f0 28 8c bc', 1],
    ['ASCII where the fourth of four is due', 'f0 90 8c 28', 3],
    ['one continuation octet too many', 'c3 a9 a9', 2],
  ])('does not have %s: it fails at that very byte, after what was valid', (_name, hex, offset) => {
    const bad = bytesOf(hex);
    for (const before of ['', 'κόσμε ', 'a'.repeat(100), '🧀'.repeat(20)]) {
      for (const after of ['', 'more text than is looked at in one go, by far']) {
        const bytes = Buffer.concat([Buffer.from(before), bad, Buffer.from(after)]);
        const badAt = Buffer.byteLength(before) + offset;
        // Up to the last whole character.
        const good = before + (hex === 'c3 a9 a9' ? 'é' : '');
        const delivered = Buffer.from(good).toString('latin1');
        expect(gate(bytes, byteByByte)).toEqual({ delivered, failedAt: badAt });
        expect(gate(bytes, whole)).toEqual({ delivered, failedAt: bytes.length - 1 });
        expect(validPrefix(bytes, 0, bytes.length)).toBe(delivered.length);
        expect(isText(bytes, 0, bytes.length)).toBe(false);
      }
    }
  });

  it.each(['c2', 'df', 'e0', 'e0 a0', 'e1 80', 'ed 9f', 'f0', 'f0 90', 'f0 90 80', 'f4 8f bf'])(
    'waits for the rest of a character that is cut after %s, and fails where the message ends there',
    (hex) => {
      const cut = Buffer.concat([Buffer.from('né'), bytesOf(hex)]);
      const delivered = Buffer.from('né').toString('latin1');
      for (const pieces of [whole, byteByByte]) {
        expect(gate(cut, pieces)).toEqual({ delivered, failedAt: cut.length });
      }
    },
  );

  it('agrees with TextDecoder about every sequence of two octets, and every third of a three-octet one', () => {
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        const two = Buffer.from([first, second]);
        if (isText(two, 0, 2) !== isValid(two)) throw new Error(two.toString('hex'));
        const { failedAt } = gate(two, byteByByte);
        const bad = firstBadByte(two);
        if (failedAt !== (bad < 2 || !isValid(two) ? bad : undefined)) throw new Error(two.toString('hex'));
      }
    }
  });

  it('agrees with TextDecoder about random and mutated bytes in random cuts', () => {
    const random = randomFrom(3629);
    const alphabet = [...'az\0\u007f\u0080é\u07ff\u0800中\ud7ff\ue000\uffff𐀀🧀\u{10ffff}'];
    for (let round = 0; round < 3000; round++) {
      const length = random(round % 10 === 0 ? 400 : 30);
      const bytes =
        round % 3 === 0
          ? Buffer.from(Array.from({ length }, () => random(256)))
          : Buffer.from(Array.from({ length }, () => alphabet[random(alphabet.length)]!).join(''));
      if (round % 3 === 1 && bytes.length > 0) bytes[random(bytes.length)] = random(256);
      const valid = isValid(bytes);
      const prefix = bytes.toString('latin1', 0, validPrefix(bytes, 0, bytes.length));
      expect(isText(bytes, 0, bytes.length)).toBe(valid);
      for (const cut of [whole, byteByByte, randomCut(random, 5), randomCut(random, 100)]) {
        const { delivered, failedAt } = gate(bytes, cut);
        expect(delivered).toBe(prefix);
        expect(failedAt === undefined).toBe(valid);
        if (cut === byteByByte && !valid) expect(failedAt).toBe(firstBadByte(bytes));
      }
    }
  });

  it('fails with 1007', () => {
    expect(invalidUtf8()).toMatchObject({ code: ErrorCode.PROTOCOL, closeCode: 1007 });
  });
});
