/**
 * Who measures how long HTTP requests take: to them a WebSocket is one request, answered with 101, that is over when the 101 is
 * out. How long the socket then lives is in none of their figures.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { PerformanceObserver } from 'node:perf_hooks';
import connect from 'connect';
import express, { type Express, type RequestHandler } from 'express';
import morgan from 'morgan';
import { Histogram, Registry } from 'prom-client';
import { upgradeListener, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

// It has the types of Express 5, and none of its own.
const express4 = require('express4') as typeof express;

class Echo extends WebSocketHandler {
  override onRead(data: string): unknown {
    this.write(data);
    return undefined;
  }
}

/** Middleware that observes a histogram on one event of the response, as exporters for Express do. */
function measuring(event: Event): {
  middleware: RequestHandler;
  seen: AsyncQueue<number>;
  register: Registry;
} {
  const register = new Registry();
  const seen = new AsyncQueue<number>();
  const histogram = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'How long requests took.',
    labelNames: ['status'],
    registers: [register],
  });
  return {
    register,
    seen,
    middleware: (_request, response, next) => {
      const stop = histogram.startTimer();
      response.on(event, () => {
        stop({ status: response.statusCode });
        seen.push(response.statusCode);
      });
      next();
    },
  };
}

async function countOf(register: Registry): Promise<string[]> {
  return (await register.metrics()).split('\n').filter((line) => /_count/.test(line));
}

/** The connection lives on: both ways, and then to its end. */
async function useAndClose(client: RawClient): Promise<void> {
  client.send(text('still here'));
  expect(await client.nextText()).toBe('still here');
  await client.close();
}

const apps: [name: string, create: () => Express][] = [
  ['Express 5', express],
  ['Express 4', express4],
  ['Connect', connect as unknown as typeof express],
];
type Event = 'finish' | 'close';
/** How the handshake reaches the app. */
const doors: [name: string, serve: (app: Express) => Promise<Running>][] = [
  ['the request door', (app) => serve(createServer(app))],
  [
    'the upgrade door',
    (app) => {
      const server = createServer(app);
      server.on('upgrade', upgradeListener(app));
      return serve(server);
    },
  ],
];
const ways = apps.flatMap(([app, create]) => doors.map(([door, start]) => ({ app, create, door, start })));

describe.each(ways)('with $app, by $door', ({ create, start }) => {
  const events: readonly Event[] = ['finish', 'close'];

  it.each(events)(
    'middleware that measures on %s has measured once, with 101, while the socket is open',
    async (event) => {
      const { middleware, seen, register } = measuring(event);
      const app = create();
      app.use(middleware);
      app.use(websocketRoute('/ws', Echo));
      const server = await start(app);
      const client = await RawClient.open(server, '/ws');
      expect(await seen.next()).toBe(101);
      expect(await countOf(register)).toEqual(['http_request_duration_seconds_count{status="101"} 1']);
      await useAndClose(client);
      expect(await countOf(register)).toEqual(['http_request_duration_seconds_count{status="101"} 1']);
      expect(seen.left).toEqual([]);
    },
  );

  it('morgan, and whatever else asks on-finished, has logged it while the socket is open', async () => {
    const lines = new AsyncQueue<string>();
    const app = create();
    app.use(
      morgan(':method :url :status :response-time :total-time', { stream: { write: (line) => lines.push(line) } }),
    );
    app.use(websocketRoute('/ws', Echo));
    const client = await RawClient.open(await start(app), '/ws');
    expect(await lines.next()).toMatch(/^GET \/ws 101 \d+\.\d+ \d+\.\d+\n$/);
    await useAndClose(client);
    expect(lines.left).toEqual([]);
  });

  it.each(events)(
    'middleware that measures on %s has measured a refused handshake with its own status',
    async (event) => {
      const { middleware, seen } = measuring(event);
      const app = create();
      app.use(middleware);
      app.use(websocketRoute('/ws', { onHandshake: () => ({ status: 401 }) }));
      const client = await RawClient.connect(await start(app));
      await expect(client.handshake('/ws')).toBeRefusedWith(401);
      expect(await seen.next()).toBe(401);
      client.socket.end();
      await client.ended;
      expect(seen.left).toEqual([]);
    },
  );
});

// What Node itself measures, it measures of what its server answers: by the upgrade door nobody hears of a request at all.
describe("Node's own measurements", () => {
  it('the channel http.server.response.finish tells once, with 101, while the socket is open', async () => {
    const finished = new AsyncQueue<number>();
    const server = await serve(websocketRoute('/ws', Echo));
    const listener = (message: unknown): void => {
      const { response, server: whose } = message as { response: ServerResponse; server: unknown };
      if (whose === server.server) finished.push(response.statusCode);
    };
    subscribe('http.server.response.finish', listener);
    try {
      const client = await RawClient.open(server, '/ws');
      expect(await finished.next()).toBe(101);
      await useAndClose(client);
      expect(finished.left).toEqual([]);
    } finally {
      unsubscribe('http.server.response.finish', listener);
    }
  });

  it('the "http" entry of perf_hooks comes once, with 101, while the socket is open', async () => {
    const entries = new AsyncQueue<unknown>();
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) entries.push(entry);
    });
    observer.observe({ entryTypes: ['http'] });
    try {
      const client = await RawClient.open(await serve(websocketRoute('/ws', Echo)), '/ws');
      expect(await entries.next()).toMatchObject({
        name: 'HttpRequest',
        detail: { req: { url: '/ws' }, res: { statusCode: 101 } },
      });
      await useAndClose(client);
      expect(entries.left).toEqual([]);
    } finally {
      observer.disconnect();
    }
  });

  it('a count of active requests by the events request and close goes back at once', async () => {
    let active = 0;
    const over = new AsyncQueue<number>();
    const server = createServer(websocketRoute('/ws', Echo));
    server.on('request', (_request: IncomingMessage, response: ServerResponse) => {
      active++;
      response.once('close', () => over.push(--active));
    });
    const client = await RawClient.open(await serve(server), '/ws');
    expect(await over.next()).toBe(0);
    await useAndClose(client);
  });
});
