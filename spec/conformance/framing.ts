/** Family 1, framing: every size at which the header changes, masking, lengths, and frames cut by TCP anywhere. */
import { binary, frame, text } from '../support/frames.js';
import { bytesOf, type Case, octets, receive, type Step, send, showing, textOf } from './table.js';

const RFC = 'RFC 6455';
const SIZES = [0, 125, 126, 127, 128, 65_535, 65_536];

const echoText = (size: number, by?: number) => (): readonly Step[] => {
  const payload = textOf(size);
  return [{ send: text(payload), by }, receive(1, payload)];
};

const echoBinary = (size: number, by?: number) => (): readonly Step[] => {
  const payload = bytesOf(size);
  return [{ send: binary(payload), by }, receive(2, payload)];
};

const sizes: Case[] = [
  ...showing<Case>(`${RFC} 5.6`, 'The "Payload data" is text data encoded as UTF-8.', [
    ...SIZES.map((size, i) => ({
      id: `1.1.${i + 1}`,
      does: `echoes a text message of ${size} bytes`,
      steps: echoText(size),
      ends: 'alive' as const,
    })),
    {
      id: '1.1.8',
      does: 'echoes a text message of 65536 bytes that comes in writes of 997',
      steps: echoText(65_536, 997),
      ends: 'alive',
    },
  ]),
  ...showing<Case>(
    `${RFC} 5.6`,
    'The "Payload data" is arbitrary binary data whose interpretation is solely up to the application layer.',
    [
      ...SIZES.map((size, i) => ({
        id: `1.2.${i + 1}`,
        does: `echoes a binary message of ${size} bytes`,
        steps: echoBinary(size),
        ends: 'alive' as const,
      })),
      {
        id: '1.2.8',
        does: 'echoes a binary message of 65536 bytes that comes in writes of 997',
        steps: echoBinary(65_536, 997),
        ends: 'alive',
      },
    ],
  ),
  ...showing<Case>(
    `${RFC} 6.2`,
    'Incoming data MUST be parsed as WebSocket frames as defined in Section 5.2.',
    [0, 1, 125, 126, 127, 128, 300].flatMap((size, i) => [
      {
        id: `1+${2 * i + 1}`,
        does: `echoes a text message of ${size} bytes that comes octet by octet`,
        steps: echoText(size, 1),
        ends: 'alive' as const,
      },
      {
        id: `1+${2 * i + 2}`,
        does: `echoes a binary message of ${size} bytes that comes octet by octet`,
        steps: echoBinary(size, 1),
        ends: 'alive' as const,
      },
    ]),
  ),
  ...showing<Case>(
    `${RFC} 6.2`,
    'Subsequent data frames MUST be interpreted as belonging to a new WebSocket message.',
    [
      {
        id: '1+15',
        does: 'echoes seven messages that come in one write, in order',
        steps: () => [
          send(...SIZES.map((size) => text(textOf(size)))),
          ...SIZES.map((size) => receive(1, textOf(size))),
        ],
        ends: 'alive',
      },
      {
        id: '1+16',
        does: 'echoes text and binary messages in turns',
        steps: () => [
          send(text('one'), binary(bytesOf(300)), text(''), binary(bytesOf(0)), text('five')),
          receive(1, 'one'),
          receive(2, bytesOf(300)),
          receive(1),
          receive(2),
          receive(1, 'five'),
        ],
        ends: 'alive',
      },
    ],
  ),
];

/** A frame of two messages with this cut between two writes. */
const CUT = Buffer.concat([binary(bytesOf(130)), text('next')]);

const cuts = showing<Case>(
  `${RFC} 5.4`,
  'in absence of extensions, senders and receivers must not depend on the presence of specific frame boundaries',
  Array.from({ length: 17 }, (_, at) => ({
    id: `1+${17 + at}`,
    does: `echoes two messages of which the first is cut after ${at + 1} bytes`,
    steps: () => [
      { send: CUT.subarray(0, at + 1), by: at + 1 },
      { send: CUT.subarray(at + 1), by: CUT.length },
      receive(2, bytesOf(130)),
      receive(1, 'next'),
    ],
    ends: 'alive' as const,
  })),
);

const lengths: Case[] = [
  ...showing<Case>(`${RFC} 5.2`, 'in all cases, the minimal number of bytes MUST be used to encode the length', [
    ...[0, 1, 124, 125].map((size, i) => ({
      id: `1+${34 + i}`,
      does: `fails on the length ${size} in 16 bits`,
      steps: () => [send(frame({ opcode: 2, payload: bytesOf(size), lengthBits: 16 }))],
      ends: { code: 1002 },
    })),
    ...[0, 125, 126, 65_535].map((size, i) => ({
      id: `1+${38 + i}`,
      does: `fails on the length ${size} in 64 bits`,
      steps: () => [send(frame({ opcode: 2, payload: bytesOf(size), lengthBits: 64 }))],
      ends: { code: 1002 },
    })),
  ]),
  ...showing<Case>(`${RFC} 5.2`, 'a 64-bit unsigned integer (the most significant bit MUST be 0)', [
    {
      id: '1+42',
      does: 'fails on the length 2^63',
      steps: () => [send(frame({ opcode: 2, length: 2n ** 63n }))],
      ends: { code: 1002 },
    },
    {
      id: '1+43',
      does: 'fails on the length 2^64 - 1',
      steps: () => [send(frame({ opcode: 1, length: 2n ** 64n - 1n }))],
      ends: { code: 1002 },
    },
  ]),
  ...showing<Case>(
    `${RFC} 10.4`,
    'Implementations that have implementation- and/or platform-specific limitations regarding the frame size or total message ' +
      'size after reassembly from multiple frames MUST protect themselves against exceeding those limits.',
    [
      {
        id: '1+44',
        does: 'fails with 1009 on the length 2^63 - 1, before any of it has come',
        steps: () => [send(frame({ opcode: 2, length: 2n ** 63n - 1n }))],
        ends: { code: 1009 },
      },
      {
        id: '1+45',
        does: 'fails with 1009 on the length 2^60, "a single big frame"',
        steps: () => [send(frame({ opcode: 2, length: 2n ** 60n }))],
        ends: { code: 1009 },
      },
      {
        id: '1+46',
        does: 'echoes a message as large as the limit allows',
        steps: echoBinary(1024),
        ends: 'alive',
        path: '/small',
      },
      {
        id: '1+47',
        does: 'fails with 1009 on the header of a message of one byte more',
        steps: () => [send(binary(bytesOf(1025)).subarray(0, 8))],
        ends: { code: 1009 },
        path: '/small',
      },
      {
        id: '1+48',
        does: 'fails with 1009 on the header of the fragment that makes a message too large',
        steps: () => [send(binary(bytesOf(1000), false), frame({ opcode: 0, fin: false, length: 25 }))],
        ends: { code: 1009 },
        path: '/small',
      },
      {
        id: '1+49',
        does: 'fails with 1009 on "a long stream of small frames" of one message',
        steps: () => [
          send(
            binary(bytesOf(1), false),
            ...Array.from({ length: 1024 }, () => frame({ opcode: 0, fin: false, payload: 'x' })),
          ),
        ],
        ends: { code: 1009 },
        path: '/small',
      },
    ],
  ),
];

const KEYS = ['00000000', 'ffffffff', '80000000', '00000001', '0000ff00', '37fa213d'];

const masking: Case[] = [
  ...showing<Case>(
    `${RFC} 5.1`,
    'The server MUST close the connection upon receiving a frame that is not masked.',
    [1, 2, 8, 9, 10].flatMap((opcode, i) => [
      {
        id: `1+${50 + 3 * i}`,
        does: `fails on a frame of opcode ${opcode} that is not masked`,
        steps: () => [send(frame({ opcode, payload: opcode === 8 ? '\u0003\u0000' : 'bare', mask: false }))],
        ends: { code: 1002 },
      },
      {
        id: `1+${51 + 3 * i}`,
        does: `fails on one without a payload, of opcode ${opcode}`,
        steps: () => [send(frame({ opcode, mask: false }))],
        ends: { code: 1002 },
      },
      {
        id: `1+${52 + 3 * i}`,
        does: `fails on one of opcode ${opcode} behind a message, which it has echoed`,
        steps: () => [send(text('before'), frame({ opcode, mask: false })), receive(1, 'before')],
        ends: { code: 1002 },
      },
    ]),
  ),
  ...showing<Case>(`${RFC} 5.1`, 'The server MUST close the connection upon receiving a frame that is not masked.', [
    {
      id: '1+65',
      does: 'fails on a continuation that is not masked',
      steps: () => [send(text('a', false), frame({ opcode: 0, payload: 'b', mask: false }))],
      ends: { code: 1002 },
    },
  ]),
  ...showing<Case>(`${RFC} 6.2`, 'A server MUST remove masking for data frames received from a client', [
    ...KEYS.map((key, i) => ({
      id: `1+${66 + i}`,
      does: `unmasks with the key ${key}`,
      steps: () => [
        send(frame({ opcode: 2, payload: bytesOf(1000), mask: Buffer.from(key, 'hex') })),
        receive(2, bytesOf(1000)),
      ],
      ends: 'alive' as const,
    })),
    {
      id: '1+72',
      does: 'unmasks each fragment with a key of its own',
      steps: () => [
        send(
          ...KEYS.map((key, i) =>
            frame({
              opcode: i === 0 ? 2 : 0,
              payload: bytesOf(3 + i),
              mask: Buffer.from(key, 'hex'),
              fin: i === KEYS.length - 1,
            }),
          ),
        ),
        receive(2, Buffer.concat(KEYS.map((_, i) => bytesOf(3 + i)))),
      ],
      ends: 'alive',
    },
  ]),
  ...showing<Case>(
    `${RFC} 5.3`,
    'the XOR of octet i of the original data ("original-octet-i") with octet at index i modulo 4 of the masking key',
    Array.from({ length: 9 }, (_, size) => ({
      id: `1+${73 + size}`,
      does: `unmasks ${size} bytes that come octet by octet`,
      steps: () => [
        octets(frame({ opcode: 2, payload: bytesOf(size), mask: Buffer.from('01020408', 'hex') })),
        receive(2, bytesOf(size)),
      ],
      ends: 'alive' as const,
    })),
  ),
];

const examples = showing<Case>(`${RFC} 5.7`, 'A single-frame masked text message', [
  {
    id: '1+82',
    does: 'echoes the "Hello" of the examples',
    steps: () => [send(Buffer.from('818537fa213d7f9f4d5158', 'hex')), receive(1, 'Hello')],
    ends: 'alive',
  },
  {
    id: '1+83',
    does: 'fails on the "Hello" of the examples that is not masked',
    steps: () => [send(Buffer.from('810548656c6c6f', 'hex'))],
    ends: { code: 1002 },
  },
  {
    id: '1+84',
    does: 'takes the pong of the examples that is masked, and says nothing to it',
    steps: () => [send(Buffer.from('8a8537fa213d7f9f4d5158', 'hex'))],
    ends: 'alive',
  },
]);

export const framing: readonly Case[] = [...sizes, ...cuts, ...lengths, ...masking, ...examples];
