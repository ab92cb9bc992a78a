/** Everything that a client may not send (RFC 6455): what test suites of the protocol try, each with the code that answers it. */
import { closeBody, frame, more, text } from '../support/frames.js';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

const opcodes = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15];
const kinds = [0, 1, 2, 8, 9, 10];

/** Of RFC 3629: impossible bytes, overlong forms, surrogates, beyond U+10FFFF, cut short. */
const NOT_UTF8 = [
  'ff',
  'fe',
  '80',
  'bf',
  'c0 80',
  'c1 bf',
  'e0 80 af',
  'ed a0 80',
  'ed bf bf',
  'f4 90 80 80',
  'f8 88 80 80 80',
  'ce ba e1',
];

export const ILLEGAL: readonly (readonly [what: string, bytes: Buffer, code: number])[] = [
  ...opcodes.map((opcode) => [`opcode ${opcode}`, frame({ opcode, payload: 'x' }), 1002] as const),
  ...opcodes.map(
    (opcode) =>
      [`opcode ${opcode} inside a message`, Buffer.concat([text('a', false), frame({ opcode })]), 1002] as const,
  ),
  ...kinds.flatMap((opcode) =>
    [1, 2, 3, 4, 5, 6, 7].map(
      (rsv) => [`reserved bits ${rsv}, opcode ${opcode}`, frame({ opcode, rsv }), 1002] as const,
    ),
  ),
  ...kinds
    .slice(1)
    .map((opcode) => [`opcode ${opcode} without a mask`, frame({ opcode, mask: false, payload: 'x' }), 1002] as const),
  ['a continuation without a mask', Buffer.concat([text('a', false), frame({ opcode: 0, mask: false })]), 1002],
  ...[8, 9, 10].map((opcode) => [`opcode ${opcode} in fragments`, frame({ opcode, fin: false }), 1002] as const),
  ...[8, 9, 10].map(
    (opcode) => [`opcode ${opcode} of 126 bytes`, frame({ opcode, payload: Buffer.alloc(126) }), 1002] as const,
  ),
  ...[8, 9, 10].map(
    (opcode) => [`opcode ${opcode} of 2^63 bytes`, frame({ opcode, length: 2n ** 63n }), 1002] as const,
  ),
  ['a continuation of nothing', more('x', true), 1002],
  ['a fragment of nothing', more('x'), 1002],
  ['a text inside of a message', Buffer.concat([text('a', false), text('b')]), 1002],
  ['a binary message inside of a text', Buffer.concat([text('a', false), frame({ opcode: 2 })]), 1002],
  ['a length of 5 in 16 bits', frame({ opcode: 2, payload: 'abcde', lengthBits: 16 }), 1002],
  ['a length of 5 in 64 bits', frame({ opcode: 2, payload: 'abcde', lengthBits: 64 }), 1002],
  ['a length with its top bit set', frame({ opcode: 2, length: 2n ** 63n }), 1002],
  ['a length of 64 ones', frame({ opcode: 2, length: 2n ** 64n - 1n }), 1002],
  ['a length of 2^53', frame({ opcode: 2, length: 2n ** 53n }), 1009],
  ['a close frame of one byte', frame({ opcode: 8, payload: bytes('03') }), 1002],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
    (code) => [`close code ${code}`, frame({ opcode: 8, payload: closeBody(code) }), 1002] as const,
  ),
  ['a reason that is no UTF-8', frame({ opcode: 8, payload: bytes('03e8 c080') }), 1007],
  ...NOT_UTF8.map((hex) => [`text of ${hex}`, frame({ opcode: 1, payload: bytes(hex) }), 1007] as const),
  [
    'text that is cut inside of a character',
    Buffer.concat([frame({ opcode: 1, payload: bytes('61 e2 82'), fin: false }), more('', true)]),
    1007,
  ],
];
