/** The arguments of `websocketRoute` and `acceptWebSocket`. What routes do is in `frameworks.spec.ts`. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { acceptWebSocket, toInteger, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';
import { usageErrorCode } from '../support/usage-error.js';

class Echo extends WebSocketHandler {}

const invalid = expect.objectContaining({ name: 'TypeError', code: usageErrorCode() });
const request = {} as IncomingMessage;
const response = {} as ServerResponse;
/** As Node makes them. */
const real = new IncomingMessage(new Socket());

describe('websocketRoute', () => {
  it.each([
    ['nothing', []],
    ['a path and no handler', ['/ws']],
    ['a handler that is a function', ['/ws', () => {}]],
    ['a handler that is a route', ['/ws', websocketRoute('/ws', Echo)]],
    ['a handler that is no subclass', ['/ws', class {}]],
    ['the base class itself', ['/ws', WebSocketHandler]],
    ['an instance', ['/ws', new Echo()]],
    ['handler and path the wrong way round', [Echo, '/ws']],
    ['a regular expression for a path', [/ws/, Echo]],
    ['a path without a slash', ['ws', Echo]],
    ['an empty path', ['', Echo]],
    ['no path in an array', [[], Echo]],
    ['a malformed path', ['/ws/:', Echo]],
    ['an optional param as in Express 4', ['/ws/:name?', Echo]],
    ['a wildcard as in Express 4', ['/ws/*', Echo]],
    ['options that are null', ['/ws', Echo, null]],
    ['options that are text', ['/ws', Echo, 'strict']],
    ['an unknown option', ['/ws', Echo, { delimiter: '\n' }]],
    ['an option of a path without one', [Echo, { strict: true }]],
    ['a converter of no param', ['/ws/:id', Echo, { convert: { di: toInteger } }]],
    ['a converter that is none', ['/ws/:id', Echo, { convert: { id: 'integer' } }]],
    ['strict that is no boolean', ['/ws', Echo, { strict: 1 }]],
  ])('refuses %s with a TypeError, before any request', (_what, args) => {
    expect(() => Reflect.apply(websocketRoute, undefined, args)).toThrow(invalid);
  });

  it('may be made once and mounted anywhere', async () => {
    const route = websocketRoute({
      onConnect() {
        this.write('hello');
      },
    });
    for (const server of [await serve(route), await serve(route)]) {
      expect(await (await RawClient.open(server)).nextText()).toBe('hello');
    }
  });

  it('does not look at its options again', async () => {
    const options = { subprotocols: ['chat'], origins: ['http://a.example'] };
    const server = await serve(websocketRoute(Echo, options));
    options.subprotocols.push('other');
    options.origins.push('http://b.example');
    const client = await RawClient.connect(server);
    await expect(client.handshake('/', { Origin: 'http://b.example' })).toBeRefusedWith(403);
    const offer = { 'Sec-WebSocket-Protocol': 'other' };
    expect((await client.handshake('/', offer)).headers['sec-websocket-protocol']).toBeUndefined();
  });

  it('hands a plain request for another path on without looking at it', () => {
    const next = jest.fn();
    websocketRoute('/ws', Echo)({ url: '/other' } as IncomingMessage, response, next);
    expect(next.mock.calls).toEqual([[]]);
  });
});

describe('a RegExp as path', () => {
  it('is refused, before it becomes a handler of every request', () => {
    const route = websocketRoute as (...args: unknown[]) => unknown;
    expect(() => route(/^\/chat/, { onRead() {} })).toThrow('path is /^\\/chat/: a RegExp is not supported as a path');
  });
});

describe('acceptWebSocket', () => {
  it.each([
    ['no handler', undefined],
    ['null', null],
    ['a path', '/ws'],
    ['a function', () => {}],
    ['an instance', new Echo()],
  ])('refuses %s for a handler with a TypeError', (_what, handler) => {
    expect(() => acceptWebSocket(request, response, handler as object)).toThrow(invalid);
  });

  it.each<[what: string, request: unknown, response: unknown, named: string]>([
    ['a request without a socket', { headers: {}, method: 'GET' }, new ServerResponse(real), 'request'],
    ['a request whose socket is none', { headers: {}, socket: {}, method: 'GET' }, new ServerResponse(real), 'request'],
    ['a request whose socket is null', { headers: {}, socket: null }, new ServerResponse(real), 'request'],
    ['no request', undefined, undefined, 'request'],
    ['a URL for the request', '/ws', new ServerResponse(real), 'request'],
    ['no response', real, undefined, 'response'],
    ['the two in the wrong order', new ServerResponse(real), real, 'request'],
    ['a socket for the response', real, new Socket(), 'response'],
    ['an imitation of a response', real, { setHeader() {}, removeHeader() {}, end() {} }, 'response'],
    ['next for the response', real, () => {}, 'response'],
  ])('refuses %s with a TypeError that names it, at once', async (_what, request, response, named) => {
    const rejected = jest.fn();
    process.once('unhandledRejection', rejected);
    const call = (): void => acceptWebSocket(request as IncomingMessage, response as ServerResponse, Echo);
    expect(call).toThrow(invalid);
    expect(call).toThrow(new RegExp(`^${named} is `));
    await new Promise((resolve) => setImmediate(resolve));
    process.removeListener('unhandledRejection', rejected);
    expect(rejected).not.toHaveBeenCalled();
  });

  it('has the check in common with the middleware', () => {
    const request = { url: '/ws', headers: {}, method: 'GET' } as IncomingMessage;
    for (const middleware of [websocketRoute(Echo), websocketRoute('/ws', Echo)]) {
      expect(() => middleware(request, new ServerResponse(real))).toThrow(invalid);
    }
  });

  it('refuses options of a route, and unknown ones', () => {
    for (const options of [{ convert: {} }, { strict: true }, { paht: '/' }, null]) {
      expect(() => acceptWebSocket(request, response, Echo, options as object)).toThrow(invalid);
    }
  });
});
