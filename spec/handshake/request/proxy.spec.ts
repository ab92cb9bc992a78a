import { createServer, type IncomingMessage } from 'node:http';
import express from 'express';
import { hostOf, isSecure } from '../../../lib/handshake/request/proxy.js';
import { serve } from '../../support/server.js';

const express4 = require('express4') as typeof express;

/** What the two say of a request with these headers. */
async function ask(
  wrap: (answer: (request: IncomingMessage) => string) => Parameters<typeof serve>[0],
  headers: Record<string, string>,
  tls = false,
): Promise<string> {
  const server = await serve(
    wrap((request) => `${isSecure(request)} ${hostOf(request)?.replace(/:\d+$/, '')}`),
    { tls },
  );
  return new Promise((resolve, reject) => {
    const get = tls ? require('node:https').get : require('node:http').get;
    get(server.httpUrl, { headers, rejectUnauthorized: false }, async (response: IncomingMessage) => {
      response.setEncoding('utf8');
      resolve((await response.toArray()).join(''));
    }).on('error', reject);
  });
}

const FORWARDED = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'a.example:8443' };

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('behind a proxy, in %s', (_name, make) => {
  const inApp =
    (trust: unknown, mount = false) =>
    (answer: (request: IncomingMessage) => string) => {
      const inner = make().use((req, res) => void res.send(answer(req)));
      if (!mount) return inner.set('trust proxy', trust);
      return make().set('trust proxy', trust).use('/', inner);
    };

  it('the forwarded headers count where the app trusts', async () => {
    expect(await ask(inApp(true), FORWARDED)).toBe('true a.example');
    expect(await ask(inApp('loopback'), FORWARDED)).toBe('true a.example');
    expect(await ask(inApp(1), FORWARDED)).toBe('true a.example');
    expect(await ask(inApp(true, true), FORWARDED)).toBe('true a.example');
  });

  it('the forwarded headers count nowhere else', async () => {
    expect(await ask(inApp(false), FORWARDED)).toBe('false 127.0.0.1');
    expect(await ask(inApp('10.0.0.0/8'), FORWARDED)).toBe('false 127.0.0.1');
    expect(await ask(inApp(0), FORWARDED)).toBe('false 127.0.0.1');
  });

  it.each([
    ['https', true],
    ['HTTPS', true],
    ['wss', true],
    ['WSS', true],
    [' Wss ', true],
    ['wss, ws', true],
    ['wss,http', true],
    ['https, http', true],
    [',, wss ,', true],
    ['http', false],
    ['HTTP', false],
    ['ws', false],
    ['Ws', false],
    ['ws, wss', false],
    [', http, https', false],
    // As if there were none.
    ['', false],
    ['httpss', undefined],
    ['wss://', undefined],
    ['"https"', undefined],
    ['https;', undefined],
    [',', undefined],
    ['__proto__', undefined],
  ])('says of X-Forwarded-Proto: %j that TLS is %p, where the app trusts', async (proto, secure) => {
    const headers = { 'X-Forwarded-Proto': proto };
    expect(await ask(inApp(true), headers)).toBe(`${secure} 127.0.0.1`);
    expect(await ask(inApp(false), headers)).toBe('false 127.0.0.1');
  });

  it('a trusted proxy has the last word about TLS, even on a TLS connection', async () => {
    const overTls = (trust: unknown) => (answer: (request: IncomingMessage) => string) =>
      make()
        .set('trust proxy', trust)
        .use((req, res) => void res.send(answer(req)));
    for (const [proto, secure] of [
      ['ws', false],
      ['wss', true],
      ['quic', undefined],
    ] as const) {
      const headers = { 'X-Forwarded-Proto': proto };
      expect(await ask(overTls(true), headers, true)).toBe(`${secure} 127.0.0.1`);
      expect(await ask(overTls(false), headers, true)).toBe('true 127.0.0.1');
    }
  });

  it('an app that says no, though the proxy says https, is believed', async () => {
    const app = make().set('trust proxy', true);
    Object.defineProperty(app.request, 'secure', { get: () => false });
    const wrap = (answer: (request: IncomingMessage) => string) => app.use((req, res) => void res.send(answer(req)));
    expect(await ask(wrap, FORWARDED)).toBe('false a.example');
  });

  it('an app that reads the scheme from elsewhere is believed', async () => {
    const app = make();
    Object.defineProperty(app.request, 'protocol', {
      get(this: IncomingMessage) {
        return this.headers['x-scheme'] ?? 'http';
      },
    });
    const wrap = (answer: (request: IncomingMessage) => string) => app.use((req, res) => void res.send(answer(req)));
    expect(await ask(wrap, { 'X-Scheme': 'https' })).toBe('true 127.0.0.1');
    expect(await ask(wrap, { 'X-Scheme': 'WSS' })).toBe('true 127.0.0.1');
    expect(await ask(wrap, { 'X-Scheme': 'ws' })).toBe('false 127.0.0.1');
  });

  type Asked = IncomingMessage & { app: { get(name: string): unknown } };
  it.each<[what: string, isByTls: (request: Asked) => boolean]>([
    ['another header', ({ headers }) => headers?.['x-tls'] === 'on'],
    ['a property of the request', (request) => Reflect.get(request, 'isByTls') === true],
    ['a setting of the app', ({ app }) => app.get('tls') === 'on'],
  ])('a getter of the app counts that goes by %s, too', async (_what, isByTls) => {
    const app = make().set('tls', 'on');
    Object.defineProperty(app.request, 'secure', {
      get(this: Asked) {
        return Reflect.get(this.socket, 'encrypted') === true || isByTls(this);
      },
    });
    app.use((request, _response, next) => {
      Object.assign(request, { isByTls: true });
      next();
    });
    const wrap = (answer: (request: IncomingMessage) => string) => app.use((req, res) => void res.send(answer(req)));
    expect(await ask(wrap, { 'X-TLS': 'on' })).toBe('true 127.0.0.1');
  });

  it('the first of several forwarded hosts counts: the client’s', async () => {
    for (const hosts of ['a.example , b.example', ', a.example,b.example']) {
      expect(await ask(inApp(true), { 'X-Forwarded-Host': hosts })).toBe('false a.example');
    }
  });
});

describe('without a framework', () => {
  const bare = (answer: (request: IncomingMessage) => string) =>
    createServer((request, response) => response.end(answer(request)));

  it('the socket and the Host header say it', async () => {
    expect(await ask(bare, FORWARDED)).toBe('false 127.0.0.1');
    const answering = (answer: (request: IncomingMessage) => string) => bare(answer).listeners('request')[0] as never;
    expect(await ask(answering, FORWARDED, true)).toBe('true 127.0.0.1');
  });
});
