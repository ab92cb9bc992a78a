/** Routes and handlers that are made for each request: what is counted for them is bounded. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Agent, get } from 'node:http';
import {
  acceptWebSocket,
  type DiagnosticMessages,
  metrics,
  WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { counterNameOf } from '../../lib/telemetry/route-counters.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { serve } from '../support/server.js';

/** Asks for each path in turn, over one connection. */
async function askAll(port: number, paths: Iterable<string>): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    for (const path of paths) {
      await new Promise<void>((resolve, reject) => {
        get({ port, host: '127.0.0.1', path, agent }, (response) => response.resume().once('end', resolve)).on(
          'error',
          reject,
        );
      });
    }
  } finally {
    agent.destroy();
  }
}

describe('a class that is made anew for each request', () => {
  it('is one route, by its name', async () => {
    const { port } = await serve((request, response) => {
      class Inline extends WebSocketHandler {}
      acceptWebSocket(request, response, Inline, {});
    });
    const before = Object.keys(metrics().routes).length;
    await askAll(port, Array(50).fill('/'));
    expect(metrics().routes['Inline']?.refused).toEqual({ 'not-an-upgrade': 50 });
    expect(Object.keys(metrics().routes)).toHaveLength(before + 1);
  });
});

describe('more than a thousand routes', () => {
  it('are told apart up to the thousandth, and then are one', async () => {
    const { port } = await serve((request, response) => {
      // As nobody should: the path of the request as the pattern.
      websocketRoute(request.url ?? '/', {})(request, response);
    });
    await askAll(
      port,
      Array.from({ length: 1100 }, (_, i) => `/user-${i}`),
    );
    const { routes, refused } = metrics();
    expect(Object.keys(routes)).toHaveLength(1001);
    expect(routes['/user-900']?.refused).toEqual({ 'not-an-upgrade': 1 });
    expect(routes['(other)']?.refused['not-an-upgrade']).toBeGreaterThanOrEqual(100);
    expect(refused['not-an-upgrade']).toBe(1150);

    expect(counterNameOf('/user-900')).toBe('/user-900');
    expect(counterNameOf('/user-1099')).toBe('(other)');
  });

  it('are published by their own names nevertheless', async () => {
    const routes = new AsyncQueue<string>();
    const listener = (message: unknown): void =>
      routes.push((message as DiagnosticMessages['websocket-route:refuse']).route);
    const { port } = await serve((request, response) => {
      websocketRoute(request.url ?? '/', {})(request, response);
    });
    subscribe('websocket-route:refuse', listener);
    try {
      await askAll(port, ['/one-too-many']);
      expect(await routes.next()).toBe('/one-too-many');
    } finally {
      unsubscribe('websocket-route:refuse', listener);
    }
  });
});
