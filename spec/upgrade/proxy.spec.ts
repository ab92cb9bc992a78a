import { createServer, type IncomingMessage } from 'node:http';
import express from 'express';
import { hostOf, isSecure } from '../../lib/upgrade/proxy.js';
import { serve } from '../support/server.js';

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

  it('and nowhere else', async () => {
    expect(await ask(inApp(false), FORWARDED)).toBe('false 127.0.0.1');
    expect(await ask(inApp('10.0.0.0/8'), FORWARDED)).toBe('false 127.0.0.1');
    expect(await ask(inApp(0), FORWARDED)).toBe('false 127.0.0.1');
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

  it('of several forwarded hosts the first one counts, the client’s', async () => {
    const headers = { 'X-Forwarded-Host': 'a.example , b.example' };
    expect(await ask(inApp(true), headers)).toBe('false a.example');
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
