/** The opening handshake: what section 4.2 asks of a server, by its numbered items, and section 9.1. */
import { KEY } from '../support/raw-client.js';
import { showing } from './table.js';

const RFC = 'RFC 6455';

export interface HandshakeCase {
  readonly id: string;
  readonly section: string;
  readonly says: string;
  readonly does: string;
  readonly request: {
    /** Default `/chat`. */
    readonly target?: string;
    readonly method?: string;
    readonly version?: string;
    /** Beside, or instead of, those of a correct handshake; undefined for one that is left out. */
    readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  };
  readonly status: number;
  /** Headers that the response must have, by lower-case name; a 101 has no others but those that each has. */
  readonly headers?: Readonly<Record<string, unknown>>;
}

type Row = readonly [
  does: string,
  request: HandshakeCase['request'],
  status: number,
  headers?: HandshakeCase['headers'],
];

let number = 0;

function cases(section: string, says: string, rows: readonly Row[]): HandshakeCase[] {
  return showing<HandshakeCase>(
    `${RFC} ${section}`,
    says,
    rows.map(([does, request, status, headers = {}]) => ({ id: `0+${++number}`, does, request, status, headers })),
  );
}

/** Which others it names is asked in one place. */
const versions = { 'sec-websocket-version': expect.stringMatching(/^13\b/) };
const extensionsOf = (value: string | readonly string[]): HandshakeCase['request'] => ({
  headers: { 'Sec-WebSocket-Extensions': value },
});
const protocolsOf = (value: string | readonly string[]): HandshakeCase['request'] => ({
  headers: { 'Sec-WebSocket-Protocol': value },
});

export const handshakes: readonly HandshakeCase[] = [
  ...cases(
    '4.2.1',
    'An HTTP/1.1 or higher GET request, including a "Request-URI" [RFC2616] that should be interpreted as a /resource name/ ' +
      'defined in Section 3 (or an absolute HTTP/HTTPS URI containing the /resource name/).',
    [
      ['accepts a GET request', {}, 101],
      ['accepts one with a query', { target: '/chat?a=1&b=%20' }, 101],
      ['accepts one with an absolute URI', { target: 'http://127.0.0.1/chat' }, 101],
      ...['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD'].map(
        (method): Row => [`refuses ${method}`, { method }, 405, { allow: 'GET' }],
      ),
      ['refuses HTTP/1.0', { version: '1.0' }, 400],
    ],
  ),
  ...cases('4.2.1', "A |Host| header field containing the server's authority.", [
    ['accepts a name with a port', { headers: { Host: 'example.com:8080' } }, 101],
    ['refuses a request without one', { headers: { Host: undefined } }, 400],
    ['refuses an empty one', { headers: { Host: '' } }, 400],
    ['refuses two', { headers: { Host: ['example.com', 'example.org'] } }, 400],
  ]),
  ...cases(
    '4.2.1',
    'An |Upgrade| header field containing the value "websocket", treated as an ASCII case-insensitive value.',
    [
      ['accepts WebSocket', { headers: { Upgrade: 'WebSocket' } }, 101],
      ['accepts WEBSOCKET', { headers: { Upgrade: 'WEBSOCKET' } }, 101],
      ['finds it in a list', { headers: { Upgrade: 'h2c, websocket' } }, 101],
      [
        'refuses a request without one',
        { headers: { Upgrade: undefined } },
        426,
        { upgrade: 'websocket', ...versions },
      ],
      ['refuses another protocol', { headers: { Upgrade: 'h2c' } }, 426],
      ['refuses a longer word', { headers: { Upgrade: 'websockets' } }, 426],
      ['refuses a protocol with a version', { headers: { Upgrade: 'websocket/13' } }, 426],
      ['refuses a byte behind it that is no ASCII', { headers: { Upgrade: 'websocket\u00a0' } }, 426],
    ],
  ),
  ...cases(
    '4.2.1',
    'A |Connection| header field that includes the token "Upgrade", treated as an ASCII case-insensitive value.',
    [
      ['accepts upgrade', { headers: { Connection: 'upgrade' } }, 101],
      ['accepts UPGRADE', { headers: { Connection: 'UPGRADE' } }, 101],
      ['finds it in a list', { headers: { Connection: 'keep-alive, Upgrade' } }, 101],
      ['finds it in a second header', { headers: { Connection: ['keep-alive', 'Upgrade'] } }, 101],
      ['refuses a request without one', { headers: { Connection: undefined } }, 400],
      ['refuses other tokens', { headers: { Connection: 'keep-alive' } }, 400],
      ['refuses a longer token', { headers: { Connection: 'Upgraded' } }, 400],
    ],
  ),
  ...cases(
    '4.2.1',
    'A |Sec-WebSocket-Key| header field with a base64-encoded (see Section 4 of [RFC4648]) value that, when decoded, is 16 ' +
      'bytes in length.',
    [
      ['accepts zeros', { headers: { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' } }, 101],
      ['accepts + and /', { headers: { 'Sec-WebSocket-Key': '+/+/+/+/+/+/+/+/+/+/+w==' } }, 101],
      [
        'accepts the key of the note in section 4.1',
        { headers: { 'Sec-WebSocket-Key': 'AQIDBAUGBwgJCgsMDQ4PEC==' } },
        101,
      ],
      ['refuses a request without one', { headers: { 'Sec-WebSocket-Key': undefined } }, 400],
      ...[
        '',
        'AAAAAAAAAAAAAAAAAAAA',
        'AAAAAAAAAAAAAAAAAAAAAA',
        'AAAAAAAAAAAAAAAAAAAAAA=',
        'AAAAAAAAAAAAAAAAAAAAAAA=',
        'AAAAAAAAAAAAAAAAAAAAAAAA',
        '-_-_-_-_-_-_-_-_-_-_-w==',
        'AAAAAAAAAAAAAAAAAAAAAA== x',
        'AAAAAAAAAAA AAAAAAAAAAA==',
      ].map((key): Row => [`refuses ${JSON.stringify(key)}`, { headers: { 'Sec-WebSocket-Key': key } }, 400]),
    ],
  ),
  ...cases('11.3.1', 'The |Sec-WebSocket-Key| header field MUST NOT appear more than once in an HTTP request.', [
    ['refuses two keys', { headers: { 'Sec-WebSocket-Key': [KEY, KEY] } }, 400],
  ]),
  ...cases('4.2.1', 'A |Sec-WebSocket-Version| header field, with a value of 13.', [
    ['refuses a request without one', { headers: { 'Sec-WebSocket-Version': undefined } }, 400, versions],
    ...['', 'x', '013', '13.0', '+13', '256', '1313', '13, 13'].map(
      (version): Row => [
        `refuses ${JSON.stringify(version)}, which is no version`,
        { headers: { 'Sec-WebSocket-Version': version } },
        400,
        versions,
      ],
    ),
    ['accepts 8, which has the same frames', { headers: { 'Sec-WebSocket-Version': '8' } }, 101],
  ]),
  ...cases(
    '4.2.2',
    'If this version does not match a version understood by the server, the server MUST abort the WebSocket handshake described ' +
      'in this section and instead send an appropriate HTTP error code (such as 426 Upgrade Required) and a ' +
      '|Sec-WebSocket-Version| header field indicating the version(s) the server is capable of understanding.',
    ['0', '7', '9', '12', '14', '25', '255'].map(
      (version): Row => [
        `refuses version ${version} and says which it understands`,
        { headers: { 'Sec-WebSocket-Version': version } },
        426,
        versions,
      ],
    ),
  ),
  ...cases(
    '4.2.1',
    'Optionally, an |Origin| header field. [...] A connection attempt lacking this header field SHOULD NOT be interpreted as ' +
      'coming from a browser client.',
    [['accepts a request without one', { headers: { Origin: undefined } }, 101]],
  ),
  ...cases(
    '4.2.2',
    'If the server does not wish to accept this connection, it MUST return an appropriate HTTP error code (e.g., 403 ' +
      'Forbidden) and abort the WebSocket handshake described in this section.',
    [
      ['accepts a page of its own host', { headers: { Host: 'example.com', Origin: 'http://example.com' } }, 101],
      ['refuses a page of another', { headers: { Origin: 'http://example.com' } }, 403],
      ['refuses null', { headers: { Origin: 'null' } }, 403],
    ],
  ),
  ...cases(
    '4.2.2',
    "The value chosen MUST be derived from the client's handshake, specifically by selecting one of the values from the " +
      '|Sec-WebSocket-Protocol| field that the server is willing to use for this connection (if any).',
    [
      ['chooses the one that is offered', protocolsOf('chat.v1'), 101, { 'sec-websocket-protocol': 'chat.v1' }],
      ['chooses among several', protocolsOf('soap, chat.v1 ,chat.v2'), 101, { 'sec-websocket-protocol': 'chat.v2' }],
      ['chooses among several headers', protocolsOf(['soap', 'chat.v1']), 101, { 'sec-websocket-protocol': 'chat.v1' }],
    ],
  ),
  ...cases(
    '4.2.2',
    'if the server does not wish to agree to one of the suggested subprotocols, it MUST NOT send back a ' +
      '|Sec-WebSocket-Protocol| header field in its response',
    [
      ['names none where none is offered', {}, 101],
      ['names none where none of them is spoken', protocolsOf('soap, wamp'), 101],
      ['tells names by case', protocolsOf('CHAT.V1'), 101],
    ],
  ),
  ...cases(
    '4.1',
    'The elements that comprise this value MUST be non-empty strings with characters in the range U+0021 to U+007E not ' +
      'including separator characters as defined in [RFC2616] and MUST all be unique strings.',
    [', chat v1', 'chat v1', 'chat/1', '"chat"', 'chat;v=1', 'chat.v1, chat.v1', 'ch\u00e4t'].map(
      (value): Row => [`refuses ${JSON.stringify(value)}`, protocolsOf(value), 400],
    ),
  ),
  ...cases('4.2.2', 'Extensions not listed by the client MUST NOT be listed.', [
    ['names none where none is offered', {}, 101],
    ['names none that it does not know', extensionsOf('foo, bar; baz=2'), 101],
    ['names none of another spelling', extensionsOf('x-webkit-deflate-frame'), 101],
  ]),
  ...cases(
    '9.1',
    'If a value is received by either the client or the server during negotiation that does not conform to the ABNF below, the ' +
      'recipient of such malformed data MUST immediately _Fail the WebSocket Connection_.',
    [
      ',;',
      ';',
      'a;',
      'a; b=',
      'a; =b',
      'a; b c',
      'a b',
      'a=b',
      '"a"',
      'a; "b"',
      'a; b="',
      'a; b="c',
      'a; b=""',
      'a; b="c d"',
      'a; b="c"d',
      'a; b="c,d"',
      'a; b=c=d',
      'a/b',
      'a; b=(c)',
      'a\u00e4',
      'permessage-deflate; server_max_window_bits=',
      'permessage-deflate; client_max_window_bits="1 0"',
    ].map((value): Row => [`refuses ${JSON.stringify(value)}`, extensionsOf(value), 400]),
  ),
  ...cases(
    '9.1',
    'Note that this section is using ABNF syntax/rules from [RFC2616], including the "implied *LWS rule".',
    [
      ['takes blanks around every token', extensionsOf(' foo ;\tbar = 1 ; baz , qux '), 101],
      ['takes a quoted value', extensionsOf('foo; bar="1"'), 101],
      ['takes a quoted value with a backslash', extensionsOf('foo; bar="\\1"'), 101],
    ],
  ),
  ...cases('9.1', 'like other HTTP header fields, this header field MAY be split or combined across multiple lines', [
    ['takes several headers', extensionsOf(['foo', 'bar; baz=2']), 101],
    ['refuses one that is malformed among them', extensionsOf(['foo', 'bar; baz=']), 400],
  ]),
  ...cases('4.2.1', 'Unknown header fields are ignored, as per [RFC2616].', [
    [
      'accepts a request with headers that it does not know',
      { headers: { 'Sec-WebSocket-Future': '1', Cookie: 'a=1', Authorization: 'Basic YTpi', 'X-A': ['1', '2'] } },
      101,
    ],
  ]),
  ...cases(
    '4.2.2',
    'If the requested service is not available, the server MUST send an appropriate HTTP error code (such as 404 Not Found) and ' +
      'abort the WebSocket handshake.',
    [
      ['refuses another path', { target: '/nowhere' }, 404],
      ['refuses a longer path', { target: '/chat/room' }, 404],
    ],
  ),
  ...cases(
    '4.2.2',
    'The server can perform additional client authentication, for example, by returning a 401 status code with the ' +
      'corresponding |WWW-Authenticate| header field as described in [RFC2616].',
    [['refuses as the handler says', { target: '/private' }, 401, { 'www-authenticate': 'Basic realm="chat"' }]],
  ),
  ...cases('4.2.2', 'The server MAY redirect the client using a 3xx status code [RFC2616].', [
    ['redirects as the handler says', { target: '/moved' }, 307, { location: '/chat' }],
  ]),
  ...cases('4.3', 'RFC 2616 section 2.1, of lists: null elements are allowed, but do not contribute to the count', [
    ['offers no subprotocol by an empty header', protocolsOf(''), 101],
    ['offers none by commas alone', protocolsOf(' , ,'), 101],
    ['finds a subprotocol among them', protocolsOf(',soap,, chat.v1 ,'), 101, { 'sec-websocket-protocol': 'chat.v1' }],
    ['finds one in the second header', protocolsOf(['', 'chat.v1']), 101, { 'sec-websocket-protocol': 'chat.v1' }],
    ['offers no extension by an empty header', extensionsOf(''), 101],
    ['takes an extension among them', extensionsOf(', foo; bar=1,,baz, '), 101],
    ['finds the token in Connection', { headers: { Connection: ', keep-alive,, Upgrade,' } }, 101],
    ['finds the token in Upgrade', { headers: { Upgrade: ', websocket,' } }, 101],
  ]),
];
