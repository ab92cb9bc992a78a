import { once } from 'node:events';
import { createServer } from 'node:http';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import type { DeflateAgreement } from '../../../lib/deflate/agreement.js';
import { acceptFor } from '../../../lib/handshake/negotiate.js';
import { agreeOnDeflate } from '../../../lib/handshake/request/deflate-offers.js';
import { parseExtensions } from '../../../lib/handshake/request/extensions.js';
import { serve } from '../../support/server.js';

/** A server that asks for nothing. */
const ANYTHING: DeflateAgreement = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};
/** What `compress: true` asks for. */
const NO_TAKEOVER = { ...ANYTHING, serverNoContextTakeover: true, clientNoContextTakeover: true };

function agreeOn(offers: string, wanted: Partial<DeflateAgreement> = {}) {
  const parsed = parseExtensions(offers);
  if (parsed === undefined) throw new Error(`malformed: ${offers}`);
  return agreeOnDeflate(parsed, { ...ANYTHING, ...wanted });
}

describe('agreeOnDeflate, RFC 7692 section 7.1', () => {
  it('agrees on nothing where it is not offered, as by Safari 14', () => {
    expect(agreeOnDeflate([], ANYTHING)).toBeUndefined();
    expect(agreeOn('x-webkit-deflate-frame')).toBeUndefined();
    expect(agreeOn('mux; max-channels=4, deflate-stream')).toBeUndefined();
  });

  describe.each([
    ['Chrome, Edge and undici', 'permessage-deflate; client_max_window_bits'],
    ['the ws client', 'permessage-deflate; client_max_window_bits'],
    ['Firefox and Safari', 'permessage-deflate'],
    ['python-websockets', 'permessage-deflate; server_max_window_bits=12; client_max_window_bits=12'],
    ['gorilla/websocket', 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
  ])('to %s', (_client, offers) => {
    it('answers no context takeover, as compress: true wants', () => {
      expect(agreeOn(offers, NO_TAKEOVER)?.header).toMatch(
        /^permessage-deflate; server_no_context_takeover; client_no_context_takeover(; (server|client)_max_window_bits=12)*$/,
      );
    });
  });

  it.each([
    // offers, header, what of the agreement is not as the server wanted
    ['permessage-deflate', 'permessage-deflate', {}],
    [
      'permessage-deflate; server_no_context_takeover',
      'permessage-deflate; server_no_context_takeover',
      { serverNoContextTakeover: true },
    ],
    [
      'permessage-deflate; client_no_context_takeover',
      'permessage-deflate; client_no_context_takeover',
      { clientNoContextTakeover: true },
    ],
    [
      'permessage-deflate; server_max_window_bits=8',
      'permessage-deflate; server_max_window_bits=8',
      { serverMaxWindowBits: 8 },
    ],
    [
      'permessage-deflate; server_max_window_bits="\\1\\0"',
      'permessage-deflate; server_max_window_bits=10',
      { serverMaxWindowBits: 10 },
    ],
    // Section 7.1.2.1: accepted "by including" it, though it says nothing.
    ['permessage-deflate; server_max_window_bits=15', 'permessage-deflate; server_max_window_bits=15', {}],
    ['permessage-deflate; client_max_window_bits', 'permessage-deflate', {}],
    ['permessage-deflate; client_max_window_bits=15', 'permessage-deflate', {}],
    [
      'permessage-deflate; client_max_window_bits=8',
      'permessage-deflate; client_max_window_bits=8',
      { clientMaxWindowBits: 8 },
    ],
    [
      'permessage-deflate;client_max_window_bits=9;server_max_window_bits=12;client_no_context_takeover;server_no_context_takeover',
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=9',
      { serverNoContextTakeover: true, clientNoContextTakeover: true, serverMaxWindowBits: 12, clientMaxWindowBits: 9 },
    ],
  ])('grants %p, when the server wants nothing', (offers, header, changes) => {
    expect(agreeOn(offers)).toEqual({ header, agreement: { ...ANYTHING, ...changes } });
  });

  it.each([
    // wanted, offers, header
    [{ serverNoContextTakeover: true }, 'permessage-deflate', 'permessage-deflate; server_no_context_takeover'],
    [{ clientNoContextTakeover: true }, 'permessage-deflate', 'permessage-deflate; client_no_context_takeover'],
    [{ serverMaxWindowBits: 9 }, 'permessage-deflate', 'permessage-deflate; server_max_window_bits=9'],
    [
      { clientMaxWindowBits: 9 },
      'permessage-deflate; client_max_window_bits',
      'permessage-deflate; client_max_window_bits=9',
    ],
  ])('answers %p, which may be unasked for, to %p', (wanted, offers, header) => {
    expect(agreeOn(offers, wanted)).toEqual({ header, agreement: { ...ANYTHING, ...wanted } });
  });

  it.each([8, 9, 10, 11, 12, 13, 14, 15])('agrees on the smaller of two windows, %d bits wanted', (wanted) => {
    for (let offered = 8; offered <= 15; offered++) {
      const smaller = Math.min(wanted, offered);
      expect(agreeOn(`permessage-deflate; server_max_window_bits=${offered}`, { serverMaxWindowBits: wanted })).toEqual(
        {
          header: `permessage-deflate; server_max_window_bits=${smaller}`,
          agreement: { ...ANYTHING, serverMaxWindowBits: smaller },
        },
      );
      expect(agreeOn(`permessage-deflate; client_max_window_bits=${offered}`, { clientMaxWindowBits: wanted })).toEqual(
        {
          header: `permessage-deflate${smaller < 15 ? `; client_max_window_bits=${smaller}` : ''}`,
          agreement: { ...ANYTHING, clientMaxWindowBits: smaller },
        },
      );
    }
  });

  // Section 7.1.2.2: to such a client the response "MUST NOT include" the parameter.
  it("declines a client whose window it cannot bound as it must, and takes that client's next offer", () => {
    expect(agreeOn('permessage-deflate', { clientMaxWindowBits: 14 })).toBeUndefined();
    expect(agreeOn('permessage-deflate; server_max_window_bits=10', { clientMaxWindowBits: 14 })).toBeUndefined();
    expect(
      agreeOn('permessage-deflate, permessage-deflate; client_max_window_bits', { clientMaxWindowBits: 14 })?.header,
    ).toBe('permessage-deflate; client_max_window_bits=14');
  });

  describe.each([
    ['a parameter that is not defined', ['x', 'x=1', '__proto__', 'constructor', 'toString=8', 'mux']],
    ['a name in other letters', ['Server_no_context_takeover', 'CLIENT_MAX_WINDOW_BITS', 'client-max-window-bits']],
    [
      'a value where none may stand',
      [
        'server_no_context_takeover=true',
        'server_no_context_takeover=1',
        'server_no_context_takeover="1"',
        'client_no_context_takeover=true',
        'client_no_context_takeover=client_no_context_takeover',
      ],
    ],
    [
      'a window that is none',
      [
        'server_max_window_bits',
        ...[
          '0',
          '7',
          '16',
          '-8',
          '+8',
          '08',
          '015',
          '8.0',
          '8.5',
          '1e1',
          '0x8',
          '0b1000',
          '8_',
          'x',
          'NaN',
          'true',
        ].flatMap((value) => [
          `server_max_window_bits=${value}`,
          `client_max_window_bits=${value}`,
          `client_max_window_bits="${value}"`,
        ]),
        `client_max_window_bits=${'9'.repeat(400)}`,
        `client_max_window_bits=${'0'.repeat(400)}8`,
      ],
    ],
    [
      'a parameter that stands twice',
      [
        'server_no_context_takeover; server_no_context_takeover',
        'client_no_context_takeover; client_no_context_takeover',
        'server_max_window_bits=10; server_max_window_bits=10',
        'server_max_window_bits=10; server_max_window_bits=11',
        'client_max_window_bits; client_max_window_bits',
        'client_max_window_bits; client_max_window_bits=10',
        'client_max_window_bits=10; client_max_window_bits',
        'client_max_window_bits=10; client_no_context_takeover; client_max_window_bits=10',
      ],
    ],
  ])('an offer with %s', (_what, all) => {
    it.each(all)('is declined: %p', (params) => {
      expect(agreeOn(`permessage-deflate; ${params}`)).toBeUndefined();
    });

    it.each(all)('is passed over for the next: %p', (params) => {
      expect(agreeOn(`permessage-deflate; ${params}, x; y, permessage-deflate; server_max_window_bits=9`)).toEqual({
        header: 'permessage-deflate; server_max_window_bits=9',
        agreement: { ...ANYTHING, serverMaxWindowBits: 9 },
      });
    });
  });

  it.each(['Permessage-Deflate', 'PERMESSAGE-DEFLATE', 'permessage-bzip2', 'x-permessage-deflate', 'permessage'])(
    'does not take %p for itself',
    (name) => {
      expect(agreeOn(name)).toBeUndefined();
    },
  );

  it('takes the first of several offers that it can take, whatever comes behind it', () => {
    const [a, b] = ['permessage-deflate; server_max_window_bits=10', 'permessage-deflate; client_no_context_takeover'];
    expect(agreeOn(`${a}, ${b}`)?.header).toBe(a);
    expect(agreeOn(`${b}, ${a}`)?.header).toBe(b);
    expect(agreeOn(`mux, ${b}, permessage-deflate; x, ${a}`)?.header).toBe(b);
  });
});

describe("a response to the ws client's real offers", () => {
  const wishes: DeflateAgreement[] = [
    ANYTHING,
    NO_TAKEOVER,
    { ...ANYTHING, serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
    { ...NO_TAKEOVER, serverMaxWindowBits: 8, clientMaxWindowBits: 8 },
  ];
  const clients = [
    true,
    { serverNoContextTakeover: true },
    { clientNoContextTakeover: true },
    { serverMaxWindowBits: 10, clientMaxWindowBits: 11 },
    { serverMaxWindowBits: 8, clientMaxWindowBits: 8, serverNoContextTakeover: true, clientNoContextTakeover: true },
  ];

  it.each(wishes)('is one that this client keeps to, %p wanted', async (wanted) => {
    const server = createServer().on('upgrade', (request, socket) => {
      const agreed = agreeOn(request.headers['sec-websocket-extensions'] ?? '', wanted);
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Accept: ${acceptFor(request.headers['sec-websocket-key'] ?? '')}\r\n` +
          `Sec-WebSocket-Extensions: ${agreed?.header}\r\n\r\n`,
      );
    });
    const { url } = await serve(server);
    for (const perMessageDeflate of clients) {
      // It fails where the response has what it did not offer, or a window wider than it offered.
      const client = new WebSocket(url, { perMessageDeflate });
      await once(client, 'open');
      expect(client.extensions).toBe('permessage-deflate');
      client.terminate();
    }
  });
});

describe('of any offers', () => {
  const bits = fc.integer({ min: 8, max: 15 });
  const wishes = fc.record({
    serverNoContextTakeover: fc.boolean(),
    clientNoContextTakeover: fc.boolean(),
    serverMaxWindowBits: bits,
    clientMaxWindowBits: bits,
  });
  const FLAGS = ['server_no_context_takeover', 'client_no_context_takeover'];
  const WINDOWS = ['server_max_window_bits', 'client_max_window_bits'];
  const value = fc.oneof(
    { weight: 3, arbitrary: bits.map((n) => `=${n}`) },
    fc.constantFrom('', '=7', '=16', '=010', '=x'),
  );
  const param = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...FLAGS) },
    { weight: 8, arbitrary: fc.tuple(fc.constantFrom(...WINDOWS), value).map((both) => both.join('')) },
    fc.constantFrom('x', '__proto__', `${FLAGS[0]}=1`),
  );
  const name = fc.oneof({ weight: 6, arbitrary: fc.constant('permessage-deflate') }, fc.constantFrom('x', '__proto__'));
  const likely = fc
    .array(
      fc.tuple(name, fc.array(param, { maxLength: 4 })).map(([first, rest]) => [first, ...rest].join('; ')),
      { minLength: 1, maxLength: 3 },
    )
    .map((offers) => offers.join(', '));

  /** What of a list of parameters concerns one; `undefined` where it is absent. */
  function read(params: readonly { name: string; value: string | undefined }[], wanted: string) {
    const found = params.find(({ name }) => name === wanted);
    return found && { bits: found.value === undefined ? 15 : Number(found.value) };
  }

  it('the negotiation never throws, answers what an offer allows, keeps within the options, and agrees on what it answers', () => {
    let agreements = 0;
    fc.assert(
      fc.property(fc.oneof(likely, fc.string({ unit: 'binary' })), wishes, (text, wanted) => {
        const offers = parseExtensions(text);
        if (offers === undefined) return;
        const agreed = agreeOnDeflate(offers, wanted);
        if (agreed === undefined) return;
        agreements++;
        const { header, agreement } = agreed;
        const response = parseExtensions(header);
        expect(response?.map((extension) => extension.name)).toEqual(['permessage-deflate']);
        const params = response?.[0]?.params ?? [];
        const names = params.map((each) => each.name);
        expect(new Set(names).size).toBe(names.length);
        for (const each of params) {
          if (FLAGS.includes(each.name)) expect(each.value).toBeUndefined();
          else {
            expect(WINDOWS).toContain(each.name);
            expect(each.value).toMatch(/^([89]|1[0-5])$/);
          }
        }
        // The agreement is what the client reads.
        expect(agreement).toEqual({
          serverNoContextTakeover: names.includes('server_no_context_takeover'),
          clientNoContextTakeover: names.includes('client_no_context_takeover'),
          serverMaxWindowBits: read(params, 'server_max_window_bits')?.bits ?? 15,
          clientMaxWindowBits: read(params, 'client_max_window_bits')?.bits ?? 15,
        });
        // It costs no more than the server wanted.
        expect(agreement.serverMaxWindowBits).toBeLessThanOrEqual(wanted.serverMaxWindowBits);
        expect(agreement.clientMaxWindowBits).toBeLessThanOrEqual(wanted.clientMaxWindowBits);
        if (wanted.serverNoContextTakeover) expect(agreement.serverNoContextTakeover).toBe(true);
        if (wanted.clientNoContextTakeover) expect(agreement.clientNoContextTakeover).toBe(true);
        // A client that has made one of the offers does not fail the connection for it.
        const isAllowed = offers.some((offer) => {
          if (offer.name !== 'permessage-deflate') return false;
          const server = read(offer.params, 'server_max_window_bits');
          const client = read(offer.params, 'client_max_window_bits');
          return (
            (agreement.serverNoContextTakeover || !read(offer.params, 'server_no_context_takeover')) &&
            (server === undefined ||
              (names.includes('server_max_window_bits') && agreement.serverMaxWindowBits <= server.bits)) &&
            (client !== undefined || !names.includes('client_max_window_bits'))
          );
        });
        expect(isAllowed).toBe(true);
      }),
      { numRuns: 1000 },
    );
    expect(agreements).toBeGreaterThan(100);
  });
});
