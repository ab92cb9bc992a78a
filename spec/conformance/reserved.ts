/** Families 3 and 4: what is reserved for extensions, where none is agreed on. */
import { binary, closeBody, frame, text } from '../support/frames.js';
import { type Case, octets, receive, send, showing } from './table.js';

const RFC = 'RFC 6455';

const PAYLOAD: Record<number, Buffer> = { 8: closeBody(1000, 'bye') };
const HELLO = Buffer.from('Hello, world!');

/** Whole, but for its reserved bits. */
const withBits = (opcode: number, rsv: number): Buffer => frame({ opcode, rsv, payload: PAYLOAD[opcode] ?? HELLO });
const PING = frame({ opcode: 9, payload: 'never answered' });

export const reservedBits: readonly Case[] = showing<Case>(
  `${RFC} 5.2`,
  'If a nonzero value is received and none of the negotiated extensions defines the meaning of such a nonzero value, the ' +
    'receiving endpoint MUST _Fail the WebSocket Connection_.',
  [
    { id: '3.1', does: 'fails on text with RSV = 1', steps: () => [send(withBits(1, 1))], ends: { code: 1002 } },
    {
      id: '3.2',
      does: 'echoes the message before it, fails on text with RSV = 2, and answers no ping behind it',
      steps: () => [send(text('before'), withBits(1, 2), PING), receive(1, 'before')],
      ends: { code: 1002 },
    },
    {
      id: '3.3',
      does: 'the same with RSV = 3 and a write for each frame',
      steps: () => [send(text('before')), receive(1, 'before'), send(withBits(1, 3)), send(PING)],
      ends: { code: 1002 },
    },
    {
      id: '3.4',
      does: 'the same with RSV = 4, octet by octet',
      steps: () => [octets(text('before'), withBits(1, 4).subarray(0, 1)), receive(1, 'before')],
      ends: { code: 1002 },
    },
    { id: '3.5', does: 'fails on binary data with RSV = 5', steps: () => [send(withBits(2, 5))], ends: { code: 1002 } },
    { id: '3.6', does: 'fails on a ping with RSV = 6', steps: () => [send(withBits(9, 6))], ends: { code: 1002 } },
    {
      id: '3.7',
      does: 'fails on a close frame with RSV = 7',
      steps: () => [send(withBits(8, 7))],
      ends: { code: 1002 },
    },
    ...[1, 2, 3, 4, 5, 6, 7].flatMap((rsv) =>
      [0, 1, 2, 8, 9, 10].map((opcode, i) => ({
        id: `3+${6 * (rsv - 1) + i + 1}`,
        does: `fails on the first byte of a frame of opcode ${opcode} with RSV = ${rsv}`,
        steps: () => [
          ...(opcode === 0 ? [send(binary(HELLO, false))] : []),
          send(withBits(opcode, rsv).subarray(0, 1)),
        ],
        ends: { code: 1002 },
      })),
    ),
  ],
);

/** The suite's order: 4.1.x are data frames, 4.2.x control frames; the first two of each come alone. */
const asInTheSuite = (opcode: number, i: number, family: string): Omit<Case, 'section' | 'says'> => {
  const odd = frame({ opcode, payload: i === 0 ? '' : HELLO });
  const alone = i < 2;
  return {
    id: `${family}.${i + 1}`,
    does: `fails on the opcode ${opcode}${alone ? '' : ' behind a message, which it has echoed'}${i === 4 ? ', octet by octet' : ''}`,
    steps: () =>
      alone
        ? [send(odd)]
        : [
            i === 4 ? octets(text('before'), odd.subarray(0, 1)) : send(text('before'), odd, PING),
            receive(1, 'before'),
          ],
    ends: { code: 1002 },
  };
};

export const opcodes: readonly Case[] = showing<Case>(
  `${RFC} 5.2`,
  'If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_.',
  [
    ...[3, 4, 5, 6, 7].map((opcode, i) => asInTheSuite(opcode, i, '4.1')),
    ...[11, 12, 13, 14, 15].map((opcode, i) => asInTheSuite(opcode, i, '4.2')),
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode, i) => [
      {
        id: `4+${3 * i + 1}`,
        does: `fails on the first byte of a frame of opcode ${opcode}`,
        steps: () => [send(frame({ opcode }).subarray(0, 1))],
        ends: { code: 1002 },
      },
      {
        id: `4+${3 * i + 2}`,
        does: `fails on the first byte of a fragment of opcode ${opcode}`,
        steps: () => [send(frame({ opcode, fin: false }).subarray(0, 1))],
        ends: { code: 1002 },
      },
      {
        id: `4+${3 * i + 3}`,
        does: `fails on one of opcode ${opcode} in the middle of a message`,
        steps: () => [send(text('a', false), frame({ opcode }).subarray(0, 1))],
        ends: { code: 1002 },
      },
    ]),
  ],
);
