import { createServer } from 'node:http';
import express from 'express';
import { Counter, type OpenMetricsContentType, Registry, register as sharedRegistry } from 'prom-client';
import { metrics, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { type ExportOptions, exportMetrics } from '../../lib/prometheus/index.js';
import { countersOf, type OpenConnection } from '../../lib/telemetry/route-counters.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { setClock } from '../../lib/transport/clock.js';
import { turns } from '../connection/open.js';
import { closeBody, frame, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';
import { usageErrorCode } from '../support/usage-error.js';
import { parseScrape, type Scraped, valuesOf } from './scrape.js';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0)) one();
});

function exporting(options: ExportOptions): () => void {
  const stop = exportMetrics(options);
  undo.push(stop);
  return stop;
}

class Echo extends WebSocketHandler {
  override onRead(data: string): unknown {
    if (data === 'throw') throw new Error('broken');
    this.write(data);
    return undefined;
  }
  override onError(): void {}
}

/** A server with a route, and a page that Prometheus would scrape. */
async function served(path: string, register: Registry = new Registry()) {
  const clock = new TestClock();
  const app = express();
  app.use(websocketRoute(path, Echo));
  app.get('/metrics', async (_request, response) => {
    response.type(register.contentType).send(await register.metrics());
  });
  const http = createServer(app);
  http.on('connection', (socket) => setClock(socket, clock));
  const server = await serve(http);
  return { server, clock, register, scrape: () => scrape(server) };
}

async function scrape(server: Running): Promise<Scraped> {
  const response = await fetch(`${server.httpUrl}/metrics`, { headers: { Connection: 'close' } });
  expect(response.status).toBe(200);
  return parseScrape(await response.text());
}

async function gone(path: string, count: number): Promise<void> {
  const closed = (): number => Object.values(metrics().routes[path]?.closed ?? {}).reduce((sum, one) => sum + one, 0);
  while (closed() < count) await turns();
}

describe('exportMetrics', () => {
  it('lets Prometheus scrape what has happened on each route', async () => {
    const { server, clock, register, scrape } = await served('/prom/:room');
    exporting({ register });
    expect(valuesOf(await scrape(), '/prom/:room')).toEqual({
      open_connections: 0,
      buffered_bytes: 0,
      accepted_handshakes_total: 0,
      lost_connections_total: 0,
      overflows_total: 0,
      slow_consumers_total: 0,
      throttles_total: 0,
      received_messages_total: 0,
      sent_messages_total: 0,
      dropped_messages_total: 0,
      received_bytes_total: 0,
      sent_bytes_total: 0,
    });

    const open = await RawClient.open(server, '/prom/a?token=1');
    const closing = await RawClient.open(server, '/prom/b?token=2');
    const refused = await RawClient.connect(server);
    await refused.handshake('/prom/c', { Origin: 'https://evil.example' });
    open.send(text('hello'), text('throw'));
    expect(await open.nextText()).toBe('hello');
    await clock.advance(10_000);
    await closing.close(1001);
    await gone('/prom/:room', 1);

    const scraped = await scrape();
    const values = valuesOf(scraped, '/prom/:room');
    expect(values).toMatchObject({
      open_connections: 1,
      buffered_bytes: 0,
      accepted_handshakes_total: 2,
      'refused_handshakes_total{reason="origin"}': 1,
      'closed_connections_total{code="1001"}': 1,
      'hook_errors_total{hook="onRead"}': 1,
      received_messages_total: 2,
      sent_messages_total: 1,
      received_bytes_total: open.socket.bytesWritten + closing.socket.bytesWritten,
      sent_bytes_total: open.socket.bytesRead + closing.socket.bytesRead,
      'connection_duration_seconds_bucket{le="5"}': 0,
      'connection_duration_seconds_bucket{le="15"}': 1,
      'connection_duration_seconds_bucket{le="+Inf"}': 1,
      connection_duration_seconds_sum: 10,
      connection_duration_seconds_count: 1,
    });
    expect([...scraped.values.keys()].filter((sample) => sample.includes('token'))).toEqual([]);
  });

  it('names, types and explains every metric as Prometheus wants it', async () => {
    const { register, scrape } = await served('/prom/names');
    exporting({ register });
    const { types, helps, values } = await scrape();
    expect([...types.keys()]).toEqual([...helps.keys()]);
    expect(types.size).toBe(16);
    const wrong = [...types].filter(([name, type]) => (type === 'counter') !== name.endsWith('_total'));
    expect(wrong).toEqual([]);
    expect([...types.values()].sort()).toEqual([...Array(13).fill('counter'), 'gauge', 'gauge', 'histogram']);
    expect([...values.keys()].every((sample) => sample.startsWith('websocket_route_'))).toBe(true);
  });

  it('exports to the registry of prom-client where no other is given', async () => {
    const stop = exporting({});
    expect(await sharedRegistry.metrics()).toContain('websocket_route_open_connections');
    stop();
    expect(await sharedRegistry.metrics()).not.toContain('websocket_route');
  });

  it('exports to several registries, each with names, labels and buckets of its own', async () => {
    const first = await served('/prom/several');
    const second = new Registry();
    second.setDefaultLabels({ app: 'shop' });
    exporting({ register: first.register });
    exporting({ register: second, prefix: 'shop_ws_', durationBuckets: [0.5, 60] });
    await (await RawClient.open(first.server, '/prom/several')).close();
    await gone('/prom/several', 1);
    const ofFirst = valuesOf(await first.scrape(), '/prom/several');
    const ofSecond = valuesOf(parseScrape(await second.metrics()), '/prom/several', 'shop_ws_');
    expect(ofFirst).toMatchObject({ accepted_handshakes_total: 1, connection_duration_seconds_count: 1 });
    expect(ofFirst).toHaveProperty(['connection_duration_seconds_bucket{le="86400"}']);
    expect(ofSecond).toMatchObject({
      'accepted_handshakes_total{app="shop"}': 1,
      'connection_duration_seconds_bucket{le="0.5",app="shop"}': 1,
      'connection_duration_seconds_bucket{le="60",app="shop"}': 1,
      'connection_duration_seconds_bucket{le="+Inf",app="shop"}': 1,
    });
  });

  it('counts on from 0 after resetMetrics(), and knows what is open', async () => {
    const { server, register, scrape } = await served('/prom/reset');
    const other = new Registry();
    exporting({ register });
    exporting({ register: other });
    await RawClient.open(server, '/prom/reset');
    await (await RawClient.open(server, '/prom/reset')).close();
    await gone('/prom/reset', 1);
    await scrape();
    register.resetMetrics();
    expect(valuesOf(await scrape(), '/prom/reset')).toMatchObject({
      open_connections: 1,
      accepted_handshakes_total: 0,
      'closed_connections_total{code="1000"}': 0,
    });
    await RawClient.open(server, '/prom/reset');
    expect(valuesOf(await scrape(), '/prom/reset')).toMatchObject({
      open_connections: 2,
      accepted_handshakes_total: 1,
    });
    expect(valuesOf(parseScrape(await other.metrics()), '/prom/reset')).toMatchObject({
      open_connections: 2,
      accepted_handshakes_total: 3,
    });
  });

  it('counts the same however often, and by how many at once, it is scraped', async () => {
    const { server, register, scrape } = await served('/prom/often');
    exporting({ register });
    await RawClient.open(server, '/prom/often');
    const scrapes = await Promise.all([scrape(), scrape(), register.metrics().then(parseScrape), scrape()]);
    for (const one of scrapes) expect(valuesOf(one, '/prom/often')).toMatchObject({ accepted_handshakes_total: 1 });
    const single = await register.getSingleMetricAsString('websocket_route_accepted_handshakes_total');
    expect(valuesOf(parseScrape(single), '/prom/often')).toEqual({ accepted_handshakes_total: 1 });
  });

  it('exportMetrics never lets a counter go back, which Prometheus would take for a restart', async () => {
    const { register, scrape } = await served('/prom/back');
    exporting({ register });
    const { counts } = countersOf('/prom/back');
    const values: number[] = [];
    for (const count of [5, 3, 6]) {
      counts.overflows = count;
      values.push(valuesOf(await scrape(), '/prom/back')['overflows_total'] ?? -1);
    }
    expect(values).toEqual([5, 5, 6]);
  });

  it('looks at each open connection once in a scrape', async () => {
    const { register } = await served('/prom/once');
    exporting({ register });
    let looks = 0;
    const connection = {
      get messagesReceived(): number {
        looks++;
        return 3;
      },
      messagesSent: 0,
      bytesReceived: 0,
      bytesSent: 0,
      bufferedAmount: 0,
    } as OpenConnection;
    countersOf('/prom/once').opened(connection);
    const scraped = parseScrape(await register.metrics());
    expect(valuesOf(scraped, '/prom/once')).toMatchObject({ open_connections: 1, received_messages_total: 3 });
    expect(looks).toBe(1);
    countersOf('/prom/once').closed(connection);
  });

  it('lets no peer make more than a handful of series, whatever close codes it sends', async () => {
    const { server, register, scrape } = await served('/prom/codes');
    exporting({ register, closeCodes: [4001] });
    const codes = [4000, 4001, 4002, 4001, 3000, 3999, 4999, 1000, 1014];
    for (const code of codes) await (await RawClient.open(server, '/prom/codes')).close(code);
    (await RawClient.open(server, '/prom/codes')).send(frame({ opcode: 8 }));
    (await RawClient.open(server, '/prom/codes')).socket.resetAndDestroy();
    (await RawClient.open(server, '/prom/codes')).send(frame({ opcode: 8, payload: closeBody(5000) }));
    await gone('/prom/codes', codes.length + 3);
    const closed = Object.entries(valuesOf(await scrape(), '/prom/codes')).filter(([name]) => name.includes('code='));
    expect(Object.fromEntries(closed)).toEqual({
      'closed_connections_total{code="1000"}': 1,
      'closed_connections_total{code="1002"}': 1,
      'closed_connections_total{code="1005"}': 1,
      'closed_connections_total{code="1006"}': 1,
      'closed_connections_total{code="1014"}': 1,
      'closed_connections_total{code="3xxx"}': 2,
      'closed_connections_total{code="4001"}': 2,
      'closed_connections_total{code="4xxx"}': 3,
    });
  });

  it('speaks OpenMetrics where the registry does', async () => {
    const register = new Registry<OpenMetricsContentType>();
    register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    const stop = exporting({ register });
    const { server } = await served('/prom/open-metrics');
    await RawClient.open(server, '/prom/open-metrics');
    for (let i = 0; i < 2; i++) {
      const scraped = await register.metrics();
      expect(scraped.endsWith('# EOF\n')).toBe(true);
      expect(parseScrape(scraped).types.get('websocket_route_accepted_handshakes')).toBe('counter');
      const values = valuesOf(parseScrape(scraped), '/prom/open-metrics');
      expect(values).toMatchObject({ accepted_handshakes_total: 1, open_connections: 1 });
    }
    stop();
    expect(register.getMetricsAsArray()).toEqual([]);
  });
});

describe('what exportMetrics returns', () => {
  it('takes out what was registered, nothing else, and listens no more', async () => {
    const { server, register } = await served('/prom/stop');
    const mine = new Counter({ name: 'mine', help: 'Mine.', registers: [register] });
    const stop = exporting({ register });
    expect(register.getMetricsAsArray()).toHaveLength(17);
    const durations = register.getSingleMetric('websocket_route_connection_duration_seconds');
    stop();
    expect(register.getMetricsAsArray()).toEqual([mine]);
    await (await RawClient.open(server, '/prom/stop')).close();
    await gone('/prom/stop', 1);
    expect(await durations?.get()).toMatchObject({ values: [] });
    // Then it may begin anew.
    exporting({ register });
    stop();
    expect(register.getMetricsAsArray()).toHaveLength(17);
  });

  it('does no harm where the registry was cleared, and was given others of these names', () => {
    const register = new Registry();
    const first = exporting({ register });
    register.clear();
    exporting({ register });
    first();
    expect(register.getMetricsAsArray()).toHaveLength(16);
  });
});

describe('what exportMetrics is given', () => {
  it('may not have a name that is taken: then nothing is registered', () => {
    const register = new Registry();
    const mine = new Counter({ name: 'websocket_route_throttles_total', help: 'Mine.', registers: [register] });
    expect(() => exportMetrics({ register })).toThrow(/websocket_route_throttles_total/);
    expect(register.getMetricsAsArray()).toEqual([mine]);
  });

  it('may not be a registry that is exported to already, unless by another prefix', () => {
    const register = new Registry();
    const stop = exporting({ register });
    const again = (): unknown => exportMetrics({ register });
    expect(again).toThrow(
      /already been registered.*call the function that the first exportMetrics\(\) of this registry returned/,
    );
    expect(again).toThrow(expect.objectContaining({ cause: expect.any(Error) }));
    exporting({ register, prefix: 'other_' });
    stop();
    exporting({ register });
  });

  it.each([
    [new Registry(), /^options is .*: it must be an object, such as \{ register \}$/],
    [null, /^options is null/],
    [{ register: {} }, /^register is \{\}: it must be a Registry of prom-client: exportMetrics\(\{ register \}\)$/],
    [{ register: null }, /^register is null/],
    [{ register: () => {} }, /^register is \[Function/],
  ])('may not be %p in place of a registry', (options, message) => {
    const wrong = options as ExportOptions;
    expect(() => exportMetrics(wrong)).toThrow(expect.objectContaining({ code: usageErrorCode() }));
    expect(() => exportMetrics(wrong)).toThrow(message);
  });

  it.each([
    [{ prefx: 'x' }, /^option is 'prefx'/],
    [{ prefix: 'a-b' }, /^prefix is 'a-b'/],
    [{ prefix: 1 }, /^prefix is 1/],
    [{ durationBuckets: [] }, /^durationBuckets is \[\]/],
    [{ durationBuckets: [1, 1] }, /^durationBuckets is \[ 1, 1 \]/],
    [{ durationBuckets: [0, 1] }, /^durationBuckets/],
    [{ durationBuckets: [Number.NaN] }, /^durationBuckets/],
    [{ durationBuckets: '1' }, /^durationBuckets/],
    [{ closeCodes: [1000] }, /^closeCodes is \[ 1000 \]/],
    [{ closeCodes: [3000.5] }, /^closeCodes/],
    [{ closeCodes: 4000 }, /^closeCodes is 4000/],
  ])('may not be %j', (options, message) => {
    const wrong = { register: new Registry(), ...options } as ExportOptions;
    expect(() => exportMetrics(wrong)).toThrow(expect.objectContaining({ code: usageErrorCode() }));
    expect(() => exportMetrics(wrong)).toThrow(message);
  });

  it('may be nothing at all, or undefined', () => {
    exporting({ register: undefined, prefix: undefined, durationBuckets: undefined, closeCodes: undefined })();
    exportMetrics()();
    expect(sharedRegistry.getMetricsAsArray()).toEqual([]);
  });
});
