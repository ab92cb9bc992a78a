import { createNoopMeter } from '@opentelemetry/api';
import { createObservables } from '../../lib/opentelemetry/observables.js';
import { RouteCounters } from '../../lib/telemetry/route-counters.js';

/** Every sample of a route, in the order of the instruments. */
function samples(counters: RouteCounters): unknown[] {
  const route = counters.snapshot();
  return createObservables(createNoopMeter(), new Set([4001])).flatMap(({ read }) => read(route));
}

describe('what is observed of a route', () => {
  it('is 0 at the beginning, and has no attribute for what has not happened', () => {
    const all = samples(new RouteCounters()) as { value: number; attributes?: object }[];
    expect(all.map(({ value }) => value)).toEqual(Array(all.length).fill(0));
    const directions = all.flatMap(({ attributes }) => (attributes === undefined ? [] : Object.entries(attributes)));
    expect(new Set(directions.map(([name]) => name))).toEqual(new Set(['network.io.direction']));
  });

  it('is told apart by why a handshake was refused, in which hook an error was, and how a connection closed', () => {
    const counters = new RouteCounters();
    counters.count('refused', 'origin');
    counters.count('errors', 'onRead');
    for (const code of [1000, 4001, 4002, 4003]) counters.count('closed', code);
    const all = samples(counters);
    expect(all).toContainEqual({ value: 1, attributes: { 'error.type': 'origin' } });
    expect(all).toContainEqual({ value: 1, attributes: { 'websocket_route.hook': 'onRead' } });
    expect(all).toContainEqual({ value: 1, attributes: { 'websocket_route.close.code': '4001' } });
    expect(all).toContainEqual({ value: 2, attributes: { 'websocket_route.close.code': '4xxx' } });
  });

  it('has an instrument of its own for each figure, below one namespace', () => {
    const names: string[] = [];
    const meter = createNoopMeter();
    const note = <T>(make: (name: string, options?: T) => ReturnType<typeof meter.createObservableCounter>) => {
      return (name: string, options?: T) => {
        names.push(name);
        expect(options).toMatchObject({ unit: expect.any(String), description: expect.stringMatching(/\.$/) });
        return make.call(meter, name, options);
      };
    };
    const noting = Object.assign(Object.create(meter) as typeof meter, {
      createObservableCounter: note(meter.createObservableCounter),
      createObservableUpDownCounter: note(meter.createObservableUpDownCounter),
    });
    const all = createObservables(noting, new Set());
    expect(new Set(names).size).toBe(all.length);
    expect(names.filter((name) => !name.startsWith('websocket_route.'))).toEqual([]);
  });
});
