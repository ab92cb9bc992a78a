/** Family 7, closing: who says what, with which code, and who ends the TCP connection. */
import { binary, closeBody, frame, more, text } from '../support/frames.js';
import { CLOSES } from './runner.js';
import { bytesOf, type Case, type Goodbye, octets, receive, send, showing, textOf } from './table.js';

const RFC = 'RFC 6455';
const close = (body: Buffer | string = ''): Buffer => frame({ opcode: 8, payload: body });
const ping = (payload = ''): Buffer => frame({ opcode: 9, payload });
const NORMAL: Goodbye = { code: 1000, reason: '' };

const answered: Case[] = [
  ...showing<Case>(
    `${RFC} 5.5.1`,
    'If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send a Close frame in ' +
      'response.',
    [
      {
        id: '7.1.1',
        does: 'echoes a message, answers a close frame, and ends the TCP connection',
        steps: () => [send(text('Hello, world!')), receive(1, 'Hello, world!'), send(close(closeBody(1000)))],
        ends: NORMAL,
      },
      {
        id: '7.1.2',
        does: 'answers the first of two close frames',
        steps: () => [send(close(closeBody(1000)), close(closeBody(1001)))],
        ends: NORMAL,
      },
      {
        id: '7.3.1',
        does: 'answers a close frame without a body by another',
        steps: () => [send(close())],
        ends: { code: 1005 },
      },
      {
        id: '7+1',
        does: 'answers a close frame that comes octet by octet',
        steps: () => [octets(close(closeBody(1000, 'bye')))],
        ends: { code: 1000, reason: 'bye' },
      },
    ],
  ),
  ...showing<Case>(`${RFC} 5.5.1`, 'the endpoint typically echos the status code it received', [
    { id: '7.3.3', does: 'answers a code with the same', steps: () => [send(close(closeBody(1000)))], ends: NORMAL },
    {
      id: '7.3.4',
      does: 'answers a code and a reason with the same',
      steps: () => [send(close(closeBody(1000, 'Hello, world!')))],
      ends: { code: 1000, reason: 'Hello, world!' },
    },
    {
      id: '7.3.5',
      does: 'answers a reason of 123 bytes, the longest there is',
      steps: () => [send(close(closeBody(1000, '*'.repeat(123))))],
      ends: { code: 1000, reason: '*'.repeat(123) },
    },
    {
      id: '7+2',
      does: 'answers a reason with characters of every length',
      steps: () => [send(close(closeBody(3000, 'µ€𝄞')))],
      ends: { code: 3000, reason: 'µ€𝄞' },
    },
  ]),
  ...showing<Case>(
    `${RFC} 5.5.1`,
    'After both sending and receiving a Close message, an endpoint considers the WebSocket connection closed and MUST close ' +
      'the underlying TCP connection. The server MUST close the underlying TCP connection immediately',
    [
      {
        id: '7.1.3',
        does: 'answers no ping behind a close frame',
        steps: () => [send(close(closeBody(1000)), ping())],
        ends: NORMAL,
      },
      {
        id: '7.1.4',
        does: 'echoes no text behind a close frame',
        steps: () => [send(close(closeBody(1000)), text('Hello, world!'))],
        ends: NORMAL,
      },
      {
        id: '7.1.5',
        does: 'does not go on with a message that a close frame interrupts',
        steps: () => [send(text('fragment1', false), close(closeBody(1000)), more('fragment2', true))],
        ends: NORMAL,
      },
      {
        id: '7.1.6',
        does: 'echoes 256 KiB and a message that came before the close frame, and answers no ping behind it',
        steps: () => [
          send(text(textOf(262_144)), text('Hello, world!'), close(closeBody(1000)), ping()),
          receive(1, textOf(262_144)),
          receive(1, 'Hello, world!'),
        ],
        ends: NORMAL,
      },
      {
        id: '7+3',
        does: 'ends the TCP connection although the client goes on sending',
        steps: () => [send(close(closeBody(1000)), ...Array.from({ length: 20 }, () => binary(bytesOf(65_536))))],
        ends: NORMAL,
      },
      {
        id: '7+4',
        does: 'does not mind what is malformed behind a close frame',
        steps: () => [send(close(closeBody(1000)), frame({ opcode: 15, rsv: 7, mask: false }))],
        ends: NORMAL,
      },
    ],
  ),
  ...showing<Case>(
    `${RFC} 7.1.5`,
    'no Close control frame was received by the endpoint (such as could occur if the underlying transport connection is lost)',
    [
      { id: '7+5', does: 'ends the TCP connection when the client does', steps: () => [{ end: true }], ends: 'over' },
      {
        id: '7+6',
        does: 'the same inside of a message',
        steps: () => [send(text('half', false), ping('x').subarray(0, 3)), { end: true }],
        ends: 'over',
      },
      {
        id: '7+7',
        does: 'echoes what came before the end',
        steps: () => [send(text('last words')), { end: true }, receive(1, 'last words')],
        ends: 'over',
      },
    ],
  ),
];

const malformed: Case[] = [
  ...showing<Case>(
    `${RFC} 5.5.1`,
    'If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer',
    [{ id: '7.3.2', does: 'fails on a body of one byte', steps: () => [send(close('a'))], ends: { code: 1002 } }],
  ),
  ...showing<Case>(`${RFC} 5.5`, 'All control frames MUST have a payload length of 125 bytes or less', [
    {
      id: '7.3.6',
      does: 'fails on a reason of 124 bytes',
      steps: () => [send(close(closeBody(1000, '*'.repeat(124))))],
      ends: { code: 1002 },
    },
  ]),
  ...showing<Case>(
    `${RFC} 5.5.1`,
    'Following the 2-byte integer, the body MAY contain UTF-8-encoded data with value /reason/',
    [
      ['7.5.1', 'is no UTF-8', 'cebae1bdb9cf83cebcceb5eda080656469746564'],
      ['7+8', 'ends inside of a character', '6869e282'],
      ['7+9', 'has a surrogate', 'eda080'],
      ['7+10', 'has an overlong character', 'c0af'],
    ].map(([id = '', what, hex = '']) => ({
      id,
      does: `fails with 1007 on a reason that ${what}`,
      steps: () => [send(close(Buffer.concat([closeBody(1000), Buffer.from(hex, 'hex')])))],
      ends: { code: 1007 },
    })),
  ),
];

/** Those that the suite has, in its order, and then the rest of what the registry has and the ends of each range. */
const VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const MORE_VALID = [1012, 1013, 1014, 3001, 3500, 4500, 4998];
const INVALID = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
const BEYOND = [5000, 65_535];
const MORE_INVALID = [1, 500, 1015, 1017, 1999, 2001, 5001, 10_000, 32_767, 32_768, 65_534];

const takesCode = (id: string, code: number): Omit<Case, 'section' | 'says'> => ({
  id,
  does: `answers ${code} with the same`,
  steps: () => [send(close(closeBody(code, 'reason')))],
  ends: { code, reason: 'reason' },
});

const refusesCode = (id: string, code: number): Omit<Case, 'section' | 'says'> => ({
  id,
  does: `fails on ${code}`,
  steps: () => [send(close(closeBody(code)))],
  ends: { code: 1002 },
});

const codes: Case[] = [
  ...showing<Case>(
    `${RFC} 7.4.1`,
    'Endpoints MAY use the following pre-defined status codes when sending a Close frame.',
    [
      ...VALID.map((code, i) => takesCode(`7.7.${i + 1}`, code)),
      ...MORE_VALID.map((code, i) => takesCode(`7+${11 + i}`, code)),
    ],
  ),
  ...showing<Case>(
    `${RFC} 7.4`,
    'This specification defines a set of pre-defined status codes and specifies which ranges may be used by extensions, ' +
      'frameworks, and end applications.',
    [
      ...INVALID.map((code, i) => refusesCode(`7.9.${i + 1}`, code)),
      ...BEYOND.map((code, i) => refusesCode(`7.13.${i + 1}`, code)),
      ...MORE_INVALID.map((code, i) => refusesCode(`7+${18 + i}`, code)),
    ],
  ),
];

const said = { hear: CLOSES };

const ours: Case[] = [
  ...showing<Case>(
    `${RFC} 7.1.2`,
    'To _Start the WebSocket Closing Handshake_ with a status code (Section 7.4) /code/ and an optional close reason (Section ' +
      '7.1.6) /reason/, an endpoint MUST send a Close control frame, as described in Section 5.5.1',
    [
      {
        id: '7+29',
        does: 'sends a close frame behind what it wrote, and ends the TCP connection after the answer',
        steps: () => [send(text('go')), receive(1, 'go'), said, send(close(closeBody(4000, 'enough')))],
        ends: 'over',
        path: '/closes',
      },
      {
        id: '7+30',
        does: 'takes any code for an answer',
        steps: () => [send(text('go')), receive(1, 'go'), said, send(close(closeBody(1001)))],
        ends: 'over',
        path: '/closes',
      },
      {
        id: '7+31',
        does: 'takes an answer without a body',
        steps: () => [send(text('go')), receive(1, 'go'), said, send(close())],
        ends: 'over',
        path: '/closes',
      },
      {
        id: '7+32',
        does: 'ends the TCP connection after close frames that have crossed',
        steps: () => [send(text('go'), close(closeBody(1000))), receive(1, 'go'), said],
        ends: 'over',
        path: '/closes',
      },
    ],
  ),
  ...showing<Case>(`${RFC} 5.5.1`, 'The application MUST NOT send any more data frames after sending a Close frame.', [
    {
      id: '7+33',
      does: 'echoes nothing behind its close frame, and answers no ping',
      steps: () => [
        send(text('go')),
        receive(1, 'go'),
        said,
        send(text('more'), ping('late'), binary(bytesOf(70_000)), close(closeBody(1000))),
      ],
      ends: 'over',
      path: '/closes',
    },
    {
      id: '7+34',
      does: 'sends one close frame, also where the client breaks the protocol instead of answering',
      steps: () => [send(text('go')), receive(1, 'go'), said, send(frame({ opcode: 3 }))],
      ends: 'over',
      path: '/closes',
    },
    {
      id: '7+35',
      does: 'ends the TCP connection when the client does so instead of answering',
      steps: () => [send(text('go')), receive(1, 'go'), said, { end: true }],
      ends: 'over',
      path: '/closes',
    },
  ]),
];

const failing = showing<Case>(
  `${RFC} 7.1.7`,
  'An endpoint MUST NOT continue to attempt to process data (including a responding Close frame) from the remote endpoint ' +
    'after being instructed to _Fail the WebSocket Connection_.',
  [
    {
      id: '7+36',
      does: 'neither echoes nor answers what comes behind a mistake in the same write',
      steps: () => [send(frame({ opcode: 3 }), text('more'), ping('more'), close(closeBody(1000)))],
      ends: { code: 1002 },
    },
    {
      id: '7+37',
      does: 'nor what comes in a later one',
      steps: () => [
        send(frame({ opcode: 3 })),
        { hear: { code: 1002 } },
        send(text('more'), ping('more'), close(closeBody(1000))),
      ],
      ends: 'over',
    },
    {
      id: '7+38',
      does: 'nor megabytes of it',
      steps: () => [send(frame({ opcode: 3 }), ...Array.from({ length: 32 }, () => text(textOf(65_536))))],
      ends: { code: 1002 },
    },
  ],
);

export const closing: readonly Case[] = [...answered, ...malformed, ...codes, ...ours, ...failing];
