/** What is answered to which offer: RFC 7692 sections 5 and 7. */
import type { CompressOptions } from '../../lib/index.js';
import { showing } from './table.js';

const RFC = 'RFC 7692';

export interface NegotiationCase {
  readonly id: string;
  readonly section: string;
  readonly says: string;
  readonly does: string;
  readonly compress: boolean | CompressOptions;
  /** `Sec-WebSocket-Extensions`, once or several times. */
  readonly offer: string | readonly string[] | undefined;
  /** The parameters of the response, in any order; undefined where it names no extension, 400 where the handshake is refused. */
  readonly agreed: readonly string[] | undefined | 400;
}

type Row = readonly [
  offer: NegotiationCase['offer'],
  agreed: NegotiationCase['agreed'],
  compress?: NegotiationCase['compress'],
];

/** The server that asks for nothing by itself. */
const OPEN: CompressOptions = { serverNoContextTakeover: false, clientNoContextTakeover: false };
const PMD = 'permessage-deflate';
const S_NO = 'server_no_context_takeover';
const C_NO = 'client_no_context_takeover';
const S_BITS = 'server_max_window_bits';
const C_BITS = 'client_max_window_bits';
const BITS = [8, 9, 10, 11, 12, 13, 14, 15];

let number = 0;

function cases(section: string, says: string, rows: readonly Row[]): NegotiationCase[] {
  return showing<NegotiationCase>(
    section.startsWith('RFC') ? section : `${RFC} ${section}`,
    says,
    rows.map(([offer, agreed, compress = OPEN]) => ({
      id: `11+${++number}`,
      does: `${verb(agreed)} ${offer === undefined ? 'nothing' : JSON.stringify(offer)}`,
      compress,
      offer,
      agreed,
    })),
  );
}

function verb(agreed: NegotiationCase['agreed']): string {
  if (agreed === 400) return 'refuses';
  return agreed === undefined ? 'declines' : 'accepts';
}

export const negotiation: readonly NegotiationCase[] = [
  ...cases(
    '5',
    'An element preceding another element has higher preference. It is recommended that a server accepts PMCEs with higher ' +
      'preference if the server supports them.',
    [
      [PMD, []],
      [`${PMD}, ${PMD}; ${S_BITS}=10`, []],
      [`${PMD}; ${S_BITS}=10, ${PMD}`, [`${S_BITS}=10`]],
      [`${PMD}; ${S_BITS}=10, ${PMD}; ${S_BITS}=11`, [`${S_BITS}=10`]],
      [[`${PMD}; ${S_NO}`, PMD], [S_NO]],
      [`foo; bar=1, ${PMD}; ${S_NO}`, [S_NO]],
      [['foo', 'bar', `${PMD}; ${C_BITS}=9`], [`${C_BITS}=9`]],
      // The first that can be accepted.
      [`${PMD}; foo, ${PMD}; ${S_BITS}=16, ${PMD}; ${S_BITS}=12, ${PMD}`, [`${S_BITS}=12`]],
      [`${PMD}; ${S_NO}; ${S_NO}, ${PMD}`, []],
    ],
  ),
  ...cases('RFC 6455 9', 'A server MUST NOT respond with any extension not requested by the client.', [
    [undefined, undefined],
    ['foo', undefined],
    ['permessage-bzip2', undefined],
    ['x-webkit-deflate-frame', undefined],
    ['permessage-deflate2', undefined],
    ['Permessage-Deflate', undefined],
    ['permessage', undefined],
    [PMD, undefined, false],
    [`${PMD}; ${C_BITS}`, undefined, false],
  ]),
  ...cases('7', 'The negotiation offer contains an extension parameter not defined for use in an offer.', [
    [`${PMD}; foo`, undefined],
    [`${PMD}; foo=1`, undefined],
    [`${PMD}; ${S_NO}; foo`, undefined],
    [`${PMD}; Server_No_Context_Takeover`, undefined],
    [`${PMD}; __proto__`, undefined],
    [`${PMD}; constructor=1`, undefined],
    [`${PMD}; max_window_bits=10`, undefined],
  ]),
  ...cases('7', 'The negotiation offer contains an extension parameter with an invalid value.', [
    [`${PMD}; ${S_NO}=1`, undefined],
    [`${PMD}; ${S_NO}=true`, undefined],
    [`${PMD}; ${C_NO}=1`, undefined],
    [`${PMD}; ${C_NO}="1"`, undefined],
    [`${PMD}; ${S_BITS}`, undefined],
    ...['7', '16', '0', '-8', '+8', '08', '010', '8.0', '1e1', '0x8', 'ten', '100', '150'].flatMap((bits): Row[] => [
      [`${PMD}; ${S_BITS}=${bits}`, undefined],
      [`${PMD}; ${C_BITS}=${bits}`, undefined],
    ]),
  ]),
  ...cases('7', 'The negotiation offer contains multiple extension parameters with the same name.', [
    [`${PMD}; ${S_NO}; ${S_NO}`, undefined],
    [`${PMD}; ${C_NO}; ${C_NO}`, undefined],
    [`${PMD}; ${S_BITS}=10; ${S_BITS}=10`, undefined],
    [`${PMD}; ${S_BITS}=10; ${S_BITS}=11`, undefined],
    [`${PMD}; ${C_BITS}; ${C_BITS}`, undefined],
    [`${PMD}; ${C_BITS}; ${C_BITS}=10`, undefined],
  ]),
  ...cases('7', "The server doesn't support the offered configuration.", [
    // Such a client cannot be told to keep within a smaller window (7.1.2.2), and the server was told not to have a larger one.
    [PMD, undefined, { ...OPEN, clientMaxWindowBits: 10 }],
    [`${PMD}, ${PMD}; ${C_BITS}`, [`${C_BITS}=10`], { ...OPEN, clientMaxWindowBits: 10 }],
  ]),
  ...cases(
    '7.1.1.1',
    'A server accepts an extension negotiation offer that includes the "server_no_context_takeover" extension parameter by ' +
      'including the "server_no_context_takeover" extension parameter in the corresponding extension negotiation response',
    [
      [`${PMD}; ${S_NO}`, [S_NO]],
      [`${PMD};${S_NO}`, [S_NO]],
      [`${PMD} ; ${S_NO} `, [S_NO]],
    ],
  ),
  ...cases(
    '7.1.1.1',
    'A server MAY include the "server_no_context_takeover" extension parameter in an extension negotiation response even if the ' +
      "extension negotiation offer being accepted by the extension negotiation response didn't include the " +
      '"server_no_context_takeover" extension parameter.',
    [
      [PMD, [S_NO], { ...OPEN, serverNoContextTakeover: true }],
      [PMD, [S_NO, C_NO], true],
      [`${PMD}; ${C_BITS}`, [S_NO, C_NO], true],
    ],
  ),
  ...cases(
    '7.1.1.2',
    'A server MAY include the "client_no_context_takeover" extension parameter in an extension negotiation response. If the ' +
      'received extension negotiation offer includes the "client_no_context_takeover" extension parameter, the server may either ' +
      'ignore the parameter or use the parameter to avoid taking over the LZ77 sliding window unnecessarily',
    [
      [`${PMD}; ${C_NO}`, [C_NO]],
      [PMD, [C_NO], { ...OPEN, clientNoContextTakeover: true }],
      [`${PMD}; ${C_NO}; ${S_NO}`, [C_NO, S_NO]],
    ],
  ),
  ...cases(
    '7.1.2.1',
    'A server accepts an extension negotiation offer with this parameter by including the "server_max_window_bits" extension ' +
      'parameter in the extension negotiation response to send back to the client with the same or smaller value as the offer.',
    [
      ...BITS.map((bits): Row => [`${PMD}; ${S_BITS}=${bits}`, [`${S_BITS}=${bits}`]]),
      [`${PMD}; ${S_BITS}="10"`, [`${S_BITS}=10`]],
      [`${PMD}; ${S_BITS}="1\\0"`, [`${S_BITS}=10`]],
      [`${PMD}; ${S_BITS} = 10`, [`${S_BITS}=10`]],
      [`${PMD}; ${S_BITS}=15`, [`${S_BITS}=11`], { ...OPEN, serverMaxWindowBits: 11 }],
      [`${PMD}; ${S_BITS}=9`, [`${S_BITS}=9`], { ...OPEN, serverMaxWindowBits: 11 }],
      [PMD, [`${S_BITS}=11`], { ...OPEN, serverMaxWindowBits: 11 }],
    ],
  ),
  ...cases(
    '7.1.2.2',
    'If a received extension negotiation offer has the "client_max_window_bits" extension parameter, the server MAY include the ' +
      '"client_max_window_bits" extension parameter in the corresponding extension negotiation response to the offer.',
    [
      [`${PMD}; ${C_BITS}`, []],
      [`${PMD}; ${C_BITS}`, [`${C_BITS}=12`], { ...OPEN, clientMaxWindowBits: 12 }],
      [`${PMD}; ${C_BITS}="9"`, [`${C_BITS}=9`]],
      // A value of 15 says no more than its absence.
      ...BITS.map((bits): Row => [`${PMD}; ${C_BITS}=${bits}`, bits === 15 ? [] : [`${C_BITS}=${bits}`]]),
      [`${PMD}; ${C_BITS}=14`, [`${C_BITS}=12`], { ...OPEN, clientMaxWindowBits: 12 }],
      [`${PMD}; ${C_BITS}=9`, [`${C_BITS}=9`], { ...OPEN, clientMaxWindowBits: 12 }],
    ],
  ),
  ...cases(
    '7.1.2.2',
    'If a received extension negotiation offer doesn\'t have the "client_max_window_bits" extension parameter, the corresponding ' +
      'extension negotiation response to the offer MUST NOT include the "client_max_window_bits" extension parameter.',
    [
      [`${PMD}; ${S_BITS}=10; ${S_NO}; ${C_NO}`, [`${S_BITS}=10`, S_NO, C_NO]],
      [`${PMD}; ${S_BITS}=10`, undefined, { ...OPEN, clientMaxWindowBits: 8 }],
    ],
  ),
  ...cases(
    'RFC 6455 9',
    'If extension parameters are included in negotiations between the client and the server, those parameters MUST be chosen in ' +
      'accordance with the specification of the extension to which the parameters apply.',
    [
      [`${PMD}; ${S_NO}; ${C_NO}; ${S_BITS}=9; ${C_BITS}=10`, [S_NO, C_NO, `${S_BITS}=9`, `${C_BITS}=10`]],
      [`${PMD}; ${C_BITS}=10; ${S_BITS}=9; ${C_NO}; ${S_NO}`, [S_NO, C_NO, `${S_BITS}=9`, `${C_BITS}=10`]],
    ],
  ),
];
