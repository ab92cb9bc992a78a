/** Family 9, sizes: up to 16 MiB in one message, in fragments and in writes of 64 bytes. */
import { frame } from '../support/frames.js';
import { bytesOf, type Case, fragmentsOf, receive, showing, textBytesOf } from './table.js';

const RFC = 'RFC 6455';
const KI = 1024;
const MI = KI * KI;

const KINDS = [
  { family: 1, opcode: 1, kind: 'text' },
  { family: 2, opcode: 2, kind: 'binary data' },
] as const;

const payloadOf = (opcode: number, size: number): Buffer => (opcode === 1 ? textBytesOf(size) : bytesOf(size));

const inOneFrame = KINDS.flatMap(({ family, opcode, kind }) =>
  [64 * KI, 256 * KI, MI, 4 * MI, 8 * MI, 16 * MI].map((size, i) => ({
    id: `9.${family}.${i + 1}`,
    does: `echoes ${size.toLocaleString('en')} bytes of ${kind} in one frame`,
    steps: () => {
      const payload = payloadOf(opcode, size);
      return [{ send: frame({ opcode, payload }) }, receive(opcode, payload)];
    },
    ends: 'alive' as const,
  })),
);

const fragmented = (id: string, { opcode, kind }: (typeof KINDS)[number], size: number, by: number) => ({
  id,
  does: `echoes ${size.toLocaleString('en')} bytes of ${kind} in fragments of ${by.toLocaleString('en')}`,
  steps: () => {
    const payload = payloadOf(opcode, size);
    return [{ send: fragmentsOf(opcode, payload, by) }, receive(opcode, payload)];
  },
  ends: 'alive' as const,
});

const chopped = (id: string, { opcode, kind }: (typeof KINDS)[number], size: number, by: number) => ({
  id,
  does: `echoes ${size.toLocaleString('en')} bytes of ${kind} in writes of ${by.toLocaleString('en')}`,
  steps: () => {
    const payload = payloadOf(opcode, size);
    return [{ send: frame({ opcode, payload }), by }, receive(opcode, payload)];
  },
  ends: 'alive' as const,
});

const FRAGMENTS = [64, 256, KI, 4 * KI, 16 * KI, 64 * KI, 256 * KI, MI, 4 * MI];
const WRITES = [64, 128, 256, 512, KI, 2 * KI];

export const sizes: readonly Case[] = [
  ...showing<Case>(
    `${RFC} 5.4`,
    'Clients and servers MUST support receiving both fragmented and unfragmented messages.',
    [
      ...inOneFrame,
      ...KINDS.flatMap((kind) =>
        FRAGMENTS.map((by, i) => fragmented(`9.${kind.family + 2}.${i + 1}`, kind, 4 * MI, by)),
      ),
      fragmented('9+1', KINDS[0], 16 * MI, 64),
    ],
  ),
  ...showing<Case>(`${RFC} 6.2`, 'Incoming data MUST be parsed as WebSocket frames as defined in Section 5.2.', [
    ...KINDS.flatMap((kind) => WRITES.map((by, i) => chopped(`9.${kind.family + 4}.${i + 1}`, kind, MI, by))),
    chopped('9+2', KINDS[0], 16 * MI, 64),
  ]),
];

/** So many messages, each sent when the one before has come back. */
export const roundTrips: readonly Case[] = showing<Case>(
  `${RFC} 6.1`,
  'The opcode (frame-opcode) of the first frame containing the data MUST be set to the appropriate value from Section 5.2 for ' +
    'data that is to be interpreted by the recipient as text or binary data.',
  KINDS.flatMap(({ family, opcode, kind }) =>
    [0, 16, 64, 256, KI, 4 * KI, 16 * KI].map((size, i) => ({
      id: `9.${family + 6}.${i + 1}`,
      does: `echoes a thousand times ${size.toLocaleString('en')} bytes of ${kind}`,
      steps: () => {
        const payload = payloadOf(opcode, size);
        const once = [{ send: frame({ opcode, payload }) }, receive(opcode, payload)];
        return Array.from({ length: 1000 }, () => once).flat();
      },
      ends: 'alive' as const,
    })),
  ),
);
