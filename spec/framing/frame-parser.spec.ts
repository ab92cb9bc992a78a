import { FrameParser } from '../../lib/framing/frame-parser.js';
import type { MessageKind } from '../../lib/framing/opcode.js';
import { simdScanner } from '../../lib/framing/scan/simd-scan.js';
import type { InflatingSink } from '../../lib/framing/sink.js';
import type { BorrowedBytes } from '../../lib/memory/borrowed-bytes.js';
import { binary, type ClientFrame, closeBody, frame, more, text } from '../support/frames.js';
import {
  byteByByte,
  failure,
  type Happened,
  lent,
  own,
  parse,
  RecordingSink,
  randomCut,
  randomFrom,
  whole,
} from './recording-sink.js';

const make = (...sinks: ConstructorParameters<typeof FrameParser>): FrameParser => new FrameParser(...sinks);
const ping = (payload = ''): Buffer => frame({ opcode: 9, payload });
const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

/** What comes behind must be seen after what is right, and not after what is wrong or a close frame. */
function expectEvents(bytes: Buffer, expected: Happened[]): void {
  const over = ['fail', 'closed'].includes(expected.at(-1)?.[0] ?? '');
  const trailing = Buffer.concat([bytes, ping('trailing'), text('trailing')]);
  const after: Happened[] = over ? expected : [...expected, ['ping', 'trailing'], ['data', 1, 'trailing'], ['end', 1]];
  const random = randomFrom(bytes.length);
  for (const cut of [whole, byteByByte, randomCut(random, 4), randomCut(random, 20)]) {
    for (const joins of [false, true]) {
      expect(parse(make, bytes, cut, joins)).toEqual(expected);
      expect(parse(make, trailing, cut, joins)).toEqual(after);
    }
  }
}

/** How many bytes of a frame have to arrive, one by one, before it is refused. */
function refusedAfter(bytes: Buffer): number | undefined {
  const sink = new RecordingSink();
  const parser = make(sink, sink);
  for (let i = 0; i < bytes.length; i++) {
    if (failure(() => parser.feed(Buffer.from([bytes[i]!]))) !== undefined) return i + 1;
  }
  return undefined;
}

describe('base framing, RFC 6455 section 5.2', () => {
  it.each([0, 1, 5, 6, 7, 124, 125, 126, 127, 128, 192, 255, 256, 65534, 65535, 65536, 65537, 70000])(
    'reads binary and text payloads of %i octets',
    (length) => {
      const payload = Buffer.from(Array.from({ length }, (_, i) => (i * 31) & 0x7f));
      const data: Happened[] = length === 0 ? [] : [['data', 2, payload.toString('latin1')]];
      const asText: Happened[] = length === 0 ? [] : [['data', 1, payload.toString('latin1')]];
      for (const cut of [whole, byteByByte, randomCut(randomFrom(length), 9000)]) {
        const bytes = Buffer.concat([binary(payload), frame({ opcode: 1, payload })]);
        expect(parse(make, bytes, cut)).toEqual([...data, ['end', 2], ...asText, ['end', 1]]);
      }
    },
  );

  it.each([1, 2, 3, 4, 5, 6, 7])('refuses the reserved bits %i, on the first byte', (rsv) => {
    for (const opcode of [0, 1, 2, 8, 9, 10]) {
      const bytes = frame({ opcode, rsv });
      expectEvents(bytes, [['fail', 1002]]);
      expect(refusedAfter(bytes)).toBe(1);
    }
  });

  it.each([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])('refuses the reserved opcode %i, on the first byte', (opcode) => {
    for (const fin of [true, false]) {
      const bytes = frame({ opcode, fin, length: 2n ** 40n, payload: 'never looked at' });
      expectEvents(bytes, [['fail', 1002]]);
      expect(refusedAfter(bytes)).toBe(1);
      expectEvents(Buffer.concat([text('fine'), bytes]), [
        ['data', 1, 'fine'],
        ['end', 1],
        ['fail', 1002],
      ]);
    }
  });

  it.each([1, 2, 8, 9, 10])('refuses a frame of opcode %i that is not masked, on the second byte', (opcode) => {
    for (const payload of ['', 'a payload', 'x'.repeat(opcode < 8 ? 70000 : 125)]) {
      const bytes = frame({ opcode, payload, mask: false });
      expectEvents(bytes, [['fail', 1002]]);
      expect(refusedAfter(bytes)).toBe(2);
    }
  });

  it('refuses a continuation that is not masked, on the second byte', () => {
    const bytes = Buffer.concat([text('a', false), frame({ opcode: 0, payload: 'b', mask: false })]);
    expectEvents(bytes, [
      ['data', 1, 'a'],
      ['fail', 1002],
    ]);
  });

  it.each([0, 1, 125] as const)('refuses the length %i in 16 bits', (length) => {
    expectEvents(frame({ opcode: 2, payload: Buffer.alloc(length), lengthBits: 16 }), [['fail', 1002]]);
  });

  it.each([0, 1, 125, 126, 65535])('refuses the length %i in 64 bits', (length) => {
    expectEvents(frame({ opcode: 2, payload: Buffer.alloc(length), lengthBits: 64 }), [['fail', 1002]]);
  });

  it.each([2n ** 63n, 2n ** 63n + 1n, 2n ** 63n + 65536n, 2n ** 64n - 1n])(
    'refuses the length %i: the most significant bit must be 0',
    (length) => {
      for (const opcode of [1, 2]) expectEvents(frame({ opcode, length }), [['fail', 1002]]);
    },
  );

  it.each([2n ** 53n, 2n ** 53n + 1n, 2n ** 62n, 2n ** 63n - 1n])('refuses the length %i as too big', (length) => {
    expectEvents(frame({ opcode: 2, length }), [['fail', 1009]]);
  });

  it.each([65536n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 7n, 2n ** 53n - 1n])(
    'announces the length %i before any of it has come, and delivers what comes',
    (length) => {
      for (const cut of [whole, byteByByte]) {
        const sink = new RecordingSink();
        const parser = make(sink, sink);
        const bytes = frame({ opcode: 2, length, payload: 'abc' });
        const header = bytes.length - 3;
        let at = 0;
        for (const size of cut(header)) {
          parser.feed(Buffer.from(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(sink.announced).toEqual([Number(length)]);
        expect(sink.happened).toEqual([]);
        parser.feed(Buffer.from(bytes.subarray(header)));
        expect(sink.happened).toEqual([['data', 2, 'abc']]);
      }
    },
  );

  it('unmasks with every key, and leaves the bytes of other frames alone', () => {
    for (const key of ['00000000', 'ffffffff', '80000000', '00000001', '37fa213d']) {
      const mask = Buffer.from(key, 'hex');
      const bytes = Buffer.concat([
        frame({ opcode: 1, payload: 'Hello', mask }),
        frame({ opcode: 2, payload: 'World', mask }),
      ]);
      expectEvents(bytes, [
        ['data', 1, 'Hello'],
        ['end', 1],
        ['data', 2, 'World'],
        ['end', 2],
      ]);
    }
  });

  it('reads the masked "Hello" of section 5.7', () => {
    expectEvents(Buffer.from('818537fa213d7f9f4d5158', 'hex'), [
      ['data', 1, 'Hello'],
      ['end', 1],
    ]);
  });
});

describe('fragmentation, RFC 6455 section 5.4', () => {
  it('joins the frames of a message, empty ones too', () => {
    const bytes = Buffer.concat([text('', false), more('Hel'), more(''), more('lo'), more('', true)]);
    expectEvents(bytes, [
      ['data', 1, 'Hello'],
      ['end', 1],
    ]);
    expectEvents(Buffer.concat([binary(Buffer.alloc(0), false), more('', true)]), [['end', 2]]);
  });

  it('delivers empty messages', () => {
    expectEvents(Buffer.concat([text(''), binary(Buffer.alloc(0)), text('')]), [
      ['end', 1],
      ['end', 2],
      ['end', 1],
    ]);
  });

  it('keeps control frames between fragments in their place', () => {
    const bytes = Buffer.concat([
      ping('0'),
      text('a', false),
      ping('1'),
      more('b'),
      frame({ opcode: 10, payload: '2' }),
      ping(),
      more('c', true),
      ping('3'),
    ]);
    expectEvents(bytes, [
      ['ping', '0'],
      ['data', 1, 'a'],
      ['ping', '1'],
      ['data', 1, 'b'],
      ['pong', '2'],
      ['ping', ''],
      ['data', 1, 'c'],
      ['end', 1],
      ['ping', '3'],
    ]);
  });

  it('takes a close frame between fragments', () => {
    const bytes = Buffer.concat([text('a', false), frame({ opcode: 8, payload: closeBody(1001, 'off') })]);
    expectEvents(bytes, [
      ['data', 1, 'a'],
      ['closed', 1001, 'off'],
    ]);
  });

  it('goes on after a character that was cut by a fragment and a ping', () => {
    const [first, rest] = [Buffer.from('🧀').subarray(0, 2), Buffer.from('🧀').subarray(2)];
    const bytes = Buffer.concat([frame({ opcode: 1, payload: first, fin: false }), ping('x'), more(rest, true)]);
    expectEvents(bytes, [
      ['ping', 'x'],
      ['data', 1, latin1('🧀')],
      ['end', 1],
    ]);
  });

  it('refuses a continuation of nothing, on its first byte', () => {
    for (const bytes of [more('x'), more('x', true), more('')]) {
      expectEvents(bytes, [['fail', 1002]]);
      expectEvents(Buffer.concat([text('done'), bytes]), [
        ['data', 1, 'done'],
        ['end', 1],
        ['fail', 1002],
      ]);
      expect(refusedAfter(bytes)).toBe(1);
    }
  });

  it('refuses a message that begins inside another, on its first byte', () => {
    for (const inner of [text('b'), text('b', false), binary(Buffer.from('b')), text('')]) {
      for (const outer of [text('a', false), text('', false)]) {
        const bytes = Buffer.concat([outer, inner]);
        expect(parse(make, bytes).at(-1)).toEqual(['fail', 1002]);
        expect(refusedAfter(bytes)).toBe(outer.length + 1);
      }
    }
  });

  it('holds no bytes of a million empty fragments', () => {
    const sink = new RecordingSink();
    const parser = make(sink, sink);
    parser.feed(text('', false));
    const empty = more('');
    for (let i = 0; i < 1000; i++) parser.feed(Buffer.concat(new Array<Buffer>(1000).fill(empty)));
    parser.feed(more('end', true));
    expect(sink.happened).toEqual([
      ['data', 1, 'end'],
      ['end', 1],
    ]);
  });
});

describe('control frames, RFC 6455 section 5.5', () => {
  it.each([0, 1, 2, 124, 125])('carry %i octets', (length) => {
    const payload = 'p'.repeat(length);
    expectEvents(ping(payload), [['ping', payload]]);
    expectEvents(frame({ opcode: 10, payload }), [['pong', payload]]);
  });

  it.each([8, 9, 10])('are refused when fragmented, opcode %i, on the first byte', (opcode) => {
    const bytes = frame({ opcode, fin: false, payload: 'x' });
    expectEvents(bytes, [['fail', 1002]]);
    expect(refusedAfter(bytes)).toBe(1);
  });

  it.each([8, 9, 10])('are refused with more than 125 octets, opcode %i, on the second byte', (opcode) => {
    for (const length of [126n, 127n, 65535n, 65536n, 2n ** 63n]) {
      const bytes = frame({ opcode, length });
      expectEvents(bytes, [['fail', 1002]]);
      expect(refusedAfter(bytes)).toBe(2);
    }
    expectEvents(frame({ opcode, payload: 'x', lengthBits: 16 }), [['fail', 1002]]);
  });
});

describe('a close frame, RFC 6455 section 5.5.1', () => {
  it('ends everything: what comes after it is not looked at', () => {
    const close = frame({ opcode: 8, payload: closeBody(1000, 'bye') });
    expectEvents(close, [['closed', 1000, 'bye']]);
    expectEvents(Buffer.concat([close, frame({ opcode: 3 }), close]), [['closed', 1000, 'bye']]);
    expectEvents(frame({ opcode: 8 }), [['closed', 1005, '']]);
    expectEvents(frame({ opcode: 8, payload: closeBody(4999, 'é'.repeat(61)) }), [['closed', 4999, 'é'.repeat(61)]]);
  });

  it('is refused with one octet', () => {
    for (const octet of [0, 3, 255]) {
      expectEvents(frame({ opcode: 8, payload: Buffer.from([octet]) }), [['fail', 1002]]);
    }
  });

  it.each([0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])('is refused with the code %i', (code) => {
    expectEvents(frame({ opcode: 8, payload: closeBody(code) }), [['fail', 1002]]);
    expectEvents(frame({ opcode: 8, payload: closeBody(code, 'why') }), [['fail', 1002]]);
  });

  it('is refused with a reason that is no UTF-8', () => {
    const body = (hex: string): Buffer => Buffer.concat([closeBody(1000), Buffer.from(hex, 'hex')]);
    for (const hex of ['ff', 'c0af', 'eda080', '61e282', 'f4908080']) {
      expectEvents(frame({ opcode: 8, payload: body(hex) }), [['fail', 1007]]);
    }
  });
});

describe('text, RFC 6455 section 8.1', () => {
  it('is delivered up to the character that is not valid', () => {
    for (const before of ['', 'κόσμε', 'x'.repeat(300)]) {
      for (const bad of ['ff', 'c080', 'eda080', 'f4908080', 'e28261']) {
        const payload = Buffer.concat([Buffer.from(before), Buffer.from(bad, 'hex'), Buffer.from('after')]);
        const data: Happened[] = before === '' ? [] : [['data', 1, latin1(before)]];
        expectEvents(frame({ opcode: 1, payload }), [...data, ['fail', 1007]]);
        expectEvents(Buffer.concat([frame({ opcode: 1, payload, fin: false })]), [...data, ['fail', 1007]]);
      }
    }
  });

  it('fails at the byte that is wrong, not at the end of its frame', () => {
    const bytes = frame({
      opcode: 1,
      payload: Buffer.from('ceba e1bd b9cf 83ce bcce b5f4 9080 80'.replaceAll(' ', ''), 'hex'),
      length: 100000n,
    });
    // The header has 14 bytes; f4 is the twelfth of the payload, and 90 the first that is wrong.
    expect(refusedAfter(bytes)).toBe(14 + 13);
  });

  it('fails when the message ends inside a character, and not when only its frame does', () => {
    const cut = Buffer.from('aé').subarray(0, 2);
    expectEvents(frame({ opcode: 1, payload: cut }), [
      ['data', 1, 'a'],
      ['fail', 1007],
    ]);
    const open = frame({ opcode: 1, payload: cut, fin: false });
    expect(parse(make, open)).toEqual([['data', 1, 'a']]);
    expectEvents(Buffer.concat([open, more('', true)]), [
      ['data', 1, 'a'],
      ['fail', 1007],
    ]);
    expectEvents(Buffer.concat([open, more(Buffer.from([0xa9]), true)]), [
      ['data', 1, latin1('aé')],
      ['end', 1],
    ]);
  });

  it('is not looked for in binary data', () => {
    const payload = Buffer.from('ffc080eda080', 'hex');
    expectEvents(binary(payload), [
      ['data', 2, payload.toString('latin1')],
      ['end', 2],
    ]);
  });
});

describe('small fragments in one chunk', () => {
  const key = Buffer.from('37fa213d', 'hex');
  /** A message of text in fragments of these, and what a sink gets of it that lets them be joined, or does not. */
  function announced(fragments: readonly (string | Buffer)[], joins: boolean, give = lent): [number[], Happened[]] {
    const sink = new RecordingSink();
    sink.joinsFragments = joins;
    const last = fragments.length - 1;
    const frames = fragments.map((payload, i) =>
      frame({ opcode: i === 0 ? 1 : 0, fin: i === last, payload, mask: key }),
    );
    const code = failure(() => make(sink, sink).feed(give(Buffer.concat(frames))));
    if (code !== undefined) sink.happened.push(['fail', code]);
    return [sink.announced, sink.happened];
  }
  const pieces = ['a', 'bcdefgh', '', 'i', 'jk', 'lmn', 'opqrst', 'u'.repeat(125), 'v'.repeat(126), 'w', 'x', 'yz'];
  const lengths = pieces.map((piece) => piece.length);
  const happened: Happened[] = [
    ['data', 1, pieces.join('')],
    ['end', 1],
  ];

  const itJoins = simdScanner === undefined ? it.failing : it;

  itJoins('are joined, but for the first and the last, and for those that are not small', () => {
    expect(announced(pieces, true)).toEqual([[1, 7 + 1 + 2 + 3 + 6 + 125, 126, 2, 2], happened]);
  });

  itJoins('are joined in pieces of at most eight kibibytes', () => {
    const many = Array<string>(200).fill('x'.repeat(100));
    expect(announced(many, true)[0]).toEqual([100, 8100, 8100, 3600, 100]);
  });

  itJoins('are joined behind a character that is cut', () => {
    const [first, second] = [Buffer.from('a🧀').subarray(0, 3), Buffer.from('a🧀').subarray(3)];
    expect(announced([first, second, 'b', 'cd', ''], true)[0]).toEqual([3, 2, 3, 0]);
  });

  it('are frames by themselves for a sink that wants them so, and in other memory than that of sockets', () => {
    expect(announced(pieces, false)).toEqual([lengths, happened]);
    expect(announced(pieces, true, own)).toEqual([lengths, happened]);
  });

  it('are frames by themselves where some of their text is invalid, so that each is announced before it is found out', () => {
    const broken = Buffer.from('x\xff', 'latin1');
    expect(announced(['a', 'bc', 'def', broken, 'ghij', ''], true)).toEqual([
      [1, 2, 3, 2],
      [
        ['data', 1, 'abcdefx'],
        ['fail', 1007],
      ],
    ]);
  });

  it('fragments that are cut or not masked, and control frames, end what is joined', () => {
    const bytes = Buffer.concat([
      ...[text('a', false), more('bc'), more('d'), ping('1'), more('e'), more('f')],
      ...[frame({ opcode: 0, payload: 'g', mask: false })],
    ]);
    expectEvents(bytes, [
      ['data', 1, 'abcd'],
      ['ping', '1'],
      ['data', 1, 'ef'],
      ['fail', 1002],
    ]);
    const many = Array.from({ length: 100 }, () => more('bc'));
    expectEvents(Buffer.concat([text('a', false), ...many, frame({ opcode: 0, payload: 'g', mask: false })]), [
      ['data', 1, `a${'bc'.repeat(100)}`],
      ['fail', 1002],
    ]);
  });
});

describe.each([false, true])('however the bytes are cut, where small fragments may be joined: %s,', (joins) => {
  const random = randomFrom(6455);

  function anyFrame(): ClientFrame {
    const opcode = [0, 0, 1, 1, 2, 2, 8, 9, 10, 3][random(random(4) === 0 ? 10 : 6)]!;
    const length = random(8) === 0 ? 120 + random(200) : random(12);
    const payload =
      random(30) === 0
        ? Buffer.from(Array.from({ length }, () => random(256)))
        : Buffer.from('é🧀a'.repeat(length)).subarray(0, opcode >= 8 ? Math.min(length, 125) : length);
    return {
      opcode,
      payload: opcode === 8 ? closeBody(1000) : payload,
      fin: opcode >= 8 || random(3) > 0,
      rsv: random(60) === 0 ? 1 : 0,
    };
  }

  it('the same events come, or the same mistake', () => {
    const ends = new Set<string>();
    for (let round = 0; round < 1500; round++) {
      const frames = Array.from({ length: 1 + random(8) }, anyFrame);
      const bytes = Buffer.concat(frames.map(frame));
      if (random(10) === 0) bytes[random(bytes.length)]! ^= 1 << random(8);
      const expected = parse(make, bytes, whole, joins);
      ends.add(String(expected.at(-1)));
      for (const cut of [byteByByte, randomCut(random, 3), randomCut(random, 30)]) {
        expect(parse(make, bytes, cut, joins)).toEqual(expected);
      }
    }
    // Otherwise nothing was tried.
    expect([...ends].filter((end) => end.startsWith('fail')).sort()).toEqual(['fail,1002', 'fail,1007']);
  });

  it('each byte is looked at once, so that a megabyte in single bytes takes no longer than it should', () => {
    const sink = new RecordingSink();
    let passed = 0;
    sink.data = (_kind, _bytes, start, end) => {
      passed += end - start;
    };
    const parser = make(sink, sink);
    const bytes = binary(Buffer.alloc(1 << 20));
    for (let i = 0; i < bytes.length; i++) parser.feed(bytes.subarray(i, i + 1));
    expect(passed).toBe(1 << 20);
  });
});

/** Where a parser's compressed messages go: notes what comes, and halts the parser where it would begin to inflate. */
class NotingInflation implements InflatingSink {
  readonly sink = new RecordingSink();
  readonly parser = new FrameParser(this.sink, this.sink);
  /** What came, in order, with what came to the other sinks. */
  readonly notes: unknown[] = [];
  private input = '';

  constructor() {
    this.parser.inflation = this;
    const note = (): void => void this.notes.push(...this.sink.happened.splice(0));
    this.sink.afterwards = note;
  }

  get hasInput(): boolean {
    return this.input !== '';
  }

  begin(kind: MessageKind): void {
    this.notes.push(['begin', kind]);
  }

  data(bytes: BorrowedBytes, start: number, end: number): void {
    this.input += bytes.toString('latin1', start, end);
  }

  end(): void {
    // With the tail there is always something.
    this.input += '$';
    this.start();
  }

  start(): void {
    this.notes.push(['inflate', this.input]);
    this.input = '';
    this.parser.pause();
  }

  /** As the intake does, and whatever is inflated is so at once. */
  feed(bytes: Buffer, cut = whole): void {
    let at = 0;
    for (const length of [...cut(bytes.length), bytes.length]) {
      const piece = Buffer.from(bytes.subarray(at, at + length));
      at += piece.length;
      if (piece.length === 0) continue;
      const code = failure(() => this.feedPiece(piece));
      if (code === undefined) continue;
      this.notes.push(['fail', code]);
      return;
    }
  }

  feedPiece(piece: Buffer): void {
    this.parser.feed(piece);
    if (this.hasInput && !this.parser.paused) this.start();
    while (this.parser.paused) {
      this.parser.resume();
      if (this.hasInput && !this.parser.paused) this.start();
    }
  }

  /** What came, however it was cut. */
  get joined(): unknown[] {
    const joined: unknown[][] = [];
    for (const note of this.notes as unknown[][]) {
      const last = joined.at(-1);
      const isSame = last !== undefined && last[0] === note[0];
      if (isSame && note[0] === 'inflate' && !String(last[1]).endsWith('$')) last[1] = `${last[1]}${note[1]}`;
      else if (isSame && note[0] === 'data') last[2] = `${last[2]}${note[2]}`;
      else joined.push([...note]);
    }
    return joined;
  }
}

describe('compressed messages, RFC 7692 section 6', () => {
  const compressed = (payload: string, fin = true, opcode = 1): Buffer => frame({ opcode, payload, fin, rsv: 4 });

  function expectNotes(bytes: Buffer, expected: unknown[]): void {
    const random = randomFrom(bytes.length);
    for (const cut of [whole, byteByByte, randomCut(random, 4), randomCut(random, 20)]) {
      const noting = new NotingInflation();
      noting.feed(bytes, cut);
      expect(noting.joined).toEqual(expected);
    }
  }

  it('go to the inflation, and the others do not', () => {
    const bytes = Buffer.concat([compressed('abc'), text('plain'), compressed('', true, 2), binary(Buffer.from('x'))]);
    expectNotes(bytes, [
      ['begin', 1],
      ['inflate', 'abc$'],
      ['data', 1, 'plain'],
      ['end', 1],
      ['begin', 2],
      ['inflate', '$'],
      ['data', 2, 'x'],
      ['end', 2],
    ]);
  });

  it('compressed messages of any length are unmasked, and announce no length', () => {
    for (const length of [1, 125, 126, 65_535, 65_536, 70_000]) {
      const noting = new NotingInflation();
      const payload = 'abcdefg'.repeat(10_000).slice(0, length);
      noting.feed(compressed(payload), randomCut(randomFrom(length), 9000));
      expect(noting.joined).toEqual([
        ['begin', 1],
        ['inflate', `${payload}$`],
      ]);
      expect(noting.sink.announced).toEqual([]);
    }
  });

  it('are marked in their first frame, and go on in frames that are not, with control frames between them', () => {
    const bytes = Buffer.concat([
      compressed('', false),
      ping('0'),
      more('a'),
      more(''),
      ping('1'),
      frame({ opcode: 10, payload: '2' }),
      more('b'),
      more('', true),
      text('x', false),
      more('y', true),
    ]);
    expectNotes(bytes, [
      ['begin', 1],
      ['ping', '0'],
      ['inflate', 'a'],
      ['ping', '1'],
      ['pong', '2'],
      ['inflate', 'b$'],
      ['data', 1, 'xy'],
      ['end', 1],
    ]);
  });

  it('may be text or binary, and are not looked at for UTF-8 before they are inflated', () => {
    expectNotes(frame({ opcode: 1, rsv: 4, payload: Buffer.of(0xff) }), [
      ['begin', 1],
      ['inflate', '\xff$'],
    ]);
  });

  it('make a close frame wait for what came before it', () => {
    const bytes = Buffer.concat([
      compressed('a', false),
      frame({ opcode: 8, payload: closeBody(1001) }),
      text('never'),
    ]);
    expectNotes(bytes, [
      ['begin', 1],
      ['inflate', 'a'],
      ['closed', 1001, ''],
    ]);
  });

  it.each([
    ['RSV1 on a continuation', more('b', true), 1],
    ['RSV1 on a ping', ping('x'), 1],
    ['RSV1 on a pong', frame({ opcode: 10 }), 1],
    ['RSV1 on a close frame', frame({ opcode: 8 }), 1],
  ])('are not marked by %s', (_what, bytes) => {
    const marked = Buffer.from(bytes);
    marked[0]! |= 0x40;
    const noting = new NotingInflation();
    noting.feed(Buffer.concat([compressed('a', false), marked]), byteByByte);
    expect(noting.joined).toEqual([
      ['begin', 1],
      ['inflate', 'a'],
      ['fail', 1002],
    ]);
  });

  it.each([1, 2, 3, 5, 6, 7])('leave the other reserved bits without a meaning: RSV %i', (rsv) => {
    const noting = new NotingInflation();
    noting.feed(frame({ opcode: 2, rsv, payload: 'x' }));
    expect(noting.joined).toEqual([['fail', 1002]]);
  });

  it('make a mistake that stands behind them wait until they have been inflated', () => {
    const noting = new NotingInflation();
    const bytes = Buffer.concat([compressed('a', false), more('b'), frame({ opcode: 3 }), more('c', true)]);
    expect(failure(() => noting.parser.feed(bytes))).toBeUndefined();
    expect(noting.hasInput).toBe(true);
    noting.start();
    expect(failure(() => noting.parser.resume())).toBe(1002);
    expect(noting.joined).toEqual([
      ['begin', 1],
      ['inflate', 'ab'],
    ]);
  });

  it('make a mistake wait that stands in a control frame behind them', () => {
    const noting = new NotingInflation();
    const wrong = frame({ opcode: 8, payload: Buffer.of(3) });
    expect(failure(() => noting.parser.feed(Buffer.concat([compressed('a', false), wrong])))).toBeUndefined();
    expect(noting.joined).toEqual([
      ['begin', 1],
      ['inflate', 'a'],
    ]);
    expect(failure(() => noting.parser.resume())).toBe(1002);
  });

  it('do not make a mistake wait that has nothing before it', () => {
    for (const wrong of [frame({ opcode: 3 }), frame({ opcode: 1, rsv: 2 }), more('x')]) {
      const noting = new NotingInflation();
      noting.feed(compressed('a'));
      expect(failure(() => noting.parser.feed(wrong))).toBe(1002);
    }
  });

  it('do not end where one begins inside another, compressed or not', () => {
    for (const outer of [compressed('a', false), text('a', false)]) {
      for (const inner of [compressed('b'), text('b'), compressed('', false)]) {
        const noting = new NotingInflation();
        noting.feed(Buffer.concat([outer, inner]));
        expect(noting.joined.at(-1)).toEqual(['fail', 1002]);
      }
    }
  });

  it('are not known where they were not agreed on', () => {
    for (const opcode of [1, 2]) {
      expectEvents(frame({ opcode, rsv: 4, payload: 'x' }), [['fail', 1002]]);
      expect(refusedAfter(frame({ opcode, rsv: 4, payload: 'x' }))).toBe(1);
    }
  });

  it('keep what comes behind them in the chunk until they have been inflated', () => {
    const noting = new NotingInflation();
    noting.parser.feed(Buffer.concat([compressed('a'), text('b'), ping('c')]));
    expect(noting.joined).toEqual([
      ['begin', 1],
      ['inflate', 'a$'],
    ]);
    expect(noting.parser.pinned).toBeGreaterThan(0);
    noting.parser.resume();
    expect(noting.joined.slice(2)).toEqual([
      ['data', 1, 'b'],
      ['end', 1],
      ['ping', 'c'],
    ]);
    expect(noting.parser.pinned).toBe(0);
  });
});
