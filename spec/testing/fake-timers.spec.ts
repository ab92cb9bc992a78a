/** With fake timers of the test runner the handler's own timers stand still, and connections in memory do not. */
import { type WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { connect } from '../../lib/testing/index.js';

beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] }));
afterEach(() => jest.useRealTimers());

it('passes the time of a handler, and of its connection, each when the test says so', async () => {
  const route = websocketRoute({
    onRead(this: WebSocketHandler, text: string | Buffer): void {
      setTimeout(() => this.write(`late ${text}`), 60_000);
    },
  });
  const client = await connect(route, '/', { answerPings: false });
  client.send('answer');
  await client.clock.advance(0);
  jest.advanceTimersByTime(60_000);
  expect(await client.next()).toBe('late answer');
  await client.clock.advance(45_000);
  expect(await client.closed).toMatchObject({ code: 1006 });
});

it('bounds the waits of a test by real time', async () => {
  const client = await connect(websocketRoute({}));
  await expect(client.next({ timeout: 5 })).rejects.toThrow('no message came within 5 ms');
});
