/** Ten thousand connections come and go, and what they cost goes with them. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const BATCH = 200;
const MEBIBYTE = 1024 * 1024;

async function heapUsed(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    await nextTurn();
    collectGarbage();
  }
  return process.memoryUsage().heapUsed;
}

describe('ten thousand connections', () => {
  let connects = 0;
  let closes = 0;
  let wake: () => void = () => {};
  class Echo extends WebSocketHandler {
    private readonly ballast = new Array<number>(1000).fill(connects);

    override onConnect(): void {
      connects += 1;
      this.readDelimiter = '\n';
    }

    override onRead(line: string): void {
      this.write(line, { flush: this.ballast.length === 0 });
      this.ping();
    }

    override onClose(): void {
      closes += 1;
      wake();
    }
  }

  async function batch(server: Running): Promise<void> {
    const before = closes;
    await Promise.all(
      Array.from({ length: BATCH }, async (_, i) => {
        const client = await RawClient.open(server);
        const gone = new Promise((resolve) => client.socket.once('close', resolve));
        client.send(text('a line\nand half a'));
        expect(await client.nextText()).toBe('a line');
        if (i % 4 === 0) await client.close().catch(() => {});
        else if (i % 4 === 1) client.socket.destroy();
        else if (i % 4 === 2) client.socket.resetAndDestroy();
        else client.socket.end();
        await gone;
      }),
    );
    while (closes < before + BATCH) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  it('leave no memory and no socket behind', async () => {
    const server = await serve(websocketRoute(Echo));
    // What is allocated once, and the code that gets compiled, is none of it.
    for (let i = 0; i < 5; i++) await batch(server);
    const before = await heapUsed();
    for (let i = 0; i < 50; i++) await batch(server);
    const after = await heapUsed();
    // Each handler has 8 KB of its own: if only one in twenty were kept, that would be 4 MiB.
    expect((after - before) / MEBIBYTE).toBeLessThan(4);
    expect(await new Promise((resolve) => server.server.getConnections((_error, count) => resolve(count)))).toBe(0);
    expect([connects, closes]).toEqual([55 * BATCH, 55 * BATCH]);
  }, 60_000);

  it('connections that are refused, or vanish in the handshake, leave nothing behind', async () => {
    const server = await serve(websocketRoute({ onHandshake: () => new Promise<boolean>(() => {}) }));
    const refusing = await serve(websocketRoute({ onHandshake: () => false }));
    const round = async (): Promise<void> => {
      await Promise.all(
        Array.from({ length: BATCH }, async (_, i) => {
          const client = await RawClient.connect(i % 2 === 0 ? server : refusing);
          const gone = new Promise((resolve) => client.socket.once('close', resolve));
          if (i % 2 === 0) client.sendHandshake();
          else await expect(client.handshake()).toBeRefusedWith(403);
          client.socket.destroy();
          await gone;
        }),
      );
      await Promise.all(
        [...server.sockets, ...refusing.sockets].map(
          (socket) => new Promise((resolve) => socket.once('close', resolve)),
        ),
      );
    };
    for (let i = 0; i < 3; i++) await round();
    const before = await heapUsed();
    for (let i = 0; i < 15; i++) await round();
    const after = await heapUsed();
    expect((after - before) / MEBIBYTE).toBeLessThan(2);
  }, 60_000);
});
