/** Family 12 from within: which frames may be compressed, and what may be in them. RFC 7692 sections 6 and 7.2. */
import { constants, type ZlibOptions } from 'node:zlib';
import { closeBody, frame, more, text } from '../support/frames.js';
import { compressedFrames, Deflater, finalBlocks, TAIL } from './deflate-client.js';
import { bytesOf, type Case, octets, receive, type Step, send, showing, textOf } from './table.js';
import { binaryData, manyDistances } from './test-data.js';

const RFC = 'RFC 7692';
const PMD = 'permessage-deflate';

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const deflated = (message: Buffer | string, options: ZlibOptions = {}): Buffer =>
  new Deflater(15, false).message(Buffer.from(message), options);
/** A whole message in one frame. */
const compressed = (payload: Buffer, opcode = 1): Buffer => compressedFrames(opcode, payload);
const ping = (payload: string): Buffer => frame({ opcode: 9, payload });

type Row = Omit<Case, 'section' | 'says' | 'id' | 'ends'> & Partial<Pick<Case, 'ends'>>;

let number = 0;

function cases(section: string, says: string, rows: readonly Row[]): Case[] {
  return showing<Case>(
    `${RFC} ${section}`,
    says,
    rows.map((row) => ({ offer: PMD, ends: 'alive', ...row, id: `12+${++number}` })),
  );
}

const HELLO = hex('f248cdc9c90700');

/** The examples of section 7.2.3, octet by octet as they stand there, but masked. */
const examples: Case[] = [
  ...cases('7.2.3.1', 'A Message Compressed Using One Compressed DEFLATE Block', [
    { does: 'inflates the example', steps: () => [send(compressed(HELLO)), receive(1, 'Hello')] },
    {
      does: 'inflates it in two fragments',
      steps: () => [
        send(frame({ opcode: 1, fin: false, rsv: 4, payload: hex('f248cd') }), more(hex('c9c90700'), true)),
        receive(1, 'Hello'),
      ],
    },
  ]),
  ...cases('7.2.3.2', 'Sharing LZ77 Sliding Window', [
    {
      does: 'inflates the second "Hello", which refers to the first',
      steps: () => [send(compressed(HELLO), compressed(hex('f200110000'))), receive(1, 'Hello'), receive(1, 'Hello')],
    },
  ]),
  ...cases('7.2.3.3', 'Using a DEFLATE Block with No Compression', [
    {
      does: 'inflates the example',
      steps: () => [send(compressed(hex('00 0500 faff 48656c6c6f 00'))), receive(1, 'Hello')],
    },
  ]),
  ...cases('7.2.3.4', 'Using a DEFLATE Block with "BFINAL" Set to 1', [
    { does: 'inflates the example', steps: () => [send(compressed(hex('f348cdc9c9070000'))), receive(1, 'Hello')] },
    {
      does: 'inflates it again and again',
      steps: () => [
        send(...[1, 2, 3].map(() => compressed(hex('f348cdc9c9070000'))), compressed(HELLO)),
        ...[1, 2, 3, 4].map(() => receive(1, 'Hello')),
      ],
    },
  ]),
  ...cases('7.2.3.5', 'Two DEFLATE Blocks in One Message', [
    {
      does: 'inflates the example',
      steps: () => [send(compressed(hex('f248 0500 0000 ffff cac9c90700'))), receive(1, 'Hello')],
    },
  ]),
  ...cases('7.2.3.6', 'Generating an Empty Fragment', [
    { does: 'inflates the single octet 0x00 to nothing', steps: () => [send(compressed(hex('00'))), receive(1)] },
    {
      does: 'takes it for the last fragment',
      steps: () => [
        send(
          frame({ opcode: 1, fin: false, rsv: 4, payload: Buffer.concat([HELLO.subarray(0, -1), Buffer.of(0), TAIL]) }),
        ),
        send(more(hex('00'), true)),
        receive(1, 'Hello'),
      ],
    },
    {
      does: 'inflates nothing of either kind, with other messages between',
      steps: () => [
        send(
          compressed(hex('00'), 2),
          compressed(HELLO),
          compressed(hex('00')),
          text(''),
          compressed(hex('f200110000')),
        ),
        receive(2),
        receive(1, 'Hello'),
        receive(1),
        receive(1),
        receive(1, 'Hello'),
      ],
    },
  ]),
];

const bits: Case[] = [
  ...cases(
    '6.1',
    'An endpoint MUST NOT set the "Per-Message Compressed" bit of control frames and non-first fragments of a data message. An ' +
      'endpoint receiving such a frame MUST _Fail the WebSocket Connection_.',
    [
      ...[8, 9, 10].map((opcode) => ({
        does: `fails on a frame of opcode ${opcode} with RSV1`,
        steps: () => [send(frame({ opcode, rsv: 4, payload: opcode === 8 ? closeBody(1000) : '' }))],
        ends: { code: 1002 },
      })),
      ...[true, false].flatMap((fin) => [
        {
          does: `fails on the first byte of a continuation with RSV1 and FIN = ${fin} of a compressed message`,
          steps: () => [
            send(frame({ opcode: 1, fin: false, rsv: 4, payload: hex('f248') })),
            send(frame({ opcode: 0, fin, rsv: 4 }).subarray(0, 1)),
          ],
          ends: { code: 1002 },
        },
        {
          does: `the same of a message that is not compressed, FIN = ${fin}`,
          steps: () => [send(text('a', false), frame({ opcode: 0, fin, rsv: 4 }).subarray(0, 1))],
          ends: { code: 1002 },
        },
      ]),
      {
        does: 'echoes the compressed messages before such a frame',
        steps: () => [
          send(compressed(HELLO), compressed(HELLO), frame({ opcode: 9, rsv: 4 })),
          receive(1, 'Hello'),
          receive(1, 'Hello'),
        ],
        ends: { code: 1002 },
      },
    ],
  ),
  ...showing<Case>(
    'RFC 6455 5.2',
    'If a nonzero value is received and none of the negotiated extensions defines the meaning of such a nonzero value, the ' +
      'receiving endpoint MUST _Fail the WebSocket Connection_.',
    [
      ...[1, 2, 3, 5, 6, 7].flatMap((rsv) =>
        [1, 2, 0, 8, 9, 10].map((opcode) => ({
          id: `12+${++number}`,
          does: `fails on the first byte of a frame of opcode ${opcode} with RSV = ${rsv}`,
          steps: () => [
            ...(opcode === 0 ? [send(frame({ opcode: 1, fin: false, rsv: 4, payload: hex('f248') }))] : []),
            send(frame({ opcode, rsv }).subarray(0, 1)),
          ],
          ends: { code: 1002 },
          offer: PMD,
        })),
      ),
      {
        id: `12+${++number}`,
        does: 'fails on a compressed message where no extension was agreed on',
        steps: () => [send(compressed(HELLO))],
        ends: { code: 1002 },
      },
    ],
  ),
  ...cases(
    '6',
    'On a WebSocket connection where a PMCE is in use, this bit indicates whether a message is compressed or not.',
    [
      {
        does: 'takes messages that are not compressed as they are',
        steps: () => [
          send(text('f248cd'), frame({ opcode: 2, payload: HELLO })),
          receive(1, 'f248cd'),
          receive(2, HELLO),
        ],
      },
      {
        does: 'takes a message in fragments that is not compressed',
        steps: () => [send(text('frag', false), more('ment', true)), receive(1, 'fragment')],
      },
      {
        does: 'takes compressed messages and others in turns, in order, and keeps the window over the others',
        steps: () => [
          send(text('first'), compressed(HELLO), text('Hello'), frame({ opcode: 2, payload: bytesOf(70_000) })),
          send(compressed(hex('f200110000')), text('last')),
          receive(1, 'first'),
          receive(1, 'Hello'),
          receive(1, 'Hello'),
          receive(2, bytesOf(70_000)),
          receive(1, 'Hello'),
          receive(1, 'last'),
        ],
      },
    ],
  ),
  ...cases(
    '6.1',
    'PMCEs do not change the opcode field. The opcode of the first frame of a compressed message indicates the opcode of the ' +
      'original message.',
    [1, 2].map((opcode) => ({
      does: `echoes a compressed message of opcode ${opcode} as such`,
      steps: () => [send(compressed(deflated(textOf(5000)), opcode)), receive(opcode, textOf(5000))],
    })),
  ),
];

const KOSME = Buffer.from('κόσμε');
const BEYOND = hex('f4908080');

const utf8: Case[] = [
  ...cases(
    '6.1',
    'the concatenation of the output data corresponding to the application data portion of frames of a compressed text message ' +
      'is not required to be valid UTF-8',
    [
      {
        does: 'takes compressed text of which no octet is text',
        steps: () => [send(compressed(deflated('\u0000\u0001'.repeat(100)))), receive(1, '\u0000\u0001'.repeat(100))],
      },
      {
        does: 'takes fragments that are cut anywhere in characters',
        steps: () => [send(compressedFrames(1, deflated(textOf(3000)), 1)), receive(1, textOf(3000))],
      },
    ],
  ),
  ...cases(
    '6.1',
    'At the receiver, the payload data portion after decompression is subject to the constraints for the original data type again.',
    [
      {
        does: 'fails with 1007 on what is not UTF-8 when it is inflated',
        steps: () => [send(compressed(deflated(Buffer.concat([KOSME, BEYOND]))))],
        ends: { code: 1007 },
      },
      {
        does: 'echoes the same as binary data',
        steps: () => [send(compressed(deflated(BEYOND), 2)), receive(2, BEYOND)],
      },
      {
        does: 'fails with 1007 on text that ends inside of a character',
        steps: () => [send(compressed(deflated(KOSME.subarray(0, -1))))],
        ends: { code: 1007 },
      },
      {
        does: 'fails with 1007 before the last fragment is sent',
        // Flushed, so that all of it can be inflated.
        steps: () => [
          send(frame({ opcode: 1, fin: false, rsv: 4, payload: Buffer.concat([deflated(KOSME), TAIL]) })),
          send(more(Buffer.concat([deflated(BEYOND), TAIL]))),
        ],
        ends: { code: 1007 },
      },
      {
        does: 'fails with 1007 before the rest of the frame is sent',
        steps: () => {
          const payload = Buffer.concat([deflated(KOSME), TAIL, deflated(BEYOND), TAIL]);
          const whole = frame({ opcode: 1, rsv: 4, payload: Buffer.concat([payload, bytesOf(1000)]) });
          return [send(whole.subarray(0, whole.length - 1000))];
        },
        ends: { code: 1007 },
      },
      {
        does: 'echoes the compressed messages before it',
        steps: () => [send(compressed(HELLO), compressed(deflated(BEYOND)), compressed(HELLO)), receive(1, 'Hello')],
        ends: { code: 1007 },
      },
    ],
  ),
];

const interjected: Case[] = showing<Case>(
  'RFC 6455 5.4',
  'Control frames (see Section 5.5) MAY be injected in the middle of a fragmented message.',
  [
    {
      id: `12+${++number}`,
      does: 'answers pings between the fragments of a compressed message',
      steps: () => [
        send(frame({ opcode: 1, fin: false, rsv: 4, payload: hex('f2') }), ping('1')),
        receive(10, '1'),
        send(more(hex('48cdc9')), ping('2'), more(hex('c90700'), true)),
        receive(10, '2'),
        receive(1, 'Hello'),
      ],
      ends: 'alive',
      offer: PMD,
    },
    {
      id: `12+${++number}`,
      does: 'answers a ping behind a compressed message, and the message before it',
      steps: () => [
        send(compressed(deflated(textOf(100_000))), ping('1')),
        receive(1, textOf(100_000)),
        receive(10, '1'),
      ],
      ends: 'alive',
      offer: PMD,
    },
    {
      id: `12+${++number}`,
      does: 'echoes the compressed messages before a close frame, and none behind it',
      steps: () => [
        send(compressed(HELLO), compressed(deflated(textOf(100_000))), frame({ opcode: 8 }), compressed(HELLO)),
        receive(1, 'Hello'),
        receive(1, textOf(100_000)),
      ],
      ends: { code: 1005 },
      offer: PMD,
    },
    {
      id: `12+${++number}`,
      does: 'drops half a message at a close frame',
      steps: () => [
        send(frame({ opcode: 1, fin: false, rsv: 4, payload: hex('f248') }), frame({ opcode: 8 }), more('', true)),
      ],
      ends: { code: 1005 },
      offer: PMD,
    },
    {
      id: `12+${++number}`,
      does: 'echoes the compressed message before a mistake',
      steps: () => [send(compressed(deflated(textOf(100_000))), frame({ opcode: 3 })), receive(1, textOf(100_000))],
      ends: { code: 1002 },
      offer: PMD,
    },
  ],
);

/** A message as octets of which the deflate stream is made in that way. */
const made = (does: string, message: Buffer, options: ZlibOptions): Row => ({
  does: `inflates ${does}`,
  steps: () => [send(compressed(deflated(message, options), 2)), receive(2, message)],
});

const REPEATED = Buffer.from('abcdefgh'.repeat(500));
const { Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_FILTERED } = constants;
const final = (message: string, options: ZlibOptions = {}): Buffer => finalBlocks(Buffer.from(message), options);

const blocks: Case[] = [
  ...cases('7.2.1', 'An endpoint MAY use DEFLATE blocks of any type.', [
    made('stored blocks', bytesOf(3000), { level: 0 }),
    made('more than one stored block', binaryData(0, 200_000), { level: 0 }),
    made('a fixed block', REPEATED, { strategy: Z_FIXED }),
    made('a dynamic block', manyDistances(0, 30_000), {}),
    made('a dynamic block without distances', manyDistances(0, 30_000), { strategy: Z_HUFFMAN_ONLY }),
    made('nothing but distances of 1', Buffer.alloc(100_000, 'x'), { strategy: Z_RLE }),
    made('filtered data', binaryData(0, 30_000), { strategy: Z_FILTERED }),
    ...[-1, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((level) => made(`level ${level}`, manyDistances(9000, 50_000), { level })),
    ...[1, 5, 9].map((memLevel) => made(`memory level ${memLevel}`, manyDistances(9000, 90_000), { memLevel })),
  ]),
  ...cases('7.2.1', 'An endpoint MAY use multiple DEFLATE blocks to compress one message.', [
    {
      does: 'inflates blocks of every type in one message',
      steps: () => [
        send(
          compressed(
            Buffer.concat([
              ...[{ level: 0 }, { strategy: Z_FIXED }, {}, { level: 0 }].flatMap((options) => [
                deflated(textOf(2000), options),
                TAIL,
              ]),
              deflated('end'),
            ]),
          ),
        ),
        receive(1, `${textOf(2000).repeat(4)}end`),
      ],
    },
    {
      does: 'inflates a thousand empty blocks before the first that has something',
      steps: () => [send(compressed(Buffer.concat([hex('000000ffff'.repeat(1000)), HELLO]))), receive(1, 'Hello')],
    },
  ]),
  ...cases(
    '7.2.1',
    'An endpoint MAY use both DEFLATE blocks with the "BFINAL" bit set to 0 and DEFLATE blocks with the "BFINAL" bit set to 1.',
    [
      ...(
        [
          ['stored', { level: 0 }],
          ['fixed', { strategy: Z_FIXED }],
          ['dynamic', {}],
        ] as const
      ).map(([type, options]) => ({
        does: `inflates a final ${type} block`,
        steps: () => [
          send(compressed(Buffer.concat([final(textOf(3000), options), hex('00')]))),
          receive(1, textOf(3000)),
        ],
      })),
      {
        does: 'inflates final blocks with others behind them, as "The next DEFLATE block follows the padded data if any."',
        steps: () => [
          send(compressed(Buffer.concat([final('one, '), final('two, ', { level: 0 }), deflated('three')]))),
          receive(1, 'one, two, three'),
        ],
      },
      {
        does: 'inflates them in a fragment for each octet',
        steps: () => [
          send(compressedFrames(1, Buffer.concat([final('one, '), final('two'), hex('00')]), 1)),
          receive(1, 'one, two'),
        ],
      },
      {
        does: 'inflates them octet by octet',
        steps: () => [
          octets(compressed(Buffer.concat([final('one, '), final('two'), hex('00')]))),
          receive(1, 'one, two'),
        ],
      },
      {
        does: 'inflates sixteen final blocks in one message',
        steps: () => [
          send(compressed(Buffer.concat([...Array.from({ length: 16 }, (_, i) => final(`${i} `)), hex('00')]))),
          receive(1, Array.from({ length: 16 }, (_, i) => `${i} `).join('')),
        ],
      },
      {
        does: 'fails with 1008 on a thousand of them, a limit of our own',
        steps: () => [send(compressed(Buffer.concat(Array.from({ length: 1000 }, (_, i) => final(`${i}`)))))],
        ends: { code: 1008 },
      },
    ],
  ),
  ...cases('7.2.2', 'Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message.', [
    {
      does: 'inflates a message with its own four octets left on',
      steps: () => [send(compressed(Buffer.concat([HELLO, TAIL, hex('00')]))), receive(1, 'Hello')],
    },
    {
      does: 'inflates a message octet by octet',
      steps: () => [octets(compressed(deflated(textOf(2000)))), receive(1, textOf(2000))],
    },
    ...[1, 2, 3, 100].map((by) => ({
      does: `inflates a message in fragments of ${by} bytes, with empty ones between`,
      steps: (): Step[] => {
        const payload = deflated(textOf(2000));
        const parts = Array.from({ length: Math.ceil(payload.length / by) }, (_, i) =>
          payload.subarray(i * by, (i + 1) * by),
        );
        const [first = payload, ...others] = parts;
        return [
          send(
            frame({ opcode: 1, rsv: 4, fin: false }),
            more(first),
            ...others.flatMap((part) => [more(''), more(part)]),
            more('', true),
          ),
          receive(1, textOf(2000)),
        ];
      },
    })),
  ]),
];

const windows: Case[] = [
  ...cases(
    '7.2.2',
    'Otherwise, the server MUST decompress each new message using the LZ77 sliding window used to process the last compressed ' +
      'message.',
    [
      {
        does: 'inflates messages that refer to those before them',
        steps: () => {
          const deflater = new Deflater(15, true);
          const messages = Array.from({ length: 40 }, (_, i) => manyDistances(i * 900, i * 900 + 4000));
          return [
            send(...messages.map((message) => compressed(deflater.message(message)))),
            ...messages.map((message) => receive(1, message)),
          ];
        },
      },
      {
        does: 'inflates one that refers 32 KiB back, over many messages',
        steps: () => {
          const deflater = new Deflater(15, true);
          const messages = [
            'a passage that recurs',
            ...Array.from({ length: 32 }, (_, i) => textOf(1000 + i)),
            'a passage that recurs',
          ];
          return [
            send(...messages.map((message) => compressed(deflater.message(Buffer.from(message))))),
            ...messages.map((message) => receive(1, message)),
          ];
        },
      },
      {
        does: 'inflates messages that refer to none, where client_no_context_takeover was agreed on',
        steps: () => [send(compressed(HELLO), compressed(HELLO)), receive(1, 'Hello'), receive(1, 'Hello')],
        offer: `${PMD}; client_no_context_takeover`,
      },
    ],
  ),
  ...cases(
    '7.2.2',
    'If the "agreed parameters" contain the "client_no_context_takeover" extension parameter, the server MAY decompress each new ' +
      'message with an empty LZ77 sliding window.',
    [
      {
        does: 'fails with 1007 on a message that refers to the one before',
        steps: () => [send(compressed(HELLO), compressed(hex('f200110000'))), receive(1, 'Hello')],
        ends: { code: 1007 },
        offer: `${PMD}; client_no_context_takeover`,
      },
      {
        does: 'takes a compressed message without any octet for an empty one',
        steps: () => [send(compressed(hex('')), compressed(HELLO)), receive(1), receive(1, 'Hello')],
        offer: `${PMD}; client_no_context_takeover`,
      },
    ],
  ),
];

/** Fixed Huffman codes (RFC 1951 section 3.2.6): 'a' is 0x91 in eight bits, a distance of 1 is five zeros. */
const invalid: Case[] = cases(
  '7.2.2',
  'Decompress the resulting data using DEFLATE.',
  [
    ['a block of the reserved type', '07'],
    ['a stored block whose length and its complement differ', '00 0500 fafe 48656c6c6f 00'],
    ['a stored block that is shorter than it says', '00 0500 faff 4865'],
    ['a distance to before the beginning', 'f200110000'],
    ['a length that there is not, 286', '1b0300'],
    ['a distance that there is not, 30', '4b04fe'],
    ['a dynamic block with too many lengths', 'fcff'],
    ['a dynamic block whose codes are none', '04c0ffffffffffffff'],
    ['text that was never compressed', Buffer.from('Hello, this is plain text.').toString('hex')],
    ['octets at random', 'ff'.repeat(64)],
  ].map(
    ([what = '', digits = '']): Row => ({
      does: `fails with 1007 on ${what}`,
      steps: () => [send(compressed(hex(digits), 2))],
      ends: { code: 1007 },
    }),
  ),
).concat(
  cases('7.2.2', 'Decompress the resulting data using DEFLATE.', [
    {
      does: 'fails with 1007 on the fragment with the mistake, before the next is sent',
      steps: () => [send(frame({ opcode: 1, fin: false, rsv: 4, payload: hex('f248') }), more(hex('ffffffffffff')))],
      ends: { code: 1007 },
    },
    {
      does: 'fails with 1007 in the middle of a frame, before the rest of it is sent',
      steps: () => [
        send(frame({ opcode: 2, rsv: 4, payload: Buffer.concat([hex('07'), bytesOf(1000)]) }).subarray(0, 100)),
      ],
      ends: { code: 1007 },
    },
    {
      does: 'fails with 1007 on a message of the middle of another',
      steps: () => [send(compressed(deflated(manyDistances(0, 10_000)).subarray(500, 1500), 2))],
      ends: { code: 1007 },
    },
    {
      does: 'echoes the messages before it, and none behind it',
      steps: () => [send(compressed(HELLO), compressed(hex('07')), compressed(HELLO), ping('?')), receive(1, 'Hello')],
      ends: { code: 1007 },
    },
    {
      does: 'fails with 1007 on a message that refers past the final block of another, as `ws` does',
      steps: () => [send(compressed(hex('f348cdc9c9070000')), compressed(hex('f200110000'))), receive(1, 'Hello')],
      ends: { code: 1007 },
    },
  ]),
);

const limits: Case[] = showing<Case>(
  'RFC 6455 10.4',
  'Implementations that have implementation- and/or platform-specific limitations regarding the frame size or total message ' +
    'size after reassembly from multiple frames MUST protect themselves against exceeding those limits.',
  [
    {
      id: `12+${++number}`,
      does: 'echoes a message that inflates to as much as the limit allows',
      steps: () => [send(compressed(deflated(Buffer.alloc(1024)), 2)), receive(2, Buffer.alloc(1024))],
      ends: 'alive',
      path: '/small',
      offer: PMD,
    },
    {
      id: `12+${++number}`,
      does: 'fails with 1009 on one that inflates to a byte more',
      steps: () => [send(compressed(deflated(Buffer.alloc(1025)), 2))],
      ends: { code: 1009 },
      path: '/small',
      offer: PMD,
    },
    {
      id: `12+${++number}`,
      does: 'fails with 1009 on one that inflates to 16 MiB',
      steps: () => [send(compressed(deflated(Buffer.alloc(16 * 1024 * 1024)), 2))],
      ends: { code: 1009 },
      path: '/small',
      offer: PMD,
    },
    {
      id: `12+${++number}`,
      does: 'fails with 1009 on the fragment of which the message becomes too large',
      steps: () => [
        send(frame({ opcode: 2, fin: false, rsv: 4, payload: Buffer.concat([deflated(bytesOf(1000)), TAIL]) })),
        send(more(Buffer.concat([deflated(bytesOf(25)), TAIL]))),
      ],
      ends: { code: 1009 },
      path: '/small',
      offer: PMD,
    },
    {
      id: `12+${++number}`,
      does: 'echoes 16 MiB that come as 16 KiB',
      steps: () => [
        send(compressed(deflated(Buffer.alloc(16 * 1024 * 1024, 'x')))),
        receive(1, Buffer.alloc(16 * 1024 * 1024, 'x')),
      ],
      ends: 'alive',
      offer: PMD,
    },
  ],
);

export const compression: readonly Case[] = [
  ...examples,
  ...bits,
  ...utf8,
  ...interjected,
  ...blocks,
  ...windows,
  ...invalid,
  ...limits,
];
