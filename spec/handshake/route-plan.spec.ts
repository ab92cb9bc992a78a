import { WebSocketHandler } from '../../lib/handler/handler.js';
import { type ConnectionOptions, resolveOptions } from '../../lib/handler/options/options.js';
import { compilePlan, planFor, settingsFor } from '../../lib/handshake/route-plan.js';
import { acceptWebSocket, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';
import { usageErrorCode } from '../support/usage-error.js';

class Echo extends WebSocketHandler {}

describe('compilePlan', () => {
  it('names the route for the log', () => {
    expect(compilePlan(Echo, resolveOptions({})).settings.name).toBe('Echo');
    expect(compilePlan(Echo, resolveOptions({}), '/ws/:id').settings.name).toBe('Echo at /ws/:id');
    expect(compilePlan(Echo, resolveOptions({ name: 'chat' }), '/ws/:id').settings.name).toBe('Echo at chat');
    expect(compilePlan(class extends Echo {}, resolveOptions({}), '/ws').settings.name).toBe('(anonymous) at /ws');
    expect(compilePlan({}, resolveOptions({})).settings.name).toBe('(anonymous)');
  });

  it('names it for metrics: by the option, by its path, or by its handler where the path says nothing', () => {
    const routeOf = (options: ConnectionOptions, path?: string): string =>
      compilePlan(Echo, resolveOptions(options), path).settings.route;
    expect(routeOf({}, '/ws/:id')).toBe('/ws/:id');
    expect(routeOf({}, '/')).toBe('Echo');
    expect(routeOf({})).toBe('Echo');
    expect(routeOf({ name: 'chat' }, '/ws/:id')).toBe('chat');
    expect(routeOf({ name: 'chat' })).toBe('chat');
    expect(compilePlan({}, resolveOptions({}), '/').settings.route).toBe('(anonymous)');
  });

  it.each([
    { origins: 'everybody' },
    { origins: ['example.com'] },
    { subprotocols: ['a b'] },
    { subprotocols: 'chat' },
    { bufferSize: 0 },
    { closeTimeout: Number.POSITIVE_INFINITY },
    { readDelimiter: '' },
    { allowOldHandshake: 1 },
    { bufersize: 7 },
  ])('refuses %j when the route is made', (options) => {
    const given = options as unknown as ConnectionOptions;
    const error = expect.objectContaining({ name: 'TypeError', code: usageErrorCode() });
    expect(() => websocketRoute(Echo, given)).toThrow(error);
    expect(() => websocketRoute('/ws', Echo, given)).toThrow(error);
    const [request, response] = [undefined, undefined] as unknown as Parameters<typeof acceptWebSocket>;
    expect(() => acceptWebSocket(request, response, Echo, given)).toThrow(error);
  });
});

describe('planFor', () => {
  it('compiles a handler and its options once', () => {
    const options = { bufferSize: 7 };
    expect(planFor(Echo, options)).toBe(planFor(Echo, options));
    expect(planFor(Echo)).toBe(planFor(Echo));
    expect(planFor(Echo, options)).not.toBe(planFor(Echo, { bufferSize: 7 }));
    expect(planFor(Echo, options)).not.toBe(planFor(class extends Echo {}, options));
    expect(planFor(Echo, options).settings.bufferSize).toBe(7);
  });
});

describe('settingsFor', () => {
  it('watches writes for those who want to know of them', () => {
    const watches = (Handler: typeof Echo): boolean =>
      settingsFor(compilePlan(Handler, resolveOptions({})), new Handler()).watchesWrites;
    expect(watches(Echo)).toBe(false);
    expect(
      watches(
        class extends Echo {
          override onWrite(): void {}
        },
      ),
    ).toBe(true);
    expect(
      watches(
        class extends Echo {
          override onWrite = (): void => {};
        },
      ),
    ).toBe(true);
  });

  it('calls an onWrite that is a field of the class', async () => {
    const written = new AsyncQueue<string>();
    class Field extends WebSocketHandler {
      override onWrite = (): void => written.push('written');
      override onConnect(): void {
        this.write('hello');
      }
    }
    const client = await RawClient.open(await serve(websocketRoute(Field)));
    expect(await client.nextText()).toBe('hello');
    expect(await written.next()).toBe('written');
  });
});
