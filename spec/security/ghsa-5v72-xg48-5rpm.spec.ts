/**
 * GHSA-5v72-xg48-5rpm, ws before 3.3.1: names of extensions and of their parameters were looked up in an object, and found what
 * every object inherits. So each of these names is tried wherever a peer may choose one.
 */
import { createServer } from 'node:http';
import { type ConnectionOptions, websocketRoute } from '../../lib/index.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';
import { Echo, expectNothingLogged, Witness } from './witness.js';

const INHERITED = [Object.prototype, Array.prototype].flatMap((prototype) => Object.getOwnPropertyNames(prototype));
const NAMES = [...new Set(['prototype', ...INHERITED])];

class Params extends Echo {
  override onConnect(params: Record<string, unknown>): void {
    this.write(JSON.stringify([Object.getPrototypeOf(params), Object.entries(params), this.subprotocol]));
  }
}

expectNothingLogged();

const start = (options: ConnectionOptions = {}): Promise<Running> => serve(websocketRoute(Echo, options));

/** The answer to a handshake with these headers; where it is a 101, the connection must echo. */
async function answerTo(server: Running, headers: Record<string, string>, path = '/') {
  const client = await RawClient.connect(server);
  const response = await client.handshake(path, headers);
  if (response.status === 101) {
    client.send(text('hello'));
    expect(await client.nextText()).toBe('hello');
  }
  client.socket.destroy();
  return response;
}

describe('GHSA-5v72-xg48-5rpm (ws): names that every object has', () => {
  const offers: [what: string, offer: (name: string) => string][] = [
    ['an extension', (name) => name],
    ['an extension with parameters', (name) => `${name}; ${name}; ${name}=${name}; ${name}="${name}"`],
    ['a parameter', (name) => `permessage-deflate; ${name}`],
    ['a parameter with a value', (name) => `permessage-deflate; ${name}=10`],
    ['the value of a parameter', (name) => `permessage-deflate; server_max_window_bits=${name}`],
  ];
  describe.each([false, true])('with compress: %p', (compress) => {
    it.each(offers)('are declined as %s', async (_what, offer) => {
      const server = await start({ compress });
      for (const name of NAMES) {
        const { status, headers } = await answerTo(server, { 'Sec-WebSocket-Extensions': offer(name) });
        expect([name, status, headers['sec-websocket-extensions']]).toEqual([name, 101, undefined]);
      }
    });
  });

  it('do not keep an offer behind them from being taken', async () => {
    const server = await start({ compress: true });
    for (const name of NAMES) {
      const offer = `${name}, permessage-deflate; ${name}, permessage-deflate`;
      const { status, headers } = await answerTo(server, { 'Sec-WebSocket-Extensions': offer });
      expect([status, headers['sec-websocket-extensions']]).toEqual([
        101,
        expect.stringMatching(/^permessage-deflate/),
      ]);
    }
  });

  it('are subprotocols like any other: spoken only where they are listed', async () => {
    const server = await start({ subprotocols: ['chat'] });
    const speaking = await start({ subprotocols: NAMES });
    for (const name of NAMES) {
      const offer = { 'Sec-WebSocket-Protocol': name };
      expect((await answerTo(server, offer)).headers['sec-websocket-protocol']).toBeUndefined();
      expect((await answerTo(speaking, offer)).headers['sec-websocket-protocol']).toBe(name);
    }
    const all = await answerTo(server, { 'Sec-WebSocket-Protocol': [...NAMES, 'chat'].join(', ') });
    expect(all.headers['sec-websocket-protocol']).toBe('chat');
  });

  it('are headers like any other', async () => {
    const server = await serve(
      createServer({ maxHeaderSize: 65_536 }, websocketRoute(Echo, { subprotocols: ['chat'] })),
    );
    const headers = Object.fromEntries(NAMES.map((name) => [name, 'websocket']));
    expect((await answerTo(server, headers)).status).toBe(101);
    // None of them stands in for one that is missing.
    for (const name of NAMES) {
      const client = await RawClient.connect(server);
      client.send(`GET / HTTP/1.1\r\nHost: a\r\n${name}: websocket\r\nConnection: Upgrade, ${name}\r\n\r\n`);
      await expect(client.response()).toBeRefusedWith(426);
    }
  });

  it('are in a path what they say, and in a query nothing', async () => {
    const server = await serve(websocketRoute('/:constructor/:toString', Params));
    const client = await RawClient.open(server, `/__proto__/valueOf?${NAMES.map((name) => `${name}=1`).join('&')}`);
    expect(JSON.parse(await client.nextText())).toEqual([
      null,
      [
        ['constructor', '__proto__'],
        ['toString', 'valueOf'],
      ],
      '',
    ]);
  });

  it('leave every object as it was, and other connections alone', async () => {
    const server = await start({ subprotocols: NAMES });
    const witness = await Witness.join(server);
    for (const name of NAMES)
      await answerTo(server, { [name]: '1', 'Sec-WebSocket-Protocol': name }, `/?${name}[${name}]=1`);
    await witness.isServed();
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect({}).not.toHaveProperty('1');
  });
});
