/** Families 12 and 13: what may be agreed on for permessage-deflate, and the sizes of messages that go over it. */
import type { CompressOptions } from '../../lib/index.js';
import type { Agreed } from './deflate-client.js';

const KI = 1024;
const PMD = 'permessage-deflate';

/** How a message is sent. */
export interface Shape {
  readonly size: number;
  /** In fragments of so many bytes; undefined for one frame. */
  readonly by?: number | undefined;
}

export const SIZES = [16, 64, 256, KI, 4 * KI, 8 * KI, 16 * KI, 32 * KI, 64 * KI, 128 * KI];

/** The eighteen of the suite, in its order. */
export const SHAPES: readonly Shape[] = [
  ...SIZES.map((size) => ({ size })),
  ...[8, 16, 32, 64, 128].map((size) => ({ size: size * KI, by: 256 })),
  ...[1, 4, 32].map((by) => ({ size: 128 * KI, by: by * KI })),
];

/** A server that leaves everything to the client, and compresses whatever it sends. */
export const OPEN: CompressOptions = { threshold: 0, serverNoContextTakeover: false, clientNoContextTakeover: false };

export interface Combination {
  readonly offer: string;
  readonly agreed: Agreed;
}

const BITS = [8, 9, 10, 11, 12, 13, 14, 15];
const EITHER = [false, true];

/** Each of the 360 offers that there are, by what is the same in ten of them: which the client is ready to compress with. */
export const OFFERS: readonly (readonly [what: string, combinations: readonly Combination[]])[] = EITHER.flatMap(
  (serverNoContextTakeover) =>
    EITHER.flatMap((clientNoContextTakeover) =>
      [undefined, ...BITS].map((serverBits) => {
        const common = [
          ...(serverNoContextTakeover ? ['server_no_context_takeover'] : []),
          ...(clientNoContextTakeover ? ['client_no_context_takeover'] : []),
          ...(serverBits === undefined ? [] : [`server_max_window_bits=${serverBits}`]),
        ];
        const combinations = [
          [undefined, 15] as const,
          ['client_max_window_bits', 15] as const,
          ...BITS.map((bits) => [`client_max_window_bits=${bits}`, bits] as const),
        ].map(([own, clientMaxWindowBits]) => ({
          offer: [PMD, ...common, ...(own === undefined ? [] : [own])].join('; '),
          agreed: {
            serverNoContextTakeover,
            clientNoContextTakeover,
            serverMaxWindowBits: serverBits ?? 15,
            clientMaxWindowBits,
          },
        }));
        return [[PMD, ...common].join('; '), combinations] as const;
      }),
    ),
);

/** Each of the 256 that a server may want by itself, by its takeovers and the window that it compresses with. */
export const WANTED: readonly CompressOptions[][] = EITHER.flatMap((serverNoContextTakeover) =>
  EITHER.flatMap((clientNoContextTakeover) =>
    BITS.map((serverMaxWindowBits) =>
      BITS.map((clientMaxWindowBits) => ({
        threshold: 0,
        serverNoContextTakeover,
        clientNoContextTakeover,
        serverMaxWindowBits,
        clientMaxWindowBits,
      })),
    ),
  ),
);

/** The seven offers of family 13. */
export const SUITE: readonly string[] = [
  PMD,
  `${PMD}; server_no_context_takeover`,
  `${PMD}; server_max_window_bits=8`,
  `${PMD}; server_max_window_bits=15`,
  `${PMD}; server_no_context_takeover; server_max_window_bits=8`,
  `${PMD}; server_no_context_takeover; server_max_window_bits=15`,
  [`${PMD}; server_no_context_takeover; server_max_window_bits=8`, `${PMD}; server_no_context_takeover`, PMD].join(
    ', ',
  ),
];
