/** Family 5, fragmentation, and family 10. */
import { binary, frame, more, text } from '../support/frames.js';
import { bytesOf, type Case, fragmentsOf, octets, receive, send, showing, textOf } from './table.js';

const RFC = 'RFC 6455';
const ping = (payload = 'ping'): Buffer => frame({ opcode: 9, payload });
const fragments = (...parts: readonly string[]): Buffer[] =>
  parts.map((part, i) => (i === 0 ? text(part, parts.length === 1) : more(part, i === parts.length - 1)));

const PARTS = ['fragment1', 'fragment2', 'fragment3', 'fragment4', 'fragment5'];

const control = showing<Case>(`${RFC} 5.4`, 'Control frames themselves MUST NOT be fragmented.', [
  {
    id: '5.1',
    does: 'fails on a ping in two fragments',
    steps: () => [send(frame({ opcode: 9, fin: false, payload: 'frag' }), more('ment', true))],
    ends: { code: 1002 },
  },
  {
    id: '5.2',
    does: 'fails on a pong in two fragments',
    steps: () => [send(frame({ opcode: 10, fin: false, payload: 'frag' }), more('ment', true))],
    ends: { code: 1002 },
  },
]);

const together = showing<Case>(
  `${RFC} 5.4`,
  'A fragmented message is conceptually equivalent to a single larger message whose payload is equal to the concatenation of ' +
    'the payloads of the fragments in order',
  [
    {
      id: '5.3',
      does: 'echoes text in two fragments',
      steps: () => [send(...fragments('fragment1', 'fragment2')), receive(1, 'fragment1fragment2')],
      ends: 'alive',
    },
    {
      id: '5.4',
      does: 'echoes text in two fragments that come in a write each',
      steps: () => [send(text('fragment1', false)), send(more('fragment2', true)), receive(1, 'fragment1fragment2')],
      ends: 'alive',
    },
    {
      id: '5.5',
      does: 'echoes text in two fragments that come octet by octet',
      steps: () => [octets(...fragments('fragment1', 'fragment2')), receive(1, 'fragment1fragment2')],
      ends: 'alive',
    },
    {
      id: '5+1',
      does: 'echoes binary data in fragments of every size up to 130',
      steps: () => [
        send(
          binary(bytesOf(0), false),
          ...Array.from({ length: 130 }, (_, size) => more(bytesOf(size + 1))),
          more('', true),
        ),
        receive(2, Buffer.concat(Array.from({ length: 130 }, (_, size) => bytesOf(size + 1)))),
      ],
      ends: 'alive',
    },
    {
      id: '5+2',
      does: 'echoes a message of nothing but empty fragments',
      steps: () => [send(...fragments('', '', '', '')), receive(1)],
      ends: 'alive',
    },
    {
      id: '5+3',
      does: 'echoes fragmented messages that follow each other, text and binary',
      steps: () => [
        send(...fragments('a', 'b'), binary(bytesOf(3), false), more(bytesOf(4), true), ...fragments('c', '', 'd')),
        receive(1, 'ab'),
        receive(2, Buffer.concat([bytesOf(3), bytesOf(4)])),
        receive(1, 'cd'),
      ],
      ends: 'alive',
    },
  ],
);

const interjected = showing<Case>(
  `${RFC} 5.4`,
  'An endpoint MUST be capable of handling control frames in the middle of a fragmented message.',
  [
    {
      id: '5.6',
      does: 'answers a ping between two fragments, then echoes the message',
      steps: () => [
        send(text('fragment1', false), ping(), more('fragment2', true)),
        receive(10, 'ping'),
        receive(1, 'fragment1fragment2'),
      ],
      ends: 'alive',
    },
    {
      id: '5.7',
      does: 'the same with a write for each frame',
      steps: () => [
        send(text('fragment1', false)),
        send(ping()),
        receive(10, 'ping'),
        send(more('fragment2', true)),
        receive(1, 'fragment1fragment2'),
      ],
      ends: 'alive',
    },
    {
      id: '5.8',
      does: 'the same octet by octet',
      steps: () => [
        octets(text('fragment1', false), ping(), more('fragment2', true)),
        receive(10, 'ping'),
        receive(1, 'fragment1fragment2'),
      ],
      ends: 'alive',
    },
    {
      id: '5.19',
      does: 'answers two pings among five fragments that come one after the other',
      steps: () => [
        send(text(PARTS[0]!, false), more(PARTS[1]!), ping('1')),
        receive(10, '1'),
        send(more(PARTS[2]!), more(PARTS[3]!), ping('2'), more(PARTS[4]!, true)),
        receive(10, '2'),
        receive(1, PARTS.join('')),
      ],
      ends: 'alive',
    },
    {
      id: '5.20',
      does: 'the same with a write for each frame',
      steps: () => [
        send(text(PARTS[0]!, false)),
        send(more(PARTS[1]!)),
        send(ping('1')),
        receive(10, '1'),
        send(more(PARTS[2]!)),
        send(more(PARTS[3]!)),
        send(ping('2')),
        send(more(PARTS[4]!, true)),
        receive(10, '2'),
        receive(1, PARTS.join('')),
      ],
      ends: 'alive',
    },
    {
      id: '5+4',
      does: 'answers a ping after each of a hundred fragments',
      steps: () => [
        send(
          text('0', false),
          ...Array.from({ length: 100 }, (_, i) => [ping(`${i}`), more(`${i % 10}`)]).flat(),
          more('', true),
        ),
        ...Array.from({ length: 100 }, (_, i) => receive(10, `${i}`)),
        receive(1, `0${'0123456789'.repeat(10)}`),
      ],
      ends: 'alive',
    },
  ],
);

/** Bytes that are wrong where no message is open. */
const stray = (fin: boolean): Buffer => more('non-continuation payload', fin);

const order: Case[] = [
  ...showing<Case>(
    `${RFC} 5.4`,
    'A fragmented message consists of a single frame with the FIN bit clear and an opcode other than 0, followed by zero or ' +
      'more frames with the FIN bit clear and the opcode set to 0, and terminated by a single frame with the FIN bit set and an ' +
      'opcode of 0.',
    [true, false].flatMap((fin, i) => [
      {
        id: `5.${9 + 3 * i}`,
        does: `fails on a continuation with FIN = ${fin} where nothing is to be continued`,
        steps: () => [send(stray(fin), text('Hello, world!'))],
        ends: { code: 1002 },
      },
      {
        id: `5.${10 + 3 * i}`,
        does: `the same with FIN = ${fin} and a write for each frame`,
        steps: () => [send(stray(fin)), send(text('Hello, world!'))],
        ends: { code: 1002 },
      },
      {
        id: `5.${11 + 3 * i}`,
        does: `the same with FIN = ${fin} octet by octet, on the first`,
        steps: () => [octets(stray(fin).subarray(0, 1))],
        ends: { code: 1002 },
      },
    ]),
  ),
  ...showing<Case>(
    `${RFC} 5.4`,
    'An unfragmented message consists of a single frame with the FIN bit set (Section 5.2) and an opcode other than 0.',
    [
      {
        id: '5.15',
        does: 'echoes the message before it, and fails on a continuation that begins another',
        steps: () => [
          send(...fragments('fragment1', 'fragment2'), more('fragment3'), text('fragment4')),
          receive(1, 'fragment1fragment2'),
        ],
        ends: { code: 1002 },
      },
      {
        id: '5.16',
        does: 'fails on a message that begins with a continuation, FIN = false, twice',
        steps: () => [
          send(...[1, 2].flatMap(() => [more('fragment1'), text('fragment2', false), more('fragment3', true)])),
        ],
        ends: { code: 1002 },
      },
      {
        id: '5.17',
        does: 'fails on a message that begins with a continuation, FIN = true, twice',
        steps: () => [
          send(...[1, 2].flatMap(() => [more('fragment1', true), text('fragment2', false), more('fragment3', true)])),
        ],
        ends: { code: 1002 },
      },
    ],
  ),
  ...showing<Case>(
    `${RFC} 5.4`,
    'The fragments of one message MUST NOT be interleaved between the fragments of another message unless an extension has ' +
      'been negotiated that can interpret the interleaving.',
    [
      {
        id: '5.18',
        does: 'fails on text in two fragments with the opcode of text in both',
        steps: () => [send(text('fragment1', false), text('fragment2'))],
        ends: { code: 1002 },
      },
      ...[1, 2].flatMap((opcode, i) =>
        [1, 2].map((second, j) => ({
          id: `5+${5 + 2 * i + j}`,
          does: `fails on the first byte of opcode ${second} inside a message of opcode ${opcode}`,
          steps: () => [send(frame({ opcode, fin: false, payload: 'a' }), frame({ opcode: second }).subarray(0, 1))],
          ends: { code: 1002 },
        })),
      ),
      {
        id: '5+9',
        does: 'fails on a whole message behind a message that has one fragment and a ping',
        steps: () => [send(text('a', false), ping(), text('b')), receive(10, 'ping')],
        ends: { code: 1002 },
      },
    ],
  ),
];

/** Family 10 asks that a message be taken that the sender has fragmented by its size. */
const SIZE = 65_536;

export const automatic: readonly Case[] = showing<Case>(
  `${RFC} 5.4`,
  'A sender MAY create fragments of any size for non-control messages.',
  [1300, 1, 125, 126, 4096, 65_535].map((size, i) => ({
    id: i === 0 ? '10.1.1' : `10+${i}`,
    does: `echoes text of 65,536 bytes that is sent in fragments of ${size}`,
    steps: () => [send(fragmentsOf(1, Buffer.from(textOf(SIZE)), size)), receive(1, textOf(SIZE))],
    ends: 'alive' as const,
  })),
);

export const fragmentation: readonly Case[] = [...control, ...together, ...interjected, ...order];
