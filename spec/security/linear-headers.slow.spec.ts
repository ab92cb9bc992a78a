/**
 * Header parsers are linear: 16 KiB of spaces, commas, quotes and backslashes in any of them cost what plain text costs. Regular
 * expressions that go back have been an advisory in one library after the other.
 */
import { expectCheap, Handshakes, type Headers, KIB } from './handshakes.js';

const PLAIN = 'a';
const FILLS = [' ', ',', '"', '\\', '\\"', 'a,', ';a="'];

/** Where the text stands, and what the header needs beside it to be looked at. */
const HEADERS: readonly [name: string, headers: (text: string) => Headers][] = [
  ['Host', (text) => ({ Host: text, Origin: 'http://a.example' })],
  ['X-Forwarded-Host', (text) => ({ 'X-Forwarded-Host': text, Origin: 'http://a.example' })],
  ['Origin', (text) => ({ Origin: text })],
  ['Origin behind its scheme', (text) => ({ Origin: `http://${text}` })],
  ['Sec-WebSocket-Origin', (text) => ({ 'Sec-WebSocket-Origin': text, 'Sec-WebSocket-Version': '8' })],
  ['Upgrade', (text) => ({ Upgrade: text })],
  ['Upgrade before a good one', (text) => ({ Upgrade: `${text}, websocket` })],
  ['Connection', (text) => ({ Connection: `${text}, Upgrade` })],
  // Without the letters around it: what is blank around an element is looked for from its ends.
  ['Connection between commas', (text) => ({ Connection: `close,${text.slice(1, -1)},Upgrade` })],
  ['Sec-WebSocket-Version', (text) => ({ 'Sec-WebSocket-Version': text })],
  ['Sec-WebSocket-Key', (text) => ({ 'Sec-WebSocket-Key': text })],
  ['Sec-WebSocket-Protocol', (text) => ({ 'Sec-WebSocket-Protocol': text })],
  ['Sec-WebSocket-Protocol behind a good one', (text) => ({ 'Sec-WebSocket-Protocol': `chat,${text}` })],
  ['Sec-WebSocket-Extensions', (text) => ({ 'Sec-WebSocket-Extensions': text })],
  ['Sec-WebSocket-Extensions inside quotes', (text) => ({ 'Sec-WebSocket-Extensions': `a; b="${text}"` })],
  ['a header of nobody', (text) => ({ 'X-Anything': text })],
];

const OLD: Headers = {
  'Sec-WebSocket-Version': undefined,
  'Sec-WebSocket-Key': undefined,
  'Sec-WebSocket-Key1': '1 ',
  'Sec-WebSocket-Key2': '1 ',
};

/** Between two letters, since Node drops what is blank around a value. */
const sixteenKiB = (fill: string): string => `x${fill.repeat((16 * KIB) / fill.length)}x`;

const handshakes = Handshakes.use({ subprotocols: ['chat'], compress: true, allowOldHandshake: true });

describe('16 KiB', () => {
  it.each(HEADERS)(
    'a value of 16 KiB in %s costs at most three times what plain text costs, whatever it is',
    async (_name, headers) => {
      const plain = await handshakes.cost(headers(sixteenKiB(PLAIN)));
      expectCheap(plain, 16 * KIB);
      for (const fill of FILLS) {
        const cost = await handshakes.cost(headers(sixteenKiB(fill)));
        expectCheap(cost, 16 * KIB);
        expect([fill, cost.steps < 3 * plain.steps]).toEqual([fill, true]);
      }
    },
  );

  it.each(['Sec-WebSocket-Key1', 'Sec-WebSocket-Key2'])(
    'a value of 16 KiB in %s of draft-76 costs little, whatever it is',
    async (name) => {
      for (const fill of [PLAIN, '1', '0 ', ...FILLS]) {
        expectCheap(await handshakes.cost({ ...OLD, [name]: sixteenKiB(fill) }), 16 * KIB);
      }
    },
  );
});
