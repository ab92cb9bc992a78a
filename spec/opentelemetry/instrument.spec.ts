import { createServer } from 'node:http';
import { diag, metrics as openTelemetry } from '@opentelemetry/api';
import { MeterProvider, type MetricData, MetricReader } from '@opentelemetry/sdk-metrics';
import { metrics, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { type InstrumentOptions, instrument } from '../../lib/opentelemetry/index.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { setClock } from '../../lib/transport/clock.js';
import { turns } from '../connection/open.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';
import { usageErrorCode } from '../support/usage-error.js';

class Reader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}

  async all(): Promise<MetricData[]> {
    const { resourceMetrics, errors } = await this.collect();
    expect(errors).toEqual([]);
    return resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  }

  /** The points of one route, by the metric's name and what other attributes there are. */
  async of(route: string): Promise<Record<string, unknown>> {
    const points: Record<string, unknown> = {};
    for (const { descriptor, dataPoints } of await this.all()) {
      for (const { attributes, value } of dataPoints) {
        const { 'http.route': own, ...others } = attributes;
        const words = Object.entries(others).map(([name, word]) => ` ${name}=${word}`);
        if (own === route) points[`${descriptor.name.replace('websocket_route.', '')}${words.join('')}`] = value;
      }
    }
    return points;
  }
}

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0)) await one();
});

function provide(): { provider: MeterProvider; reader: Reader } {
  const reader = new Reader();
  const provider = new MeterProvider({ readers: [reader] });
  undo.push(() => provider.shutdown());
  return { provider, reader };
}

function instrumented(options: Omit<InstrumentOptions, 'meter'> = {}): { reader: Reader; stop: () => void } {
  const { provider, reader } = provide();
  const stop = instrument({ meter: provider.getMeter('test'), ...options });
  undo.push(stop);
  return { reader, stop };
}

class Echo extends WebSocketHandler {
  override onRead(data: string): unknown {
    if (data === 'throw') throw new Error('broken');
    this.write(data);
    return undefined;
  }
  override onError(): void {}
}

async function served(path: string) {
  const clock = new TestClock();
  const http = createServer(websocketRoute(path, Echo));
  http.on('connection', (socket) => setClock(socket, clock));
  return { server: await serve(http), clock };
}

async function gone(path: string, count: number): Promise<void> {
  const closed = (): number => Object.values(metrics().routes[path]?.closed ?? {}).reduce((sum, one) => sum + one, 0);
  while (closed() < count) await turns();
}

describe('instrument', () => {
  it('lets an SDK collect what has happened on each route', async () => {
    const { server, clock } = await served('/otel/:room');
    const { reader } = instrumented();
    const open = await RawClient.open(server, '/otel/a?token=1');
    const closing = await RawClient.open(server, '/otel/b?token=2');
    const refused = await RawClient.connect(server);
    await refused.handshake('/otel/c', { Origin: 'https://evil.example' });
    open.send(text('hello'), text('throw'));
    expect(await open.nextText()).toBe('hello');
    await clock.advance(10_000);
    await closing.close(1001);
    await gone('/otel/:room', 1);

    const { 'connection.duration': durations, ...points } = await reader.of('/otel/:room');
    expect(points).toEqual({
      active_connections: 1,
      'buffer.usage': 0,
      handshakes: 2,
      'handshakes error.type=origin': 1,
      'closed_connections websocket_route.close.code=1001': 1,
      lost_connections: 0,
      'errors websocket_route.hook=onRead': 1,
      overflows: 0,
      slow_consumers: 0,
      throttles: 0,
      'messages network.io.direction=receive': 2,
      'messages network.io.direction=transmit': 1,
      dropped_messages: 0,
      'io network.io.direction=receive': open.socket.bytesWritten + closing.socket.bytesWritten,
      'io network.io.direction=transmit': open.socket.bytesRead + closing.socket.bytesRead,
    });
    expect(durations).toMatchObject({
      count: 1,
      sum: 10,
      buckets: {
        boundaries: [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400],
        counts: [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
      },
    });
  });

  it('gives every instrument a unit and a description', async () => {
    const { server } = await served('/otel/units');
    const { reader } = instrumented();
    await (await RawClient.open(server, '/otel/units')).close();
    await gone('/otel/units', 1);
    const all = (await reader.all()).map(({ descriptor }) => descriptor);
    expect(Object.fromEntries(all.map(({ name, unit }) => [name, unit]))).toEqual({
      'websocket_route.active_connections': '{connection}',
      'websocket_route.buffer.usage': 'By',
      'websocket_route.handshakes': '{handshake}',
      'websocket_route.closed_connections': '{connection}',
      'websocket_route.lost_connections': '{connection}',
      'websocket_route.errors': '{error}',
      'websocket_route.overflows': '{overflow}',
      'websocket_route.slow_consumers': '{event}',
      'websocket_route.throttles': '{event}',
      'websocket_route.messages': '{message}',
      'websocket_route.dropped_messages': '{message}',
      'websocket_route.io': 'By',
      'websocket_route.connection.duration': 's',
    });
    expect(all.filter(({ description }) => !description.endsWith('.'))).toEqual([]);
  });

  it('tells close codes apart as far as peers cannot choose them', async () => {
    const { server } = await served('/otel/codes');
    const { reader } = instrumented({ closeCodes: [4001] });
    const codes = [4000, 4001, 4999, 3000, 1000];
    for (const code of codes) await (await RawClient.open(server, '/otel/codes')).close(code);
    await gone('/otel/codes', codes.length);
    const points = Object.entries(await reader.of('/otel/codes')).filter(([name]) => name.startsWith('closed'));
    expect(Object.fromEntries(points)).toEqual({
      'closed_connections websocket_route.close.code=1000': 1,
      'closed_connections websocket_route.close.code=3xxx': 1,
      'closed_connections websocket_route.close.code=4001': 1,
      'closed_connections websocket_route.close.code=4xxx': 2,
    });
  });

  it('takes the meter of the global provider where none is given', async () => {
    const { provider, reader } = provide();
    openTelemetry.setGlobalMeterProvider(provider);
    undo.push(() => openTelemetry.disable());
    undo.push(instrument());
    const { server } = await served('/otel/global');
    await RawClient.open(server, '/otel/global');
    expect(await reader.of('/otel/global')).toMatchObject({ active_connections: 1, handshakes: 1 });
  });

  it('does nothing where there is no SDK, and tells the logger of the API', async () => {
    const warn = jest.fn();
    const silent = { error() {}, info() {}, debug() {}, verbose() {} };
    diag.setLogger({ ...silent, warn });
    undo.push(() => diag.disable());
    undo.push(instrument(), instrument());
    expect(warn).toHaveBeenCalledTimes(2);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('call instrument() after it has started'));
    const { server } = await served('/otel/no-sdk');
    const client = await RawClient.open(server, '/otel/no-sdk');
    await client.close();
    await gone('/otel/no-sdk', 1);
  });
});

describe('what instrument returns', () => {
  it('lets nothing more be collected or recorded, and listens no more', async () => {
    const { server } = await served('/otel/stop');
    const { reader, stop } = instrumented();
    await (await RawClient.open(server, '/otel/stop')).close();
    await gone('/otel/stop', 1);
    const before = await reader.of('/otel/stop');
    expect(before).toMatchObject({ handshakes: 1, 'connection.duration': { count: 1 } });

    stop();
    await (await RawClient.open(server, '/otel/stop')).close();
    await gone('/otel/stop', 2);
    const after = await reader.of('/otel/stop');
    expect(after['connection.duration']).toEqual(before['connection.duration']);
    expect(after['handshakes'] ?? 1).toBe(1);
    expect(after).not.toHaveProperty('active_connections', 2);
  });
});

describe('what instrument is given', () => {
  it('may not be a meter that is instrumented already, until that one is stopped', async () => {
    const { provider, reader } = provide();
    const meter = provider.getMeter('twice');
    const stop = instrument({ meter });
    expect(() => instrument({ meter })).toThrow(
      /^this meter is already instrumented: .*call the function that it returned/,
    );
    const { server } = await served('/otel/twice');
    await (await RawClient.open(server, '/otel/twice')).close();
    await gone('/otel/twice', 1);
    expect(await reader.of('/otel/twice')).toMatchObject({ handshakes: 1, 'connection.duration': { count: 1 } });
    stop();
    undo.push(instrument({ meter }));
    // A stop that comes twice does not let a third one in.
    stop();
    expect(() => instrument({ meter })).toThrow(/already instrumented/);
    expect(() => instrument({ meter: provider.getMeter('other') })()).not.toThrow();
  });

  it.each([
    [new MeterProvider().getMeter('bare'), /^options is .*: it must be an object, such as \{ meter \}$/],
    [null, /^options is null/],
    [{ meter: {} }, /^meter is \{\}: it must be a Meter of @opentelemetry\/api: instrument\(\{ meter \}\)$/],
    [{ meter: new MeterProvider() }, /^meter is MeterProvider/],
    [{ meter: null }, /^meter is null/],
  ])('may not be %p in place of a meter', (options, message) => {
    const wrong = options as InstrumentOptions;
    expect(() => instrument(wrong)).toThrow(expect.objectContaining({ code: usageErrorCode() }));
    expect(() => instrument(wrong)).toThrow(message);
  });

  it.each([
    [{ metre: 1 }, /^option is 'metre'/],
    [{ closeCodes: [1000] }, /^closeCodes is \[ 1000 \]/],
    [{ closeCodes: 'all' }, /^closeCodes is 'all'/],
  ])('may not be %j', (options, message) => {
    const wrong = options as InstrumentOptions;
    expect(() => instrument(wrong)).toThrow(expect.objectContaining({ code: usageErrorCode() }));
    expect(() => instrument(wrong)).toThrow(message);
  });
});
