/**
 * Family 6, UTF-8. Where a text message stops being UTF-8 the connection fails at that very octet: what would follow is not
 * sent here before the close frame has come.
 */
import { frame, more, text } from '../support/frames.js';
import { type Case, fragmentsOf, octets, receive, type Step, send, showing } from './table.js';

const RFC = 'RFC 6455';
const VALID = 'Hello-µ@ßöäüàá-UTF-8!!';
const KOSME = Buffer.from('κόσμε');
const SURROGATE = Buffer.from('eda080', 'hex');
/** U+110000, the first code point that there is not. */
const BEYOND = Buffer.from('f4908080', 'hex');
const EDITED = Buffer.from('edited');

/** A frame of text with any bytes. */
const raw = (payload: Buffer, fin = true): Buffer => frame({ opcode: 1, payload, fin });

/** Text in a fragment for each octet. */
function perOctet(payload: Buffer): Buffer[] {
  return Array.from(payload, (octet, at) =>
    frame({ opcode: at === 0 ? 1 : 0, payload: Buffer.of(octet), fin: at === payload.length - 1 }),
  );
}

/** The frame of this payload as far as its first `length` bytes. */
const upTo = (payload: Buffer, length: number): Buffer => raw(payload).subarray(0, 6 + length);

const whole =
  'a particular text frame might include a partial UTF-8 sequence; however, the whole message MUST contain valid UTF-8';
const fail =
  'When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in fact, a valid UTF-8 ' +
  'stream, that endpoint MUST _Fail the WebSocket Connection_.';

const valid = showing<Case>(`${RFC} 5.6`, whole, [
  { id: '6.1.1', does: 'echoes text of no bytes', steps: () => [send(text('')), receive(1)], ends: 'alive' },
  {
    id: '6.1.2',
    does: 'echoes text of three fragments without a byte',
    steps: () => [send(text('', false), more(''), more('', true)), receive(1)],
    ends: 'alive',
  },
  {
    id: '6.1.3',
    does: 'echoes text of three fragments of which the middle one has bytes',
    steps: () => [
      send(text('', false), more('middle frame payload'), more('', true)),
      receive(1, 'middle frame payload'),
    ],
    ends: 'alive',
  },
  {
    id: '6.2.1',
    does: 'echoes text with characters of two bytes',
    steps: () => [send(text(VALID)), receive(1, VALID)],
    ends: 'alive',
  },
  {
    id: '6.2.2',
    does: 'echoes it in two fragments that are cut between two characters',
    steps: () => [send(text('Hello-µ@ßöä', false), more('üàá-UTF-8!!', true)), receive(1, VALID)],
    ends: 'alive',
  },
  {
    id: '6.2.3',
    does: 'echoes it in a fragment for each octet',
    steps: () => [send(...perOctet(Buffer.from(VALID))), receive(1, VALID)],
    ends: 'alive',
  },
  {
    id: '6.2.4',
    does: 'echoes characters of three bytes in a fragment for each octet',
    steps: () => [send(...perOctet(KOSME)), receive(1, KOSME)],
    ends: 'alive',
  },
  {
    id: '6+1',
    does: 'echoes a message with every character of Unicode',
    steps: () => [send(raw(everyCharacter())), receive(1, everyCharacter())],
    ends: 'alive',
  },
  {
    id: '6+2',
    does: 'echoes every character of Unicode in fragments of 997 bytes',
    steps: () => [send(fragmentsOf(1, everyCharacter(), 997)), receive(1, everyCharacter())],
    ends: 'alive',
  },
  {
    id: '6+3',
    does: 'takes any bytes for binary data',
    steps: () => [send(frame({ opcode: 2, payload: BEYOND })), receive(2, BEYOND)],
    ends: 'alive',
  },
  {
    id: '6+4',
    does: 'keeps a byte order mark',
    steps: () => [send(text('\ufeffx')), receive(1, '\ufeffx')],
    ends: 'alive',
  },
]);

const invalid = showing<Case>(`${RFC} 8.1`, fail, [
  {
    id: '6.3.1',
    does: 'fails with 1007 on a surrogate in a message',
    steps: () => [send(raw(Buffer.concat([KOSME, SURROGATE, EDITED])))],
    ends: { code: 1007 },
  },
  {
    id: '6.3.2',
    does: 'fails with 1007 on a surrogate in a fragment for each octet',
    // The second octet of it is the one that no character has there.
    steps: () => [send(...perOctet(Buffer.concat([KOSME, SURROGATE, EDITED])).slice(0, KOSME.length + 2))],
    ends: { code: 1007 },
  },
  {
    id: '6.4.1',
    does: 'fails with 1007 on the second of three fragments, before the third is sent',
    steps: () => [send(raw(KOSME, false)), send(more(BEYOND))],
    ends: { code: 1007 },
  },
  {
    id: '6.4.2',
    does: 'fails with 1007 on the octet behind the first of a character that was cut',
    steps: () => [send(raw(Buffer.concat([KOSME, BEYOND.subarray(0, 1)]), false)), send(more(BEYOND.subarray(1, 2)))],
    ends: { code: 1007 },
  },
  {
    id: '6.4.3',
    does: 'fails with 1007 in the middle of a frame, before the rest of it is sent',
    steps: () => {
      const bytes = raw(Buffer.concat([KOSME, BEYOND, EDITED]));
      const valid = 6 + KOSME.length;
      return [send(bytes.subarray(0, valid)), send(bytes.subarray(valid, valid + BEYOND.length))];
    },
    ends: { code: 1007 },
  },
  {
    id: '6.4.4',
    does: 'fails with 1007 in the middle of a frame and of a character',
    steps: () => {
      const bytes = raw(Buffer.concat([KOSME, BEYOND, EDITED]));
      const valid = 6 + KOSME.length;
      return [send(bytes.subarray(0, valid + 1)), send(bytes.subarray(valid + 1, valid + 2))];
    },
    ends: { code: 1007 },
  },
  {
    id: '6+5',
    does: 'echoes the messages before it',
    steps: () => [
      send(text('one'), text('two'), raw(Buffer.concat([KOSME, BEYOND])), text('three')),
      receive(1, 'one'),
      receive(1, 'two'),
    ],
    ends: { code: 1007 },
  },
  {
    id: '6+6',
    does: 'fails with 1007 on a message that ends inside of a character',
    steps: () => [send(raw(KOSME.subarray(0, -1)))],
    ends: { code: 1007 },
  },
  {
    id: '6+7',
    does: 'fails with 1007 on an empty last fragment behind half a character',
    steps: () => [send(raw(KOSME.subarray(0, -1), false), more('', true))],
    ends: { code: 1007 },
  },
  {
    id: '6+8',
    does: 'fails with 1007 also where a ping stands inside of the character',
    steps: () => [
      send(raw(BEYOND.subarray(0, 1), false), frame({ opcode: 9, payload: 'x' })),
      receive(10, 'x'),
      send(more(BEYOND.subarray(1, 2))),
    ],
    ends: { code: 1007 },
  },
]);

export const utf8: readonly Case[] = [...valid, ...invalid];

/**
 * What Markus Kuhn's "UTF-8 decoder capability and stress test" has, by its sections, in the order of the suite's 6.5 to 6.23:
 * what is malformed, and what looks as if it were. Each as hexadecimal digits.
 */
const SEQUENCES: readonly (readonly [family: string, what: string, sequences: readonly string[]])[] = [
  [
    '6.5',
    'some correct text',
    [
      '68656c6c6f24776f726c64',
      '68656c6c6fc2a2776f726c64',
      '68656c6c6fe282ac776f726c64',
      '68656c6c6ff0a4ada2776f726c64',
      KOSME.toString('hex'),
    ],
  ],
  ['6.6', 'a text cut after each octet', Array.from(KOSME, (_, at) => KOSME.toString('hex', 0, at + 1))],
  ['6.7', 'the first sequence of a length', ['00', 'c280', 'e0a080', 'f0908080']],
  ['6.8', 'the first sequence of five and six octets', ['f888808080', 'fc8480808080']],
  ['6.9', 'the last sequence of a length', ['7f', 'dfbf', 'efbfbf', 'f48fbfbf']],
  ['6.10', 'the last sequence of four, five and six octets', ['f7bfbfbf', 'fbbfbfbfbf', 'fdbfbfbfbfbf']],
  ['6.11', 'another boundary', ['ed9fbf', 'ee8080', 'efbfbd', 'f48fbfbf', 'f4908080']],
  [
    '6.12',
    'continuation octets that nothing begins',
    ['80', 'bf', '80bf', '80bf80', '80bf80bf', '80bf80bf80', '80bf80bf80bf', range(0x80, 0xbf)],
  ],
  [
    '6.13',
    'first octets that nothing follows',
    [
      [0xc0, 0xdf],
      [0xe0, 0xef],
      [0xf0, 0xf7],
      [0xf8, 0xfb],
      [0xfc, 0xfd],
    ].map(([from = 0, to = 0]) => range(from, to, '20')),
  ],
  ['6.14', 'a sequence without its last octet', incomplete()],
  ['6.15', 'all of those in a row', [incomplete().join('')]],
  ['6.16', 'an impossible octet', ['fe', 'ff', 'fefeffff']],
  ['6.17', 'an overlong slash', ['c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af']],
  ['6.18', 'the largest overlong sequence', ['c1bf', 'e09fbf', 'f08fbfbf', 'f887bfbfbf', 'fc83bfbfbfbf']],
  ['6.19', 'an overlong NUL', ['c080', 'e08080', 'f0808080', 'f880808080', 'fc8080808080']],
  ['6.20', 'a surrogate', ['eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf']],
  [
    '6.21',
    'a pair of surrogates',
    ['eda080', 'edadbf', 'edae80', 'edafbf'].flatMap((high) => ['edb080', 'edbfbf'].map((low) => high + low)),
  ],
  ['6.22', 'a code point that is no character, and UTF-8 all the same', nonCharacters()],
  [
    '6.23',
    'a code point of the block of specials',
    ['b9', 'ba', 'bb', 'bc', 'bd', 'be', 'bf'].map((last) => `efbf${last}`),
  ],
];

/** Of the sequences that are malformed: those of all other families are correct. */
const MIXED = new Set(['6.6', '6.11']);
const CORRECT = new Set(['6.5', '6.7', '6.9', '6.22', '6.23']);

export interface Sequence {
  readonly id: string;
  readonly what: string;
  readonly octets: Buffer;
  /** How many octets it takes until it cannot become text any more; undefined where that is not so at any of them. */
  readonly failsAt: number | undefined;
  /** Whether it is text. */
  readonly isText: boolean;
}

export const stress: readonly Sequence[] = SEQUENCES.flatMap(([family, what, sequences]) =>
  sequences.map((hex, i) => {
    const bytes = Buffer.from(hex, 'hex');
    const failsAt = firstBadOctet(bytes);
    const isText = failsAt === undefined && decodes(bytes);
    if (!MIXED.has(family) && isText !== CORRECT.has(family))
      throw new Error(`${family} is not what it should be: ${hex}`);
    return { id: `${family}.${i + 1}`, what, octets: bytes, failsAt, isText };
  }),
);

/** A sequence as cases: in one frame, octet by octet, and in a fragment for each octet. */
export function casesOf({ id, what, octets: bytes, failsAt, isText }: Sequence): Case[] {
  const sees = failsAt ?? bytes.length;
  const ways: readonly (readonly [how: string, steps: () => readonly Step[]])[] = [
    ['in one frame', () => [send(raw(bytes))]],
    ['octet by octet', () => [octets(upTo(bytes, sees))]],
    ['in a fragment for each octet', () => [send(...perOctet(bytes).slice(0, sees))]],
  ];
  return ways.map(([how, steps]) => ({
    id,
    section: `${RFC} 8.1`,
    says: fail,
    does: `${isText ? 'echoes' : 'fails with 1007 on'} ${what}: ${bytes.toString('hex')} ${how}`,
    steps: () => [...steps(), ...(isText ? [receive(1, bytes)] : [])],
    ends: isText ? ('alive' as const) : { code: 1007 },
  }));
}

/** By the decoder of the WHATWG's Encoding Standard, which fails as soon as no text begins so. */
function firstBadOctet(bytes: Buffer): number | undefined {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (let at = 0; at < bytes.length; at++) {
    try {
      decoder.decode(bytes.subarray(at, at + 1), { stream: true });
    } catch {
      return at + 1;
    }
  }
  return undefined;
}

function decodes(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function range(from: number, to: number, between = ''): string {
  return Array.from({ length: to - from + 1 }, (_, i) => (from + i).toString(16) + between).join('');
}

function incomplete(): string[] {
  return ['c0', 'e080', 'f08080', 'f8808080', 'fc80808080', 'df', 'efbf', 'f7bfbf', 'fbbfbfbf', 'fdbfbfbfbf'];
}

/** The last two code points of each of the 17 planes. */
function nonCharacters(): string[] {
  return Array.from({ length: 17 }, (_, plane) => [plane * 0x1_0000 + 0xfffe, plane * 0x1_0000 + 0xffff])
    .flat()
    .map((codePoint) => Buffer.from(String.fromCodePoint(codePoint)).toString('hex'));
}

let all: Buffer | undefined;

/** 4 MiB of text; surrogates are no characters. */
function everyCharacter(): Buffer {
  if (all !== undefined) return all;
  all = Buffer.alloc(0x80 + 0x780 * 2 + 0xf000 * 3 + 0x10_0000 * 4);
  let at = 0;
  for (let codePoint = 0; codePoint <= 0x10_ffff; codePoint++) {
    if (codePoint === 0xd800) codePoint = 0xe000;
    at += all.write(String.fromCodePoint(codePoint), at);
  }
  return all;
}
