import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  type MetricReader,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import express from 'express';
import type { DiagnosticMessages } from '../../lib/index.js';
import * as library from '../../lib/index.js';
import { channels } from '../../lib/telemetry/channels.js';
import { REFUSAL_REASONS } from '../../lib/telemetry/refusal-reasons.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { turns } from '../connection/open.js';
import { parseScrape, valuesOf } from '../prometheus/scrape.js';
import { serve } from '../support/server.js';
import { type Block, blocksOf, namesTakenForGranted, type Ran, readPage, run } from './blocks.js';
import { closed, connect, refused } from './client.js';

const PAGE = 'docs/observability.md';
const page = readPage(PAGE);

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

function block(words: string): Block {
  const found = blocksOf(PAGE).find(({ code }) => code.includes(words));
  if (found === undefined) throw new Error(`${PAGE} has no block that contains ${words}`);
  return found;
}

/** An app with a block, and with a route besides. */
function appWith(words: string): { app: express.Express; ran: Ran } {
  const app = express();
  const ran = run(block(words), namesTakenForGranted(app));
  const { stop } = ran.exports;
  if (typeof stop === 'function') undo.push(() => stop());
  app.use(library.websocketRoute('/observed/:id', {}));
  return { app, ran };
}

/** The first column of the table below a heading. */
function columnOf(heading: string, table = 0): string[] {
  const section = page.split(`# ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const tables = section.split(/\n\n/).filter((text) => text.trim().startsWith('|'));
  return (tables[table] ?? '')
    .trim()
    .split('\n')
    .slice(2)
    .flatMap((row) => Array.from((row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g), ([, name = '']) => name));
}

describe(PAGE, () => {
  it('logs as it says, with the address of whoever was accepted', async () => {
    const { app, ran } = appWith('logWebSockets');
    const lines: object[] = [];
    const { logWebSockets } = ran.exports as { logWebSockets(log: (fields: object) => void): () => void };
    const log = (fields: { route?: string }): void => {
      // A connection of another spec file may end only now.
      if (fields.route === '/observed/:id') lines.push(fields);
    };
    undo.push(logWebSockets(log));
    const { url } = await serve(app);
    await refused(`${url}/observed/1`, { origin: 'https://evil.example' });
    const client = await connect(`${url}/observed/1?token=secret`);
    client.socket.close(4000, 'bye');
    await closed(client);
    while (lines.length < 2) await turns();
    const [refusal, close] = lines;
    expect(refusal).toEqual({
      event: 'refuse',
      route: '/observed/:id',
      address: expect.stringContaining('127.0.0.1'),
      status: 403,
      reason: 'origin',
    });
    expect(close).toEqual({
      event: 'close',
      route: '/observed/:id',
      address: expect.stringContaining('127.0.0.1'),
      code: 4000,
      reason: 'bye',
      duration: expect.any(Number),
    });
  });

  it('has the context of whoever has gone', async () => {
    const contexts = new AsyncQueue<unknown>();
    const heard = (message: unknown): void => {
      const { route, connection } = message as DiagnosticMessages['websocket-route:close'];
      if (route === 'Known') contexts.push((connection as Known).context);
    };
    subscribe('websocket-route:close', heard);
    undo.push(() => unsubscribe('websocket-route:close', heard));
    class Known extends library.WebSocketHandler<{ context: { user: string } }> {
      override onHandshake(): boolean {
        this.context = { user: 'ada' };
        return true;
      }
    }
    const { url } = await serve(express().use(library.websocketRoute(Known)));
    const client = await connect(url);
    client.socket.terminate();
    expect(await contexts.next()).toEqual({ user: 'ada' });
  });

  it('shows what is open as JSON', async () => {
    const { app } = appWith("'/health'");
    const { url, httpUrl } = await serve(app);
    await connect(`${url}/rooms/blue`);
    const response = await fetch(`${httpUrl}/health`, { headers: { Connection: 'close' } });
    expect(await response.json()).toEqual({ open: 1, bufferedAmount: 0, rooms: 1 });
  });

  it('lets Prometheus scrape', async () => {
    const { app } = appWith('exportMetrics');
    const { url, httpUrl } = await serve(app);
    const client = await connect(`${url}/observed/1`);
    client.socket.close(4001);
    await closed(client);
    await connect(`${url}/observed/2`);
    while ((library.metrics().routes['/observed/:id']?.open ?? 0) > 1) await turns();
    const response = await fetch(`${httpUrl}/metrics`, { headers: { Connection: 'close' } });
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const scraped = parseScrape(await response.text());
    expect(valuesOf(scraped, '/observed/:id')).toMatchObject({
      open_connections: 1,
      'closed_connections_total{code="4001"}': 1,
    });
    // And the page has them all.
    const names = [...scraped.types.keys()].map((name) => name.replace('websocket_route_', ''));
    expect(columnOf('Prometheus', 1).sort()).toEqual(names.sort());
  });

  it('lets OpenTelemetry collect', async () => {
    const { app, ran } = appWith('instrument()');
    const { startMetrics } = ran.exports as { startMetrics(reader: MetricReader): () => Promise<void> };
    const reader = new PeriodicExportingMetricReader({
      exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
    });
    undo.push(startMetrics(reader));
    const { url } = await serve(app);
    const client = await connect(`${url}/observed/1`);
    client.socket.close();
    await closed(client);
    while ((library.metrics().routes['/observed/:id']?.open ?? 0) > 0) await turns();
    const { resourceMetrics } = await reader.collect();
    const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics.map(({ descriptor }) => descriptor));
    const names = columnOf('OpenTelemetry');
    expect(new Set(all.map(({ name }) => name))).toEqual(
      new Set(names.filter((name) => name !== 'websocket_route.errors')),
    );
    for (const { name, unit } of all) expect(page).toMatch(new RegExp(`\\| .*\`${name}\`.* \\| \`${unit}\` \\|`));
  });

  it('has every channel, every figure of metrics() and every reason of a refusal', () => {
    expect(columnOf('Channels')).toEqual(Object.keys(channels).map((name) => `websocket-route:${name}`));
    expect(columnOf('A snapshot').sort()).toEqual(Object.keys(library.metrics()).sort());
    expect(columnOf('Reasons of a refusal')).toEqual([...REFUSAL_REASONS]);
  });
});
