import { createServer, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { beginDraining, drainingOf, endDraining, refuseWhileDraining } from '../../lib/handshake/draining.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';

const draining = { retryAfter: 5, take: () => {} };

describe('a server that drains', () => {
  it.each([false, true])('is known by its requests, as long as it does (TLS: %p)', async (tls) => {
    const requests = new AsyncQueue<IncomingMessage>();
    const server = await serve(
      (request, response) => {
        requests.push(request);
        response.end();
      },
      { tls },
    );
    const client = await RawClient.connect(server);
    await client.handshake();
    const request = await requests.next();
    expect(drainingOf(request)).toBeUndefined();
    beginDraining(server.server, draining);
    expect(drainingOf(request)).toBe(draining);
    endDraining(server.server);
    expect(drainingOf(request)).toBeUndefined();
  });

  it('is not taken for another one, nor for none', () => {
    const server = createServer();
    beginDraining(server, draining);
    const request = new IncomingMessage(new Socket());
    expect(drainingOf(request)).toBeUndefined();
    Reflect.set(request.socket, 'server', createServer());
    expect(drainingOf(request)).toBeUndefined();
    Reflect.set(request.socket, 'server', server);
    expect(drainingOf(request)).toBe(draining);
  });

  it('refuses with 503, says when to come again, and ends the connection', () => {
    expect(refuseWhileDraining(draining)).toMatchObject({
      status: 503,
      reason: 'draining',
      headers: { 'Retry-After': '5', Connection: 'close' },
    });
  });
});
